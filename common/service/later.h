#ifndef BR_SERVICE_LATER_H
#define BR_SERVICE_LATER_H

/// One thread for requests that take long, beside the server's own: one at a time in order of arrival, few waiting, the rest refused at once.
/// The server's threads stay free for what is quick.

#include "service/http.h"

typedef struct br_later br_later;

/// A piece of work. The caller's memory, from br_later_put() until `done` was called.
typedef struct br_later_work {
    br_http_later run;
    void *state;
    br_http_answer answer;                     ///< what it gave
    void (*count)(struct br_later_work *work); ///< called on the thread after the run, before the work counts as over
    void (*done)(struct br_later_work *work);  ///< called last; the work is the caller's again
    struct br_later_work *next;
} br_later_work;

/// Errors: BR_ERR_NO_MEMORY, BR_ERR_IO (no thread).
br_status br_later_new(br_later **out, uint32_t n_waiting) BR_MUST_CHECK;
/// False: one is running and n_waiting wait. `before`: called with `context` if it is taken, before it can run.
bool br_later_put(br_later *later, br_later_work *work, void (*before)(void *context), void *context);
/// Give up what waits (503), and wait for what runs.
void br_later_drain(br_later *later);
void br_later_free(br_later **later);

#endif
