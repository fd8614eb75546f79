#ifndef BR_TESTS_SUPPORT_TEMP_H
#define BR_TESTS_SUPPORT_TEMP_H

/// A fresh directory under $TMPDIR (or /tmp) that no other test has; ends the process if there is none. The path is valid until
/// br_temp_remove(), which deletes the directory and all that is in it.
char *br_temp_new(void);
void br_temp_remove(char **path);

/// "DIR/NAME" in memory that lives as long as the process: tests are short.
char *br_temp_path(const char *directory, const char *name);

#endif
