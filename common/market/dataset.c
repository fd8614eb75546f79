#include "market/dataset.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

// --- split ---

typedef struct issue_days {
    br_day *days; // [n] of each bond, ascending
    uint32_t n;
} issue_days;

static void issue_days_deinit(issue_days *list)
{
    br_free(list->days);
}

// Issue days of the bonds that may train or test: after the history, issued on or before `last`.
static br_status issue_days_init(issue_days *list, br_market *market, br_day last)
{
    const uint32_t *bonds;
    uint32_t n;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n);
    if (status != BR_OK) {
        return status;
    }
    list->days = br_calloc(n, sizeof *list->days);
    if (list->days == NULL) {
        return br_no_memory("issue days", n);
    }
    br_day history_until = br_market_schema(market)->history_until;
    for (uint32_t i = 0; i < n; i++) {
        br_day day = br_market_bond(market, bonds[i])->issue_day;
        if (day >= history_until && day <= last) {
            list->days[list->n++] = day;
        }
    }
    return BR_OK;
}

// First day of the part that begins behind `share` of the bonds: the day of the bond at that place, never within it.
static br_day day_at(const issue_days *list, double share)
{
    uint32_t place = (uint32_t)(share * list->n + 0.5);
    return place >= list->n ? list->days[list->n - 1] + 1 : list->days[place];
}

static br_status check_parts(const br_split *split, uint32_t n_bonds, bool tests)
{
    char train[BR_DAY_TEXT], valid[BR_DAY_TEXT], test[BR_DAY_TEXT];
    if (split->train_from < split->train_until && split->train_until < split->valid_until &&
        (!tests || split->valid_until < split->test_until)) {
        return BR_OK;
    }
    return br_fail(BR_ERR_INVALID,
                   "%u bonds are too few to split: training before %s, validation before %s, test before %s would "
                   "leave a part empty",
                   n_bonds, br_day_text(split->train_until, train), br_day_text(split->valid_until, valid),
                   br_day_text(split->test_until, test));
}

br_status br_split_by_time(br_split *out, br_market *market, double train_share, double valid_share)
{
    br_assert(train_share > 0 && valid_share > 0 && train_share + valid_share < 1);
    BR_AUTO_DEINIT(issue_days) list = {0};
    br_day business_day = br_market_business_day(market);
    br_status status = issue_days_init(&list, market, business_day == BR_DAY_NONE ? BR_DAY_MAX : business_day);
    if (status != BR_OK) {
        return status;
    }
    if (list.n == 0) {
        return br_fail(BR_ERR_INVALID, "no issued bond to train on");
    }
    br_split split = {
        .train_from = list.days[0],
        .train_until = day_at(&list, train_share),
        .valid_until = day_at(&list, train_share + valid_share),
        .test_until = list.days[list.n - 1] + 1,
    };
    status = check_parts(&split, list.n, true);
    *out = status == BR_OK ? split : *out;
    return status;
}

// Issue days of the bonds whose books were closed before `day`.
static br_status closed_days_init(issue_days *list, br_market *market, br_day day)
{
    br_status status = issue_days_init(list, market, day - br_market_schema(market)->late_days - 1);
    if (status == BR_OK && list->n == 0) {
        char text[BR_DAY_TEXT];
        status = br_fail(BR_ERR_INVALID, "no bond had a closed book before %s", br_day_text(day, text));
    }
    return status;
}

// All of the list, what was issued from `valid_from` on validating.
static br_status split_at(br_split *out, const issue_days *list, br_day valid_from)
{
    br_split split = {
        .train_from = list->days[0],
        .train_until = valid_from,
        .valid_until = list->days[list->n - 1] + 1,
        .test_until = list->days[list->n - 1] + 1,
    };
    br_status status = check_parts(&split, list->n, false);
    *out = status == BR_OK ? split : *out;
    return status;
}

br_status br_split_before(br_split *out, br_market *market, br_day day, double valid_share)
{
    br_assert(valid_share > 0 && valid_share < 1);
    BR_AUTO_DEINIT(issue_days) list = {0};
    br_status status = closed_days_init(&list, market, day);
    return status == BR_OK ? split_at(out, &list, day_at(&list, 1 - valid_share)) : status;
}

br_status br_split_daily(br_split *out, br_market *market, br_day day, uint32_t valid_days)
{
    BR_AUTO_DEINIT(issue_days) list = {0};
    br_status status = closed_days_init(&list, market, day);
    return status == BR_OK ? split_at(out, &list, list.days[list.n - 1] + 1 - (br_day)valid_days) : status;
}

