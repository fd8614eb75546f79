#include "desk.h"

// The file itself, byte by byte: what is served is what is read in the source and checked by the tests.
__asm__(".section .rodata\n"
        ".global desk_openapi_begin\n"
        ".global desk_openapi_end\n"
        "desk_openapi_begin:\n"
        ".incbin \"" DESK_OPENAPI_FILE "\"\n"
        "desk_openapi_end:\n"
        ".previous\n");

extern const uint8_t desk_openapi_begin[];
extern const uint8_t desk_openapi_end[];

void handle_openapi(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    br_buf_append(&answer->body, desk_openapi_begin, (size_t)(desk_openapi_end - desk_openapi_begin));
    answer_finish(answer);
}
