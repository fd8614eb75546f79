#include "checker.h"
#include "importing.h"
#include "progress.h"
#include "sender.h"

#include <string.h>

/// Where rows go: to the checker (validate, --dry-run) or to the ingester.
typedef struct destination {
    checker *check;
    sender *send;
    tally *counts;
} destination;

static br_status put_row(const destination *to, const br_folder_item *item)
{
    row_origin origin = {item->file, item->line, item->raw == NULL ? "" : item->raw};
    if (item->rejected) {
        br_row_result result = {
            .outcome = BR_OUTCOME_REJECTED, .column = item->problem.column, .reason = item->problem.reason};
        return tally_row(to->counts, &origin, &result);
    }
    if (to->send != NULL) {
        return sender_row(to->send, &item->row, &origin);
    }
    br_row_result result = {0};
    br_status status = checker_row(to->check, &item->row, &result);
    return status == BR_OK ? tally_row(to->counts, &origin, &result) : status;
}

static br_status put_folder(const destination *to, br_folder *folder, const char *what)
{
    progress shown = progress_start(what, "bytes");
    br_status status = BR_OK;
    while (status == BR_OK) {
        br_folder_item item = {0};
        status = br_folder_next(folder, &item);
        if (status == BR_ERR_INVALID) {
            progress_end(&shown);
            row_origin origin = {item.file, item.line, ""};
            status = tally_file_unusable(to->counts, &origin, br_why(status));
        } else if (status == BR_OK) {
            status = put_row(to, &item);
        }
        uint64_t done = 0;
        uint64_t total = 0;
        br_folder_progress(folder, &done, &total);
        progress_show(&shown, done, total, 0, NULL);
    }
    progress_end(&shown);
    return status == BR_ERR_AGAIN ? BR_OK : status;
}

/// Begin the checker with what the ledger of the data directory holds, if there is one. *ledger_out is the caller's.
static br_status load_ledger(checker *check, const char *directory, br_ledger **ledger_out)
{
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(path, directory, BR_PLACE_LEDGER);
    if (status != BR_OK) {
        return status;
    }
    status = br_ledger_open_reader(ledger_out, path);
    if (status == BR_ERR_NOT_FOUND) {
        return BR_OK;
    }
    return status == BR_OK ? checker_load(check, *ledger_out) : status;
}

static exit_code check_folder(const arguments *args, bool against_ledger)
{
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    BR_AUTO(br_folder) *folder = NULL;
    if (status == BR_OK) {
        status = br_folder_open(&folder, args->words[0]);
    }
    BR_AUTO(br_ledger) *ledger = NULL;
    BR_AUTO(checker) *check = NULL;
    if (status == BR_OK) {
        status = checker_new(&check, br_folder_schema(folder));
    }
    if (status == BR_OK && against_ledger) {
        status = load_ledger(check, directory, &ledger);
    }
    if (status != BR_OK) {
        return cli_failed(status, args->words[0]);
    }
    BR_AUTO_DEINIT(tally) counts;
    tally_init(&counts, args, ".", br_folder_schema(folder)->market);
    status = put_folder(&(destination){.check = check, .counts = &counts}, folder, "check");
    if (status != BR_OK) {
        return cli_failed(status, args->words[0]);
    }
    return tally_report(&counts, folder, args->format, stdout);
}

exit_code import_folder(const arguments *args, const char *folder_path, output_format format, FILE *to)
{
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    BR_AUTO(br_folder) *folder = NULL;
    if (status == BR_OK) {
        status = br_folder_open(&folder, folder_path);
    }
    if (status != BR_OK) {
        return cli_failed(status, folder_path);
    }
    BR_AUTO_DEINIT(tally) counts;
    tally_init(&counts, args, directory, br_folder_schema(folder)->market);
    BR_AUTO(sender) *send = NULL;
    status = sender_new(&send, directory, args->timeout_s, &counts);
    if (status == BR_OK) {
        status = put_folder(&(destination){.send = send, .counts = &counts}, folder, "import");
    }
    if (status == BR_OK) {
        status = sender_finish(send);
    }
    if (status != BR_OK) {
        return cli_failed(status, folder_path);
    }
    return tally_report(&counts, folder, format, to);
}

exit_code command_validate(const arguments *args)
{
    return check_folder(args, false);
}

exit_code command_import(const arguments *args)
{
    return args->dry_run ? check_folder(args, true) : import_folder(args, args->words[0], args->format, stdout);
}
