#include "compared.h"

#include "base/alloc.h"
#include "chart.h"
#include "service/whole_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { N_COLUMNS = BR_MERIT_COUNT + 2 };

// Figures of which more is better: those a method can be ahead in.
static const br_merit better_if_more[] = {BR_MERIT_RATIONALITY, BR_MERIT_STRATIFIED, BR_MERIT_DIVERSITY,
                                          BR_MERIT_HRD,         BR_MERIT_AESV,       BR_MERIT_AESV_OTHERS,
                                          BR_MERIT_AESV_TRUE,   BR_MERIT_TRUE_SHARE};

// The rows of Table 3 in the paper's order, and then what it does not have.
static const br_method table3[] = {
    BR_METHOD_LIME,          BR_METHOD_KERNEL_SHAP,     BR_METHOD_WEIGHTED_SHAP, BR_METHOD_IG,   BR_METHOD_EG,
    BR_METHOD_RECXPLAINER_L, BR_METHOD_RECXPLAINER_MLP, BR_METHOD_KERNEL_SHAP_M, BR_METHOD_IG_M, BR_METHOD_GUMBEL,
    BR_METHOD_PLAIN,         BR_METHOD_BACKED,          BR_METHOD_RANDOM,
};
static const br_method table4[] = {BR_METHOD_GUMBEL, BR_METHOD_GUMBEL_ZERO, BR_METHOD_GUMBEL_AVERAGE};

void compared_deinit(compared *c)
{
    br_comparison_deinit(&c->comparison);
    br_gate_curves_deinit(&c->curves);
}

static const br_method_result *result_of(const compared *c, br_method method)
{
    for (uint32_t m = 0; m < c->comparison.n_methods; m++) {
        if (c->comparison.methods[m].method == method) {
            return &c->comparison.methods[m];
        }
    }
    return NULL;
}

void compared_methods(const compared *c, table *out)
{
    static const char *columns[N_COLUMNS] = {"method"};
    for (int i = 0; i < BR_MERIT_COUNT; i++) {
        columns[i + 1] = br_merit_name((br_merit)i);
    }
    columns[N_COLUMNS - 1] = "ms";
    out->columns = columns;
    out->n_columns = N_COLUMNS;
    for (uint32_t m = 0; m < c->comparison.n_methods; m++) {
        const br_method_result *result = &c->comparison.methods[m];
        table_text(out, br_method_name(result->method));
        for (int i = 0; i < BR_MERIT_COUNT; i++) {
            table_number(out, result->merits[i], i == BR_MERIT_SUPPORT ? 1 : 4);
        }
        table_number(out, result->ms, 3);
    }
}

static uint32_t best_other(const compared *c, br_merit merit)
{
    uint32_t best = 1;
    for (uint32_t m = 2; m < c->comparison.n_methods; m++) {
        double value = c->comparison.methods[m].merits[merit];
        if (value > c->comparison.methods[best].merits[merit] || isnan(c->comparison.methods[best].merits[merit])) {
            best = m;
        }
    }
    return best;
}

void compared_ahead(const compared *c, table *out)
{
    static const char *const columns[] = {"figure", "first", "best_other", "other", "percent", "difference", "error"};
    out->columns = columns;
    out->n_columns = sizeof columns / sizeof *columns;
    for (size_t i = 0; i < sizeof better_if_more / sizeof *better_if_more && c->comparison.n_methods > 1; i++) {
        br_merit merit = better_if_more[i];
        uint32_t other = best_other(c, merit);
        double first = c->comparison.methods[0].merits[merit];
        double second = c->comparison.methods[other].merits[merit];
        if (isnan(first) || isnan(second)) {
            continue;
        }
        br_difference difference = br_comparison_difference(&c->comparison, merit, 0, other);
        table_text(out, br_merit_name(merit));
        table_number(out, first, 4);
        table_text(out, br_method_name(c->comparison.methods[other].method));
        table_number(out, second, 4);
        table_number(out, second > 0.0 ? 100.0 * (first / second - 1.0) : (double)NAN, 1);
        table_number(out, difference.mean, 4);
        table_number(out, difference.standard_error, 4);
    }
}

// --- JSON ---

static void json_method(const br_method_result *result, uint32_t n_bonds, br_buf *out)
{
    br_buf_printf(out, "{\"method\": \"%s\"", br_method_name(result->method));
    for (int i = 0; i < BR_MERIT_COUNT; i++) {
        br_buf_printf(out, ", \"%s\": ", br_merit_name((br_merit)i));
        br_buf_json_number(out, result->merits[i]);
    }
    br_buf_string(out, ", \"ms\": ");
    br_buf_json_number(out, result->ms);
    br_buf_string(out, ",\n   \"by_bond\": {");
    for (int i = 0; i < BR_MERIT_COUNT; i++) {
        br_buf_printf(out, "%s\"%s\": [", i == 0 ? "" : ",\n     ", br_merit_name((br_merit)i));
        for (uint32_t b = 0; b < n_bonds; b++) {
            br_buf_string(out, b == 0 ? "" : ", ");
            br_buf_json_number(out, result->by_bond[(size_t)i * n_bonds + b]);
        }
        br_buf_char(out, ']');
    }
    br_buf_string(out, "}}");
}

