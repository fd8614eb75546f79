#ifndef BOOKRUNNER_CERTIFY_H
#define BOOKRUNNER_CERTIFY_H

#include "explained.h"

/// `explain --certify`: the stored reasons among all sets that differ in one of them, by the objective that they were selected by, as of their day and
/// with their snapshot. Nothing is stored. investor: NULL for all.
exit_code certify_explained(const explained *e, stores *s, const char *investor, output_format format);

#endif
