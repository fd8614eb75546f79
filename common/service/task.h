#ifndef BR_SERVICE_TASK_H
#define BR_SERVICE_TASK_H

/// A long request on a thread of its own: the loop goes on answering, tells the client how far it is, and sends the report at the end. One task at
/// a time per br_task.
///
///     br_task_begin(&self->task, service, socket, message, run, self);      // on the loop
///     br_task_tell(&self->task, "train", done, total, rate, "epoch 3");     // in run(), on the thread
///     if (br_task_poll(&self->task)) { ... send the report ... }            // on wake and timer, on the loop

#include "service/answer.h"
#include "service/service.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct br_task {
    br_service *service;
    br_socket *socket;
    br_peer client;
    uint64_t request;
    void (*run)(void *argument);
    void *argument;
    pthread_t thread;
    pthread_mutex_t mutex; ///< guards the news
    char stage[32];
    char text[96];
    uint64_t done, total;
    double rate;
    int64_t told_ms;
    atomic_bool cancelled;
    atomic_bool ended;
    bool busy;
    br_buf buffer;
} br_task;

/// A zeroed br_task is idle. Errors: BR_ERR_EXISTS while one runs, BR_ERR_NO_MEMORY.
br_status br_task_begin(br_task *task, br_service *service, br_socket *socket, const br_message *message,
                        void (*run)(void *argument), void *argument) BR_MUST_CHECK;
/// Is this message the request that the task works already (a client that asked again)?
bool br_task_is_for(const br_task *task, const br_message *message);
void br_task_tell(br_task *task, const char *stage, uint64_t done, uint64_t total, double rate, const char *text);
void br_task_cancel(br_task *task);
bool br_task_cancelled(br_task *task);
/// Send the client what is new. True once, when the task has ended and its thread is joined.
bool br_task_poll(br_task *task);
/// Cancel, join, release; accepts an idle task.
void br_task_deinit(br_task *task);

#endif
