#include "base/index.h"

#include "base/alloc.h"

#include <string.h>

// Open addressing over numbers; the strings themselves live in an arena and never move.
struct br_index {
    br_arena *arena;
    const char **texts; // [n]
    uint32_t *lengths;  // [n]
    uint32_t n;
    uint32_t capacity; // of texts and lengths
    uint32_t *slots;   // [n_slots] number + 1, 0 when free
    uint32_t n_slots;  // a power of two, at least twice n
};

// FNV-1a with a final mix: ids are trusted by then (validated, bounded in length and number).
static uint32_t hash_text(const char *text, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint8_t)text[i]) * 16777619u;
    }
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    return h ^ h >> 13;
}

br_status br_index_new(br_index **out)
{
    BR_AUTO(br_index) *index = br_calloc(1, sizeof *index);
    if (index == NULL) {
        return br_no_memory("index", 1);
    }
    br_status status = br_arena_new(&index->arena, SIZE_MAX / 2);
    if (status != BR_OK) {
        return status;
    }
    index->n_slots = 64;
    index->slots = br_calloc(index->n_slots, sizeof *index->slots);
    if (index->slots == NULL) {
        return br_no_memory("index slots", index->n_slots);
    }
    *out = index;
    index = NULL;
    return BR_OK;
}

static uint32_t find_slot(const br_index *index, const char *text, size_t n)
{
    uint32_t at = hash_text(text, n) & (index->n_slots - 1);
    while (index->slots[at] != 0) {
        uint32_t number = index->slots[at] - 1;
        if (index->lengths[number] == n && memcmp(index->texts[number], text, n) == 0) {
            return at;
        }
        at = (at + 1) & (index->n_slots - 1);
    }
    return at;
}

static br_status grow_slots(br_index *index)
{
    uint32_t n_slots = index->n_slots * 2;
    uint32_t *slots = br_calloc(n_slots, sizeof *slots);
    if (slots == NULL) {
        return br_no_memory("index slots", n_slots);
    }
    br_free(index->slots);
    index->slots = slots;
    index->n_slots = n_slots;
    for (uint32_t number = 0; number < index->n; number++) {
        index->slots[find_slot(index, index->texts[number], index->lengths[number])] = number + 1;
    }
    return BR_OK;
}

static br_status grow_texts(br_index *index)
{
    uint32_t capacity = index->capacity == 0 ? 32 : index->capacity * 2;
    const char **texts = br_reallocarray(index->texts, capacity, sizeof *texts);
    if (texts == NULL) {
        return br_no_memory("index entries", capacity);
    }
    index->texts = texts;
    uint32_t *lengths = br_reallocarray(index->lengths, capacity, sizeof *lengths);
    if (lengths == NULL) {
        return br_no_memory("index entries", capacity);
    }
    index->lengths = lengths;
    index->capacity = capacity;
    return BR_OK;
}

br_status br_index_add(br_index *index, const char *text, size_t n, uint32_t *number_out, bool *added_out)
{
    uint32_t at = find_slot(index, text, n);
    if (index->slots[at] != 0) {
        *number_out = index->slots[at] - 1;
        if (added_out != NULL) {
            *added_out = false;
        }
        return BR_OK;
    }
    if (n >= UINT32_MAX || index->n >= UINT32_MAX / 4) {
        return br_fail(BR_ERR_LIMIT, "more than %u strings in one index", index->n);
    }
    br_status status = index->n == index->capacity ? grow_texts(index) : BR_OK;
    if (status == BR_OK && (index->n + 1) * 2 > index->n_slots) {
        status = grow_slots(index);
        at = status == BR_OK ? find_slot(index, text, n) : at;
    }
    if (status != BR_OK) {
        return status;
    }
    char *copy = br_arena_strndup(index->arena, text, n);
    if (copy == NULL) {
        return br_no_memory("index bytes", n);
    }
    index->texts[index->n] = copy;
    index->lengths[index->n] = (uint32_t)n;
    index->slots[at] = index->n + 1;
    *number_out = index->n++;
    if (added_out != NULL) {
        *added_out = true;
    }
    return BR_OK;
}

uint32_t br_index_find(const br_index *index, const char *text, size_t n)
{
    uint32_t at = find_slot(index, text, n);
    return index->slots[at] == 0 ? BR_INDEX_NONE : index->slots[at] - 1;
}

const char *br_index_text(const br_index *index, uint32_t number)
{
    br_assert(number < index->n);
    return index->texts[number];
}

uint32_t br_index_count(const br_index *index)
{
    return index->n;
}

void br_index_free(br_index **index)
{
    if (index == NULL || *index == NULL) {
        return;
    }
    br_arena_free(&(*index)->arena);
    br_free(*(void **)&(*index)->texts);
    br_free((*index)->lengths);
    br_free((*index)->slots);
    br_free(*index);
    *index = NULL;
}
