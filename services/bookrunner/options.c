#include "options.h"

#include "market/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SPELLING 32 ///< longer names are never suggested
#define MAX_OPTIONS  48

#define AT(member) offsetof(arguments, member)

static const option_spec options[] = {
    {"dir", "DIR", OPTION_TEXT, AT(directory), 0, "data directory (default $BOOKRUNNER_DIR, else ./bookrunner-data)"},
    {"format", "table|json|ndjson|csv", OPTION_FORMAT, AT(format), 0, "how data is written (default table)"},
    {"format", "table|json|ndjson|csv|nagios", OPTION_FORMAT, AT(format), 0,
     "how findings are written (default table); nagios: as a plugin does"},
    {"timeout", "SECONDS", OPTION_NUMBER, AT(timeout_s), 0, "give up after this long without any answer (default 60)"},
    {"size", "tiny|small|paper", OPTION_TEXT, AT(size), 0, "size of the simulated market (default small)"},
    {"seed", "N", OPTION_WHOLE, AT(seed), AT(has_seed), "seed of the random numbers (default 1)"},
    {"combinations", "P", OPTION_NUMBER, AT(combinations), AT(has_combinations),
     "share of favourites that count only with a second bond feature, 0 to 1"},
    {"dry-run", NULL, OPTION_FLAG, AT(dry_run), 0, "only check, change nothing"},
    {"rejects", "FILE", OPTION_TEXT, AT(rejects), 0,
     "where rejected lines go (default: rejects-MARKET.csv in the data directory; when only checking, here; pairs: "
     "nowhere)"},
    {"detach", NULL, OPTION_FLAG, AT(detach), 0, "return as soon as everything is ready"},
    {"before", "DATE", OPTION_DAY, AT(before), 0, "use only what was known before this day"},
    {"epochs", "N", OPTION_WHOLE, AT(epochs), 0, "at most this many epochs (default: the configuration's)"},
    {"daily", NULL, OPTION_FLAG, AT(daily), 0,
     "take in what is new: begin as training.daily says, let the newest days validate, then learn them, too"},
    {"warm", NULL, OPTION_FLAG, AT(warm), 0, "as --daily, beginning with the served snapshot"},
    {"force", NULL, OPTION_FLAG, AT(force), 0, "serve the new snapshot even if the gate says no; this is recorded"},
    {"test", NULL, OPTION_FLAG, AT(test), 0, "the bonds of the served snapshot's test range"},
    {"no-wait", NULL, OPTION_FLAG, AT(no_wait), 0, "do not wait until the others have taken the day in"},
    {"as-of", "DATE", OPTION_DAY, AT(as_of), 0, "the list as it stood on this day (default: the newest)"},
    {"all", NULL, OPTION_FLAG, AT(all), 0, "all there are: bonds with a list, dead jobs"},
    {"full", NULL, OPTION_FLAG, AT(full), 0, "verify every record of the ledger, not only the last 10,000"},
    {"market", "DIR", OPTION_TEXT, AT(market), 0, "market folder to use instead of a simulated one or of the ledger's"},
    {"json", "FILE", OPTION_TEXT, AT(json), 0, "also write the result as JSON to FILE"},
    {"port", "N", OPTION_WHOLE, AT(port), AT(has_port),
     "port of the page (default: the configuration's, 8080; 0 = any free one)"},
    {"only", "NAME", OPTION_TEXT, AT(only), 0, "this model alone, by its name in the output"},
    {"threads", "LIST", OPTION_TEXT, AT(threads), 0, "numbers of threads to train with (default 1,2)"},
    {"batch", "LIST", OPTION_TEXT, AT(batch), 0, "samples per step (default 4096; compact and main 512,4096)"},
    {"seconds", "S", OPTION_NUMBER, AT(seconds), AT(has_seconds),
     "how long each run is measured (default: train 3, explain 1)"},
    {"no-masks", NULL, OPTION_FLAG, AT(no_masks), 0, "show every sample whole"},
    {"ctr", NULL, OPTION_FLAG, AT(ctr), 0, "learn from the rows of FILE..., not from the ledger"},
    {"format-in", "csv|libsvm", OPTION_TEXT, AT(format_in), 0, "format of the rows' files (default csv)"},
    {"valid", "FILES", OPTION_TEXT, AT(valid_files), 0, "rows that choose the epoch; of several files A,B"},
    {"test", "FILES", OPTION_TEXT, AT(test_files), 0, "rows that the model is tested on at the end"},
    {"split", "A:B:C", OPTION_TEXT, AT(split), 0, "cut FILE... at random for training, validation and test"},
    {"label", "COLUMN", OPTION_TEXT, AT(label), 0, "column of the label (default: label)"},
    {"fields", "A,B", OPTION_TEXT, AT(fields), 0, "columns that are fields (default: all but the label)"},
    {"numeric", "A,B", OPTION_TEXT, AT(numeric), 0, "fields that are numbers, to be binned"},
    {"min-count", "N", OPTION_WHOLE, AT(min_count), AT(has_min_count), "a value seen fewer times is rare (default 2)"},
    {"masks", "on|off", OPTION_TEXT, AT(masks), 0, "mask training, so that fields can be left out (default off)"},
    {"threads", "N", OPTION_WHOLE, AT(n_threads), AT(has_threads),
     "threads; the result does not depend on it (default: the configuration's)"},
    {"method", "NAME", OPTION_TEXT, AT(method), 0, "method of explanation (default: the configuration's objective)"},
    {"methods", "LIST", OPTION_TEXT, AT(methods), 0, "methods of explanation with commas between (default: all)"},
    {"version", "VERSION", OPTION_TEXT, AT(version), 0, "this snapshot, not the served one"},
    {"certify", NULL, OPTION_FLAG, AT(certify), 0, "for the stored reasons, the swap of one that would gain most"},
    {"bonds", "N", OPTION_WHOLE, AT(n_bonds), AT(has_n_bonds), "at most this many bonds; 0 = all (default 40)"},
    {"top", "N", OPTION_WHOLE, AT(n_top), AT(has_n_top), "investors of a bond (default: the configuration's)"},
    {"k", "N", OPTION_WHOLE, AT(n_reasons), AT(has_n_reasons),
     "reasons of an explanation (default: the configuration's)"},
    {"table", "FILE", OPTION_TEXT, AT(table), 0,
     "transactions as CSV; without it those of the data directory's ledger"},
    {"columns", "LIST", OPTION_TEXT, AT(columns), 0,
     "its columns: user=NAME,item=NAME,time=NAME and, if it has them, weight=NAME,category=NAME"},
    {"time-unit", "seconds|milliseconds", OPTION_TEXT, AT(time_unit), 0,
     "of times that are numbers (default: those of 12 digits and more are milliseconds)"},
    {"items", "FILE", OPTION_TEXT, AT(items), 0, "what is known of the table's items, as CSV"},
    {"item-columns", "LIST", OPTION_TEXT, AT(item_columns), 0, "its columns: item=NAME,category=NAME,title=NAME"},
    {"movielens", "DIR", OPTION_TEXT, AT(movielens), 0, "a MovieLens folder: ratings.csv and movies.csv"},
    {"category", "NAME", OPTION_TEXT, AT(category), 0,
     "bond feature that is an issuer's category (default: the first named like industry, sector, category or type)"},
    {"top-items", "N", OPTION_WHOLE, AT(top_items), 0, "only the N items with the most transactions (default: all)"},
    {"factors", "N", OPTION_WHOLE, AT(n_factors), AT(has_factors),
     "of iALS (default: tuned on the month before the last)"},
    {"regularization", "X", OPTION_NUMBER, AT(regularization), AT(has_regularization), "of iALS (default: tuned)"},
    {"confidence", "X", OPTION_NUMBER, AT(confidence), AT(has_confidence),
     "of iALS: what a transaction counts more than none (default: tuned)"},
    {"ease-regularization", "X", OPTION_NUMBER, AT(ease_regularization), AT(has_ease_regularization),
     "of EASE (default: tuned)"},
    {"method", "RANKER", OPTION_TEXT, AT(method), 0, "approach that past items are ranked by (default ials)"},
    {"n", "N", OPTION_WHOLE, AT(n_rows), AT(has_rows),
     "so many recommendations (default 10), past items (all), pairs (100)"},
    {"recommendations", "N", OPTION_WHOLE, AT(n_recommended), AT(has_recommended),
     "recommendations for a user whose reasons count (default 10)"},
    {"votes", "FILE", OPTION_TEXT, AT(votes), 0,
     "CSV with the columns x, y, rater, vote (default: those in the ledger)"},
    {"asked", "FILE", OPTION_TEXT, AT(asked), 0, "CSV with the columns x, y: only these pairs may be voted on"},
    {"simulate-votes", NULL, OPTION_FLAG, AT(simulate_votes), 0, "made-up raters, who go by the overlap of categories"},
    {"sample", "N", OPTION_WHOLE, AT(sample), AT(has_sample), "pairs that they are asked about (default 23000)"},
    {"noise", "P", OPTION_NUMBER, AT(noise), AT(has_noise),
     "share of their answers that are wrong, 0 to 0.5 (default 0.1)"},
    {"min-overlap", "P", OPTION_NUMBER, AT(min_overlap), AT(has_min_overlap),
     "overlap from which a pair makes sense, above 0, at most 1 (default 0.5)"},
    {"cuts", "LIST", OPTION_TEXT, AT(cuts), 0, "K of the figures at K (default 1,3,5)"},
    {"min-candidates", "N", OPTION_WHOLE, AT(min_candidates), AT(has_min_candidates),
     "leave out lists of fewer judged past items (default 1)"},
    {"threshold", "3|4|5|all", OPTION_TEXT, AT(threshold), 0,
     "votes of five for a pair to be valid (default 3; rank: the configuration's)"},
    {"by", "random|disagreement", OPTION_TEXT, AT(by), 0,
     "which pairs: drawn (default), or those that the approaches disagree on most"},
    {"pool", "listed|all", OPTION_TEXT, AT(pool), 0,
     "pairs that a user could be shown (default), or any two items that somebody has"},
    {"out", "DIR", OPTION_TEXT, AT(out), 0, "also write tables and figures as CSV, JSON and SVG into DIR"},
};

