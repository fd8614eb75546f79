#ifndef BR_TRANSPORT_ENVELOPE_H
#define BR_TRANSPORT_ENVELOPE_H

/// The first frame of every message, 32 bytes, little-endian. Not for other modules.
///
///   bytes   0-3     4      5      6-7   8-11    12-15    16-23    24-31
///   holds   "BKRN"  major  minor  type  n_body  n_extra  request  checksum
///
/// The checksum is the first 8 bytes of BLAKE2b-256 over bytes 0 to 23, the body and the third frame: it finds a message that was
/// put together wrong or damaged; it is no protection against an enemy, that is CURVE's work.

#include "transport/socket.h"

typedef struct br_envelope {
    uint16_t type;
    uint64_t request;
    uint32_t n_body;
    uint32_t n_extra;
} br_envelope;

/// Errors: BR_ERR_LIMIT when a part has 4 GiB or more.
br_status br_envelope_write(uint8_t out[BR_ENVELOPE_BYTES], uint16_t type, uint64_t request, br_span body,
                            br_span extra) BR_MUST_CHECK;
/// Does the first frame belong to these parts? Another major version does not; another minor does.
bool br_envelope_read(br_envelope *out, br_span frame, br_span body, br_span extra);

#endif
