// How well each approach puts past items that make sense to people before those that do not: the paper's Table 3, with intervals.

#include "base/alloc.h"
#include "interrupts.h"
#include "itembased/pair_quality.h"
#include "options.h"
#include "pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOWEST = 3, N_THRESHOLDS = BR_VOTES_PER_PAIR - LOWEST + 1, RESAMPLES = 1000, MAX_CUT = 1000, NAME_BYTES = 40 };

typedef struct evaluation {
    const pairs_job *job;
    br_pair_quality_options options;
    bool wanted[N_THRESHOLDS];
    br_pair_quality quality[N_THRESHOLDS]; ///< of those wanted
    br_agreement agreement;
} evaluation;

// --- options ---

static br_status parse_cuts(br_pair_quality_options *out, const char *text)
{
    out->n_cuts = 0;
    for (const char *at = text; at != NULL;) {
        char *end = NULL;
        unsigned long cut = strtoul(at, &end, 10);
        bool good = *at >= '1' && *at <= '9' && cut <= MAX_CUT && (*end == ',' || *end == '\0');
        bool rising = out->n_cuts == 0 || cut > out->cuts[out->n_cuts - 1];
        if (!good || !rising || out->n_cuts == BR_MAX_CUTS) {
            return br_fail(BR_ERR_INVALID, "--cuts %.40s: up to %d rising numbers from 1 to %d, like 1,3,5", text,
                           BR_MAX_CUTS, MAX_CUT);
        }
        out->cuts[out->n_cuts++] = (uint32_t)cut;
        at = *end == ',' ? end + 1 : NULL;
    }
    return BR_OK;
}

/// JSON has them all.
static br_status choose_thresholds(bool wanted[N_THRESHOLDS], const arguments *args)
{
    const char *text = args->threshold == NULL ? "3" : args->threshold;
    bool all = strcmp(text, "all") == 0;
    if (!all && (strlen(text) != 1 || text[0] < '0' + LOWEST || text[0] > '0' + BR_VOTES_PER_PAIR)) {
        return br_fail(BR_ERR_INVALID, "--threshold %.40s: 3, 4, 5 or all", text);
    }
    for (int i = 0; i < N_THRESHOLDS; i++) {
        wanted[i] = all || args->format == FORMAT_JSON || text[0] == '0' + LOWEST + i;
    }
    return BR_OK;
}

static br_status read_options(evaluation *e, const arguments *args)
{
    e->options =
        (br_pair_quality_options){.n_top = pairs_n_recommended(args),
                                  .min_candidates = args->has_min_candidates ? option_u32(args->min_candidates) : 1,
                                  .n_resamples = RESAMPLES,
                                  .seed = args->seed};
    if (e->options.min_candidates == 0) {
        return br_fail(BR_ERR_INVALID, "--min-candidates is 1 or more");
    }
    br_status status = parse_cuts(&e->options, args->cuts == NULL ? "1,3,5" : args->cuts);
    return status == BR_OK ? choose_thresholds(e->wanted, args) : status;
}

br_status pairs_evaluate_check(const arguments *args)
{
    evaluation e = {.job = NULL};
    return read_options(&e, args);
}

// --- one row per approach ---

/// What is not known, as the agreement of raters who all say the same, is "-".
static const char *figure_text(char out[NAME_BYTES], double value, int digits)
{
    if (isnan(value)) {
        return "-";
    }
    snprintf(out, NAME_BYTES, "%.*f", digits, value);
    return out;
}

static double half_width(const br_mean_interval *value)
{
    return (value->high - value->low) / 2.0;
}

/// Best first by Recall at the first cut; returns how many are there.
static uint32_t sort_rankers(const br_pair_quality *quality, br_ranker out[BR_RANKER_COUNT])
{
    uint32_t n = 0;
    for (int k = 0; k < BR_RANKER_COUNT; k++) {
        double recall = quality->of[k].recall[0].mean;
        if (isnan(recall)) {
            continue;
        }
        uint32_t at = n++;
        for (; at > 0 && quality->of[out[at - 1]].recall[0].mean < recall; at--) {
            out[at] = out[at - 1];
        }
        out[at] = (br_ranker)k;
    }
    return n;
}

