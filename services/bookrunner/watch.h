#ifndef BOOKRUNNER_WATCH_H
#define BOOKRUNNER_WATCH_H

/// Waiting for something to appear in a store: the services' hints wake, and as a hint may be lost the store is looked at once in a while.

#include "transport/socket.h"

typedef struct watch watch;

/// Listen to the hints of these services ("ranker.hints", ...).
br_status watch_new(watch **out, const char *directory, const char *const *names, size_t n) BR_MUST_CHECK;
/// Return after the next hint, or after a short time without one.
br_status watch_wait(watch *w) BR_MUST_CHECK;
void watch_free(watch **w);

#endif
