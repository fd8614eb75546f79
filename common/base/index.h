#ifndef BR_BASE_INDEX_H
#define BR_BASE_INDEX_H

/// Strings to dense numbers 0, 1, 2, ... in order of arrival: bond ids, investor ids, values of a feature.
/// Memory: the bytes of the strings plus about 24 bytes each.

#include "base/status.h"

#define BR_INDEX_NONE UINT32_MAX

typedef struct br_index br_index;

br_status br_index_new(br_index **out) BR_MUST_CHECK;
/// Number of `text`, added if it is new; `*added_out` (may be NULL) says whether it was.
br_status br_index_add(br_index *index, const char *text, size_t n, uint32_t *number_out,
                       bool *added_out) BR_MUST_CHECK;
/// Number of `text`, or BR_INDEX_NONE.
uint32_t br_index_find(const br_index *index, const char *text, size_t n);
/// The string with this number, NUL-terminated; borrowed: valid until the index is freed.
const char *br_index_text(const br_index *index, uint32_t number);
uint32_t br_index_count(const br_index *index);
void br_index_free(br_index **index);

#endif
