#ifndef BOOKRUNNER_CHILD_H
#define BOOKRUNNER_CHILD_H

/// One process under the supervisor.

#include "service/paths.h"

#include <sys/types.h>

typedef enum child_state {
    CHILD_WAITING, ///< to be started at restart_ms
    CHILD_STARTING,
    CHILD_READY,
    CHILD_STOPPING,
    CHILD_STOPPED
} child_state;

typedef struct child {
    char name[64];    ///< "explainer-2"
    char program[32]; ///< "bookrunner-explainer"
    uint32_t number;  ///< of several that run the program, told as --name; 0 = there is one
    child_state state;
    pid_t pid; ///< 0 when it does not run
    int pid_fd;
    int64_t started_ms;
    double started_s; ///< wall clock, for people
    int64_t restart_ms;
    int64_t back_off_ms;
    uint32_t restarts;
    char text[320]; ///< what it says of itself
} child;

/// Where children are started.
typedef struct nursery {
    const char *directory;
    const char *programs; ///< directory of the executables
    const char *notify;   ///< path of the socket they report to
} nursery;

const char *child_state_name(child_state state);
/// Start it; output goes to DIR/log/NAME.log. It gets SIGTERM when this process dies, however it dies. Errors: BR_ERR_IO.
br_status child_start(child *c, const nursery *where) BR_MUST_CHECK;
/// It has ended: reap it and say how in `how`. True if it ended by its own exit with a code other than 0.
bool child_reap(child *c, char *how, size_t room);
/// Send a signal; nothing when it does not run.
void child_signal(const child *c, int signal);
/// The last lines of its log, for a message.
void child_log_tail(const child *c, const char *directory, char *out, size_t room);
/// Where executables are: $BOOKRUNNER_BIN, else beside the running one. Errors: BR_ERR_IO, BR_ERR_LIMIT.
br_status programs_directory(char out[BR_PATH_BYTES]) BR_MUST_CHECK;

#endif
