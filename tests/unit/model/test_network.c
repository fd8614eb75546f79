// Goal: the fast network is the plain one, and its backward the gradient of it. Method: random models of several shapes against
// br_model_logit_plain() and its central differences, in double.

#include "base/alloc.h"
#include "model/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_FIELDS = 5, N_BOND = 2, N_INVESTOR = 3, ROWS = 13 };

static const br_model_field fields[N_FIELDS] = {{3, false}, {2, false}, {4, true}, {2, true}, {3, false}};

static const br_model_config shapes[] = {
    {.d = 8, .n_cross = 2, .rank = 3, .n_hidden = 2, .hidden = {9, 4}},
    {.d = 3, .n_cross = 3, .rank = 2, .n_hidden = 1, .hidden = {17}},
    {.d = 1, .n_cross = 0, .rank = 1, .n_hidden = 3, .hidden = {5, 4, 3}},
    {.d = 2, .n_cross = 1, .rank = 7, .n_hidden = 1, .hidden = {1}},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct rows {
    uint8_t bond[ROWS][N_BOND];
    uint8_t investor[ROWS][N_INVESTOR];
    uint8_t masked[ROWS][N_INVESTOR];
    float weight[ROWS];
} rows;

static br_model *new_model(const br_model_config *config)
{
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, config, fields, N_FIELDS, N_BOND), BR_OK);
    br_rng rng = br_rng_at(2, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < model->n_parameters; i++) {
        model->parameters[i] = (float)(0.4 * br_rng_normal(&rng));
    }
    return model;
}

static void draw_rows(rows *it)
{
    br_rng rng = br_rng_at(4, BR_STREAM_TEST, 0, 0);
    for (size_t t = 0; t < ROWS; t++) {
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            uint8_t code = (uint8_t)br_rng_below(&rng, fields[j].n_values);
            if (j < N_BOND) {
                it->bond[t][j] = code;
            } else {
                it->investor[t][j - N_BOND] = code;
                it->masked[t][j - N_BOND] = fields[j].maskable && br_rng_below(&rng, 2) == 0;
            }
        }
        it->weight[t] = (float)br_rng_normal(&rng);
    }
}

static void load(br_network *network, const rows *it)
{
    for (size_t t = 0; t < ROWS; t++) {
        br_embedding_rows(network->row + t * N_FIELDS, network->model, it->bond[t], it->investor[t], it->masked[t]);
    }
}

static double weighted_plain(const br_model *model, const rows *it)
{
    double sum = 0.0;
    for (size_t t = 0; t < ROWS; t++) {
        sum += (double)it->weight[t] * br_model_logit_plain(model, it->bond[t], it->investor[t], it->masked[t]);
    }
    return sum;
}

static void start(void)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
}

Test(model_network, forward_equals_the_plain_network, .init = start)
{
    for (size_t k = 0; k < N_SHAPES; k++) {
        br_model *model = new_model(&shapes[k]);
        br_network *network = NULL;
        cr_assert_eq(br_network_new(&network, model), BR_OK);
        rows it;
        draw_rows(&it);
        load(network, &it);
        br_network_forward(network, ROWS);
        for (size_t t = 0; t < ROWS; t++) {
            double plain = br_model_logit_plain(model, it.bond[t], it.investor[t], it.masked[t]);
            cr_assert(fabs((double)network->logit[t] - plain) < 1e-5 * (1.0 + fabs(plain)), "shape %zu row %zu", k, t);
        }
        br_network_free(&network);
        br_model_free(&model);
    }
}

Test(model_network, backward_is_the_gradient_of_the_plain_network_and_adds, .init = start)
{
    for (size_t k = 0; k < N_SHAPES; k++) {
        br_model *model = new_model(&shapes[k]);
        br_model *gradient = NULL;
        br_network *network = NULL;
        cr_assert_eq(br_model_new(&gradient, &shapes[k], fields, N_FIELDS, N_BOND), BR_OK);
        cr_assert_eq(br_network_new(&network, model), BR_OK);
        for (size_t i = 0; i < gradient->n_parameters; i++) {
            gradient->parameters[i] = 3.0f;
        }
        rows it;
        draw_rows(&it);
        load(network, &it);
        br_network_forward(network, ROWS);
        memcpy(network->dlogit, it.weight, sizeof it.weight);
        br_network_backward(network, gradient, ROWS);
        for (size_t i = 0; i < model->n_parameters; i++) {
            const float h = 0x1p-13f;
            float kept = model->parameters[i];
            model->parameters[i] = kept + h;
            double moved = (double)model->parameters[i];
            double up = weighted_plain(model, &it);
            model->parameters[i] = kept - h;
            moved -= (double)model->parameters[i];
            double down = weighted_plain(model, &it);
            model->parameters[i] = kept;
            double expected = 3.0 + (up - down) / moved;
            // Float products against doubles; a kink of a relu within h of the point is not met with this seed.
            cr_assert(fabs((double)gradient->parameters[i] - expected) < 1e-4 * (1.0 + fabs(expected)),
                      "shape %zu parameter %zu: %g, not %g", k, i, (double)gradient->parameters[i], expected);
        }
        br_network_free(&network);
        br_model_free(&gradient);
        br_model_free(&model);
    }
}

Test(model_network, every_failing_allocation_is_reported_and_leaves_nothing)
{
    br_model *model = new_model(&shapes[0]);
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n_failed = 0;
    for (size_t n = 0; status != BR_OK; n++, n_failed++) {
        br_network *network = NULL;
        br_alloc_fail_after(n);
        status = br_network_new(&network, model);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(network == NULL, status != BR_OK);
        br_network_free(&network);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_eq(n_failed, 4);
    br_model_free(&model);
}
