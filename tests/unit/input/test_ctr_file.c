/// Goal: every epoch sees every row once, whole, in an order that only seed and epoch decide, and well mixed.
/// Method: rows that name themselves, read back in many sizes of file and batch.

#include "base/alloc.h"
#include "input/ctr_file.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { N_FIELDS = 3 };

/// Row i has the codes i, 7 * i, UINT32_MAX - i and a label that depends on i.
static uint8_t label_of(uint32_t i)
{
    return i % 5 == 0;
}

static br_ctr_file *file_of(const char *directory, uint32_t n_rows)
{
    br_ctr_file *file = NULL;
    cr_assert_eq(br_ctr_file_new(&file, directory, N_FIELDS), BR_OK);
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t codes[N_FIELDS] = {i, 7 * i, UINT32_MAX - i};
        cr_assert_eq(br_ctr_file_append(file, codes, label_of(i)), BR_OK);
    }
    cr_assert_eq(br_ctr_file_n_rows(file), n_rows);
    return file;
}

/// order[n_rows] = the rows of an epoch as they come. Every one must be whole, and every batch full but the last.
static void read_epoch(uint32_t *order, br_ctr_file *file, const br_ctr_order *how)
{
    br_ctr_batch batch;
    br_status status;
    size_t n = 0;
    size_t n_rows = br_ctr_file_n_rows(file);
    uint32_t asked = how->batch_rows;
    cr_assert_eq(br_ctr_file_start(file, how), BR_OK);
    while ((status = br_ctr_file_next(file, asked, &batch)) == BR_OK) {
        cr_assert_leq(n + batch.n, n_rows);
        cr_assert(batch.n == asked || n + batch.n == n_rows);
        asked = asked > 1 && asked == how->batch_rows ? asked - 1 : how->batch_rows; // not always the most
        for (uint32_t i = 0; i < batch.n; i++) {
            const uint32_t *codes = batch.codes + (size_t)i * N_FIELDS;
            order[n] = codes[0];
            cr_assert(codes[1] == 7 * order[n] && codes[2] == UINT32_MAX - order[n]);
            cr_assert_eq(batch.labels[i], label_of(order[n]));
            n += 1;
        }
    }
    cr_assert_eq(status, BR_ERR_AGAIN);
    cr_assert_eq(n, n_rows);
}

static uint32_t *numbers(size_t n)
{
    uint32_t *made = calloc(n + 1, sizeof *made);
    cr_assert(made != NULL);
    return made;
}

Test(input_ctr_file, an_epoch_in_order_is_what_was_appended)
{
    static const uint32_t sizes[] = {0, 1, 1023, 1024, 1025, 70000, 200000};
    char *directory = br_temp_new();
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint32_t *order = numbers(sizes[k]);
        BR_AUTO(br_ctr_file) *file = file_of(directory, sizes[k]);
        for (uint32_t batch_rows = 1; batch_rows <= BR_CTR_MAX_BATCH_ROWS; batch_rows *= 101) {
            read_epoch(order, file, &(br_ctr_order){.batch_rows = batch_rows});
            for (uint32_t i = 0; i < sizes[k]; i++) {
                cr_assert_eq(order[i], i);
            }
        }
        free(order);
    }
    br_temp_remove(&directory);
}

Test(input_ctr_file, a_shuffled_epoch_has_every_row_once)
{
    static const uint32_t sizes[] = {0, 1, 1024, 1500, 70000, 200000};
    char *directory = br_temp_new();
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint32_t *order = numbers(sizes[k]);
        uint32_t *times = numbers(sizes[k]);
        BR_AUTO(br_ctr_file) *file = file_of(directory, sizes[k]);
        for (uint32_t epoch = 0; epoch < 4; epoch++) {
            br_ctr_order how = {.batch_rows = 1 + 4001 * epoch, .shuffled = true, .seed = 3, .epoch = epoch};
            read_epoch(order, file, &how);
            for (uint32_t i = 0; i < sizes[k]; i++) {
                times[order[i]] += 1;
            }
            for (uint32_t i = 0; i < sizes[k]; i++) {
                cr_assert_eq(times[i], epoch + 1);
            }
        }
        free(order);
        free(times);
    }
    br_temp_remove(&directory);
}

