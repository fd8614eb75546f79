#include "rank/rank.h"

// Does investor a rank before investor b?
static bool before(const float *logits, const uint32_t *id_order, uint32_t a, uint32_t b)
{
    return logits[a] > logits[b] || (logits[a] == logits[b] && id_order[a] < id_order[b]);
}

// The heap top_out[0..n) has its last-ranked investor first; makes that true again below `place`.
static void sift(const float *logits, const uint32_t *id_order, uint32_t *heap, uint32_t n, uint32_t place)
{
    for (;;) {
        uint32_t last = place;
        for (uint32_t child = 2 * place + 1; child <= 2 * place + 2 && child < n; child++) {
            if (before(logits, id_order, heap[last], heap[child])) {
                last = child;
            }
        }
        if (last == place) {
            return;
        }
        uint32_t moved = heap[place];
        heap[place] = heap[last];
        heap[last] = moved;
        place = last;
    }
}

uint32_t br_rank_top(const float *logits, const uint8_t *eligible, const uint32_t *id_order, uint32_t n_investors,
                     uint32_t n_top, uint32_t *top_out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_investors; i++) {
        if (eligible[i] == 0) {
            continue;
        }
        br_assert(logits[i] == logits[i]); // a NaN has no place in an order
        if (n < n_top) {
            top_out[n++] = i;
            for (uint32_t place = n / 2; n == n_top && place-- > 0;) {
                sift(logits, id_order, top_out, n, place);
            }
        } else if (n_top > 0 && before(logits, id_order, i, top_out[0])) {
            top_out[0] = i;
            sift(logits, id_order, top_out, n, 0);
        }
    }
    for (uint32_t place = n / 2; n < n_top && place-- > 0;) {
        sift(logits, id_order, top_out, n, place);
    }
    for (uint32_t left = n; left > 1; left--) {
        uint32_t last = top_out[0];
        top_out[0] = top_out[left - 1];
        top_out[left - 1] = last;
        sift(logits, id_order, top_out, left - 1, 0);
    }
    return n;
}

uint32_t br_rank_place(const float *logits, const uint8_t *eligible, const uint32_t *id_order, uint32_t n_investors,
                       uint32_t investor)
{
    uint32_t place = 1;
    for (uint32_t i = 0; i < n_investors; i++) {
        place += eligible[i] != 0 && before(logits, id_order, i, investor);
    }
    return place;
}