static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > MAX_SPELLING || m > MAX_SPELLING) {
        return SIZE_MAX;
    }
    size_t row[MAX_SPELLING + 1];
    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            size_t edge = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < edge ? change : edge;
        }
    }
    return row[m];
}

const char *nearest_name(const char *typed, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(typed) < 5 ? 2 : 3;
    for (size_t i = 0; i < n; i++) {
        bool prefix = strlen(typed) >= 3 && strncmp(names[i], typed, strlen(typed)) == 0;
        size_t d = prefix ? 0 : distance(typed, names[i]);
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

static bool accepts(const char *accepted, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = accepted; (at = strstr(at, name)) != NULL; at += n) {
        bool begins = at == accepted || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/// Of options that share a name the first is meant, or the one that is listed as NAME=VALUE.
static bool accepts_option(const char *accepted, size_t number)
{
    const option_spec *spec = &options[number];
    char with_value[64];
    snprintf(with_value, sizeof with_value, "%s=%s", spec->name, spec->value == NULL ? "" : spec->value);
    bool first = true;
    for (size_t k = 0; k < number; k++) {
        first = first && strcmp(options[k].name, spec->name) != 0;
    }
    return accepts(accepted, with_value) || (first && accepts(accepted, spec->name));
}

const option_spec *option_at(const char *accepted, int i)
{
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        if ((accepted == NULL || accepts_option(accepted, k)) && i-- == 0) {
            return &options[k];
        }
    }
    return NULL;
}

const option_spec *option_find(const char *accepted, const char *name)
{
    const option_spec *spec = NULL;
    for (int i = 0; (spec = option_at(accepted, i)) != NULL; i++) {
        if (strcmp(spec->name, name) == 0) {
            return spec;
        }
    }
    return NULL;
}

static br_status unknown_option(const char *accepted, const char *name)
{
    const char *names[MAX_OPTIONS] = {"help"};
    size_t n = 1;
    const option_spec *spec = NULL;
    for (int i = 0; n < MAX_OPTIONS && (spec = option_at(accepted, i)) != NULL; i++) {
        names[n++] = spec->name;
    }
    const char *near = nearest_name(name, names, n);
    if (near == NULL) {
        return br_fail(BR_ERR_INVALID, "there is no option --%s here", name);
    }
    return br_fail(BR_ERR_INVALID, "there is no option --%s here; did you mean --%s?", name, near);
}

static br_status parse_format(output_format *out, const option_spec *spec, const char *value)
{
    size_t length = strlen(value);
    int number = 0;
    for (const char *at = spec->value; *at != '\0'; number++) {
        size_t n = strcspn(at, "|");
        if (n == length && memcmp(at, value, n) == 0) {
            *out = (output_format)number;
            return BR_OK;
        }
        at += n + (at[n] == '|' ? 1 : 0);
    }
    return br_fail(BR_ERR_INVALID, "--format %s: use %s", value, spec->value);
}

static br_status parse_whole(uint64_t *out, const char *name, const char *value)
{
    char *end = NULL;
    unsigned long long number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || strlen(value) > 19) {
        return br_fail(BR_ERR_INVALID, "--%s %s: a whole number is needed", name, value);
    }
    *out = number;
    return BR_OK;
}

static br_status set_option(arguments *out, const option_spec *spec, const char *value)
{
    char *place = (char *)out + spec->offset;
    if (spec->given != 0) {
        *(bool *)((char *)out + spec->given) = true;
    }
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return BR_OK;
    case OPTION_TEXT:
        *(const char **)place = value;
        return BR_OK;
    case OPTION_WHOLE:
        return parse_whole((uint64_t *)(void *)place, spec->name, value);
    case OPTION_NUMBER:
        if (br_number_parse((double *)(void *)place, value, strlen(value)) != BR_OK) {
            return br_fail(BR_ERR_INVALID, "--%s %s: a number is needed", spec->name, value);
        }
        return BR_OK;
    case OPTION_DAY:
        if (br_day_parse((br_day *)(void *)place, value, strlen(value), NULL) != BR_OK) {
            return br_fail(BR_ERR_INVALID, "--%s %s: a date YYYY-MM-DD is needed", spec->name, value);
        }
        return BR_OK;
    case OPTION_FORMAT:
        return parse_format((output_format *)(void *)place, spec, value);
    }
    return BR_OK;
}

