#include "tally.h"

#include "table.h"

#include <string.h>

void tally_init(tally *t, const arguments *args, const char *directory, const char *market)
{
    *t = (tally){0};
    if (args->rejects != NULL) {
        snprintf(t->rejects.path, sizeof t->rejects.path, "%s", args->rejects);
        return;
    }
    char name[65];
    snprintf(name, sizeof name, "%s", market);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '/' ? '_' : *c;
    }
    snprintf(t->rejects.path, sizeof t->rejects.path, "%s/rejects-%s.csv", directory, name);
}

static file_tally *file_of(tally *t, const char *name)
{
    for (uint32_t i = 0; i < t->n_files; i++) {
        if (strcmp(t->files[i].name, name) == 0) {
            return &t->files[i];
        }
    }
    br_assert(t->n_files < MAX_FILES);
    file_tally *file = &t->files[t->n_files++];
    snprintf(file->name, sizeof file->name, "%s", name);
    return file;
}

br_status tally_row(tally *t, const row_origin *origin, const br_row_result *result)
{
    file_tally *file = file_of(t, origin->file);
    file->rows++;
    switch (result->outcome) {
    case BR_OUTCOME_ACCEPTED:
        file->accepted++;
        return BR_OK;
    case BR_OUTCOME_DUPLICATE:
        file->duplicates++;
        return BR_OK;
    case BR_OUTCOME_REJECTED:
        file->rejected++;
        snprintf(t->last_reason, sizeof t->last_reason, "%s", result->reason);
        return rejects_write(&t->rejects, origin, result->column, result->reason);
    }
    return BR_OK;
}

br_status tally_file_unusable(tally *t, const row_origin *origin, const char *reason)
{
    fprintf(stderr, "bookrunner: %s\n", reason);
    br_row_result result = {.outcome = BR_OUTCOME_REJECTED, .column = "", .reason = reason};
    return tally_row(t, origin, &result);
}

uint64_t tally_rejected(const tally *t)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < t->n_files; i++) {
        n += t->files[i].rejected;
    }
    return n;
}

exit_code tally_report(tally *t, br_folder *folder, output_format format, FILE *to)
{
    BR_AUTO_DEINIT(table)
    report = {.columns = (const char *const[]){"file", "rows", "accepted", "duplicates", "rejected"}, .n_columns = 5};
    for (uint32_t i = 0; i < t->n_files; i++) {
        table_text(&report, t->files[i].name);
        table_whole(&report, t->files[i].rows);
        table_whole(&report, t->files[i].accepted);
        table_whole(&report, t->files[i].duplicates);
        table_whole(&report, t->files[i].rejected);
    }
    exit_code code = table_print(&report, format, to);
    size_t n_unknown = 0;
    const char *const *unknown = br_folder_unknown_columns(folder, &n_unknown);
    for (size_t i = 0; i < n_unknown; i++) {
        fprintf(stderr, "column not in the schema, ignored: %s\n", unknown[i]);
    }
    if (t->rejects.n > 0) {
        br_status status = rejects_close(&t->rejects);
        if (status != BR_OK) {
            return cli_failed(status, "import");
        }
        fprintf(stderr, "%llu rejected, each with its reason in %s\n", (unsigned long long)tally_rejected(t),
                t->rejects.path);
        return code == EXIT_CODE_OK ? EXIT_CODE_REJECTED : code;
    }
    return code;
}

void tally_deinit(tally *t)
{
    rejects_deinit(&t->rejects);
}
