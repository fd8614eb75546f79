#include "interrupts.h"

#include <signal.h>

static volatile sig_atomic_t asked_to_stop = 0;

static void take_signal(int number)
{
    (void)number;
    asked_to_stop = 1;
}

void interrupts_listen(void)
{
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupted(void)
{
    return asked_to_stop != 0;
}
