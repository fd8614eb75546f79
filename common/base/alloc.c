#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t live;
static atomic_size_t allowed = SIZE_MAX;

static bool may_allocate(void)
{
    size_t left = atomic_load_explicit(&allowed, memory_order_relaxed);
    while (left != SIZE_MAX) {
        if (left == 0) {
            return false;
        }
        if (atomic_compare_exchange_weak(&allowed, &left, left - 1)) {
            return true;
        }
    }
    return true;
}

static void *counted(void *block)
{
    if (block != NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return block;
}

void *br_malloc(size_t size_bytes)
{
    return may_allocate() ? counted(malloc(size_bytes == 0 ? 1 : size_bytes)) : NULL;
}

void *br_calloc(size_t n, size_t size_bytes)
{
    return may_allocate() ? counted(calloc(n == 0 ? 1 : n, size_bytes == 0 ? 1 : size_bytes)) : NULL;
}

void *br_reallocarray(void *block, size_t n, size_t size_bytes)
{
    size_t total;
    if (!may_allocate() || __builtin_mul_overflow(n, size_bytes, &total)) {
        return NULL;
    }
    void *moved = realloc(block, total == 0 ? 1 : total);
    if (moved != NULL && block == NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return moved;
}

void *br_calloc_aligned(size_t n, size_t size_bytes)
{
    size_t total;
    if (!may_allocate() || __builtin_mul_overflow(n, size_bytes, &total) || total > SIZE_MAX - 64) {
        return NULL;
    }
    total = (total + 63) / 64 * 64;
    void *block = aligned_alloc(64, total == 0 ? 64 : total);
    if (block != NULL) {
        memset(block, 0, total == 0 ? 64 : total);
    }
    return counted(block);
}

char *br_strdup(const char *text)
{
    return br_memdup(text, strlen(text) + 1);
}

void *br_memdup(const void *bytes, size_t n)
{
    void *copy = br_malloc(n);
    if (copy != NULL && n > 0) {
        memcpy(copy, bytes, n);
    }
    return copy;
}

void br_free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
        free(block);
    }
}

br_status br_no_memory(const char *what, size_t n)
{
    return br_fail(BR_ERR_NO_MEMORY, "no memory for %zu %s", n, what);
}

void br_alloc_fail_after(size_t n)
{
    atomic_store(&allowed, n);
}

size_t br_alloc_live(void)
{
    return atomic_load(&live);
}

// --- arena ---

enum { ARENA_ALIGN = 16, ARENA_BLOCK_BYTES = 64 * 1024 };

typedef struct arena_block {
    struct arena_block *next;
    size_t capacity;
    size_t used;
    _Alignas(ARENA_ALIGN) unsigned char bytes[];
} arena_block;

struct br_arena {
    arena_block *blocks; // the newest first
    size_t max_bytes;
    size_t used;
};

br_status br_arena_new(br_arena **out, size_t max_bytes)
{
    br_arena *arena = br_calloc(1, sizeof *arena);
    if (arena == NULL) {
        return br_no_memory("arena", 1);
    }
    arena->max_bytes = max_bytes;
    *out = arena;
    return BR_OK;
}

static arena_block *arena_grow(br_arena *arena, size_t size_bytes)
{
    size_t capacity = size_bytes > ARENA_BLOCK_BYTES ? size_bytes : ARENA_BLOCK_BYTES;
    arena_block *block = br_malloc(sizeof *block + capacity);
    if (block == NULL) {
        return NULL;
    }
    block->capacity = capacity;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *br_arena_alloc(br_arena *arena, size_t size_bytes)
{
    if (size_bytes > arena->max_bytes) {
        return NULL;
    }
    size_t rounded = (size_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (rounded > arena->max_bytes - arena->used) {
        return NULL;
    }
    arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->used < rounded) {
        block = arena_grow(arena, rounded);
    }
    if (block == NULL) {
        return NULL;
    }
    void *memory = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    memset(memory, 0, rounded);
    return memory;
}

void *br_arena_calloc(br_arena *arena, size_t n, size_t size_bytes)
{
    size_t total;
    return __builtin_mul_overflow(n, size_bytes, &total) ? NULL : br_arena_alloc(arena, total);
}

char *br_arena_strndup(br_arena *arena, const char *text, size_t n)
{
    if (n == SIZE_MAX) {
        return NULL;
    }
    char *copy = br_arena_alloc(arena, n + 1);
    if (copy != NULL) {
        memcpy(copy, text, n);
    }
    return copy;
}

void br_arena_reset(br_arena *arena)
{
    // One block is kept for reuse; larger ones go back, so that one large message does not stay for ever.
    while (arena->blocks != NULL && (arena->blocks->next != NULL || arena->blocks->capacity > ARENA_BLOCK_BYTES)) {
        arena_block *block = arena->blocks;
        arena->blocks = block->next;
        br_free(block);
    }
    if (arena->blocks != NULL) {
        arena->blocks->used = 0;
    }
    arena->used = 0;
}

size_t br_arena_used(const br_arena *arena)
{
    return arena->used;
}

void br_arena_free(br_arena **arena)
{
    if (arena == NULL || *arena == NULL) {
        return;
    }
    while ((*arena)->blocks != NULL) {
        arena_block *block = (*arena)->blocks;
        (*arena)->blocks = block->next;
        br_free(block);
    }
    br_free(*arena);
    *arena = NULL;
}
