#ifndef BOOKRUNNER_SEARCH_AUDIT_H
#define BOOKRUNNER_SEARCH_AUDIT_H

/// What the search for plain reasons loses against trying every set, where that can be done: among the fields whose gates have the steepest
/// gradient where nothing is shown. All others are banned for the search.

#include "explain/explain.h"

enum { SEARCH_AUDIT_FIELDS = 24 };

/// *loss_out = the largest f of all 134,596 sets of six of them - f of what the search finds, in logit; within rounding not negative.
/// Errors: as br_explain_context_new() and br_explain().
br_status search_audit(const br_explain_bond *bond, const br_population *population, uint32_t investor,
                       double *loss_out) BR_MUST_CHECK;

#endif
