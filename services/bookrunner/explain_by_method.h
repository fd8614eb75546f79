#ifndef BOOKRUNNER_EXPLAIN_BY_METHOD_H
#define BOOKRUNNER_EXPLAIN_BY_METHOD_H

#include "cli.h"

/// `explain` with --method, --k or --version: the bond's list, or any eligible investor, explained here and now, as of the issue day or, of an
/// upcoming bond, the day after the last closed one. Nothing is stored.
exit_code explain_by_method(const arguments *args);

#endif