// --- dataset ---

// What one making of a dataset works with.
typedef struct maker {
    br_market *market;
    const br_encoder *encoder;
    const br_dataset_options *options;
    br_dataset *dataset;
    uint32_t n_investors;
    uint8_t *eligible;     // [n_investors] of the bond at hand
    uint8_t *label;        // [n_investors]
    uint32_t *row_today;   // [n_investors] row + 1 on the day at hand, 0: none yet
    uint64_t keep_below;   // a negative is kept when its 32-bit number is below this; 2^32 keeps all
    uint64_t replay_below; // likewise a pair of a bond that is replayed
} maker;

static void maker_deinit(maker *made)
{
    br_free(made->eligible);
    br_free(made->label);
    br_free(made->row_today);
}

#define KEEP_ALL ((uint64_t)1 << 32)

static size_t bytes_of(const br_dataset *dataset, size_t n_samples, size_t n_rows)
{
    size_t sample_bytes = 3 * sizeof(uint32_t) + sizeof(uint8_t);
    return n_samples * sample_bytes + n_rows * dataset->n_investor_fields +
           (size_t)dataset->n_bonds * dataset->n_bond_fields;
}

// What the schema lets the bond's samples weigh.
static double weight_of(const br_market *market, uint32_t bond)
{
    const br_schema *schema = br_market_schema(market);
    double weight = 1.0;
    for (uint32_t i = 0; i < schema->n_sample_weights; i++) {
        const br_sample_weight *entry = &schema->sample_weights[i];
        uint32_t value = br_market_bond_value(market, bond, entry->feature).value;
        const br_index *strings = br_market_bond_strings(market, entry->feature);
        if (value != BR_INDEX_NONE && strcmp(br_index_text(strings, value), entry->value) == 0) {
            weight *= entry->weight;
        }
    }
    return weight;
}