Test(input_ctr_file, the_order_depends_on_seed_and_epoch_alone)
{
    enum { N_ROWS = 150000 };
    char *directory = br_temp_new();
    uint32_t *first = numbers(N_ROWS);
    uint32_t *other = numbers(N_ROWS);
    BR_AUTO(br_ctr_file) *file = file_of(directory, N_ROWS);
    br_ctr_order how = {.batch_rows = 1000, .shuffled = true, .seed = 3, .epoch = 1};
    read_epoch(first, file, &how);
    how.epoch = 2;
    read_epoch(other, file, &how);
    uint32_t *early = numbers(N_ROWS); // also in the first half of the other epoch
    uint32_t n_early = 0;
    for (uint32_t i = 0; i < N_ROWS / 2; i++) {
        early[first[i]] = 1;
    }
    for (uint32_t i = 0; i < N_ROWS / 2; i++) {
        n_early += early[other[i]];
    }
    cr_expect(n_early > N_ROWS / 2 / 4 && n_early < N_ROWS / 2 * 3 / 4, "half of a half is expected, not %u", n_early);
    free(early);
    how = (br_ctr_order){.batch_rows = 1000, .shuffled = true, .seed = 4, .epoch = 1};
    read_epoch(other, file, &how);
    cr_expect(memcmp(first, other, N_ROWS * sizeof *first) != 0);
    how.seed = 3;
    br_ctr_batch batch;
    cr_assert_eq(br_ctr_file_next(file, 1, &batch), BR_ERR_AGAIN);
    cr_assert_eq(br_ctr_file_start(file, &how), BR_OK);
    cr_assert_eq(br_ctr_file_next(file, 1000, &batch), BR_OK); // an epoch that is given up leaves no trace
    BR_AUTO(br_ctr_file) *same = file_of(directory, N_ROWS);
    for (int i = 0; i < 2; i++) {
        read_epoch(other, i == 0 ? file : same, &how);
        cr_expect_arr_eq(first, other, N_ROWS * sizeof *first);
    }
    free(first);
    free(other);
    br_temp_remove(&directory);
}

Test(input_ctr_file, every_batch_is_drawn_from_far_and_wide)
{
    enum { N_ROWS = 8 * BR_CTR_WINDOW_ROWS, N_PARTS = 16, N_BATCH = 1600 };
    char *directory = br_temp_new();
    uint32_t *order = numbers(N_ROWS);
    BR_AUTO(br_ctr_file) *file = file_of(directory, N_ROWS);
    read_epoch(order, file, &(br_ctr_order){.batch_rows = N_BATCH, .shuffled = true, .seed = 1});
    for (uint32_t begin = 0; begin + N_BATCH <= N_ROWS; begin += N_BATCH) {
        uint32_t counts[N_PARTS] = {0};
        for (uint32_t i = 0; i < N_BATCH; i++) {
            counts[order[begin + i] / (N_ROWS / N_PARTS)] += 1;
        }
        uint32_t most = 0;
        for (uint32_t part = 0; part < N_PARTS; part++) {
            most = counts[part] > most ? counts[part] : most;
        }
        cr_assert_lt(most, N_BATCH / 4, "a sixteenth of the file gave %u of %d rows", most, N_BATCH);
    }
    uint32_t kept = 0; // neighbours that stayed neighbours
    for (uint32_t i = 1; i < N_ROWS; i++) {
        kept += order[i] == order[i - 1] + 1;
    }
    cr_expect_lt(kept, 100);
    free(order);
    br_temp_remove(&directory);
}

Test(input_ctr_file, leaves_no_name_behind_and_needs_a_directory)
{
    char *directory = br_temp_new();
    BR_AUTO(br_ctr_file) *file = file_of(directory, 5000);
    DIR *open = opendir(directory);
    cr_assert(open != NULL);
    for (const struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        cr_expect(entry->d_name[0] == '.', "%s", entry->d_name);
    }
    closedir(open);
    BR_AUTO(br_ctr_file) *nowhere = NULL;
    cr_expect_eq(br_ctr_file_new(&nowhere, "/nowhere/at/all", 3), BR_ERR_IO);
    br_temp_remove(&directory);
}