typedef enum figure { RECALL, NDCG, MAP, OVER_RANDOM, N_FIGURES } figure;

static const char *const figure_names[N_FIGURES] = {"recall", "ndcg", "map", "over_random"};

static const br_mean_interval *figure_of(const br_pair_figures *figures, figure what, uint32_t cut)
{
    const br_mean_interval *of[N_FIGURES] = {figures->recall, figures->ndcg, figures->map, figures->over_random};
    return &of[what][cut];
}

static const char *votes_kind(const evaluation *e)
{
    return e->job->votes.simulated ? "simulated" : "people";
}

/// Figures at 1 are all the same number: in a table for people Recall and what it is over Random stand for them.
static bool shown_to_people(const evaluation *e, figure what, uint32_t cut)
{
    return e->options.cuts[cut] == 1 ? what == RECALL || what == OVER_RANDOM : what != OVER_RANDOM;
}

static void table_for_people(const evaluation *e, int threshold, table *out)
{
    static char names[N_FIGURES * BR_MAX_CUTS][NAME_BYTES];
    static const char *columns[1 + N_FIGURES * BR_MAX_CUTS] = {"method"};
    const br_pair_quality *quality = &e->quality[threshold];
    br_ranker order[BR_RANKER_COUNT];
    uint32_t n = sort_rankers(quality, order);
    out->columns = columns;
    out->n_columns = 1;
    for (uint32_t row = 0; row <= n; row++) { // the row before the first one names the columns
        if (row > 0) {
            table_text(out, br_ranker_title(order[row - 1]));
        }
        for (uint32_t c = 0; c < e->options.n_cuts; c++) {
            for (int f = 0; f < N_FIGURES; f++) {
                if (!shown_to_people(e, (figure)f, c)) {
                    continue;
                }
                if (row == 0) {
                    char *name = names[out->n_columns - 1];
                    snprintf(name, NAME_BYTES, "%s@%u", figure_names[f], e->options.cuts[c]);
                    columns[out->n_columns++] = name;
                    continue;
                }
                char text[NAME_BYTES];
                const br_mean_interval *value = figure_of(&quality->of[order[row - 1]], (figure)f, c);
                char around[NAME_BYTES];
                snprintf(text, sizeof text, f == OVER_RANDOM ? "%+.3f ±%s" : "%.3f ±%s", value->mean,
                         figure_text(around, half_width(value), 3));
                table_text(out, text);
            }
        }
    }
}

/// Every number in a column of its own, a row per threshold and approach.
static void table_of_numbers(const evaluation *e, table *out)
{
    enum { FIXED = 6, PER_FIGURE = 3 };
    static char names[PER_FIGURE * N_FIGURES * BR_MAX_CUTS][NAME_BYTES];
    static const char *columns[FIXED + PER_FIGURE * N_FIGURES * BR_MAX_CUTS] = {"method", "threshold", "votes",
                                                                                "lists",  "users",     "title"};
    static const char *const ends[PER_FIGURE] = {"", "_low", "_high"};
    out->columns = columns;
    out->n_columns = FIXED;
    for (uint32_t c = 0; c < e->options.n_cuts; c++) {
        for (int f = 0; f < N_FIGURES * PER_FIGURE; f++) {
            char *name = names[out->n_columns - FIXED];
            snprintf(name, NAME_BYTES, "%s_at_%u%s", figure_names[f / PER_FIGURE], e->options.cuts[c],
                     ends[f % PER_FIGURE]);
            columns[out->n_columns++] = name;
        }
    }
    for (int t = 0; t < N_THRESHOLDS; t++) {
        br_ranker order[BR_RANKER_COUNT];
        uint32_t n = e->wanted[t] ? sort_rankers(&e->quality[t], order) : 0;
        for (uint32_t row = 0; row < n; row++) {
            table_text(out, br_ranker_name(order[row]));
            table_whole(out, (uint64_t)(LOWEST + t));
            table_text(out, votes_kind(e));
            table_whole(out, e->quality[t].n_lists);
            table_whole(out, e->quality[t].n_users);
            table_text(out, br_ranker_title(order[row]));
            for (uint32_t c = 0; c < e->options.n_cuts; c++) {
                for (int f = 0; f < N_FIGURES; f++) {
                    const br_mean_interval *value = figure_of(&e->quality[t].of[order[row]], (figure)f, c);
                    table_number(out, value->mean, 6);
                    table_number(out, value->low, 6);
                    table_number(out, value->high, 6);
                }
            }
        }
    }
}

