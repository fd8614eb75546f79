#include "transport/access.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"

enum {
    KEY_BYTES = 32,
    DOMAIN_TEXT = 32,
    MAX_ZAP_FRAMES = 8,
    FRAME_BYTES = 256, // the longest frame we look at; longer ones count as wrong
};

typedef struct domain {
    char name[DOMAIN_TEXT];
    uint8_t (*keys)[KEY_BYTES];
    size_t n;
    struct domain *next;
} domain;

struct br_access {
    void *server; // the handler's socket; from start to end only its thread uses it
    void *stop;   // PAIR: a message or its end stops the thread
    void *stopped;
    pthread_t thread;
    pthread_mutex_t lock; // of domains
    domain *domains;
};

typedef struct zap_frame {
    uint8_t bytes[FRAME_BYTES];
    size_t n;
} zap_frame;

// Frames of a request: version, request id, domain, address, identity, mechanism, credentials.
enum { ZAP_VERSION, ZAP_REQUEST, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_IDENTITY, ZAP_MECHANISM, ZAP_KEY, ZAP_FRAMES };

static bool frame_is(const zap_frame *frame, const char *text)
{
    return frame->n == strlen(text) && memcmp(frame->bytes, text, frame->n) == 0;
}

static bool key_allowed(br_access *access, const zap_frame *name, const uint8_t *key)
{
    bool allowed = false;
    pthread_mutex_lock(&access->lock);
    for (const domain *d = access->domains; d != NULL && !allowed; d = d->next) {
        if (!frame_is(name, d->name)) {
            continue;
        }
        for (size_t i = 0; i < d->n && !allowed; i++) {
            allowed = memcmp(d->keys[i], key, KEY_BYTES) == 0;
        }
    }
    pthread_mutex_unlock(&access->lock);
    return allowed;
}

// The whole request, at most MAX_ZAP_FRAMES of it kept; the number of frames, 0 when nothing came.
static size_t receive_request(void *server, zap_frame frames[MAX_ZAP_FRAMES])
{
    size_t n = 0;
    int more = 1;
    while (more) {
        zap_frame frame;
        int size = zmq_recv(server, frame.bytes, sizeof frame.bytes, 0);
        if (size < 0) {
            return 0;
        }
        frame.n = (size_t)size;
        if (n < MAX_ZAP_FRAMES) {
            frames[n] = frame;
        }
        n++;
        size_t more_bytes = sizeof more;
        if (zmq_getsockopt(server, ZMQ_RCVMORE, &more, &more_bytes) != 0) {
            return 0;
        }
    }
    return n;
}

static void send_frame(void *server, const void *bytes, size_t n, bool last)
{
    // Nothing to do when it fails: no answer is a refusal.
    (void)zmq_send(server, bytes, n, last ? 0 : ZMQ_SNDMORE);
}

static void answer_one(br_access *access)
{
    zap_frame frames[MAX_ZAP_FRAMES];
    size_t n = receive_request(access->server, frames);
    if (n < 2) {
        return;
    }
    bool allowed = n == ZAP_FRAMES && frame_is(&frames[ZAP_VERSION], "1.0") &&
                   frame_is(&frames[ZAP_MECHANISM], "CURVE") && frames[ZAP_KEY].n == KEY_BYTES &&
                   key_allowed(access, &frames[ZAP_DOMAIN], frames[ZAP_KEY].bytes);
    char user[BR_KEY_TEXT] = "";
    if (allowed) {
        zmq_z85_encode(user, frames[ZAP_KEY].bytes, KEY_BYTES);
    }
    const char *code = allowed ? "200" : "400";
    const char *text = allowed ? "OK" : "key not allowed";
    send_frame(access->server, "1.0", 3, false);
    send_frame(access->server, frames[ZAP_REQUEST].bytes, frames[ZAP_REQUEST].n, false);
    send_frame(access->server, code, strlen(code), false);
    send_frame(access->server, text, strlen(text), false);
    send_frame(access->server, user, strlen(user), false);
    send_frame(access->server, "", 0, true);
}

static void *handle_requests(void *argument)
{
    br_access *access = argument;
    zmq_pollitem_t items[] = {{access->server, 0, ZMQ_POLLIN, 0}, {access->stopped, 0, ZMQ_POLLIN, 0}};
    while (zmq_poll(items, 2, -1) >= 0 || zmq_errno() == EINTR) {
        if (items[1].revents != 0) {
            break;
        }
        if (items[0].revents != 0) {
            answer_one(access);
        }
    }
    return NULL;
}

