// Who is connected, in the order in which they have kept the server waiting: when it gets crowded, who has waited longest makes room.

#include "base/alloc.h"
#include "service/internal.h"

#include <pthread.h>
#include <sys/socket.h>

typedef struct guest {
    struct guest *before; // NULL = the first
    struct guest *after;
    int file;
    bool asked_to_leave; // and so in no list any more
} guest;

struct br_crowd {
    pthread_mutex_t lock;
    guest *first; // has waited longest
    guest *last;
    unsigned n;
    unsigned most;
};

br_status br_crowd_new(br_crowd **out, unsigned most)
{
    br_crowd *crowd = br_calloc(1, sizeof *crowd);
    if (crowd == NULL) {
        return br_no_memory("connections", most);
    }
    if (pthread_mutex_init(&crowd->lock, NULL) != 0) {
        br_free(crowd);
        return br_fail(BR_ERR_IO, "cannot make a lock");
    }
    crowd->most = most;
    *out = crowd;
    return BR_OK;
}

void br_crowd_free(br_crowd **crowd)
{
    if (crowd != NULL && *crowd != NULL) {
        pthread_mutex_destroy(&(*crowd)->lock);
        br_free(*crowd);
        *crowd = NULL;
    }
}

static void take_out(br_crowd *crowd, guest *g)
{
    *(g->before == NULL ? &crowd->first : &g->before->after) = g->after;
    *(g->after == NULL ? &crowd->last : &g->after->before) = g->before;
}

static void put_last(br_crowd *crowd, guest *g)
{
    g->before = crowd->last;
    g->after = NULL;
    *(crowd->last == NULL ? &crowd->first : &crowd->last->after) = g;
    crowd->last = g;
}

void *br_crowd_enter(br_crowd *crowd, int file)
{
    guest *g = br_calloc(1, sizeof *g);
    if (g == NULL) {
        return NULL; // then it is one that nobody asks to leave
    }
    g->file = file;
    pthread_mutex_lock(&crowd->lock);
    crowd->n++;
    guest *oldest = crowd->n > crowd->most ? crowd->first : NULL;
    if (oldest != NULL) {
        take_out(crowd, oldest);
        oldest->asked_to_leave = true;
        shutdown(oldest->file, SHUT_RDWR); // the server sees a client that has hung up
    }
    put_last(crowd, g);
    pthread_mutex_unlock(&crowd->lock);
    return g;
}

void br_crowd_served(br_crowd *crowd, void *member)
{
    guest *g = member;
    pthread_mutex_lock(&crowd->lock);
    if (g != NULL && !g->asked_to_leave && g != crowd->last) {
        take_out(crowd, g);
        put_last(crowd, g);
    }
    pthread_mutex_unlock(&crowd->lock);
}

void br_crowd_leave(br_crowd *crowd, void *member)
{
    guest *g = member;
    if (g == NULL) {
        return;
    }
    pthread_mutex_lock(&crowd->lock);
    if (!g->asked_to_leave) {
        take_out(crowd, g);
    }
    crowd->n--;
    pthread_mutex_unlock(&crowd->lock);
    br_free(g);
}