// --- for people ---

static void print_facts(const evaluation *e)
{
    const pairs_job *job = e->job;
    const br_transactions *all = job->data.table;
    const br_months *months = &job->models.months;
    char test_from[BR_MOMENT_TEXT];
    char test_until[BR_MOMENT_TEXT];
    printf("data: %s %s: %u users, %u items", job->data.source, job->data.place, br_transactions_n_users(all),
           br_transactions_n_items(all));
    if (br_transactions_n_items(all) < job->data.n_items) {
        printf(" of %u", job->data.n_items);
    }
    printf(", %zu transactions; category: %s\n", br_transactions_count(all),
           job->data.category[0] == '\0' ? "none" : job->data.category);
    printf("learned from what was before %.10s; test month until %.10s\n", br_moment_text(months->test_from, test_from),
           br_moment_text(months->test_until, test_until));
    const br_ials_options *ials = &job->models.options;
    printf("recommender: iALS, %u factors, regularization %g, confidence %g; EASE %g; ", ials->n_factors,
           ials->regularization, ials->confidence, job->models.ease_regularization);
    if (job->models.tuned) {
        printf("tuned on the month before by %u users\n", job->models.n_tuned_by);
    } else {
        printf("not tuned\n");
    }
    if (job->models.test != NULL) {
        const br_ials_point *point = &job->models.test->ials[0];
        printf("  new items in the test month: Recall@10 %.4f, NDCG@10 %.4f, %u users\n", point->recall, point->ndcg,
               job->models.test->n_users);
    }
}

static void print_votes(const evaluation *e)
{
    const pairs_votes *v = &e->job->votes;
    const br_agreement *a = &e->agreement;
    if (v->simulated) {
        printf("votes SIMULATED from category overlap (valid from %g), noise %g: ", v->made_up.min_overlap,
               v->made_up.noise);
    } else {
        printf("votes of people (%s): ", v->source);
    }
    printf("%u votes of %u raters, %u pairs with all five, %.1f %% of the votes valid\n", a->n_votes, a->n_raters,
           a->n_pairs, 100.0 * a->share_valid);
    char text[3][NAME_BYTES];
    printf("  agreement %s, Fleiss' kappa %s, Krippendorff's alpha %s", figure_text(text[0], a->observed, 3),
           figure_text(text[1], a->fleiss_kappa, 3), figure_text(text[2], a->krippendorff_alpha, 3));
    if (v->n_elsewhere > 0) {
        printf("; %u pairs of items that the data does not have", v->n_elsewhere);
    }
    printf("\n");
}

/// Lists of which nearly every judged candidate is valid are in order whatever the order.
static void warn_of_no_choice(const br_pair_quality *quality, int votes)
{
    const double hardly = 0.5;
    double others = quality->candidates_mean - quality->valid_mean;
    if (others < hardly) {
        fprintf(stderr,
                "valid from %d votes: the lists hardly tell approaches apart, with %.1f candidates each that are not "
                "valid; votes on more pairs of the same lists help, --min-candidates 2 leaves out lists of one\n",
                votes, others);
    }
}

