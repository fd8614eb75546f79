#ifndef BR_CODEC_CODEC_H
#define BR_CODEC_CODEC_H

/// C structs to protobuf bytes and back; the only place that includes generated code. The messages' grammar is in
/// proto/README.md.
///
/// Every pack appends to a br_buf; the same struct always gives the same bytes. It trusts its caller, except that text for people (reasons,
/// stages, names of processes and sources) is repaired: invalid bytes become '?', control characters blanks, the end beyond
/// 1,023 bytes is cut; a figure that is not finite becomes the text "-". A minus zero arrives as zero. Errors of every pack: BR_ERR_LIMIT when the message would be larger than its peer accepts (a row
/// batch is then sent in two halves); BR_ERR_NO_MEMORY.
///
/// Every unpack takes an arena (of BR_UNPACK_BYTES, reset per message): all memory of the result lives there, and
/// the arena's bound is the bound of a message in memory. What comes out has been validated: lengths, ids (UTF-8 without control
/// characters), enum ranges, finite numbers, at most 64 unknown fields per message. Texts are never NULL. Errors of every unpack:
/// BR_ERR_INVALID with message, field and cause ("RowBatch.rows[3].bid_id: is not UTF-8"); BR_ERR_LIMIT for a message above its
/// largest size or the arena's bound. On an error *out is untouched.

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"
#include "market/row.h"

#define BR_UNPACK_BYTES         ((size_t)64 << 20)  ///< holds any message within its limits: bound for arenas
#define BR_MAX_PROSE_BYTES      1023                ///< text for people: as long as a reason of br_fail()
#define BR_MAX_YAML_BYTES       (1u << 20)          ///< schema.yaml
#define BR_MAX_BOND_IDS         10000               ///< of one request
#define BR_MAX_FIGURES          4096                ///< of one report
#define BR_MAX_VERSIONS         64                  ///< an explainer may name
#define BR_MAX_POPULATION       250000              ///< investors of one day
#define BR_MAX_POPULATION_BYTES ((size_t)64 << 20)  ///< their codes: 268 fields of that many investors
#define BR_MAX_PART_BYTES       ((size_t)256 << 10) ///< of them in one message
#define BR_MAX_FRAME_BYTES      ((size_t)4 << 20)   ///< of any message

/// Message types, as the envelope carries them. The number is part of the protocol: never reuse one.
typedef enum br_message_type {
    BR_MSG_NONE = 0,
    // rows.proto
    BR_MSG_ROW_BATCH = 1,
    BR_MSG_ROW_BATCH_REPLY = 2,
    // control.proto
    BR_MSG_HINT = 10,
    BR_MSG_TRAIN_REQUEST = 11,
    BR_MSG_ROLLBACK_REQUEST = 12,
    BR_MSG_RANK_REQUEST = 13,
    BR_MSG_EVALUATE_REQUEST = 14,
    BR_MSG_STATUS_REQUEST = 15,
    BR_MSG_PROGRESS = 16,
    BR_MSG_REPORT = 17,
    BR_MSG_RETRY_REQUEST = 18,
    // work.proto
    BR_MSG_READY = 30,
    BR_MSG_JOB = 31,
    BR_MSG_RESULT = 32,
    BR_MSG_RESULT_ACK = 33,
    BR_MSG_HEARTBEAT = 34,
    BR_MSG_STOPPING = 35,
    BR_MSG_POPULATION_GET = 36,
    BR_MSG_POPULATION = 37,
    BR_MSG_INTRODUCE = 38
} br_message_type;

/// "ROW_BATCH"; "?" for a number that is no type.
const char *br_message_type_name(br_message_type type);
/// Largest body this type may have, in bytes; 0 for a number that is no type. Checked before unpacking.
size_t br_message_max_bytes(br_message_type type);
/// Largest third frame this type may have, in bytes.
size_t br_message_max_extra_bytes(br_message_type type);

/// Bytes inside a message.
typedef struct br_bytes {
    const uint8_t *data;
    size_t n;
} br_bytes;

#endif