/// One option at argv[*at]; moves *at to the last argument it used.
static br_status parse_option(arguments *out, const char *accepted, int argc, char **argv, int *at)
{
    char name[64];
    const char *text = argv[*at] + 2;
    const char *equals = strchr(text, '=');
    size_t n = equals == NULL ? strlen(text) : (size_t)(equals - text);
    if (n >= sizeof name) {
        return br_fail(BR_ERR_INVALID, "there is no option %.60s...", argv[*at]);
    }
    memcpy(name, text, n);
    name[n] = '\0';
    const option_spec *spec = option_find(accepted, name);
    if (spec == NULL) {
        return unknown_option(accepted, name);
    }
    if (spec->kind == OPTION_FLAG) {
        return equals != NULL ? br_fail(BR_ERR_INVALID, "--%s takes no value", name) : set_option(out, spec, NULL);
    }
    if (equals == NULL && *at + 1 >= argc) {
        return br_fail(BR_ERR_INVALID, "--%s needs a value: %s", name, spec->value);
    }
    return set_option(out, spec, equals != NULL ? equals + 1 : argv[++*at]);
}

br_status options_parse(arguments *out, const char *accepted, int argc, char **argv, bool *help_out)
{
    bool only_words = false;
    *help_out = false;
    out->words = argv;
    for (int i = 0; i < argc; i++) {
        bool option = !only_words && argv[i][0] == '-' && argv[i][1] != '\0';
        if (!option) {
            out->words[out->n_words++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            *help_out = true;
        } else if (argv[i][1] != '-') {
            return br_fail(BR_ERR_INVALID, "there is no option %s; options begin with --", argv[i]);
        } else {
            br_status status = parse_option(out, accepted, argc, argv, &i);
            if (status != BR_OK) {
                return status;
            }
        }
    }
    return BR_OK;
}
