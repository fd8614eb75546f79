// The job under work, on a thread of its own.

#include "base/clock.h"
#include "explainer.h"

#include <stdio.h>
#include <string.h>

enum { MAX_JOB_BYTES = 256 << 20 }; // a job, its population's view and its result in memory

static bool go_on(void *context)
{
    job_work *work = context;
    return !atomic_load(&work->cancelled) && br_clock_ms() < work->until_ms;
}

static br_status pack(job_work *work, const br_result *result)
{
    work->n_explained = result->n_explanations;
    return br_result_pack(result, &work->result);
}

static br_status pack_failure(job_work *work, const char *why)
{
    return pack(work, &(br_result){.job_id = work->held->job_id, .failure = why});
}

static br_status explain(job_work *work, const br_job *job)
{
    const held_population *population = work->population;
    if (work->served == NULL) {
        br_status status = br_served_load(&work->loaded, work->models, work->held->version);
        if (status != BR_OK) {
            return status == BR_ERR_NO_MEMORY ? status : pack_failure(work, br_why(status));
        }
        work->served = work->loaded;
    }
    if (job->body.n_population != population->info.n) {
        return pack_failure(work, "the job's scores do not fit its population");
    }
    br_result result;
    br_status status = br_job_work(&result, work->arena, work->served, job, population->codes,
                                   population->info.n_investor_fields, go_on, work);
    if (status == BR_ERR_CANCELLED && !atomic_load(&work->cancelled)) {
        return pack_failure(work, "the job takes longer than work.max_work_ms");
    }
    return status == BR_OK ? pack(work, &result) : status;
}

static void *run(void *context)
{
    job_work *work = context;
    int64_t start = br_clock_ns();
    br_job job;
    br_status status = br_job_unpack(&job, work->arena, work->held->bytes, work->held->n);
    if (status == BR_OK) {
        status = explain(work, &job);
    }
    work->status = status;
    snprintf(work->reason, sizeof work->reason, "%s", status == BR_OK ? "" : br_why(status));
    work->seconds = (double)(br_clock_ns() - start) * 1e-9;
    atomic_store(&work->ended, true);
    br_service_wake(work->service);
    return NULL;
}

br_status explainer_begin_work(explainer *self, const held_population *population)
{
    job_work *work = &self->current;
    br_assert(work->held == NULL && self->n_jobs > 0);
    br_status status = work->arena == NULL ? br_arena_new(&work->arena, MAX_JOB_BYTES) : BR_OK;
    if (status != BR_OK) {
        return status;
    }
    br_arena_reset(work->arena);
    br_buf_clear(&work->result);
    work->service = self->service;
    work->models = self->models;
    work->held = &self->jobs[0];
    work->population = population;
    work->served = explainer_find_snapshot(self, work->held->version);
    work->until_ms = br_clock_ms() + br_service_config(self->service)->work.max_work_ms;
    atomic_store(&work->cancelled, false);
    atomic_store(&work->ended, false);
    if (pthread_create(&work->thread, NULL, run, work) != 0) {
        work->held = NULL;
        work->population = NULL;
        return br_no_memory("thread", 1);
    }
    return BR_OK;
}

br_status explainer_end_work(explainer *self)
{
    job_work *work = &self->current;
    if (work->held == NULL || !atomic_load(&work->ended)) {
        return BR_ERR_AGAIN;
    }
    pthread_join(work->thread, NULL);
    work->held = NULL;
    work->population = NULL;
    if (work->loaded != NULL) {
        explainer_keep_snapshot(self, &work->loaded);
    }
    return work->status == BR_OK ? BR_OK : br_fail(work->status, "%s", work->reason);
}

void explainer_stop_work(explainer *self)
{
    job_work *work = &self->current;
    if (work->held != NULL) {
        atomic_store(&work->cancelled, true);
        pthread_join(work->thread, NULL);
        work->held = NULL;
    }
    br_served_free(&work->loaded);
    br_arena_free(&work->arena);
    br_buf_deinit(&work->result);
}
