// Goal: rows come back as they were, and no wrong one gets past the codec. Method: extreme values there and back; each
// field made wrong alone.
#include "check.h"

Test(codec_rows, a_row_comes_back_with_extreme_values)
{
    COMES_BACK(br_row, (void)0, {
        SAME(kind);
        SAME_TEXT(bid_id);
        SAME_TEXT(bond_id);
        SAME_TEXT(issuer_id);
        SAME_TEXT(investor_id);
        SAME(announce_day);
        SAME(issue_day);
        SAME(day);
        SAME(known_from);
        SAME(amount);
        SAME(rate);
        SAME(n_features);
        SAME_TEXT(features[0].name);
        SAME_TEXT(features[0].value);
        SAME_TEXT(features[1].name);
        SAME_TEXT(features[1].value);
        SAME(revision);
        SAME(cancelled);
        SAME_TEXT(yaml);
        SAME(yaml_bytes);
    });
}

Test(codec_rows, what_is_not_given_stays_not_given)
{
    COMES_BACK(
        br_row,
        {
            m.rate = (double)NAN;
            m.amount = BR_AMOUNT_NONE;
            m.bid_id = NULL;
            m.yaml = NULL;
            m.yaml_bytes = 0;
            m.n_features = 0;
        },
        {
            cr_expect(isnan(got.rate));
            SAME(amount);
            cr_expect_str_empty(got.bid_id);
            cr_expect_str_empty(got.yaml);
            cr_expect_eq(got.n_features, 0);
        });
}

Test(codec_rows, each_wrong_field_is_refused_by_name)
{
    REFUSED(br_row, "Row.kind", m.kind = (br_row_kind)0);
    REFUSED(br_row, "Row.kind", m.kind = BR_ROW_KIND_END);
    REFUSED(br_row, "Row.kind", m.kind = (br_row_kind)-1);
    REFUSED(br_row, "Row.bid_id", m.bid_id = long_text(129));
    REFUSED(br_row, "Row.bond_id", m.bond_id = "a\nb");
    REFUSED(br_row, "Row.issuer_id", m.issuer_id = "\xC0\x80");
    REFUSED(br_row, "Row.investor_id", m.investor_id = "\xC2\x85");
    REFUSED(br_row, "Row.announce_day", m.announce_day = BR_DAY_MAX + 1);
    REFUSED(br_row, "Row.issue_day", m.issue_day = -719163);
    REFUSED(br_row, "Row.day", m.day = INT32_MAX);
    REFUSED(br_row, "Row.known_from", m.known_from = INT32_MIN + 1);
    REFUSED(br_row, "Row.amount", m.amount = -2);
    REFUSED(br_row, "Row.rate", m.rate = (double)INFINITY);
    REFUSED(br_row, "Row.yaml", (m.yaml = "\xFF", m.yaml_bytes = 1));
    static const br_named_value unnamed = {"", "AAA"};
    static const br_named_value blank = {"rating", "A\tA"};
    REFUSED(br_row, "Row.features[0].name", (m.features = &unnamed, m.n_features = 1));
    REFUSED(br_row, "Row.features[0].value", (m.features = &blank, m.n_features = 1));
    const br_named_value long_value = {"rating", long_text(513)};
    REFUSED(br_row, "Row.features[0].value", (m.features = &long_value, m.n_features = 1));
}

Test(codec_rows, a_nul_byte_inside_a_text_is_refused)
{
    // Row { bond_id = "a\0b" }, which a C string cannot hold and the wire can.
    static const uint8_t bytes[] = {0x08, 0x02, 0x1A, 0x03, 'a', 0x00, 'b'};
    BR_AUTO(br_arena) *arena = NULL;
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    br_row row;
    br_status status = br_row_unpack(&row, arena, bytes, sizeof bytes);
    cr_assert_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), "Row.bond_id: has a NUL byte");
}