// How the exact search stands to the search by gradient, whose objective it shares.
static void json_searches(const compared *c, br_buf *out)
{
    const br_method_result *plain = result_of(c, BR_METHOD_PLAIN);
    const br_method_result *gumbel = result_of(c, BR_METHOD_GUMBEL);
    if (plain == NULL || gumbel == NULL) {
        return;
    }
    uint32_t n = c->comparison.first_set[c->comparison.n_bonds];
    uint32_t n_above = 0;
    double lowest = INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        double difference = (double)plain->logits[i] - (double)gumbel->logits[i];
        // The same set gives the same logit to the last bit only if its fields were shown in the same order.
        n_above += difference > -1e-5;
        lowest = fmin(lowest, difference);
    }
    br_buf_string(out, ",\n \"plain_at_or_above_gumbel\": ");
    br_buf_json_number(out, n == 0 ? (double)NAN : (double)n_above / n);
    br_buf_string(out, ", \"plain_minus_gumbel_lowest_logit\": ");
    br_buf_json_number(out, lowest);
}

void compared_json(const compared *c, br_buf *out)
{
    const br_comparison *comparison = &c->comparison;
    br_buf_printf(out, "{\"version\": \"%s\", \"bonds\": %u, \"explanations\": %u, \"reasons\": %u", c->served->version,
                  comparison->n_bonds, comparison->first_set[comparison->n_bonds], comparison->n_reasons);
    json_searches(c, out);
    br_buf_string(out, ",\n \"methods\": [\n  ");
    for (uint32_t m = 0; m < comparison->n_methods; m++) {
        br_buf_string(out, m == 0 ? "" : ",\n  ");
        json_method(&comparison->methods[m], comparison->n_bonds, out);
    }
    br_buf_string(out, "]}\n");
}

// --- files ---

static br_status write_file(const char *directory, const char *name, const br_buf *text)
{
    char path[2 * BR_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return br_whole_file_write(path, text);
}

// The rows of one of the paper's tables; the file is left out if none of its methods was asked for.
static br_status write_table(const compared *c, const char *directory, const char *name, const br_method *methods,
                             size_t n_methods)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    static const br_merit printed[] = {BR_MERIT_RATIONALITY, BR_MERIT_DIVERSITY, BR_MERIT_HRD, BR_MERIT_AESV};
    size_t n_rows = 0;
    br_buf_string(&text, "method,rationality,diversity,hrd,aesv,time_s\n");
    for (size_t i = 0; i < n_methods; i++) {
        const br_method_result *result = result_of(c, methods[i]);
        if (result != NULL) {
            n_rows++;
            br_buf_string(&text, br_method_name(methods[i]));
            for (size_t k = 0; k < sizeof printed / sizeof *printed; k++) {
                br_buf_char(&text, ',');
                if (!isnan(result->merits[printed[k]])) {
                    br_buf_printf(&text, "%.4f", result->merits[printed[k]]);
                }
            }
            br_buf_printf(&text, ",%.6f\n", result->ms * 1e-3);
        }
    }
    return n_rows == 0 ? BR_OK : write_file(directory, name, &text);
}

// Every explanation: who, by which method, f(x_S), the fields.
static br_status write_sets(const compared *c, const char *directory)
{
    const br_comparison *comparison = &c->comparison;
    const br_encoder *encoder = c->served->snapshot->encoder;
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_string(&text, "bond,investor,method,logit");
    for (uint32_t k = 0; k < comparison->n_reasons; k++) {
        br_buf_printf(&text, ",reason_%u", k + 1);
    }
    br_buf_char(&text, '\n');
    for (uint32_t b = 0; b < comparison->n_bonds; b++) {
        const char *bond = br_market_bond_id(c->market, comparison->bonds[b]);
        for (uint32_t i = comparison->first_set[b]; i < comparison->first_set[b + 1]; i++) {
            const char *investor = br_market_investor_id(c->market, comparison->investors[i]);
            for (uint32_t m = 0; m < comparison->n_methods; m++) {
                const br_method_result *result = &comparison->methods[m];
                br_buf_csv_field(&text, bond, strlen(bond));
                br_buf_char(&text, ',');
                br_buf_csv_field(&text, investor, strlen(investor));
                br_buf_printf(&text, ",%s,%.6f", br_method_name(result->method), (double)result->logits[i]);
                for (uint32_t k = 0; k < comparison->n_reasons; k++) {
                    uint32_t field = result->selected[(size_t)i * comparison->n_reasons + k];
                    const char *name = encoder->fields[encoder->n_bond_fields + field].name;
                    br_buf_char(&text, ',');
                    br_buf_csv_field(&text, name, strlen(name));
                }
                br_buf_char(&text, '\n');
            }
        }
    }
    return write_file(directory, "sets.csv", &text);
}

