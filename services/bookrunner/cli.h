#ifndef BOOKRUNNER_CLI_H
#define BOOKRUNNER_CLI_H

/// The command people type: one table of commands, one table of options. Help, usage errors and suggestions come from the tables, so a
/// command is added by adding a line.
///
/// Data goes to stdout, messages to stderr.

#include "base/day.h"
#include "service/paths.h"

/// What the program's exit code says; part of its interface.
typedef enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_REJECTED = 3,    ///< some input was rejected
    EXIT_CODE_UNREACHABLE = 4, ///< a service does not answer
    EXIT_CODE_CHECK = 5,       ///< a check found a difference or a fault
    EXIT_CODE_INTERRUPTED = 130
} exit_code;

typedef enum output_format {
    FORMAT_TABLE,
    FORMAT_JSON,
    FORMAT_NDJSON,
    FORMAT_CSV,
    FORMAT_NAGIOS ///< doctor only: one line and the plugin's exit codes
} output_format;

/// The values of all options of all commands: an option means the same wherever it is accepted.
typedef struct arguments {
    const char *directory;
    output_format format;
    double timeout_s;
    const char *size;
    uint64_t seed;
    double combinations;
    bool dry_run;
    const char *rejects;
    bool detach;
    br_day before;
    uint64_t epochs;
    bool daily;
    bool warm;
    bool force;
    bool test;
    bool no_wait;
    br_day as_of;
    bool all;
    bool full;
    const char *market;
    const char *json;
    uint64_t port;
    const char *only;
    const char *threads;
    const char *batch;
    double seconds;
    bool no_masks;
    bool ctr;
    const char *format_in;
    const char *valid_files; ///< with commas between, like the lists below
    const char *test_files;
    const char *split;
    const char *label;
    const char *fields;
    const char *numeric;
    uint64_t min_count;
    const char *masks;
    uint64_t n_threads; ///< of training on rows
    const char *method;
    const char *methods; ///< with commas between
    const char *version;
    bool certify;
    const char *table;
    const char *columns; ///< ROLE=COLUMN with commas between, and so below
    const char *items;
    const char *item_columns;
    const char *time_unit;
    const char *movielens;
    const char *category;
    uint64_t top_items;
    uint64_t n_factors;
    double regularization;
    double confidence;
    double ease_regularization;
    uint64_t n_rows; ///< of the output, at most
    uint64_t n_recommended;
    const char *votes;
    const char *asked;
    bool simulate_votes;
    uint64_t sample;
    double noise;
    double min_overlap;
    const char *cuts;
    uint64_t min_candidates;
    const char *threshold;
    const char *by;
    const char *pool;
    const char *out;
    uint64_t n_bonds;
    uint64_t n_top;
    uint64_t n_reasons;
    bool has_n_bonds;
    bool has_n_top;
    bool has_seconds;
    bool has_factors;
    bool has_regularization;
    bool has_confidence;
    bool has_ease_regularization;
    bool has_rows;
    bool has_recommended;
    bool has_sample;
    bool has_min_candidates;
    bool has_noise;
    bool has_min_overlap;
    bool has_n_reasons;
    bool has_seed;
    bool has_min_count;
    bool has_threads;
    bool has_combinations;
    bool has_port;
    char **words; ///< [n_words] what is no option
    int n_words;
} arguments;

typedef struct exit_meaning {
    exit_code code;
    const char *meaning; ///< NULL behind the last
} exit_meaning;

typedef struct command {
    const char *name;
    const char *summary;
    const char *words; ///< "BOND [INVESTOR]"; in small letters what is to be typed so: "list|rollback [VERSION]"
    int min_words;
    int max_words; ///< -1 = any number
    const char *
        options; ///< names of the options it accepts, separated by spaces; NAME=VALUE: the one of the name with that value
    const char *examples; ///< lines
    const char *details;  ///< what help says below the options, or NULL
    exit_code (*run)(const arguments *args);
} command;

/// Run the command that argv names and return the exit code.
int cli_main(int argc, char **argv);

/// All commands, ended by one without a name.
const command *cli_commands(void);

/// What the exit codes say, ended by one without a meaning.
const exit_meaning *cli_exit_codes(void);

/// Say on stderr what went wrong, with its reason, and return the exit code that fits the status.
exit_code cli_failed(br_status status, const char *doing);

/// DIR of the arguments, made absolute (it need not exist). Errors: BR_ERR_IO, BR_ERR_LIMIT.
br_status cli_directory(char out[BR_PATH_BYTES], const arguments *args) BR_MUST_CHECK;

exit_code command_simulate(const arguments *args);
exit_code command_validate(const arguments *args);
exit_code command_import(const arguments *args);
exit_code command_up(const arguments *args);
exit_code command_down(const arguments *args);
exit_code command_status(const arguments *args);
exit_code command_train(const arguments *args);
exit_code command_rank(const arguments *args);
exit_code command_explain(const arguments *args);
exit_code command_evaluate(const arguments *args);
exit_code command_close_day(const arguments *args);
exit_code command_snapshots(const arguments *args);
exit_code command_jobs(const arguments *args);
exit_code command_replay(const arguments *args);
exit_code command_digest(const arguments *args);
exit_code command_audit(const arguments *args);
exit_code command_keys(const arguments *args);
exit_code command_config(const arguments *args);
exit_code command_manual(const arguments *args);
exit_code command_completion(const arguments *args);
exit_code command_doctor(const arguments *args);
exit_code command_bench(const arguments *args);
exit_code command_compare(const arguments *args);
exit_code command_pairs(const arguments *args);
exit_code command_toy(const arguments *args);
exit_code command_run(const arguments *args);

#endif
