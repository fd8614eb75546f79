#include "fixture.h"

#include "linalg/gemm.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

void fixture_init(fixture *f, const br_test_shape *shape, uint32_t n_background)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    cr_assert(shape->n_investor_fields <= MAX_FIELDS && n_background <= MAX_BACKGROUND);
    *f = (fixture){.model = br_test_network(shape), .n = shape->n_investor_fields};
    br_test_bond_codes(f->model, shape->seed, 1, f->bond);
    br_test_investor_codes(f->model, shape->seed, N_INVESTORS, f->codes);
    br_test_bond_codes(f->model, shape->seed + 1, n_background, f->background_bonds);
    br_test_investor_codes(f->model, shape->seed + 1, n_background, f->background_codes);
    for (uint32_t i = 0; i < n_background; i++) {
        memmove(f->background_bonds + (size_t)i * shape->n_bond_fields,
                f->background_bonds + (size_t)(i / 4 * 4) * shape->n_bond_fields, shape->n_bond_fields);
    }
    for (uint32_t i = 0; i < N_INVESTORS; i++) {
        f->keys[i] = 100 + i;
    }
    f->background = (br_attribution_background){f->background_bonds, f->background_codes, n_background};
}

void fixture_deinit(fixture *f)
{
    br_model_free(&f->model);
}

void fixture_make_additive(fixture *f)
{
    br_model *model = f->model;
    cr_assert_eq(model->config.architecture, BR_WIDE_DEEP);
    memset(model->w_deep, 0, model->config.hidden[model->config.n_hidden - 1] * sizeof *model->w_deep);
    memset(model->linear, 0, model->row_of[model->n_bond_fields] * sizeof *model->linear);
    model->bias[0] = 0.0f;
    for (uint32_t j = 0; j < f->n; j++) {
        *fixture_linear(f, j, model->fields[model->n_bond_fields + j].n_values) = 0.0f;
    }
}

float *fixture_linear(fixture *f, uint32_t j, uint32_t code)
{
    return f->model->linear + f->model->row_of[f->model->n_bond_fields + j] + code;
}

br_attribution *fixture_attribution(fixture *f, const br_attribution_options *options)
{
    br_attribution *attribution = NULL;
    br_status status = br_attribution_new(&attribution, f->model, &f->background, options);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_assert_eq(br_attribution_bond(attribution, f->bond), BR_OK);
    return attribution;
}

const uint8_t *fixture_codes(const fixture *f, uint32_t investor)
{
    return f->codes + (size_t)investor * f->n;
}

double fixture_output(const fixture *f, br_attributed output, const uint8_t *bond, const uint8_t *codes,
                      const uint8_t *masked)
{
    double logit = br_model_logit_plain(f->model, bond, codes, masked);
    return output == BR_ATTRIBUTED_LOGIT ? logit : 1.0 / (1.0 + exp(-logit));
}

double fixture_value(const fixture *f, br_attributed output, bool masked, uint32_t investor, unsigned set)
{
    uint8_t hidden[MAX_FIELDS];
    uint8_t mixed[MAX_FIELDS];
    const uint8_t *codes = fixture_codes(f, investor);
    for (uint32_t j = 0; j < f->n; j++) {
        hidden[j] = (set >> j & 1u) == 0;
    }
    if (masked) {
        return fixture_output(f, output, f->bond, codes, hidden);
    }
    double sum = 0.0;
    for (size_t b = 0; b < f->background.n; b++) {
        for (uint32_t j = 0; j < f->n; j++) {
            mixed[j] = hidden[j] != 0 ? f->background_codes[b * f->n + j] : codes[j];
        }
        sum += fixture_output(f, output, f->bond, mixed, NULL);
    }
    return sum / (double)f->background.n;
}

void solve_plain(double *a, double *b, size_t n, double *x)
{
    for (size_t step = 0; step < n; step++) {
        size_t pivot = step;
        for (size_t i = step; i < n; i++) {
            pivot = fabs(a[i * n + step]) > fabs(a[pivot * n + step]) ? i : pivot;
        }
        for (size_t k = 0; k < n; k++) {
            double swapped = a[step * n + k];
            a[step * n + k] = a[pivot * n + k];
            a[pivot * n + k] = swapped;
        }
        double swapped = b[step];
        b[step] = b[pivot];
        b[pivot] = swapped;
        for (size_t i = step + 1; i < n; i++) {
            double factor = a[i * n + step] / a[step * n + step];
            for (size_t k = step; k < n; k++) {
                a[i * n + k] -= factor * a[step * n + k];
            }
            b[i] -= factor * b[step];
        }
    }
    for (size_t i = n; i-- > 0;) {
        double sum = b[i];
        for (size_t k = i + 1; k < n; k++) {
            sum -= a[i * n + k] * x[k];
        }
        x[i] = sum / a[i * n + i];
    }
}
