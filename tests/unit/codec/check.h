#ifndef BR_TESTS_UNIT_CODEC_CHECK_H
#define BR_TESTS_UNIT_CODEC_CHECK_H

#include "examples.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/// n times 'x', until the next call; n is at most 1 MiB.
static inline const char *long_text(size_t n)
{
    static char text[(1 << 20) + 1];
    memset(text, 'x', n);
    text[n] = '\0';
    return text;
}

/// `change` made to the example (called m) is refused by unpack, with a reason that begins with `where`.
#define REFUSED(type, where, change)                                                                                   \
    do {                                                                                                               \
        type m = *example_##type();                                                                                    \
        change;                                                                                                        \
        BR_AUTO(br_arena) *memory = NULL;                                                                              \
        BR_AUTO_DEINIT(br_buf) packed = {0};                                                                           \
        cr_assert_eq(br_arena_new(&memory, BR_UNPACK_BYTES), BR_OK);                                                   \
        cr_assert_eq(type##_pack(&m, &packed), BR_OK);                                                                 \
        type got = {0};                                                                                                \
        static const type untouched = {0};                                                                             \
        br_status outcome = type##_unpack(&got, memory, packed.data, packed.length);                                   \
        cr_expect_eq(outcome, BR_ERR_INVALID, "%s: %s", where, br_status_name(outcome));                               \
        cr_expect(strncmp(br_why(outcome), where ":", strlen(where) + 1) == 0, "%s, not %s", br_why(outcome), where);  \
        cr_expect(memcmp(&got, &untouched, sizeof got) == 0, "%s: *out was touched", where);                           \
    } while (0)

/// The example, changed by `change`, comes back as `got`; then `checks` are made.
#define COMES_BACK(type, change, checks)                                                                               \
    do {                                                                                                               \
        type m = *example_##type();                                                                                    \
        change;                                                                                                        \
        BR_AUTO(br_arena) *memory = NULL;                                                                              \
        BR_AUTO_DEINIT(br_buf) packed = {0};                                                                           \
        cr_assert_eq(br_arena_new(&memory, BR_UNPACK_BYTES), BR_OK);                                                   \
        cr_assert_eq(type##_pack(&m, &packed), BR_OK);                                                                 \
        type got;                                                                                                      \
        br_status outcome = type##_unpack(&got, memory, packed.data, packed.length);                                   \
        cr_assert_eq(outcome, BR_OK, "%s", br_why(outcome));                                                           \
        checks;                                                                                                        \
    } while (0)

#define SAME(field)      cr_expect_eq(got.field, m.field, #field)
#define SAME_TEXT(field) cr_expect_str_eq(got.field, m.field, #field)
#define SAME_HASH(field) cr_expect(br_hash_equal(&got.field, &m.field), #field)

#endif
