#include "itembased/transactions.h"

#include "base/alloc.h"

#include <string.h>

enum { DIGIT_BITS = 10, N_DIGITS = 4 };

_Static_assert(BR_MAX_TRANSACTION_TIME - BR_MIN_TRANSACTION_TIME < INT64_C(1) << (DIGIT_BITS * N_DIGITS),
               "the digits hold every time");

// Two rooms that transactions are sorted between, always from the first to the second.
typedef struct sorting {
    br_transaction *from; // [n]
    br_transaction *to;   // [n]
    size_t n;
    size_t *ends; // [n_users + 1] once sorted by user: where a user's transactions end
} sorting;

static void sorting_deinit(sorting *it)
{
    br_free(it->from);
    br_free(it->to);
    br_free(it->ends);
}

static void swap(sorting *it)
{
    br_transaction *sorted = it->to;
    it->to = it->from;
    it->from = sorted;
}

static size_t digit_of(const br_transaction *one, unsigned digit)
{
    uint64_t since = (uint64_t)(one->time - BR_MIN_TRANSACTION_TIME);
    return since >> (digit * DIGIT_BITS) & ((1u << DIGIT_BITS) - 1);
}

// One pass of a radix sort by time; equals keep their order.
static void sort_by_digit(sorting *it, unsigned digit)
{
    size_t at[1u << DIGIT_BITS] = {0};
    for (size_t i = 0; i < it->n; i++) {
        at[digit_of(&it->from[i], digit)]++;
    }
    size_t before = 0;
    for (size_t d = 0; d < sizeof at / sizeof *at; d++) {
        size_t n = at[d];
        at[d] = before;
        before += n;
    }
    for (size_t i = 0; i < it->n; i++) {
        it->to[at[digit_of(&it->from[i], digit)]++] = it->from[i];
    }
    swap(it);
}

static void sort_by_user(sorting *it, uint32_t n_users)
{
    size_t *ends = it->ends;
    for (size_t i = 0; i < it->n; i++) {
        ends[it->from[i].user + 1]++;
    }
    for (uint32_t u = 0; u < n_users; u++) {
        ends[u + 1] += ends[u];
    }
    // ends[u] is where the user begins, and moves to where the user ends.
    for (size_t i = 0; i < it->n; i++) {
        it->to[ends[it->from[i].user]++] = it->from[i];
    }
    swap(it);
}

// The transactions of the range by (user, time, arrival).
static br_status sort(sorting *it, const br_transactions *table, int64_t from, int64_t until)
{
    const br_transaction *all = br_transactions_all(table);
    size_t n_all = br_transactions_count(table);
    for (size_t i = 0; i < n_all; i++) {
        it->n += all[i].time >= from && all[i].time < until;
    }
    uint32_t n_users = br_transactions_n_users(table);
    it->from = br_calloc(it->n, sizeof *it->from);
    it->to = br_calloc(it->n, sizeof *it->to);
    it->ends = br_calloc((size_t)n_users + 1, sizeof *it->ends);
    if (it->from == NULL || it->to == NULL || it->ends == NULL) {
        return br_no_memory("transactions to sort", it->n);
    }
    size_t n = 0;
    for (size_t i = 0; i < n_all; i++) {
        if (all[i].time >= from && all[i].time < until) {
            it->from[n++] = all[i];
        }
    }
    for (unsigned digit = 0; digit < N_DIGITS; digit++) {
        sort_by_digit(it, digit);
    }
    sort_by_user(it, n_users);
    return BR_OK;
}

// begin[] of the history: how many different items the users before have. seen_by [n_items]: user + 1, 0 at first.
static size_t count_items(size_t *begin, size_t *seen_by, const sorting *sorted, uint32_t n_users)
{
    size_t n = 0;
    for (uint32_t u = 0; u < n_users; u++) {
        begin[u] = n;
        for (size_t i = u == 0 ? 0 : sorted->ends[u - 1]; i < sorted->ends[u]; i++) {
            size_t *seen = &seen_by[sorted->from[i].item];
            n += *seen != (size_t)u + 1;
            *seen = (size_t)u + 1;
        }
    }
    begin[n_users] = n;
    return n;
}

// Backwards, so that the first transaction met of a (user, item) is the last one. place [n_items]: where the item stands + 1, 0 at first.
static void fill(br_history *history, size_t *place, const sorting *sorted)
{
    for (uint32_t u = 0; u < history->n_users; u++) {
        size_t begin = history->begin[u];
        size_t at = history->begin[u + 1];
        size_t first = u == 0 ? 0 : sorted->ends[u - 1];
        for (size_t i = sorted->ends[u]; i-- > first;) {
            const br_transaction *one = &sorted->from[i];
            history->popularity[one->item]++;
            if (place[one->item] > begin) {
                history->counts[place[one->item] - 1]++;
                continue;
            }
            place[one->item] = at--;
            history->items[at] = one->item;
            history->times[at] = one->time;
            history->weights[at] = one->weight;
            history->counts[at] = 1;
        }
    }
}

static br_status make(br_history *history, const br_transactions *table, const sorting *sorted)
{
    history->n_users = br_transactions_n_users(table);
    history->n_items = br_transactions_n_items(table);
    history->begin = br_calloc((size_t)history->n_users + 1, sizeof *history->begin);
    history->popularity = br_calloc(history->n_items, sizeof *history->popularity);
    history->category = br_calloc(history->n_items, sizeof *history->category);
    size_t *place = br_calloc(history->n_items, sizeof *place);
    if (history->begin == NULL || history->popularity == NULL || history->category == NULL || place == NULL) {
        br_free(place);
        return br_no_memory("users and items of a history", (size_t)history->n_users + history->n_items);
    }
    size_t n = count_items(history->begin, place, sorted, history->n_users);
    memset(place, 0, history->n_items * sizeof *place);
    history->items = br_calloc(n, sizeof *history->items);
    history->times = br_calloc(n, sizeof *history->times);
    history->weights = br_calloc(n, sizeof *history->weights);
    history->counts = br_calloc(n, sizeof *history->counts);
    bool room = history->items != NULL && history->times != NULL && history->weights != NULL && history->counts != NULL;
    if (room) {
        fill(history, place, sorted);
        for (uint32_t i = 0; i < history->n_items; i++) {
            history->category[i] = br_transactions_category_of(table, i);
        }
    }
    br_free(place);
    return room ? BR_OK : br_no_memory("items of a history", n);
}

br_status br_history_new(br_history **out, const br_transactions *table, int64_t from, int64_t until)
{
    BR_AUTO(br_history) *history = br_calloc(1, sizeof *history);
    if (history == NULL) {
        return br_no_memory("history", 1);
    }
    BR_AUTO_DEINIT(sorting) sorted = {0};
    br_status status = sort(&sorted, table, from, until);
    status = status == BR_OK ? make(history, table, &sorted) : status;
    if (status != BR_OK) {
        return status;
    }
    *out = history;
    history = NULL;
    return BR_OK;
}

void br_history_free(br_history **history)
{
    if (history == NULL || *history == NULL) {
        return;
    }
    br_free((*history)->begin);
    br_free((*history)->items);
    br_free((*history)->times);
    br_free((*history)->weights);
    br_free((*history)->counts);
    br_free((*history)->popularity);
    br_free((*history)->category);
    br_free(*history);
    *history = NULL;
}

uint32_t br_history_longest(const br_history *history)
{
    size_t longest = 0;
    for (uint32_t user = 0; user < history->n_users; user++) {
        size_t n = history->begin[user + 1] - history->begin[user];
        longest = n > longest ? n : longest;
    }
    return (uint32_t)longest;
}
