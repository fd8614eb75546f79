#include "service/answer.h"

#include "base/log.h"
#include "codec/codec.h"

static br_status send(br_socket *socket, const br_peer *peer, br_message_type type, uint64_t request,
                      const br_buf *buffer)
{
    return br_socket_send(socket, peer, (uint16_t)type, request, br_span_of(buffer), (br_span){0});
}

br_status br_report_send(br_socket *socket, const br_peer *peer, uint64_t request, const br_report *report,
                         br_buf *buffer)
{
    br_buf_clear(buffer);
    br_status status = br_report_pack(report, buffer);
    if (status != BR_OK) {
        return status;
    }
    br_status sent = send(socket, peer, BR_MSG_REPORT, request, buffer);
    if (sent != BR_OK) {
        br_log_info("REPLY-LOST", "reason=\"%s\" next=\"the client asks again\"", br_why(sent));
    }
    return BR_OK;
}

br_status br_progress_send(br_socket *socket, const br_peer *peer, uint64_t request, const br_progress *progress,
                           br_buf *buffer)
{
    br_buf_clear(buffer);
    br_status status = br_progress_pack(progress, buffer);
    if (status == BR_OK) {
        br_status sent = send(socket, peer, BR_MSG_PROGRESS, request, buffer);
        (void)sent; // the report will tell
    }
    return status;
}

br_status br_hint_send(br_socket *socket, const br_hint *hint, br_buf *buffer)
{
    br_buf_clear(buffer);
    br_status status = br_hint_pack(hint, buffer);
    if (status == BR_OK) {
        br_status sent = send(socket, NULL, BR_MSG_HINT, 0, buffer);
        (void)sent; // readers look anyway
    }
    return status;
}
