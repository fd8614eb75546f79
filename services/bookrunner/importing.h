#ifndef BOOKRUNNER_IMPORTING_H
#define BOOKRUNNER_IMPORTING_H

/// Bringing a market folder in: what `import` and `run` share.

#include "tally.h"

/// Send the folder's rows to the ingester and print the report into `to`. Failures have been said on stderr unless the code is EXIT_CODE_OK or _REJECTED.
exit_code import_folder(const arguments *args, const char *folder_path, output_format format, FILE *to);

#endif
