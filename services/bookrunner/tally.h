#ifndef BOOKRUNNER_TALLY_H
#define BOOKRUNNER_TALLY_H

/// What became of the rows of a market folder, file by file, and the file of rejected lines.

#include "cli.h"
#include "codec/rows.h"
#include "input/folder.h"
#include "rejects.h"

#define MAX_FILES 16

typedef struct file_tally {
    char name[64];
    uint64_t rows;
    uint64_t accepted;
    uint64_t duplicates;
    uint64_t rejected;
} file_tally;

typedef struct tally {
    file_tally files[MAX_FILES];
    uint32_t n_files;
    rejects_file rejects;
    char last_reason[256];
} tally;

/// Remember where rejected lines go: --rejects, else rejects-MARKET.csv in `directory`. Without this call they are only counted.
void tally_init(tally *t, const arguments *args, const char *directory, const char *market);
/// Count one row; a rejected one is written to the rejects file. Errors: BR_ERR_IO.
br_status tally_row(tally *t, const row_origin *origin, const br_row_result *result) BR_MUST_CHECK;
/// A file that could not be used at all. Errors: BR_ERR_IO.
br_status tally_file_unusable(tally *t, const row_origin *origin, const char *reason) BR_MUST_CHECK;
/// Print the report: per file into `to`, unknown columns and the rejects file's name on stderr. EXIT_CODE_REJECTED when something was rejected.
exit_code tally_report(tally *t, br_folder *folder, output_format format, FILE *to);
uint64_t tally_rejected(const tally *t);
void tally_deinit(tally *t);

#endif