static exit_code print_for_people(const evaluation *e)
{
    exit_code code = EXIT_CODE_OK;
    print_facts(e);
    print_votes(e);
    for (int t = 0; t < N_THRESHOLDS && code == EXIT_CODE_OK; t++) {
        if (!e->wanted[t]) {
            continue;
        }
        const br_pair_quality *quality = &e->quality[t];
        printf("\nvalid from %d of %d votes: %u lists of %u users", LOWEST + t, BR_VOTES_PER_PAIR, quality->n_lists,
               quality->n_users);
        if (quality->n_lists > 0) {
            printf(", %.1f candidates, %.1f of them valid", quality->candidates_mean, quality->valid_mean);
        }
        printf("; left out: %u lists without judged candidates, %u without a valid one\n", quality->n_unjudged,
               quality->n_without_valid);
        if (quality->n_lists == 0) {
            continue;
        }
        BR_AUTO_DEINIT(table) rows = {.columns = NULL};
        table_for_people(e, t, &rows);
        code = table_print(&rows, FORMAT_TABLE, stdout);
        fflush(stdout);
        warn_of_no_choice(quality, LOWEST + t);
    }
    return code;
}

// --- JSON ---

static void json_field(br_buf *out, const char *name, double value)
{
    br_buf_printf(out, "\"%s\": ", name);
    br_buf_json_number(out, value);
}

static void json_facts(const evaluation *e, br_buf *out)
{
    const pairs_job *job = e->job;
    const br_months *months = &job->models.months;
    char text[3][BR_MOMENT_TEXT];
    br_buf_printf(out, "{\"data\": {\"source\": \"%s\", \"place\": ", job->data.source);
    br_buf_json_string(out, job->data.place, strlen(job->data.place));
    br_buf_string(out, ", \"category\": ");
    br_buf_json_string(out, job->data.category, strlen(job->data.category));
    br_buf_printf(out,
                  ", \"users\": %u, \"items\": %u, \"items_in_all\": %u, \"transactions\": %zu, \"rejected\": %llu",
                  br_transactions_n_users(job->data.table), br_transactions_n_items(job->data.table), job->data.n_items,
                  br_transactions_count(job->data.table), (unsigned long long)job->rejections.n);
    br_buf_printf(out, ", \"valid_from\": \"%s\", \"test_from\": \"%s\", \"test_until\": \"%s\"},\n ",
                  br_moment_text(months->valid_from, text[0]), br_moment_text(months->test_from, text[1]),
                  br_moment_text(months->test_until, text[2]));
    const br_ials_options *ials = &job->models.options;
    br_buf_printf(out, "\"recommender\": {\"factors\": %u, ", ials->n_factors);
    json_field(out, "regularization", ials->regularization);
    br_buf_string(out, ", ");
    json_field(out, "confidence", ials->confidence);
    br_buf_string(out, ", ");
    json_field(out, "ease_regularization", job->models.ease_regularization);
    br_buf_printf(out, ", \"tuned\": %s, \"tuned_by_users\": %u", job->models.tuned ? "true" : "false",
                  job->models.n_tuned_by);
    const br_tuning *test = job->models.test;
    br_buf_printf(out, ", \"test_users\": %u, ", test == NULL ? 0 : test->n_users);
    json_field(out, "recall_at_10", test == NULL ? (double)NAN : test->ials[0].recall);
    br_buf_string(out, ", ");
    json_field(out, "ndcg_at_10", test == NULL ? (double)NAN : test->ials[0].ndcg);
    br_buf_string(out, "},\n ");
}

static void json_votes(const evaluation *e, br_buf *out)
{
    const pairs_votes *v = &e->job->votes;
    const br_agreement *a = &e->agreement;
    br_buf_printf(out, "\"votes\": {\"source\": \"%s\", \"simulated\": %s, ", v->source,
                  v->simulated ? "true" : "false");
    json_field(out, "noise", v->simulated ? v->made_up.noise : (double)NAN);
    br_buf_string(out, ", ");
    json_field(out, "min_overlap", v->simulated ? v->made_up.min_overlap : (double)NAN);
    br_buf_printf(out,
                  ", \"pairs\": %u, \"votes\": %u, \"raters\": %u, \"rejected\": %llu, \"elsewhere\": %u, "
                  "\"pairs_by_valid_votes\": [",
                  a->n_pairs, a->n_votes, a->n_raters, (unsigned long long)v->n_rejected, v->n_elsewhere);
    for (int i = 0; i <= BR_VOTES_PER_PAIR; i++) {
        br_buf_printf(out, "%s%u", i == 0 ? "" : ", ", a->n_valid[i]);
    }
    br_buf_string(out, "], ");
    json_field(out, "share_valid", a->share_valid);
    br_buf_string(out, ", ");
    json_field(out, "agreement", a->observed);
    br_buf_string(out, ", ");
    json_field(out, "fleiss_kappa", a->fleiss_kappa);
    br_buf_string(out, ", ");
    json_field(out, "krippendorff_alpha", a->krippendorff_alpha);
    br_buf_string(out, "},\n ");
}