static br_status choose_bonds(maker *made, br_day from, br_day until)
{
    const uint32_t *bonds;
    uint32_t n;
    br_dataset *dataset = made->dataset;
    br_status status = br_market_bonds_by_issue(made->market, &bonds, &n);
    if (status != BR_OK) {
        return status;
    }
    dataset->bonds = br_calloc(n, sizeof *dataset->bonds);
    if (dataset->bonds == NULL) {
        return br_no_memory("bonds", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        br_day day = br_market_bond(made->market, bonds[i])->issue_day;
        if (day >= from && day < until) {
            dataset->bonds[dataset->n_bonds++] = bonds[i];
        }
    }
    dataset->bond_codes = br_calloc(dataset->n_bonds, dataset->n_bond_fields);
    dataset->bond_weights = br_calloc(dataset->n_bonds, sizeof *dataset->bond_weights);
    if (dataset->bond_codes == NULL || dataset->bond_weights == NULL) {
        return br_no_memory("bonds' codes", dataset->n_bonds);
    }
    for (uint32_t i = 0; i < dataset->n_bonds; i++) {
        dataset->bond_weights[i] = (float)weight_of(made->market, dataset->bonds[i]);
        br_encoder_bond(made->encoder, made->market, dataset->bonds[i],
                        dataset->bond_codes + (size_t)i * dataset->n_bond_fields);
    }
    return BR_OK;
}

static br_day issue_day_of(const maker *made, uint32_t bond)
{
    return br_market_bond(made->market, made->dataset->bonds[bond])->issue_day;
}

static bool is_replayed(const maker *made, uint32_t bond)
{
    return made->options->replay_share > 0.0 && issue_day_of(made, bond) < made->options->replay_until;
}

// Eligible investors and bidders of the bond at this place; a bid of one who is not eligible is no sample, and of a replayed bond only those
// count that are drawn, others on another day.
static uint32_t look_at(maker *made, uint32_t bond)
{
    uint32_t number = made->dataset->bonds[bond];
    uint32_t n_eligible = br_market_eligible(made->market, number, issue_day_of(made, bond), made->eligible);
    br_market_bidders(made->market, number, made->label);
    if (!is_replayed(made, bond)) {
        return n_eligible;
    }
    br_rng rng = br_rng_at(made->options->seed, BR_STREAM_REPLAY, number, (uint32_t)made->options->replay_until);
    n_eligible = 0;
    for (uint32_t i = 0; i < made->n_investors; i++) {
        uint32_t drawn = br_rng_u32(&rng);
        made->eligible[i] = made->eligible[i] && drawn < made->replay_below;
        n_eligible += made->eligible[i];
    }
    return n_eligible;
}

static void choose_replay(maker *made)
{
    double n_past = 0.0, n_new = 0.0;
    made->replay_below = KEEP_ALL;
    for (uint32_t bond = 0; bond < made->dataset->n_bonds; bond++) {
        *(is_replayed(made, bond) ? &n_past : &n_new) += look_at(made, bond);
    }
    double wanted = made->options->replay_share * n_new;
    if (wanted < n_past) {
        made->replay_below = (uint64_t)(wanted / n_past * (double)KEEP_ALL);
    }
}

static void count_pairs(maker *made)
{
    br_dataset *dataset = made->dataset;
    for (uint32_t bond = 0; bond < dataset->n_bonds; bond++) {
        dataset->n_pairs += look_at(made, bond);
        for (uint32_t i = 0; i < made->n_investors; i++) {
            dataset->n_positive += made->eligible[i] & made->label[i];
        }
    }
}

// Number i of the bond's stream belongs to investor i, so that what is kept under a bound is kept under any higher one.
static bool keeps(const maker *made, uint32_t investor, uint32_t number)
{
    return made->eligible[investor] && (made->label[investor] || number < made->keep_below);
}

// Calls back for each kept sample, in order (issue day, bond, investor).
typedef br_status (*sample_sink)(maker *made, uint32_t bond, uint32_t investor);

static br_status for_each_sample(maker *made, sample_sink sink)
{
    br_status status = BR_OK;
    const br_dataset *dataset = made->dataset;
    for (uint32_t bond = 0; bond < dataset->n_bonds && status == BR_OK; bond++) {
        if (bond == 0 || issue_day_of(made, bond) != issue_day_of(made, bond - 1)) {
            memset(made->row_today, 0, made->n_investors * sizeof *made->row_today);
        }
        look_at(made, bond);
        br_rng rng = br_rng_at(made->options->seed, BR_STREAM_NEGATIVES, dataset->bonds[bond], 0);
        for (uint32_t i = 0; i < made->n_investors && status == BR_OK; i++) {
            uint32_t number = made->keep_below == KEEP_ALL ? 0 : br_rng_u32(&rng);
            if (keeps(made, i, number)) {
                status = sink(made, bond, i);
            }
        }
    }
    return status;
}

static br_status count_sample(maker *made, uint32_t bond, uint32_t investor)
{
    (void)bond;
    made->dataset->n++;
    if (made->row_today[investor] == 0) {
        made->row_today[investor] = 1;
        made->dataset->n_rows++;
    }
    return BR_OK;
}

// How many negatives may stay: first by their number, then lower and lower until all fits.
static br_status choose_negatives(maker *made)
{
    br_dataset *dataset = made->dataset;
    const br_dataset_options *options = made->options;
    double n_negative = (double)(dataset->n_pairs - dataset->n_positive);
    double wanted = options->max_negatives * (double)dataset->n_positive;
    made->keep_below = KEEP_ALL;
    if (options->max_negatives > 0 && wanted < n_negative) {
        made->keep_below = (uint64_t)(wanted / n_negative * (double)KEEP_ALL);
    }
    for (;;) {
        dataset->n = 0;
        dataset->n_rows = 0;
        br_status status = for_each_sample(made, count_sample);
        size_t bytes = bytes_of(dataset, dataset->n, dataset->n_rows);
        if (status != BR_OK || options->max_bytes == 0 || bytes <= options->max_bytes) {
            break;
        }
        if (made->keep_below == 0) {
            return br_fail(BR_ERR_NO_MEMORY, "the bids alone need %zu bytes of samples, the bound is %zu", bytes,
                           options->max_bytes);
        }
        // Rows shrink slower than samples, so a step in proportion, but at least a tenth, needs few turns.
        double share = 0.98 * (double)options->max_bytes / (double)bytes;
        made->keep_below = (uint64_t)((double)made->keep_below * (share < 0.9 ? share : 0.9));
    }
    dataset->negative_keep = (double)made->keep_below / (double)KEEP_ALL;
    return BR_OK;
}

static br_status make_arrays(br_dataset *dataset)
{
    dataset->investor_codes = br_calloc(dataset->n_rows, dataset->n_investor_fields);
    dataset->bond_of = br_calloc(dataset->n, sizeof *dataset->bond_of);
    dataset->row_of = br_calloc(dataset->n, sizeof *dataset->row_of);
    dataset->investor_of = br_calloc(dataset->n, sizeof *dataset->investor_of);
    dataset->label = br_calloc(dataset->n, sizeof *dataset->label);
    if (dataset->investor_codes == NULL || dataset->bond_of == NULL || dataset->row_of == NULL ||
        dataset->investor_of == NULL || dataset->label == NULL) {
        return br_no_memory("samples", dataset->n);
    }
    dataset->n = 0;
    dataset->n_rows = 0;
    return BR_OK;
}

static br_status take_sample(maker *made, uint32_t bond, uint32_t investor)
{
    br_dataset *dataset = made->dataset;
    if (made->row_today[investor] == 0) {
        made->row_today[investor] = (uint32_t)++dataset->n_rows;
    }
    dataset->bond_of[dataset->n] = bond;
    dataset->row_of[dataset->n] = made->row_today[investor] - 1;
    dataset->investor_of[dataset->n] = investor;
    dataset->label[dataset->n] = made->label[investor];
    dataset->n++;
    return BR_OK;
}

static br_status fill_codes(maker *made)
{
    br_dataset *dataset = made->dataset;
    BR_AUTO(br_builder) *builder = NULL;
    br_status status = br_builder_new(&builder, made->market, made->encoder);
    uint32_t next_row = 0; // rows are numbered in the order in which samples first use them
    for (size_t i = 0; i < dataset->n && status == BR_OK; i++) {
        if (dataset->row_of[i] != next_row) {
            continue;
        }
        status = br_builder_advance(builder, issue_day_of(made, dataset->bond_of[i]));
        br_builder_investor(builder, dataset->investor_of[i],
                            dataset->investor_codes + (size_t)next_row * dataset->n_investor_fields);
        next_row++;
    }
    return status;
}

static br_status make_samples(maker *made, br_day from, br_day until)
{
    char first[BR_DAY_TEXT], last[BR_DAY_TEXT];
    const br_bid *bids;
    uint32_t n_bids;
    br_dataset *dataset = made->dataset;
    br_status status = br_market_bids(made->market, &bids, &n_bids);
    if (status == BR_OK) {
        status = choose_bonds(made, from, until);
    }
    if (status != BR_OK) {
        return status;
    }
    choose_replay(made);
    count_pairs(made);
    if (dataset->n_positive == 0) {
        return br_fail(BR_ERR_INVALID, "%u bonds issued from %s to before %s have no bid of an eligible investor",
                       dataset->n_bonds, br_day_text(from, first), br_day_text(until, last));
    }
    status = choose_negatives(made);
    if (status == BR_OK && dataset->n_rows >= UINT32_MAX) {
        status = br_fail(BR_ERR_LIMIT, "%zu rows of investors are too many", dataset->n_rows);
    }
    if (status == BR_OK) {
        status = make_arrays(dataset);
    }
    if (status == BR_OK) {
        status = for_each_sample(made, take_sample);
    }
    return status == BR_OK ? fill_codes(made) : status;
}

br_status br_dataset_new(br_dataset **out, br_market *market, const br_encoder *encoder, br_day from, br_day until,
                         const br_dataset_options *options)
{
    BR_AUTO(br_dataset) *dataset = br_calloc(1, sizeof *dataset);
    uint32_t n_investors = br_market_n_investors(market);
    BR_AUTO_DEINIT(maker)
    made = {
        .market = market,
        .encoder = encoder,
        .options = options,
        .dataset = dataset,
        .n_investors = n_investors,
        .eligible = br_calloc(n_investors, 1),
        .label = br_calloc(n_investors, 1),
        .row_today = br_calloc(n_investors, sizeof(uint32_t)),
    };
    if (dataset == NULL || made.eligible == NULL || made.label == NULL || made.row_today == NULL) {
        return br_no_memory("dataset of investors", n_investors);
    }
    dataset->n_bond_fields = encoder->n_bond_fields;
    dataset->n_investor_fields = br_encoder_n_investor_fields(encoder);
    br_status status = make_samples(&made, from, until);
    if (status != BR_OK) {
        return status;
    }
    *out = dataset;
    dataset = NULL;
    return BR_OK;
}

void br_dataset_free(br_dataset **dataset)
{
    if (dataset == NULL || *dataset == NULL) {
        return;
    }
    br_dataset *dead = *dataset;
    br_free(dead->bonds);
    br_free(dead->bond_codes);
    br_free(dead->bond_weights);
    br_free(dead->investor_codes);
    br_free(dead->bond_of);
    br_free(dead->row_of);
    br_free(dead->investor_of);
    br_free(dead->label);
    br_free(dead);
    *dataset = NULL;
}