Test(codec_rows, five_hundred_and_thirteen_features_are_too_many)
{
    static br_named_value features[BR_MAX_FEATURES + 1];
    for (size_t i = 0; i <= BR_MAX_FEATURES; i++) {
        features[i] = (br_named_value){"rating", "AAA"};
    }
    COMES_BACK(br_row, (m.features = features, m.n_features = BR_MAX_FEATURES), SAME(n_features));
    REFUSED(br_row, "Row.features", (m.features = features, m.n_features = BR_MAX_FEATURES + 1));
}

Test(codec_rows, a_batch_comes_back_and_says_which_row_is_wrong)
{
    COMES_BACK(br_row_batch, (void)0, {
        SAME(n_rows);
        SAME_TEXT(source);
        SAME_TEXT(rows[0].bid_id);
        SAME(rows[1].day);
        cr_expect_null(got.rows[1].note);
        SAME_HASH(rows[2].note->id);
        SAME_TEXT(rows[2].note->user);
        SAME(rows[2].note->time_ms);
        SAME(rows[2].note->topic);
        SAME_TEXT(rows[2].note->subject);
        SAME_TEXT(rows[2].note->value);
        SAME_TEXT(rows[2].note->version);
        SAME(rows[2].note->chained);
        SAME_HASH(rows[2].note->chain);
        SAME_TEXT(rows[3].issuer_id);
        SAME(rows[3].note->topic);
        SAME_TEXT(rows[3].note->subject);
    });
    REFUSED(br_row_batch, "RowBatch.rows[1].kind", m.rows[1].kind = (br_row_kind)99);
    REFUSED(br_row_batch, "RowBatch.rows[1].bond_id", m.rows[1].bond_id = "\x01");
    static const br_named_value wrong[] = {{"a", ""}, {"", ""}};
    REFUSED(br_row_batch, "RowBatch.rows[1].features[1].name", (m.rows[1].features = wrong, m.rows[1].n_features = 2));
}

#define NOTE_REFUSED(where, change)                                                                                    \
    do {                                                                                                               \
        br_note note = *example_br_row_batch()->rows[2].note;                                                          \
        change;                                                                                                        \
        REFUSED(br_row_batch, "RowBatch.rows[2]." where, m.rows[2].note = &note);                                      \
    } while (0)

Test(codec_rows, a_wrong_note_is_refused_by_name)
{
    NOTE_REFUSED("note.user", note.user = "");
    NOTE_REFUSED("note.user", note.user = "a\nb");
    NOTE_REFUSED("note.topic", note.topic = BR_TOPIC_END);
    NOTE_REFUSED("note.topic", note.topic = (br_topic)0);
    NOTE_REFUSED("note.subject", note.subject = long_text(129));
    NOTE_REFUSED("note.value", note.value = long_text(513));
    NOTE_REFUSED("note.version", note.version = "\xFF");
    REFUSED(br_row_batch, "RowBatch.rows[2].note", m.rows[2].note = NULL);
    REFUSED(br_row_batch, "RowBatch.rows[1].note", m.rows[1].note = m.rows[2].note);
}

Test(codec_rows, the_chain_of_a_note_is_that_of_its_content_and_of_all_before_it)
{
    BR_AUTO_DEINIT(br_buf) scratch = {0};
    const br_hash first = {{0}}, second = {{1}};
    br_row row = example_br_row_batch()->rows[2];
    br_note note = *row.note;
    row.note = &note;
    br_hash chain, other;
    cr_assert_eq(br_note_chain(&chain, &first, &row, &scratch), BR_OK);
    cr_assert_eq(br_note_chain(&other, &second, &row, &scratch), BR_OK);
    cr_expect(!br_hash_equal(&chain, &other));
    note.chained = false;
    cr_assert_eq(br_note_chain(&other, &first, &row, &scratch), BR_OK);
    cr_expect(br_hash_equal(&chain, &other), "a chain does not speak of itself");
    note.time_ms++;
    cr_assert_eq(br_note_chain(&other, &first, &row, &scratch), BR_OK);
    cr_expect(!br_hash_equal(&chain, &other));
}

