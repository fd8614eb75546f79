#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local char reason_text[1024];
static _Thread_local br_status reason_status = BR_OK;

static const char *const names[BR_STATUS_COUNT] = {
    [BR_OK] = "BR_OK",
    [BR_ERR_NO_MEMORY] = "BR_ERR_NO_MEMORY",
    [BR_ERR_INVALID] = "BR_ERR_INVALID",
    [BR_ERR_NOT_FOUND] = "BR_ERR_NOT_FOUND",
    [BR_ERR_EXISTS] = "BR_ERR_EXISTS",
    [BR_ERR_IO] = "BR_ERR_IO",
    [BR_ERR_FULL] = "BR_ERR_FULL",
    [BR_ERR_CORRUPT] = "BR_ERR_CORRUPT",
    [BR_ERR_LIMIT] = "BR_ERR_LIMIT",
    [BR_ERR_UNREACHABLE] = "BR_ERR_UNREACHABLE",
    [BR_ERR_TIMEOUT] = "BR_ERR_TIMEOUT",
    [BR_ERR_VERSION] = "BR_ERR_VERSION",
    [BR_ERR_CANCELLED] = "BR_ERR_CANCELLED",
    [BR_ERR_AGAIN] = "BR_ERR_AGAIN",
};

br_status br_fail(br_status status, const char *format, ...)
{
    // Formatted aside, because an argument may be the text of an earlier reason.
    char text[sizeof reason_text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < sizeof text; i++) {
        reason_text[i] = text[i];
        if (text[i] == '\0') {
            break;
        }
    }
    reason_status = status;
    return status;
}

const char *br_why(br_status status)
{
    return status == reason_status && status != BR_OK ? reason_text : br_status_name(status);
}

br_status br_errno_status(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BR_ERR_FULL;
    case ENOENT:
    case ENOTDIR:
        return BR_ERR_NOT_FOUND;
    case EEXIST:
        return BR_ERR_EXISTS;
    case ENOMEM:
        return BR_ERR_NO_MEMORY;
    default:
        return BR_ERR_IO;
    }
}

const char *br_status_name(br_status status)
{
    if ((unsigned)status >= BR_STATUS_COUNT) {
        return "unknown status";
    }
    return names[status];
}

void br_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "ASSERT-FAILED condition=\"%s\" at=%s:%d function=%s\n", condition, file, line, function);
    abort();
}
