#include "codec/codec.h"

#include <criterion/criterion.h>

Test(codec_codec, a_number_that_is_no_type_has_no_name_and_no_room)
{
    static const int wrong[] = {-1, 0, 3, 9, 19, 29, 39, 65535, 1 << 30};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_str_eq(br_message_type_name((br_message_type)wrong[i]), "?", "%d", wrong[i]);
        cr_expect_eq(br_message_max_bytes((br_message_type)wrong[i]), 0, "%d", wrong[i]);
        cr_expect_eq(br_message_max_extra_bytes((br_message_type)wrong[i]), 0, "%d", wrong[i]);
    }
}

Test(codec_codec, no_frame_is_larger_than_the_sockets_take)
{
    for (int type = 0; type < 100; type++) {
        cr_expect_leq(br_message_max_bytes((br_message_type)type), BR_MAX_FRAME_BYTES, "%d", type);
        cr_expect_leq(br_message_max_extra_bytes((br_message_type)type), BR_MAX_FRAME_BYTES, "%d", type);
    }
}

Test(codec_codec, types_keep_their_numbers)
{
    cr_expect_str_eq(br_message_type_name((br_message_type)1), "ROW_BATCH");
    cr_expect_str_eq(br_message_type_name((br_message_type)17), "REPORT");
    cr_expect_str_eq(br_message_type_name((br_message_type)37), "POPULATION");
    cr_expect_eq(br_message_max_extra_bytes(BR_MSG_POPULATION), BR_MAX_PART_BYTES);
    cr_expect_eq(br_message_max_extra_bytes(BR_MSG_JOB), 0);
}
