#ifndef BR_TESTS_INPUT_FIXTURE_H
#define BR_TESTS_INPUT_FIXTURE_H

#include "input/folder.h"

/// A schema with every key, the one tests change words of.
extern const char *const fixture_schema;

/// A fresh folder with fixture_schema and small good files of every kind that must be there.
char *fixture_folder(void);
/// Write (or overwrite) DIR/NAME.
void fixture_write(const char *directory, const char *name, const void *bytes, size_t n);
void fixture_text(const char *directory, const char *name, const char *text);

/// What reading a folder to its end came to, as text: one line per item, "bonds.csv:2 B1" or
/// "bonds.csv:3 rejected COLUMN: REASON", and "failed: REASON" for a file. To be released with free().
char *fixture_read(const char *directory);

#endif
