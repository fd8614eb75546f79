#include "input/json_object.h"

#include "base/alloc.h"

#include <jansson.h>

// An object is jansson's own, seen through the type of this header.
static json_t *tree_of(const br_json_object *object)
{
    return (json_t *)(uintptr_t)object;
}

br_status br_json_object_read(br_json_object **out, const void *bytes, size_t n)
{
    json_error_t error;
    json_t *tree = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error);
    if (tree == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return br_no_memory("JSON", n);
    }
    if (tree == NULL) {
        return br_fail(BR_ERR_INVALID, "no valid JSON, byte %d: %.100s", error.position, error.text);
    }
    if (!json_is_object(tree)) {
        json_decref(tree);
        return br_fail(BR_ERR_INVALID, "a JSON object is wanted");
    }
    *out = (br_json_object *)tree;
    return BR_OK;
}

void br_json_object_free(br_json_object **object)
{
    if (object != NULL && *object != NULL) {
        json_decref(tree_of(*object));
        *object = NULL;
    }
}

static br_json_value value_of(const json_t *value)
{
    br_json_value out = {.kind = BR_JSON_NONE};
    if (value == NULL) {
        return out;
    }
    switch (json_typeof(value)) {
    case JSON_NULL:
        out.kind = BR_JSON_NULL;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        out.kind = BR_JSON_FLAG;
        out.flag = json_is_true(value);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        out.kind = BR_JSON_NUMBER;
        out.number = json_number_value(value);
        break;
    case JSON_STRING:
        out.kind = BR_JSON_TEXT;
        out.text = json_string_value(value);
        break;
    case JSON_ARRAY:
        out.kind = BR_JSON_ARRAY;
        break;
    case JSON_OBJECT:
        out.kind = BR_JSON_OBJECT;
        out.object = (const br_json_object *)value;
        break;
    }
    return out;
}

br_json_value br_json_member(const br_json_object *object, const char *name)
{
    return value_of(json_object_get(tree_of(object), name));
}

br_status br_json_visit(const br_json_object *object, br_json_visitor visitor, void *context)
{
    const char *name;
    json_t *value;
    json_object_foreach(tree_of(object), name, value)
    {
        br_json_value seen = value_of(value);
        br_status status = visitor(context, name, &seen);
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}