Test(codec_rows, a_batch_over_its_limits_is_not_packed)
{
    static br_row rows[BR_MAX_BATCH_ROWS + 1];
    for (size_t i = 0; i <= BR_MAX_BATCH_ROWS; i++) {
        rows[i] = example_br_row_batch()->rows[1];
    }
    br_row_batch batch = {rows, BR_MAX_BATCH_ROWS, ""};
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    cr_assert_eq(br_row_batch_pack(&batch, &bytes), BR_OK);
    br_buf_clear(&bytes);
    batch.n_rows++;
    cr_expect_eq(br_row_batch_pack(&batch, &bytes), BR_ERR_LIMIT);
    rows[0].yaml = long_text(1 << 20);
    rows[0].yaml_bytes = 1 << 20;
    for (size_t i = 1; i < 4; i++) {
        rows[i] = rows[0];
    }
    batch.n_rows = 4;
    cr_expect_eq(br_row_batch_pack(&batch, &bytes), BR_ERR_LIMIT);
    cr_expect_eq(bytes.length, 0);
}

Test(codec_rows, a_batch_of_empty_rows_is_bounded_in_memory)
{
    // Two bytes on the wire are some 250 in memory: 1 MiB of them would be 131 MB.
    BR_AUTO(br_arena) *arena = NULL;
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    uint8_t *bytes = br_calloc(1 << 20, 1);
    cr_assert(bytes != NULL);
    for (size_t i = 0; i < 1 << 20; i += 2) {
        bytes[i] = 0x0A;
    }
    br_row_batch batch;
    cr_expect_eq(br_row_batch_unpack(&batch, arena, bytes, 1 << 20), BR_ERR_LIMIT);
    br_arena_reset(arena);
    br_status status = br_row_batch_unpack(&batch, arena, bytes, (BR_MAX_BATCH_ROWS + 1) * 2);
    cr_expect_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), "RowBatch.rows: 1001 is not between 0 and 1000");
    br_free(bytes);
}

Test(codec_rows, a_body_above_its_largest_size_is_not_even_read)
{
    BR_AUTO(br_arena) *arena = NULL;
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    size_t n = br_message_max_bytes(BR_MSG_ROW_BATCH) + 1;
    uint8_t *bytes = br_calloc(n, 1);
    cr_assert(bytes != NULL);
    br_row_batch batch;
    cr_expect_eq(br_row_batch_unpack(&batch, arena, bytes, n), BR_ERR_LIMIT);
    cr_expect_eq(br_arena_used(arena), 0);
    br_free(bytes);
}

Test(codec_rows, a_reply_comes_back)
{
    COMES_BACK(br_row_batch_reply, (void)0, {
        SAME(n_results);
        SAME(head);
        for (uint32_t i = 0; i < m.n_results; i++) {
            SAME(results[i].outcome);
            SAME_TEXT(results[i].column);
            SAME_TEXT(results[i].reason);
        }
    });
    REFUSED(br_row_batch_reply, "RowBatchReply.results[2].outcome", m.results[2].outcome = (br_row_outcome)0);
    REFUSED(br_row_batch_reply, "RowBatchReply.results[2].outcome", m.results[2].outcome = (br_row_outcome)4);
    REFUSED(br_row_batch_reply, "RowBatchReply.results[0].column", m.results[0].column = "a\rb");
}

Test(codec_rows, a_reason_always_arrives)
{
    COMES_BACK(br_row_batch_reply, m.results[2].reason = "bad \xFF\x80 byte\nand line",
               cr_expect_str_eq(got.results[2].reason, "bad ?? byte and line"));
    char text[2000];
    memset(text, 'x', sizeof text);
    memcpy(text + BR_MAX_PROSE_BYTES - 2, "\xE5\x80\xBA", 3); // a character across the end is left out whole
    text[sizeof text - 1] = '\0';
    COMES_BACK(br_row_batch_reply, m.results[2].reason = text,
               cr_expect_eq(strlen(got.results[2].reason), BR_MAX_PROSE_BYTES - 2));
}
