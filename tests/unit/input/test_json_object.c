// Goal: a request's body is read strictly. Method: good and hostile bodies.

#include "input/json_object.h"

#include <criterion/criterion.h>
#include <string.h>

static br_status read_text(br_json_object **out, const char *text)
{
    return br_json_object_read(out, text, strlen(text));
}

static br_status count(void *context, const char *name, const br_json_value *value)
{
    unsigned *n = context;
    (void)name;
    (void)value;
    return ++*n == 3 ? br_fail(BR_ERR_LIMIT, "three") : BR_OK;
}

Test(input_json_object, members_have_their_kinds)
{
    BR_AUTO(br_json_object) *object = NULL;
    cr_assert_eq(read_text(&object,
                           "{\"a\": null, \"b\": true, \"c\": -2, \"d\": 0.5, \"e\": \"\xc3\xa9\", \"f\": [1], "
                           "\"g\": {\"h\": \"x\"}}"),
                 BR_OK);
    cr_expect_eq(br_json_member(object, "a").kind, BR_JSON_NULL);
    cr_expect(br_json_member(object, "b").kind == BR_JSON_FLAG && br_json_member(object, "b").flag);
    cr_expect(br_json_member(object, "c").kind == BR_JSON_NUMBER && br_json_member(object, "c").number == -2.0);
    cr_expect_eq(br_json_member(object, "d").number, 0.5);
    cr_expect_str_eq(br_json_member(object, "e").text, "\xc3\xa9");
    cr_expect_eq(br_json_member(object, "f").kind, BR_JSON_ARRAY);
    cr_expect_str_eq(br_json_member(br_json_member(object, "g").object, "h").text, "x");
    cr_expect_eq(br_json_member(object, "z").kind, BR_JSON_NONE);
    unsigned n = 0;
    cr_expect_eq(br_json_visit(object, count, &n), BR_ERR_LIMIT, "a visit ends when the visitor says so");
    cr_expect_eq(n, 3);
}

Test(input_json_object, what_is_not_strict_is_refused)
{
    static const char *const bad[] = {
        "",           "[]",          "{\"a\":1,\"a\":2}", "{\"a\":NaN}",          "{\"a\":1e999}",       "{\"a\":1,}",
        "{\"a\":01}", "{\"a\":1} x", "{\"a\":\"\xff\"}",  "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\\u0000\"}", "{a:1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        BR_AUTO(br_json_object) *object = NULL;
        cr_expect_eq(read_text(&object, bad[i]), BR_ERR_INVALID, "body %zu: %s", i, bad[i]);
    }
}

Test(input_json_object, depth_is_bounded)
{
    static char deep[60000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    BR_AUTO(br_json_object) *object = NULL;
    cr_expect_eq(br_json_object_read(&object, deep, sizeof deep), BR_ERR_INVALID);
}
