#ifndef BR_TESTS_SERVICE_HELPERS_H
#define BR_TESTS_SERVICE_HELPERS_H

/// Talking to an HTTP server byte by byte, and running real processes; every wait has a deadline.

#include "base/buf.h"

#include <sys/types.h>

#define BR_TEST_DEADLINE_MS 15000

/// A connection to 127.0.0.1:port; ends the test if there is none.
int br_test_connect(uint16_t port);
/// Send what can be sent; false when the other side has closed.
bool br_test_send(int file, const void *bytes, size_t n);
/// All until the other side closes or `deadline_ms` has passed; -1 then, else the status code of the answer (0: none).
int br_test_receive(int file, br_buf *out, int64_t deadline_ms);
/// Send one request and read the whole answer: its code, and the answer in *out.
int br_test_request(uint16_t port, const char *request, br_buf *out);
/// GET `target` with "Connection: close".
int br_test_get(uint16_t port, const char *target, br_buf *out);
/// The value of a header of the answer, in memory that lives as long as the process; NULL if it is not there.
const char *br_test_header(const br_buf *answer, const char *name);
const char *br_test_body(const br_buf *answer);

typedef struct br_test_process {
    pid_t pid;
    int err;    ///< its stderr
    int out;    ///< its stdout
    int notify; ///< datagrams to $NOTIFY_SOCKET
    br_buf err_text;
    br_buf out_text;
} br_test_process;

/// Start BOOKRUNNER_BIN/NAME with the flags (NULL at the end), $NOTIFY_SOCKET in `directory`.
br_test_process br_test_spawn(const char *directory, const char *name, const char *const *flags);
/// Wait for a datagram that starts with `text`; false at the deadline or when the process has ended.
bool br_test_notified(br_test_process *process, const char *text);
/// Wait until it has ended; its exit code, 1000 + signal, or -1 at the deadline (it is killed then). Fills err_text and out_text.
int br_test_wait(br_test_process *process);
/// Port from DIR/run/NAME.http, 0 if there is none.
uint16_t br_test_port(const char *directory, const char *name);

#endif
