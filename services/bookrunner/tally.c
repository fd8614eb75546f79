#include "tally.h"

#include "table.h"

#include <errno.h>
#include <string.h>

void tally_init(tally *t, const arguments *args, const char *directory, const char *market)
{
    *t = (tally){0};
    if (args->rejects != NULL) {
        snprintf(t->rejects_path, sizeof t->rejects_path, "%s", args->rejects);
        return;
    }
    char name[65];
    snprintf(name, sizeof name, "%s", market);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '/' ? '_' : *c;
    }
    snprintf(t->rejects_path, sizeof t->rejects_path, "%s/rejects-%s.csv", directory, name);
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

static br_status write_reject(tally *t, const row_origin *origin, const br_row_result *result)
{
    if (t->rejects == NULL) {
        t->rejects = fopen(t->rejects_path, "we");
        if (t->rejects == NULL) {
            return br_fail(BR_ERR_IO, "rejects file %s: %s", t->rejects_path, strerror(errno));
        }
        fputs("file,line,column,reason,raw\n", t->rejects);
    }
    BR_AUTO_DEINIT(br_buf) line = {0};
    br_buf_csv_field(&line, origin->file, strlen(origin->file));
    br_buf_printf(&line, ",%llu,", (unsigned long long)origin->line);
    br_buf_csv_field(&line, result->column, strlen(result->column));
    br_buf_char(&line, ',');
    br_buf_csv_field(&line, result->reason, strlen(result->reason));
    br_buf_char(&line, ',');
    br_buf_csv_field(&line, origin->raw, strlen(origin->raw));
    br_buf_char(&line, '\n');
    if (line.failed || fwrite(line.data, 1, line.length, t->rejects) != line.length) {
        return br_fail(BR_ERR_IO, "rejects file %s: %s", t->rejects_path, strerror(errno));
    }
    return BR_OK;
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
        return t->rejects_path[0] == '\0' ? BR_OK : write_reject(t, origin, result);
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
    if (t->rejects != NULL) {
        bool written = fclose(t->rejects) == 0;
        t->rejects = NULL;
        if (!written) {
            return cli_failed(br_fail(BR_ERR_IO, "rejects file %s: %s", t->rejects_path, strerror(errno)), "import");
        }
        fprintf(stderr, "%llu rejected, each with its reason in %s\n", (unsigned long long)tally_rejected(t),
                t->rejects_path);
        return code == EXIT_CODE_OK ? EXIT_CODE_REJECTED : code;
    }
    return code;
}

void tally_deinit(tally *t)
{
    if (t->rejects != NULL) {
        fclose(t->rejects);
        t->rejects = NULL;
    }
}
