#include "base/workers.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct br_workers {
    pthread_t *threads;
    uint32_t n_started; // threads beside the caller
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_cond_t done;
    uint64_t round;     // counts runs; a worker that sees a new one starts
    uint32_t n_running; // workers that have not finished this round
    bool stop;
    br_work work;
    void *context;
    uint32_t n_items;
    atomic_uint next_item;
    atomic_uint next_worker; // hands every thread its number
};

static void take_items(br_workers *workers, uint32_t worker)
{
    uint32_t item;
    while ((item = atomic_fetch_add(&workers->next_item, 1)) < workers->n_items) {
        workers->work(workers->context, worker, item);
    }
}

static void *worker_main(void *argument)
{
    br_workers *workers = argument;
    uint32_t number = atomic_fetch_add(&workers->next_worker, 1);
    uint64_t seen = 0;
    pthread_mutex_lock(&workers->mutex);
    for (;;) {
        while (workers->round == seen && !workers->stop) {
            pthread_cond_wait(&workers->wake, &workers->mutex);
        }
        if (workers->stop) {
            break;
        }
        seen = workers->round;
        pthread_mutex_unlock(&workers->mutex);
        take_items(workers, number);
        pthread_mutex_lock(&workers->mutex);
        workers->n_running--;
        if (workers->n_running == 0) {
            pthread_cond_signal(&workers->done);
        }
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

br_status br_workers_new(br_workers **out, uint32_t n_threads)
{
    br_assert(n_threads > 0);
    BR_AUTO(br_workers) *workers = br_calloc(1, sizeof *workers);
    if (workers == NULL) {
        return br_no_memory("workers", n_threads);
    }
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->wake, NULL);
    pthread_cond_init(&workers->done, NULL);
    atomic_init(&workers->next_item, 0);
    atomic_init(&workers->next_worker, 1);
    workers->threads = br_calloc(n_threads, sizeof *workers->threads);
    if (workers->threads == NULL) {
        return br_no_memory("threads", n_threads);
    }
    while (workers->n_started + 1 < n_threads) {
        int error = pthread_create(&workers->threads[workers->n_started], NULL, worker_main, workers);
        if (error != 0) {
            return br_fail(BR_ERR_LIMIT, "thread %u of %u: %s", workers->n_started + 2, n_threads, strerror(error));
        }
        workers->n_started++;
    }
    *out = workers;
    workers = NULL;
    return BR_OK;
}

uint32_t br_workers_n_threads(const br_workers *workers)
{
    return workers->n_started + 1;
}

void br_workers_run(br_workers *workers, br_work work, void *context, uint32_t n_items)
{
    pthread_mutex_lock(&workers->mutex);
    workers->work = work;
    workers->context = context;
    workers->n_items = n_items;
    atomic_store(&workers->next_item, 0);
    workers->n_running = workers->n_started;
    workers->round++;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->mutex);
    take_items(workers, 0);
    pthread_mutex_lock(&workers->mutex);
    while (workers->n_running > 0) {
        pthread_cond_wait(&workers->done, &workers->mutex);
    }
    pthread_mutex_unlock(&workers->mutex);
}

void br_workers_free(br_workers **workers)
{
    if (workers == NULL || *workers == NULL) {
        return;
    }
    br_workers *it = *workers;
    pthread_mutex_lock(&it->mutex);
    it->stop = true;
    pthread_cond_broadcast(&it->wake);
    pthread_mutex_unlock(&it->mutex);
    for (uint32_t i = 0; i < it->n_started; i++) {
        pthread_join(it->threads[i], NULL);
    }
    pthread_cond_destroy(&it->done);
    pthread_cond_destroy(&it->wake);
    pthread_mutex_destroy(&it->mutex);
    br_free(it->threads);
    br_free(it);
    *workers = NULL;
}
