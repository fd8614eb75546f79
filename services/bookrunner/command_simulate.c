#include "simulating.h"

#include "base/index.h"
#include "input/folder.h"
#include "market/simulate.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES (2 * BR_PATH_BYTES)

/// Where simulated rows go, and the order of ids for the truth.
typedef struct market_sink {
    br_folder_writer *writer;
    br_index *bonds;
    br_index *investors;
    uint64_t n_rows;
    progress shown;
} market_sink;

static br_status take_row(void *context, const br_row *row)
{
    market_sink *sink = context;
    uint32_t number = 0;
    br_status status = BR_OK;
    if (row->kind == BR_ROW_SCHEMA) {
        return BR_OK; // the writer has it already
    }
    if (row->kind == BR_ROW_BOND) {
        status = br_index_add(sink->bonds, row->bond_id, strlen(row->bond_id), &number, NULL);
    } else if (row->kind == BR_ROW_INVESTOR) {
        status = br_index_add(sink->investors, row->investor_id, strlen(row->investor_id), &number, NULL);
    }
    progress_show(&sink->shown, ++sink->n_rows, 0, 0, NULL);
    return status == BR_OK ? br_folder_writer_row(sink->writer, row) : status;
}

/// The directory and those above it.
static br_status make_directory(const char *path)
{
    char part[PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0777); // what cannot be made shows below
        *slash = '/';
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
}

static br_status open_file(FILE **out, const char *folder, const char *name)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || n >= PATH_BYTES) {
        return br_fail(BR_ERR_LIMIT, "path %.60s... is too long", folder);
    }
    *out = fopen(path, "we");
    return *out != NULL ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
}

/// Flush, sync and close; every failure to write since the opening shows here.
static br_status close_file(FILE *file, const char *folder, const char *name)
{
    bool written = fflush(file) == 0 && fsync(fileno(file)) == 0 && !ferror(file);
    written = fclose(file) == 0 && written;
    return written ? BR_OK : br_fail(BR_ERR_IO, "%s/%s: %s", folder, name, strerror(errno));
}

static br_status write_ids(const char *folder, const char *name, const char *column, const br_index *ids)
{
    FILE *file = NULL;
    br_status status = open_file(&file, folder, name);
    if (status != BR_OK) {
        return status;
    }
    fprintf(file, "%s\n", column);
    for (uint32_t i = 0; i < br_index_count(ids); i++) {
        fprintf(file, "%s\n", br_index_text(ids, i));
    }
    return close_file(file, folder, name);
}

static br_status write_tables(const char *folder, const br_truth *truth, size_t n)
{
    FILE *utility = NULL;
    FILE *causal = NULL;
    br_status status = open_file(&utility, folder, "utility.f32");
    if (status != BR_OK) {
        return status;
    }
    status = open_file(&causal, folder, "causal.u16");
    if (status != BR_OK) {
        fclose(utility);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        fwrite(&truth[i].utility, sizeof truth[i].utility, 1, utility);
        fwrite(&truth[i].causal, sizeof truth[i].causal, 1, causal);
    }
    status = close_file(utility, folder, "utility.f32");
    br_status closed = close_file(causal, folder, "causal.u16");
    return status != BR_OK ? status : closed;
}

static br_status write_truth(const char *folder, const br_simulation *simulation, const market_sink *sink)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/truth", folder);
    br_status status = make_directory(path);
    uint32_t n_bonds = 0;
    uint32_t n_investors = 0;
    const br_truth *truth = br_simulation_truth(simulation, &n_bonds, &n_investors);
    if (status == BR_OK && (br_index_count(sink->bonds) != n_bonds || br_index_count(sink->investors) != n_investors)) {
        status = br_fail(BR_ERR_INVALID, "the truth speaks of %u bonds and %u investors, the market has %u and %u",
                         n_bonds, n_investors, br_index_count(sink->bonds), br_index_count(sink->investors));
    }
    if (status == BR_OK) {
        status = write_ids(path, "bonds.csv", "bond_id", sink->bonds);
    }
    if (status == BR_OK) {
        status = write_ids(path, "investors.csv", "investor_id", sink->investors);
    }
    return status == BR_OK ? write_tables(path, truth, (size_t)n_bonds * n_investors) : status;
}