static br_status zmq_failed(const char *what)
{
    return br_fail(BR_ERR_IO, "%s: %s", what, zmq_strerror(zmq_errno()));
}

static br_status open_sockets(br_access *access, void *context)
{
    access->server = zmq_socket(context, ZMQ_REP);
    access->stop = zmq_socket(context, ZMQ_PAIR);
    access->stopped = zmq_socket(context, ZMQ_PAIR);
    if (access->server == NULL || access->stop == NULL || access->stopped == NULL) {
        return zmq_failed("sockets of the access control");
    }
    int linger = 0;
    void *sockets[] = {access->server, access->stop, access->stopped};
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
        if (zmq_setsockopt(sockets[i], ZMQ_LINGER, &linger, sizeof linger) != 0) {
            return zmq_failed("linger of the access control");
        }
    }
    if (zmq_bind(access->server, ZAP_ENDPOINT) != 0 || zmq_bind(access->stop, "inproc://br.access") != 0 ||
        zmq_connect(access->stopped, "inproc://br.access") != 0) {
        return zmq_failed("endpoints of the access control");
    }
    return BR_OK;
}

static void close_sockets(br_access *access)
{
    void *sockets[] = {access->server, access->stop, access->stopped};
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
        if (sockets[i] != NULL) {
            zmq_close(sockets[i]);
        }
    }
}

br_status br_access_new(br_access **out, void *context)
{
    br_access *access = br_calloc(1, sizeof *access);
    if (access == NULL) {
        return br_no_memory("access control", 1);
    }
    br_status status = open_sockets(access, context);
    if (status == BR_OK) {
        pthread_mutex_init(&access->lock, NULL);
        // Signals are the main thread's business.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int error = pthread_create(&access->thread, NULL, handle_requests, access);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        status = error == 0 ? BR_OK : br_fail(BR_ERR_IO, "thread of the access control: %s", strerror(error));
        if (error != 0) {
            pthread_mutex_destroy(&access->lock);
        }
    }
    if (status != BR_OK) {
        close_sockets(access);
        br_free(access);
        return status;
    }
    *out = access;
    return BR_OK;
}

void br_access_free(br_access **access_p)
{
    if (access_p == NULL || *access_p == NULL) {
        return;
    }
    br_access *access = *access_p;
    // A PAIR with its peer in the same process takes one message without waiting.
    br_assert(zmq_send(access->stop, "", 0, 0) == 0);
    pthread_join(access->thread, NULL);
    close_sockets(access);
    while (access->domains != NULL) {
        domain *gone = access->domains;
        access->domains = gone->next;
        br_free(gone->keys);
        br_free(gone);
    }
    pthread_mutex_destroy(&access->lock);
    br_free(access);
    *access_p = NULL;
}

static br_status read_keys(uint8_t (*out)[KEY_BYTES], const char (*keys)[BR_KEY_TEXT], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strnlen(keys[i], BR_KEY_TEXT) != BR_KEY_TEXT - 1 || zmq_z85_decode(out[i], keys[i]) == NULL) {
            return br_fail(BR_ERR_INVALID, "allowed key %zu is no CURVE key of %d characters", i, BR_KEY_TEXT - 1);
        }
    }
    return BR_OK;
}

br_status br_access_allow(br_access *access, const char *name, const char (*keys)[BR_KEY_TEXT], size_t n)
{
    br_assert(strlen(name) < DOMAIN_TEXT);
    domain *added = br_calloc(1, sizeof *added);
    uint8_t(*raw)[KEY_BYTES] = br_calloc(n, sizeof *raw);
    br_status status = added == NULL || raw == NULL ? br_no_memory("allowed keys", n) : read_keys(raw, keys, n);
    if (status != BR_OK) {
        br_free(added);
        br_free(raw);
        return status;
    }
    snprintf(added->name, sizeof added->name, "%s", name);
    added->keys = raw;
    added->n = n;
    pthread_mutex_lock(&access->lock);
    added->next = access->domains;
    access->domains = added;
    pthread_mutex_unlock(&access->lock);
    return BR_OK;
}

void br_access_forget(br_access *access, const char *name)
{
    domain *gone = NULL;
    pthread_mutex_lock(&access->lock);
    for (domain **d = &access->domains; *d != NULL; d = &(*d)->next) {
        if (strcmp((*d)->name, name) == 0) {
            gone = *d;
            *d = gone->next;
            break;
        }
    }
    pthread_mutex_unlock(&access->lock);
    if (gone != NULL) {
        br_free(gone->keys);
        br_free(gone);
    }
}
