#include "unit/store/made.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void add_features(made_row *made, uint64_t n)
{
    static const char *const names[3] = {"coupon", "industry", "rating"};
    for (unsigned i = 0; i < 3; i++) {
        snprintf(made->values[i], sizeof made->values[i], "value %llu of %.*s", (unsigned long long)n % 17,
                 (int)(n % 9), "feature number");
        made->features[i] = (br_named_value){.name = names[i], .value = made->values[i]};
    }
    made->row.features = made->features;
    made->row.n_features = 3;
}

void made_row_init(made_row *made, uint64_t n)
{
    static const br_row_kind kinds[4] = {BR_ROW_BOND, BR_ROW_INVESTOR, BR_ROW_BID, BR_ROW_EXCLUSION};
    *made = (made_row){.row = {.kind = kinds[n % 4],
                               .announce_day = BR_DAY_NONE,
                               .issue_day = BR_DAY_NONE,
                               .day = BR_DAY_NONE,
                               .known_from = BR_DAY_NONE,
                               .amount = BR_AMOUNT_NONE,
                               .rate = (double)NAN}};
    br_row *row = &made->row;
    br_day day = (br_day)(18000 + n % 500);
    snprintf(made->id, sizeof made->id, "id-%09llu-made", (unsigned long long)n);
    snprintf(made->other_id, sizeof made->other_id, "other-%llu", (unsigned long long)n / 4);
    row->bond_id = made->id;
    if (row->kind == BR_ROW_BOND) {
        row->issuer_id = made->other_id;
        row->announce_day = day;
        row->issue_day = day + 3;
        add_features(made, n);
    } else if (row->kind == BR_ROW_INVESTOR) {
        row->bond_id = NULL;
        row->investor_id = made->id;
        row->day = day;
        add_features(made, n);
    } else if (row->kind == BR_ROW_BID) {
        row->bid_id = made->id;
        row->bond_id = made->other_id;
        row->investor_id = made->other_id;
        row->day = day;
        row->amount = (int64_t)(n * 10000 + 1);
        row->rate = (double)(n % 100) / 8.0;
    } else {
        row->investor_id = made->other_id;
        row->day = day;
    }
}

static bool text_equal(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

bool made_row_equal(const br_row *a, const br_row *b)
{
    bool equal = a->kind == b->kind && text_equal(a->bid_id, b->bid_id) && text_equal(a->bond_id, b->bond_id) &&
                 text_equal(a->issuer_id, b->issuer_id) && text_equal(a->investor_id, b->investor_id) &&
                 a->announce_day == b->announce_day && a->issue_day == b->issue_day && a->day == b->day &&
                 a->known_from == b->known_from && a->amount == b->amount && a->revision == b->revision &&
                 a->cancelled == b->cancelled && a->n_features == b->n_features &&
                 (isnan(a->rate) ? isnan(b->rate) : fabs(a->rate - b->rate) < 1e-15);
    for (uint32_t i = 0; equal && i < a->n_features; i++) {
        equal = text_equal(a->features[i].name, b->features[i].name) &&
                text_equal(a->features[i].value, b->features[i].value);
    }
    return equal;
}

int fork_child(void)
{
    pid_t child = fork();
    br_assert(child >= 0);
    br_assert(child != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    return (int)child;
}

int in_child(int (*body)(void *context), void *context)
{
    pid_t child = fork_child();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        br_assert(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
        _exit(body(context));
    }
    int result = 0;
    br_assert(waitpid(child, &result, 0) == child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -WTERMSIG(result);
}