Test(input_ctr_file, a_full_disk_is_an_error)
{
    char *directory = br_temp_new();
    BR_AUTO(br_ctr_file) *file = NULL;
    cr_assert_eq(br_ctr_file_new(&file, directory, N_FIELDS), BR_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {20000, 20000}; // one block, and half of the next
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    br_status status = BR_OK;
    uint32_t n = 0;
    for (; status == BR_OK && n < 10000; n++) {
        status = br_ctr_file_append(file, (const uint32_t[N_FIELDS]){n, n, n}, 0);
    }
    cr_expect_eq(status, BR_ERR_FULL);
    cr_expect_eq(n, 2 * BR_CTR_BLOCK_ROWS + 1);
    br_temp_remove(&directory);
}

static long peak_kib(void)
{
    struct rusage usage;
    br_assert(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

Test(input_ctr_file, memory_does_not_grow_with_the_rows)
{
    enum { N_ROWS = 1000000, N_WIDE = 20, BATCH_ROWS = 4096 };
    size_t bound = (BR_CTR_WINDOW_ROWS + BR_CTR_BLOCK_ROWS + BATCH_ROWS) * (4 * N_WIDE + 1) + 4 * N_ROWS / 1024;
    char *directory = br_temp_new();
    long before = peak_kib();
    BR_AUTO(br_ctr_file) *file = NULL;
    cr_assert_eq(br_ctr_file_new(&file, directory, N_WIDE), BR_OK);
    uint32_t codes[N_WIDE] = {0};
    for (uint32_t i = 0; i < N_ROWS; i++) {
        codes[i % N_WIDE] = i;
        cr_assert_eq(br_ctr_file_append(file, codes, 1), BR_OK);
    }
    br_ctr_batch batch;
    uint64_t n = 0;
    br_ctr_order how = {.batch_rows = BATCH_ROWS, .shuffled = true, .seed = 1};
    cr_assert_eq(br_ctr_file_start(file, &how), BR_OK);
    while (br_ctr_file_next(file, BATCH_ROWS, &batch) == BR_OK) {
        n += batch.n;
    }
    cr_expect_eq(n, N_ROWS);
    cr_expect_lt(peak_kib() - before, (long)(bound >> 10) + 1024, "%ld KiB", peak_kib() - before);
    br_temp_remove(&directory);
}

Test(input_ctr_file, rows_after_the_start_of_an_epoch_are_a_mistake, .signal = SIGABRT)
{
    char *directory = br_temp_new();
    br_ctr_file *file = file_of(directory, 10);
    br_temp_remove(&directory);
    if (br_ctr_file_start(file, &(br_ctr_order){.batch_rows = 1}) == BR_OK) {
        br_status status = br_ctr_file_append(file, (const uint32_t[N_FIELDS]){0}, 0);
        (void)status;
    }
}

static br_status use(const char *directory)
{
    BR_AUTO(br_ctr_file) *file = NULL;
    br_status status = br_ctr_file_new(&file, directory, 1);
    for (uint32_t i = 0; i < 1100 && status == BR_OK; i++) {
        status = br_ctr_file_append(file, &i, 0);
    }
    for (uint32_t epoch = 0; epoch < 3 && status == BR_OK; epoch++) {
        status = br_ctr_file_start(file, &(br_ctr_order){.batch_rows = 1 + epoch, .shuffled = true, .epoch = epoch});
    }
    return status;
}

Test(input_ctr_file, each_failing_allocation_is_an_error_and_leaks_nothing)
{
    char *directory = br_temp_new();
    br_status status = BR_ERR_NO_MEMORY;
    int input = fcntl(0, F_GETFD); // descriptor 0 is no file of ours to close
    for (size_t n = 0; status != BR_OK; n++) {
        size_t before = br_alloc_live();
        br_alloc_fail_after(n);
        status = use(directory);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        cr_assert_eq(br_alloc_live(), before);
        cr_assert_eq(fcntl(0, F_GETFD), input);
        cr_assert_lt(n, 50);
    }
    br_temp_remove(&directory);
}
