// The paper's toy world (section 3): what each method says of one product, Table 1, and the sufficient values of all sets, Table 9.

#include "attribution/attribution.h"
#include "base/alloc.h"
#include "explain/gumbel.h"
#include "linalg/gemm.h"
#include "model/toy.h"
#include "table.h"

#include <string.h>

enum { N_BACKGROUND = 1000, BACKGROUND_PART = 2, N_THREADS = 1, N_STEPS = 1000 };

static void names_of(unsigned selected, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    for (unsigned j = 0; j < BR_TOY_FIELDS; j++) {
        if ((selected >> j & 1) != 0) {
            length += (size_t)snprintf(out + length, size - length, "%s%s", length == 0 ? "" : ", ", br_toy_names[j]);
        }
    }
}

// The set that the paper's search selects. With four gates the penalty says nothing for the first ninety steps, Adam opens all of them alike: ten
// times the paper's steps let them part.
static br_status search(const br_model *model, uint32_t n_reasons, uint64_t seed, unsigned *selected_out)
{
    BR_AUTO(br_gumbel) *gumbel = NULL;
    const uint32_t key = 0;
    uint32_t fields[BR_TOY_FIELDS];
    br_gumbel_options options = br_gumbel_options_default();
    options.n_reasons = n_reasons;
    options.n_steps = N_STEPS;
    options.seed = seed;
    br_status status = br_gumbel_new(&gumbel, model, 1, &options);
    if (status == BR_OK) {
        status = br_gumbel_bond(gumbel, NULL);
    }
    if (status == BR_OK) {
        status = br_gumbel_search(gumbel, &(br_gumbel_batch){.codes = br_toy_item, .keys = &key}, 1, fields);
    }
    *selected_out = 0;
    for (uint32_t k = 0; k < n_reasons && status == BR_OK; k++) {
        *selected_out |= 1u << fields[k];
    }
    return status;
}

static br_status fill_table9(table *t, const br_model *model, uint64_t seed)
{
    char names[128];
    for (uint32_t size = 1; size < BR_TOY_FIELDS; size++) {
        unsigned found = 0;
        br_status status = search(model, size, seed, &found);
        if (status != BR_OK) {
            return status;
        }
        for (unsigned set = 0; set < BR_TOY_SETS; set++) {
            if ((unsigned)__builtin_popcount(set) == size) {
                names_of(set, names, sizeof names);
                table_whole(t, size);
                table_text(t, names);
                table_number(t, br_toy_sufficient_value(set), 3);
                table_number(t, br_toy_estimate(model, set), 3);
                table_flag(t, set == found);
            }
        }
    }
    return BR_OK;
}

static br_status add_scores(table *t, const br_model *model, const br_attribution_background *background,
                            br_attribution_method method, uint64_t seed)
{
    BR_AUTO(br_attribution) *attribution = NULL;
    const uint32_t key = 0;
    float scores[BR_TOY_FIELDS];
    br_attribution_options options = br_attribution_options_default(method, BR_TOY_FIELDS);
    options.seed = seed;
    br_status status = br_attribution_new(&attribution, model, background, &options);
    if (status == BR_OK) {
        status = br_attribution_bond(attribution, NULL);
    }
    if (status == BR_OK) {
        status = br_attribution_scores(attribution, br_toy_item, &key, 1, scores);
    }
    table_text(t, br_attribution_name(method));
    for (unsigned j = 0; j < BR_TOY_FIELDS && status == BR_OK; j++) {
        table_number(t, (double)scores[j], 3);
    }
    return status;
}

static br_status fill_table1(table *t, const br_model *model, uint64_t seed)
{
    static const br_attribution_method methods[] = {
        BR_ATTRIBUTION_LIME, BR_ATTRIBUTION_KERNEL_SHAP,   BR_ATTRIBUTION_IG,
        BR_ATTRIBUTION_EG,   BR_ATTRIBUTION_KERNEL_SHAP_M, BR_ATTRIBUTION_WEIGHTED_SHAP,
    };
    BR_AUTO(br_dataset) *samples = NULL;
    br_status status = br_toy_samples(&samples, N_BACKGROUND, seed, BACKGROUND_PART);
    uint8_t *codes = status == BR_OK ? br_calloc(N_BACKGROUND, BR_TOY_FIELDS) : NULL;
    if (status == BR_OK && codes == NULL) {
        status = br_no_memory("products", N_BACKGROUND);
    }
    for (size_t i = 0; i < N_BACKGROUND && status == BR_OK; i++) {
        memcpy(codes + i * BR_TOY_FIELDS, samples->investor_codes + samples->row_of[i] * (size_t)BR_TOY_FIELDS,
               BR_TOY_FIELDS);
    }
    br_attribution_background background = {.investor_codes = codes, .n = N_BACKGROUND};
    for (size_t m = 0; m < sizeof methods / sizeof *methods && status == BR_OK; m++) {
        status = add_scores(t, model, &background, methods[m], seed);
    }
    br_free(codes);
    return status;
}

static exit_code print(const table *table1, const table *table9, output_format format)
{
    if (format == FORMAT_JSON) {
        BR_AUTO_DEINIT(br_buf) text = {0};
        br_buf_string(&text, "{\"table1\": ");
        table_json(table1, &text);
        br_buf_string(&text, ", \"table9\": ");
        table_json(table9, &text);
        br_buf_string(&text, "}\n");
        if (text.failed) {
            return cli_failed(br_no_memory("text", 1), "toy");
        }
        fwrite(text.data, 1, text.length, stdout);
        return EXIT_CODE_OK;
    }
    bool told = format == FORMAT_TABLE;
    fputs(told ? "Scores of price1 = price2 = low, quality = low, color = blue (Table 1)\n" : "", stdout);
    exit_code code = table_print(table1, format, stdout);
    fputs(format == FORMAT_NDJSON ? "" : "\n", stdout);
    fputs(told ? "Sufficient values, exact and as the model estimates them; gumbel: what the paper's search selects "
                 "(Table 9)\n"
               : "",
          stdout);
    return code == EXIT_CODE_OK ? table_print(table9, format, stdout) : code;
}

exit_code command_toy(const arguments *args)
{
    BR_AUTO(br_model) *model = NULL;
    BR_AUTO_DEINIT(table)
    table1 = {.columns = (const char *const[]){"method", "price1", "price2", "quality", "color"}, .n_columns = 5};
    BR_AUTO_DEINIT(table)
    table9 = {.columns = (const char *const[]){"size", "selected", "exact", "estimate", "gumbel"}, .n_columns = 5};
    br_status status = br_gemm_start();
    if (status == BR_OK) {
        status = br_toy_learn(&model, args->seed, N_THREADS);
    }
    if (status == BR_OK) {
        status = fill_table1(&table1, model, args->seed);
    }
    if (status == BR_OK) {
        status = fill_table9(&table9, model, args->seed);
    }
    return status == BR_OK ? print(&table1, &table9, args->format) : cli_failed(status, "toy");
}
