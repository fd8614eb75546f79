#ifndef BOOKRUNNER_REQUESTS_H
#define BOOKRUNNER_REQUESTS_H

/// The questions that commands put to services.

#include "ask.h"

exit_code ask_train(const arguments *args, br_arena *arena, br_report *out);
/// The test range when args->test, the named bonds when there are words, else what is upcoming.
exit_code ask_rank(const arguments *args, br_arena *arena, br_report *out);
/// The test range when args->test, the named bonds when there are words, else every closed one.
exit_code ask_evaluate(const arguments *args, br_arena *arena, br_report *out);

#endif
