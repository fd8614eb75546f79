#ifndef BR_BASE_UTF8_H
#define BR_BASE_UTF8_H

/// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.

#include "base/status.h"

/// Bytes of the well-formed sequence at the start of text[0..n): 1 to 4; 0 if there is none.
size_t br_utf8_sequence(const char *text, size_t n);

/// Is text[0..n) well formed as a whole?
bool br_utf8_valid(const char *text, size_t n);

/// Has text[0..n) a control character (C0, DEL, C1)? `text` must be valid.
bool br_utf8_has_control(const char *text, size_t n);

/// Columns that text[0..n) takes on a terminal: wide East Asian characters count two. `text` must be valid.
size_t br_utf8_columns(const char *text, size_t n);

/// Bytes of `text` that a message shows, for "%.*s": at most 40, whole characters, none of control.
int br_utf8_shown(const char *text);

#endif
