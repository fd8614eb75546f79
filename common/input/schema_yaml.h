#ifndef BR_INPUT_SCHEMA_YAML_H
#define BR_INPUT_SCHEMA_YAML_H

#include "market/schema.h"

/// Read a schema from YAML text: unknown keys, wrong types and unusable declarations are errors with `name`, line and
/// cause. *out is owned by the caller; release with br_schema_free(). Errors: BR_ERR_INVALID, BR_ERR_NO_MEMORY.
br_status br_schema_read(br_schema **out, const char *name, const char *yaml, size_t n) BR_MUST_CHECK;

#endif
