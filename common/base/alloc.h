#ifndef BR_BASE_ALLOC_H
#define BR_BASE_ALLOC_H

/// The one door to the heap, so that tests can make any allocation fail and count what lives.
/// Every function may return NULL; the caller turns that into BR_ERR_NO_MEMORY with br_no_memory().

#include "base/status.h"

void *br_malloc(size_t size_bytes);
void *br_calloc(size_t n, size_t size_bytes);
/// Resize to n elements; NULL leaves the old block as it was. n * size_bytes may not overflow (NULL then).
void *br_reallocarray(void *block, size_t n, size_t size_bytes);
/// Zeroed memory on a 64-byte boundary (a cache line, and the widest vector); release with br_free().
void *br_calloc_aligned(size_t n, size_t size_bytes);
char *br_strdup(const char *text);
void *br_memdup(const void *bytes, size_t n);
/// Accepts NULL.
void br_free(void *block);

/// `return br_no_memory("scores", n)` records "no memory for n scores".
br_status br_no_memory(const char *what, size_t n);

/// For tests: let `n` more allocations succeed, then fail each one until reset with SIZE_MAX.
void br_alloc_fail_after(size_t n);
/// For tests: blocks handed out and not yet released.
size_t br_alloc_live(void);

/// Memory that is released as a whole: unpacked messages, one request's answer.
///
///     BR_AUTO(br_arena) *arena = NULL;
///     br_status status = br_arena_new(&arena, 16u << 20);     // never holds more than 16 MiB
///     char *name = br_arena_alloc(arena, 20);                 // NULL when the bound is reached
typedef struct br_arena br_arena;
br_status br_arena_new(br_arena **out, size_t max_bytes) BR_MUST_CHECK;
/// 16-byte aligned, zeroed, valid until the arena is reset or freed; NULL at the bound.
void *br_arena_alloc(br_arena *arena, size_t size_bytes);
void *br_arena_calloc(br_arena *arena, size_t n, size_t size_bytes);
char *br_arena_strndup(br_arena *arena, const char *text, size_t n);
/// Forget everything, keep the memory for reuse.
void br_arena_reset(br_arena *arena);
size_t br_arena_used(const br_arena *arena);
void br_arena_free(br_arena **arena);

#endif
