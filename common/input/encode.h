#ifndef BR_INPUT_ENCODE_H
#define BR_INPUT_ENCODE_H

/// The way back of decode.h, for files that spreadsheets are to open.

#include "base/buf.h"

/// Append UTF-8 text[0..n) as GB18030, which has a place for every character. Errors: BR_ERR_INVALID (no UTF-8), BR_ERR_IO (the system does
/// not know GB18030). Memory that ran out shows in out->failed.
br_status br_encode_gb18030(br_buf *out, const char *text, size_t n) BR_MUST_CHECK;

#endif
