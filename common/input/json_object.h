#ifndef BR_INPUT_JSON_OBJECT_H
#define BR_INPUT_JSON_OBJECT_H

/// One JSON object in memory: the body of a request. Strict: UTF-8, no key twice, no NUL in a text, no number beyond a double's range.
///
///     BR_AUTO(br_json_object) *object = NULL;
///     br_status status = br_json_object_read(&object, body, n);
///     br_json_value value = br_json_member(object, "bond");      // what is absent has kind BR_JSON_NONE

#include "base/status.h"

typedef enum br_json_kind {
    BR_JSON_NONE, ///< there is no such member
    BR_JSON_NULL,
    BR_JSON_FLAG,
    BR_JSON_NUMBER,
    BR_JSON_TEXT,
    BR_JSON_ARRAY,
    BR_JSON_OBJECT
} br_json_kind;

typedef struct br_json_object br_json_object;

/// Borrowed from the object it is in.
typedef struct br_json_value {
    br_json_kind kind;
    bool flag;
    double number;
    const char *text;             ///< NUL-terminated
    const br_json_object *object; ///< to be read on; not owned
} br_json_value;

/// Errors: BR_ERR_INVALID (br_why() says where), BR_ERR_NO_MEMORY.
br_status br_json_object_read(br_json_object **out, const void *bytes, size_t n) BR_MUST_CHECK;
void br_json_object_free(br_json_object **object);
br_json_value br_json_member(const br_json_object *object, const char *name);

/// Each member, in the order in which they came. A status other than BR_OK ends the visit and is returned.
typedef br_status (*br_json_visitor)(void *context, const char *name, const br_json_value *value);
br_status br_json_visit(const br_json_object *object, br_json_visitor visitor, void *context) BR_MUST_CHECK;

#endif
