#ifndef BOOKRUNNER_INTERRUPTS_H
#define BOOKRUNNER_INTERRUPTS_H

/// Long work of this process that can be asked to stop.

#include <stdbool.h>

/// From now on SIGINT and SIGTERM only ask to stop; a second one ends the process.
void interrupts_listen(void);
bool interrupted(void);

#endif
