#ifndef BR_LINALG_FIXED_WIDTHS_H
#define BR_LINALG_FIXED_WIDTHS_H

/// For plain loops whose result does not depend on how many elements are worked at once: compiled for several machines, the best one is taken
/// where they run. Static functions only, behind a plain one: what is called from other files has no such name with clang. Private to the module.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SEVERAL_WIDTHS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SEVERAL_WIDTHS
#endif

#endif