/// Written last: a folder with it is complete.
static br_status write_readme(const arguments *args, const char *folder, const br_simulation_options *options)
{
    FILE *file = NULL;
    br_status status = open_file(&file, folder, "README.txt");
    if (status != BR_OK) {
        return status;
    }
    fprintf(file,
            "This market is SIMULATED. No bond, issuer, investor or bid in it is real.\n\n"
            "made by: bookrunner simulate --size %s --seed %llu --combinations %g\n"
            "size: %s (%u investors, %u bonds, %u issuers)\nseed: %llu\n\n"
            "truth/ holds what the simulator knows and nobody else could: utility.f32 (log-odds of a bid, "
            "float32, little endian)\n"
            "and causal.u16 (bit f: the bond's value of preference feature f counts for this investor), both\n"
            "[bonds, investors] in the order of truth/bonds.csv and truth/investors.csv. Services never read "
            "it.\n",
            args->size, (unsigned long long)options->seed, options->combinations, args->size, options->n_investors,
            options->n_bonds, options->n_issuers, (unsigned long long)options->seed);
    return close_file(file, folder, "README.txt");
}

static br_status choose_options(br_simulation_options *out, const arguments *args)
{
    br_status status = br_simulation_defaults(out, args->size);
    if (status != BR_OK) {
        return status;
    }
    out->seed = args->seed;
    if (args->has_combinations) {
        out->combinations = args->combinations;
    }
    if (!(out->combinations >= 0 && out->combinations <= 1)) {
        return br_fail(BR_ERR_INVALID, "--combinations %g is not between 0 and 1", out->combinations);
    }
    return BR_OK;
}

static br_status simulate_rows(br_simulation *simulation, market_sink *sink, const char *folder)
{
    br_status status = br_folder_writer_open(&sink->writer, folder, br_simulation_schema(simulation));
    if (status != BR_OK) {
        return status;
    }
    sink->shown = progress_start("simulate", "rows");
    status = br_simulation_run(simulation, take_row, sink);
    progress_end(&sink->shown);
    br_status closed = br_folder_writer_close(&sink->writer);
    return status != BR_OK ? status : closed;
}

br_status simulate_folder(const arguments *args, const char *folder)
{
    br_simulation_options options;
    br_status status = choose_options(&options, args);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/schema.yaml", folder);
    if (status == BR_OK && access(path, F_OK) == 0) {
        status = br_fail(BR_ERR_EXISTS, "%s has a market already; choose another folder", folder);
    }
    if (status == BR_OK) {
        status = make_directory(folder);
    }
    BR_AUTO(br_simulation) *simulation = NULL;
    if (status == BR_OK) {
        status = br_simulation_new(&simulation, &options);
    }
    BR_AUTO(br_index) *bonds = NULL;
    BR_AUTO(br_index) *investors = NULL;
    if (status == BR_OK) {
        status = br_index_new(&bonds);
    }
    if (status == BR_OK) {
        status = br_index_new(&investors);
    }
    market_sink sink = {.bonds = bonds, .investors = investors};
    if (status == BR_OK) {
        status = simulate_rows(simulation, &sink, folder);
    }
    if (status == BR_OK) {
        status = write_truth(folder, simulation, &sink);
    }
    if (status == BR_OK) {
        status = write_readme(args, folder, &options);
    }
    if (status == BR_OK) {
        fprintf(stderr, "simulated market (%s, seed %llu): %u bonds, %u investors, %llu rows\n", args->size,
                (unsigned long long)args->seed, br_index_count(bonds), br_index_count(investors),
                (unsigned long long)sink.n_rows);
    }
    return status;
}

exit_code command_simulate(const arguments *args)
{
    br_status status = simulate_folder(args, args->words[0]);
    return status == BR_OK ? EXIT_CODE_OK : cli_failed(status, "simulate");
}