static br_status write_methods(const compared *c, const char *directory)
{
    BR_AUTO_DEINIT(br_buf) json = {0};
    compared_json(c, &json);
    br_status status = write_file(directory, "methods.json", &json);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(table) t = {.columns = NULL};
    BR_AUTO_DEINIT(br_buf) csv = {0};
    compared_methods(c, &t);
    table_csv(&t, &csv);
    return write_file(directory, "methods.csv", &csv);
}

// AESV against HRD.
static br_status write_figure5(const compared *c, const char *directory)
{
    chart_series series[BR_METHOD_COUNT];
    size_t n = 0;
    for (uint32_t m = 0; m < c->comparison.n_methods; m++) {
        const br_method_result *result = &c->comparison.methods[m];
        if (!isnan(result->merits[BR_MERIT_AESV]) && !isnan(result->merits[BR_MERIT_HRD])) {
            series[n++] = (chart_series){.name = br_method_name(result->method),
                                         .x = &result->merits[BR_MERIT_AESV],
                                         .y = &result->merits[BR_MERIT_HRD],
                                         .n = 1};
        }
    }
    if (n == 0) {
        return BR_OK;
    }
    BR_AUTO_DEINIT(br_buf) svg = {0};
    chart_svg(&(chart){.title = "Explanation quality against empirical sufficiency",
                       .x_label = "AESV",
                       .y_label = "HRD",
                       .series = series,
                       .n_series = n},
              &svg);
    return write_file(directory, "figure5.svg", &svg);
}

static br_status write_gates(const compared *c, const char *directory)
{
    const br_gate_curves *curves = &c->curves;
    const br_encoder *encoder = c->served->snapshot->encoder;
    size_t n = curves->n_steps + 1;
    double *steps = br_calloc(n, sizeof *steps);
    double *zeros = br_calloc(n, sizeof *zeros);
    br_status status = steps != NULL && zeros != NULL ? BR_OK : br_no_memory("steps", n);
    for (size_t i = 0; i < n && status == BR_OK; i++) {
        steps[i] = (double)i;
    }
    const char *suppressed = encoder->fields[encoder->n_bond_fields + curves->suppressed].name;
    const char *suppressor = encoder->fields[encoder->n_bond_fields + curves->suppressor].name;
    const struct {
        const char *file, *title;
        chart_series series[2];
    } figures[] = {
        {"figure4a.svg",
         "Gates during the search by gradient",
         {{suppressed, steps, curves->free_suppressed, n}, {suppressor, steps, curves->free_suppressor, n}}},
        {"figure4b.svg",
         "The same with one gate held shut",
         {{suppressed, steps, curves->held_suppressed, n}, {suppressor, steps, zeros, n}}},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures && status == BR_OK; i++) {
        BR_AUTO_DEINIT(br_buf) svg = {0};
        chart_svg(&(chart){.title = figures[i].title,
                           .x_label = "step",
                           .y_label = "gate probability",
                           .series = figures[i].series,
                           .n_series = 2},
                  &svg);
        status = write_file(directory, figures[i].file, &svg);
    }
    br_free(steps);
    br_free(zeros);
    return status;
}

br_status compared_directory(const char *directory)
{
    struct stat found;
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        return br_fail(BR_ERR_IO, "%s: %s", directory, strerror(errno));
    }
    if (stat(directory, &found) != 0) {
        return br_fail(BR_ERR_IO, "%s: %s", directory, strerror(errno));
    }
    return S_ISDIR(found.st_mode) ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", directory, strerror(ENOTDIR));
}

br_status compared_write(const compared *c, const char *directory)
{
    br_status status = write_methods(c, directory);
    if (status == BR_OK) {
        status = write_sets(c, directory);
    }
    if (status == BR_OK) {
        status = write_table(c, directory, "table3.csv", table3, sizeof table3 / sizeof *table3);
    }
    if (status == BR_OK && result_of(c, BR_METHOD_GUMBEL_ZERO) != NULL) {
        status = write_table(c, directory, "table4.csv", table4, sizeof table4 / sizeof *table4);
    }
    if (status == BR_OK) {
        status = write_figure5(c, directory);
    }
    return status == BR_OK && c->curves.n_steps > 0 ? write_gates(c, directory) : status;
}
