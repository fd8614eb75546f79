#include "service/later.h"

#include "base/alloc.h"

#include <pthread.h>
#include <string.h>

struct br_later {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t idle;
    br_later_work *first;
    br_later_work *last;
    uint32_t n; // waiting
    uint32_t n_most;
    bool running;
    bool stopping;
};

static br_later_work *take(br_later *later)
{
    br_later_work *work = later->first;
    if (work != NULL) {
        later->first = work->next;
        later->last = later->first == NULL ? NULL : later->last;
        later->n--;
    }
    return work;
}

static void *serve(void *context)
{
    br_later *later = context;
    pthread_mutex_lock(&later->lock);
    while (!later->stopping) {
        br_later_work *work = take(later);
        if (work == NULL) {
            pthread_cond_wait(&later->work, &later->lock);
            continue;
        }
        later->running = true;
        pthread_mutex_unlock(&later->lock);
        work->run(work->state, &work->answer);
        work->count(work);
        work->done(work);
        pthread_mutex_lock(&later->lock);
        later->running = false;
        pthread_cond_broadcast(&later->idle);
    }
    pthread_mutex_unlock(&later->lock);
    return NULL;
}

br_status br_later_new(br_later **out, uint32_t n_waiting)
{
    br_later *later = br_calloc(1, sizeof *later);
    if (later == NULL) {
        return br_no_memory("queue of requests", n_waiting);
    }
    later->n_most = n_waiting;
    pthread_mutex_init(&later->lock, NULL);
    pthread_cond_init(&later->work, NULL);
    pthread_cond_init(&later->idle, NULL);
    int failed = pthread_create(&later->thread, NULL, serve, later);
    if (failed != 0) {
        br_free(later);
        return br_fail(BR_ERR_IO, "cannot start a thread: %s", strerror(failed));
    }
    *out = later;
    return BR_OK;
}

bool br_later_put(br_later *later, br_later_work *work, void (*before)(void *context), void *context)
{
    pthread_mutex_lock(&later->lock);
    bool room = later->n + (later->running ? 1 : 0) <= later->n_most;
    if (room) {
        before(context);
        work->next = NULL;
        *(later->last == NULL ? &later->first : &later->last->next) = work;
        later->last = work;
        later->n++;
        pthread_cond_signal(&later->work);
    }
    pthread_mutex_unlock(&later->lock);
    return room;
}

void br_later_drain(br_later *later)
{
    pthread_mutex_lock(&later->lock);
    for (br_later_work *work = take(later); work != NULL; work = take(later)) {
        work->run(work->state, NULL);
        br_http_problem(&work->answer, 503, "Service Unavailable", "the service is stopping");
        work->count(work);
        work->done(work);
    }
    while (later->running) {
        pthread_cond_wait(&later->idle, &later->lock);
    }
    pthread_mutex_unlock(&later->lock);
}

void br_later_free(br_later **later)
{
    if (later == NULL || *later == NULL) {
        return;
    }
    br_later_drain(*later);
    pthread_mutex_lock(&(*later)->lock);
    (*later)->stopping = true;
    pthread_cond_signal(&(*later)->work);
    pthread_mutex_unlock(&(*later)->lock);
    pthread_join((*later)->thread, NULL);
    pthread_mutex_destroy(&(*later)->lock);
    pthread_cond_destroy(&(*later)->work);
    pthread_cond_destroy(&(*later)->idle);
    br_free(*later);
    *later = NULL;
}
