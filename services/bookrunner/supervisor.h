#ifndef BOOKRUNNER_SUPERVISOR_H
#define BOOKRUNNER_SUPERVISOR_H

/// The parent of a data directory's processes: starts them, hears that they are ready, starts them again when they end, stops them in
/// order. It never gives up and never sleeps: everything it waits for is a descriptor.

#include "base/status.h"

/// What it has to say once: everything is ready (`text` names the page) or it cannot become so (`text` says why).
typedef void (*supervisor_speaker)(void *context, bool ready, const char *text);

/// Run until SIGTERM or SIGINT. A second signal kills what is left. Errors: BR_ERR_EXISTS (another one runs), BR_ERR_IO, BR_ERR_UNREACHABLE (a process
/// failed before all were ready, `speaker` has told why).
br_status supervisor_run(const char *directory, supervisor_speaker speaker, void *context) BR_MUST_CHECK;

#endif
