#include "base/clock.h"
#include "base/version.h"
#include "service/internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define BEAT_MAX_MS 10000

static _Atomic int64_t last_beat_ms; // 0 = none yet

static pthread_mutex_t ready_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_ready;
static char not_ready_reason[256] = "starting";

void br_live_beat(void)
{
    atomic_store_explicit(&last_beat_ms, br_clock_ms(), memory_order_relaxed);
}

void br_ready_set(bool ready, const char *reason)
{
    pthread_mutex_lock(&ready_lock);
    is_ready = ready;
    snprintf(not_ready_reason, sizeof not_ready_reason, "%s", reason == NULL ? "" : reason);
    pthread_mutex_unlock(&ready_lock);
}

// One line for machines; ?verbose adds each check on a line of its own.
static void say(const br_http_request *request, br_http_answer *answer, bool good, const char *what, const char *detail)
{
    answer->code = good ? 200 : 503;
    answer->content_type = "text/plain; charset=utf-8";
    if (request->query(request, "verbose") != NULL) {
        br_buf_printf(&answer->body, "%s %s: %s\nversion: %s (commit %s)\n", good ? "[+]" : "[-]", what, detail,
                      BR_VERSION, BR_COMMIT);
    }
    if (good) {
        br_buf_string(&answer->body, "ok\n");
    } else {
        br_buf_printf(&answer->body, "not %s: %s\n", what, detail);
    }
}

void br_livez(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    int64_t beat_ms = atomic_load_explicit(&last_beat_ms, memory_order_relaxed);
    int64_t age_ms = br_clock_ms() - beat_ms;
    char detail[64];
    snprintf(detail, sizeof detail, "last beat %lld ms ago", (long long)age_ms);
    say(request, answer, beat_ms != 0 && age_ms <= BEAT_MAX_MS, "live", beat_ms == 0 ? "no beat yet" : detail);
}

void br_readyz(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    pthread_mutex_lock(&ready_lock);
    bool ready = is_ready;
    char reason[sizeof not_ready_reason];
    memcpy(reason, not_ready_reason, sizeof reason);
    pthread_mutex_unlock(&ready_lock);
    say(request, answer, ready, "ready", ready ? "yes" : reason);
}