static void json_thresholds(const evaluation *e, br_buf *out)
{
    br_buf_printf(out, "\"recommendations\": %u, \"thresholds\": [", e->options.n_top);
    for (int t = 0; t < N_THRESHOLDS; t++) {
        const br_pair_quality *quality = &e->quality[t];
        br_buf_printf(out,
                      "%s{\"threshold\": %d, \"lists\": %u, \"users\": %u, \"unjudged\": %u, \"without_valid\": %u, ",
                      t == 0 ? "\n  " : ",\n  ", LOWEST + t, quality->n_lists, quality->n_users, quality->n_unjudged,
                      quality->n_without_valid);
        json_field(out, "candidates_mean", quality->candidates_mean);
        br_buf_string(out, ", ");
        json_field(out, "valid_mean", quality->valid_mean);
        br_buf_char(out, '}');
    }
    br_buf_string(out, "],\n \"methods\": ");
}

static exit_code print_json(const evaluation *e)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    BR_AUTO_DEINIT(table) rows = {.columns = NULL};
    table_of_numbers(e, &rows);
    json_facts(e, &out);
    json_votes(e, &out);
    json_thresholds(e, &out);
    table_json(&rows, &out);
    br_buf_string(&out, "}\n");
    if (out.failed || rows.text.failed || rows.cells.failed) {
        return cli_failed(br_no_memory("text", 1), "pairs");
    }
    fwrite(out.data, 1, out.length, stdout);
    return EXIT_CODE_OK;
}

// --- all of it ---

static exit_code print(const evaluation *e)
{
    output_format format = e->job->args->format;
    if (format == FORMAT_JSON) {
        return print_json(e);
    }
    if (format == FORMAT_TABLE) {
        return print_for_people(e);
    }
    BR_AUTO_DEINIT(table) rows = {.columns = NULL};
    table_of_numbers(e, &rows);
    return table_print(&rows, format, stdout);
}

br_status pairs_evaluate(pairs_job *job, exit_code *code_out)
{
    evaluation e = {.job = job};
    br_status status = read_options(&e, job->args);
    if (status != BR_OK) {
        return status;
    }
    e.agreement = br_votes_agreement(job->votes.votes);
    if (e.agreement.n_pairs == 0) {
        return br_fail(BR_ERR_NOT_FOUND,
                       "no pair has its five votes (%u votes so far): give --votes FILE, or --simulate-votes to try it "
                       "out",
                       e.agreement.n_votes);
    }
    uint32_t n_wanted = 0;
    uint32_t n_done = 0;
    for (int t = 0; t < N_THRESHOLDS; t++) {
        n_wanted += e.wanted[t];
    }
    progress shown = progress_start("evaluate", "thresholds");
    for (int t = 0; t < N_THRESHOLDS && status == BR_OK; t++) {
        if (interrupted()) {
            status = br_fail(BR_ERR_CANCELLED, "interrupted");
        } else if (e.wanted[t]) {
            progress_show(&shown, n_done++, n_wanted, 0, NULL);
            job->votes.threshold = (uint32_t)(LOWEST + t);
            status = br_pair_quality_of(&e.quality[t], job->models.rankers, pairs_votes_judge, &job->votes, &e.options);
        }
    }
    progress_end(&shown);
    if (status == BR_OK) {
        *code_out = print(&e);
    }
    return status;
}
