#include "itembased/top_items.h"

void br_top_items_offer(br_top_items *top, uint32_t item)
{
    double score = top->scores[item];
    uint32_t *items = top->items;
    if (top->n == top->n_top && (top->n == 0 || !(score > top->scores[items[top->n - 1]]))) {
        return;
    }
    uint32_t at = top->n < top->n_top ? top->n++ : top->n - 1;
    for (; at > 0 && score > top->scores[items[at - 1]]; at--) {
        items[at] = items[at - 1];
    }
    items[at] = item;
}
