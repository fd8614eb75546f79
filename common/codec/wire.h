#ifndef BR_CODEC_WIRE_H
#define BR_CODEC_WIRE_H

/// What the files of this module share: reading a message under bounds and checking it field by field, and writing one.
/// Not for other modules.
///
///     br_reading in = {.arena = arena};
///     const Br__Hint *hint = br_read_begin(&in, &br__hint__descriptor, bytes, n, br_message_max_bytes(BR_MSG_HINT));
///     if (hint == NULL) { return in.status; }
///     br_hint made = {.kind = (br_hint_kind)br_read_range(&in, "kind", hint->kind, 1, BR_HINT_METRICS)};
///     if (in.status == BR_OK) { *out = made; }
///     return in.status;
///
/// The first failure stays in `status`; checks after it do nothing and return harmless values.

#include "codec/codec.h"

#include <protobuf-c/protobuf-c.h>

#define BR_MAX_UNKNOWN_FIELDS 64
#define BR_READ_DEPTH         3

typedef struct br_reading {
    br_arena *arena;
    br_status status;
    const char *message; ///< its name, for reasons
    struct {
        const char *list; ///< NULL: not inside a list at this depth
        size_t i;
    } place[BR_READ_DEPTH]; ///< "rows[3].features[2]"
    bool exhausted;         ///< the arena refused memory
} br_reading;

/// What a text may be. None holds a NUL; all are UTF-8; none but YAML holds a control character.
typedef enum br_form {
    BR_FORM_ID,              ///< 1 to 128 bytes
    BR_FORM_ID_OR_NONE,      ///< 0 to 128 bytes
    BR_FORM_VALUE,           ///< 0 to 512 bytes: a feature's value
    BR_FORM_VERSION,         ///< 1 to 32 digits and lower-case letters: safe as a part of a path
    BR_FORM_VERSION_OR_NONE, ///< the same, or empty
    BR_FORM_PROSE,           ///< 0 to 1,023 bytes: reasons and names for people
    BR_FORM_YAML             ///< 0 to 1 MiB, lines
} br_form;

/// The unpacked message inside the arena, or NULL with `status` set. Checks size and unknown fields.
const void *br_read_begin(br_reading *in, const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n,
                          size_t max_bytes);
/// What follows is about list[i] at this depth (0 = in the message itself); a NULL list: no longer inside one.
void br_read_at(br_reading *in, unsigned depth, const char *list, size_t i);
/// Record the first failure: "RowBatch.rows[3].bid_id: CAUSE".
void br_read_fail(br_reading *in, const char *field, const char *format, ...) BR_PRINTF(3, 4);

uint64_t br_read_range(br_reading *in, const char *field, uint64_t value, uint64_t min, uint64_t max);
/// A day between the years 1 and 9999; BR_DAY_NONE only where it is allowed.
br_day br_read_day(br_reading *in, const char *field, int32_t value, bool may_be_none);
double br_read_finite(br_reading *in, const char *field, double value);
/// Between 0 and 1.
double br_read_share(br_reading *in, const char *field, double value);
/// As C string inside the arena.
const char *br_read_text(br_reading *in, const char *field, ProtobufCBinaryData value, br_form form);
br_hash br_read_hash(br_reading *in, const char *field, ProtobufCBinaryData value);
/// Zeroed memory of the arena; NULL with `status` set at its bound, and for n = 0.
void *br_read_alloc(br_reading *in, size_t n, size_t size_bytes);

/// A message on its way out; what it needs besides the caller's memory comes from an arena of its own.
typedef struct br_writing {
    br_arena *arena;
    bool failed;
} br_writing;

/// Zeroed memory that lives as long as the writing; NULL sets `failed`, n = 0 does not.
void *br_write_alloc(br_writing *out, size_t n, size_t size_bytes);
/// Borrows the text; NULL is empty.
ProtobufCBinaryData br_write_text(const char *text);
/// Text for people is repaired rather than refused: bytes that are not UTF-8 become '?', control characters blanks, and what
/// is over 1,023 bytes is cut, so that a reason always arrives.
ProtobufCBinaryData br_write_prose(br_writing *out, const char *text);
ProtobufCBinaryData br_write_bytes(const void *bytes, size_t n);
/// Append the packed message. Errors: BR_ERR_LIMIT above max_bytes, BR_ERR_NO_MEMORY.
br_status br_write_end(const br_writing *out, const ProtobufCMessage *message, size_t max_bytes,
                       br_buf *buf) BR_MUST_CHECK;
void br_writing_deinit(br_writing *out);

#endif
