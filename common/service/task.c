#include "service/task.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/codec.h"

#include <stdio.h>
#include <string.h>

enum { TELL_EVERY_MS = 200 };

static void *thread_main(void *argument)
{
    br_task *task = argument;
    task->run(task->argument);
    atomic_store(&task->ended, true);
    br_service_wake(task->service);
    return NULL;
}

br_status br_task_begin(br_task *task, br_service *service, br_socket *socket, const br_message *message,
                        void (*run)(void *argument), void *argument)
{
    if (task->busy) {
        return br_fail(BR_ERR_EXISTS, "one runs already; ask again when it has ended");
    }
    task->service = service;
    task->socket = socket;
    task->client = message->peer;
    task->request = message->request;
    task->run = run;
    task->argument = argument;
    task->stage[0] = '\0';
    task->told_ms = 0;
    atomic_store(&task->cancelled, false);
    atomic_store(&task->ended, false);
    if (pthread_mutex_init(&task->mutex, NULL) != 0) {
        return br_no_memory("mutex", 1);
    }
    if (pthread_create(&task->thread, NULL, thread_main, task) != 0) {
        pthread_mutex_destroy(&task->mutex);
        return br_no_memory("thread", 1);
    }
    task->busy = true;
    return BR_OK;
}

bool br_task_is_for(const br_task *task, const br_message *message)
{
    return task->busy && task->request == message->request && task->client.n == message->peer.n &&
           memcmp(task->client.id, message->peer.id, message->peer.n) == 0;
}

void br_task_tell(br_task *task, const char *stage, uint64_t done, uint64_t total, double rate, const char *text)
{
    pthread_mutex_lock(&task->mutex);
    snprintf(task->stage, sizeof task->stage, "%s", stage);
    snprintf(task->text, sizeof task->text, "%s", text);
    task->done = done;
    task->total = total;
    task->rate = rate;
    pthread_mutex_unlock(&task->mutex);
    br_service_wake(task->service);
}

void br_task_cancel(br_task *task)
{
    atomic_store(&task->cancelled, true);
}

bool br_task_cancelled(br_task *task)
{
    return atomic_load(&task->cancelled);
}

static void tell_client(br_task *task)
{
    int64_t now = br_clock_ms();
    if (now - task->told_ms < TELL_EVERY_MS) {
        return;
    }
    task->told_ms = now;
    char stage[sizeof task->stage], text[sizeof task->text];
    pthread_mutex_lock(&task->mutex);
    memcpy(stage, task->stage, sizeof stage);
    memcpy(text, task->text, sizeof text);
    br_progress progress = {stage, task->done, task->total, task->rate, text};
    pthread_mutex_unlock(&task->mutex);
    br_status status = br_progress_send(task->socket, &task->client, task->request, &progress, &task->buffer);
    (void)status; // news that does not fit is left out; the report will tell
}

bool br_task_poll(br_task *task)
{
    if (!task->busy) {
        return false;
    }
    if (!atomic_load(&task->ended)) {
        tell_client(task);
        return false;
    }
    pthread_join(task->thread, NULL);
    pthread_mutex_destroy(&task->mutex);
    task->busy = false;
    return true;
}

void br_task_deinit(br_task *task)
{
    if (task->busy) {
        br_task_cancel(task);
        pthread_join(task->thread, NULL);
        pthread_mutex_destroy(&task->mutex);
        task->busy = false;
    }
    br_buf_deinit(&task->buffer);
}
