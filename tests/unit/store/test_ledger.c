// The ledger: nothing acknowledged is lost, nothing wrong is read, duplicates are known. Crashes, a full disk and flipped bits are
// made for real: with kill -9, a file size limit, a small tmpfs, and writes into the open file.

#include "store/ledger.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "store/environment.h"
#include "support/temp.h"
#include "unit/store/made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *directory;
static char *path;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    path = br_temp_path(directory, "ledger");
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(store_ledger, .init = set_up, .fini = tear_down, .timeout = 60);

static br_ledger *writer_at(const char *where)
{
    br_ledger *ledger = NULL;
    br_status status = br_ledger_open_writer(&ledger, where);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return ledger;
}

static uint64_t head_of(br_ledger *ledger)
{
    uint64_t head = UINT64_MAX;
    cr_assert_eq(br_ledger_head(ledger, &head), BR_OK);
    return head;
}

// Append rows first .. last in one batch.
static br_status add(br_ledger *ledger, uint64_t first, uint64_t last)
{
    br_status status = br_ledger_begin(ledger);
    for (uint64_t n = first; n <= last && status == BR_OK; n++) {
        made_row made;
        made_row_init(&made, n);
        uint64_t record = 0;
        status = br_ledger_append(ledger, &made.row, &record);
        if (status == BR_OK && record != n) {
            br_ledger_abort(ledger);
            return br_fail(BR_ERR_INVALID, "record %llu instead of %llu", (unsigned long long)record,
                           (unsigned long long)n);
        }
    }
    return status == BR_OK ? br_ledger_commit(ledger) : status;
}

typedef struct seen {
    uint64_t n;
    uint64_t next;
    uint64_t wrong;
} seen;

static br_status look_at(void *context, uint64_t record, const br_row *row)
{
    seen *so_far = context;
    made_row made;
    made_row_init(&made, record);
    so_far->wrong += record != so_far->next || !made_row_equal(row, &made.row);
    so_far->next = record + 1;
    so_far->n++;
    return BR_OK;
}

static void expect_whole(br_ledger *ledger, uint64_t head)
{
    seen so_far = {.next = 1};
    cr_assert_eq(head_of(ledger), head);
    br_status status = br_ledger_visit(ledger, 0, UINT64_MAX, look_at, &so_far);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_assert_eq(so_far.n, head);
    cr_assert_eq(so_far.wrong, 0);
}

Test(store_ledger, records_come_back_in_order)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(head_of(ledger), 0);
    expect_whole(ledger, 0);
    cr_assert_eq(add(ledger, 1, 700), BR_OK);
    cr_assert_eq(add(ledger, 701, 701), BR_OK);
    expect_whole(ledger, 701);
    br_ledger_free(&ledger);
    cr_assert_null(ledger);
    ledger = writer_at(path);
    cr_assert_eq(add(ledger, 702, 703), BR_OK);
    expect_whole(ledger, 703);
    br_ledger_free(&ledger);
}

Test(store_ledger, a_visit_longer_than_one_read_transaction_is_whole)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 20001), BR_OK);
    expect_whole(ledger, 20001);
    br_ledger_free(&ledger);
}

Test(store_ledger, a_visit_keeps_to_its_range)
{
    static const uint64_t ranges[][3] = {{0, 10, 10}, {10, 20, 10},         {99, 100, 1},  {100, 200, 0},
                                         {5, 5, 0},   {0, UINT64_MAX, 100}, {200, 300, 0}, {50, 40, 0}};
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 100), BR_OK);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        seen so_far = {.next = ranges[i][0] + 1};
        cr_assert_eq(br_ledger_visit(ledger, ranges[i][0], ranges[i][1], look_at, &so_far), BR_OK);
        cr_assert_eq(so_far.n, ranges[i][2], "range %zu", i);
        cr_assert_eq(so_far.wrong, 0);
    }
    br_ledger_free(&ledger);
}

static br_status stop_at_third(void *context, uint64_t record, const br_row *row)
{
    (void)row;
    *(uint64_t *)context = record;
    return record == 3 ? br_fail(BR_ERR_CANCELLED, "enough") : BR_OK;
}

Test(store_ledger, a_visitor_ends_the_walk_with_its_own_status)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 10), BR_OK);
    uint64_t last = 0;
    br_status status = br_ledger_visit(ledger, 0, UINT64_MAX, stop_at_third, &last);
    cr_assert_eq(status, BR_ERR_CANCELLED);
    cr_assert_str_eq(br_why(status), "enough");
    cr_assert_eq(last, 3);
    br_ledger_free(&ledger);
}

Test(store_ledger, an_aborted_batch_leaves_nothing)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 5), BR_OK);
    made_row made;
    made_row_init(&made, 6);
    uint64_t record = 0;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    cr_assert_eq(br_ledger_append(ledger, &made.row, &record), BR_OK);
    cr_assert_eq(record, 6);
    cr_assert_eq(head_of(ledger), 5, "the head counts what is committed");
    seen so_far = {.next = 1};
    cr_assert_eq(br_ledger_visit(ledger, 0, UINT64_MAX, look_at, &so_far), BR_OK);
    cr_assert_eq(so_far.n, 5, "a visit sees what is committed");
    br_ledger_abort(ledger);
    br_ledger_abort(ledger);
    br_ledger_known known = BR_LEDGER_CONFLICT;
    cr_assert_eq(br_ledger_look(ledger, &made.row, &known, &record), BR_OK);
    cr_assert_eq(known, BR_LEDGER_NEW);
    cr_assert_eq(add(ledger, 6, 7), BR_OK);
    expect_whole(ledger, 7);
    br_ledger_free(&ledger);
}

static br_ledger_known known_as(br_ledger *ledger, const br_row *row, uint64_t *record)
{
    br_ledger_known known = BR_LEDGER_NEW;
    br_status status = br_ledger_look(ledger, row, &known, record);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return known;
}

Test(store_ledger, a_note_is_known_by_its_id_whenever_it_comes)
{
    br_ledger *ledger = writer_at(path);
    br_note note = {.id = br_hash_of("1", 1),
                    .user = "ann",
                    .time_ms = 5,
                    .topic = BR_TOPIC_CALL,
                    .subject = "",
                    .value = "called",
                    .version = "",
                    .chained = true,
                    .chain = br_hash_of("x", 1)};
    br_row row = {.kind = BR_ROW_NOTE, .bond_id = "B1", .investor_id = "I1", .rate = (double)NAN, .note = &note};
    uint64_t record = 0;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    cr_assert_eq(br_ledger_append(ledger, &row, &record), BR_OK);
    note.time_ms = 6;
    note.chained = false;
    cr_assert_eq(known_as(ledger, &row, &record), BR_LEDGER_DUPLICATE);
    cr_assert_eq(record, 1);
    note.value = "";
    cr_assert_eq(known_as(ledger, &row, &record), BR_LEDGER_CONFLICT);
    note.value = "called";
    row.investor_id = "I2";
    cr_assert_eq(known_as(ledger, &row, &record), BR_LEDGER_CONFLICT);
    note.id = br_hash_of("2", 1);
    cr_assert_eq(known_as(ledger, &row, &record), BR_LEDGER_NEW);
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    br_ledger_free(&ledger);
}

Test(store_ledger, a_row_is_new_duplicate_superseding_or_in_conflict)
{
    br_ledger *ledger = writer_at(path);
    made_row made;
    made_row other;
    uint64_t record = 99;
    made_row_init(&made, 4); // a bond
    made_row_init(&other, 4);
    other.row.issue_day++;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    cr_assert_eq(known_as(ledger, &made.row, &record), BR_LEDGER_NEW);
    cr_assert_eq(record, 0);
    cr_assert_eq(br_ledger_append(ledger, &made.row, &record), BR_OK);
    for (unsigned pass = 0; pass < 2; pass++) { // within the batch, and after it
        record = 99;
        cr_assert_eq(known_as(ledger, &made.row, &record), BR_LEDGER_DUPLICATE);
        cr_assert_eq(record, 1);
        cr_assert_eq(known_as(ledger, &other.row, &record), BR_LEDGER_CONFLICT);
        cr_assert_eq(record, 1);
        other.row.revision = 1;
        cr_assert_eq(known_as(ledger, &other.row, &record), BR_LEDGER_SUPERSEDES);
        cr_assert_eq(record, 1);
        made.row.revision = 1;
        cr_assert_eq(known_as(ledger, &made.row, &record), BR_LEDGER_SUPERSEDES, "a revision of its own counts");
        made.row.revision = 0;
        other.row.revision = 0;
        if (pass == 0) {
            cr_assert_eq(br_ledger_commit(ledger), BR_OK);
        }
    }
    br_ledger_free(&ledger);
}

Test(store_ledger, old_and_new_revisions_may_be_imported_twice)
{
    br_ledger *ledger = writer_at(path);
    made_row rows[3];
    uint64_t record = 0;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    for (unsigned i = 0; i < 3; i++) {
        made_row_init(&rows[i], 8);
        rows[i].row.issue_day += (br_day)i;
        rows[i].row.revision = 10 * i;
        cr_assert_eq(known_as(ledger, &rows[i].row, &record), i == 0 ? BR_LEDGER_NEW : BR_LEDGER_SUPERSEDES);
        cr_assert_eq(record, i);
        cr_assert_eq(br_ledger_append(ledger, &rows[i].row, &record), BR_OK);
    }
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(known_as(ledger, &rows[i].row, &record), BR_LEDGER_DUPLICATE);
        cr_assert_eq(record, i + 1);
    }
    rows[0].row.revision = 5; // between: not known, and older than the newest
    cr_assert_eq(known_as(ledger, &rows[0].row, &record), BR_LEDGER_CONFLICT);
    cr_assert_eq(record, 3);
    rows[2].row.revision = 15;
    cr_assert_eq(known_as(ledger, &rows[2].row, &record), BR_LEDGER_DUPLICATE, "says what the newest says");
    br_ledger_free(&ledger);
}

Test(store_ledger, the_order_of_columns_and_empty_values_do_not_count)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 8), BR_OK);
    made_row made;
    made_row_init(&made, 8);
    br_named_value turned[4] = {made.features[2], {.name = "empty", .value = ""}, made.features[0], made.features[1]};
    made.row.features = turned;
    made.row.n_features = 4;
    uint64_t record = 0;
    cr_assert_eq(known_as(ledger, &made.row, &record), BR_LEDGER_DUPLICATE);
    cr_assert_eq(record, 8);
    turned[0].value = "another";
    cr_assert_eq(known_as(ledger, &made.row, &record), BR_LEDGER_CONFLICT);
    br_ledger_free(&ledger);
}

Test(store_ledger, a_second_row_of_one_key_and_revision_rolls_the_batch_back)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 3), BR_OK);
    made_row made;
    uint64_t record = 0;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    made_row_init(&made, 4);
    cr_assert_eq(br_ledger_append(ledger, &made.row, &record), BR_OK);
    made_row_init(&made, 2);
    cr_assert_eq(br_ledger_append(ledger, &made.row, &record), BR_ERR_CORRUPT);
    expect_whole(ledger, 3);
    cr_assert_eq(add(ledger, 4, 4), BR_OK);
    br_ledger_free(&ledger);
}

Test(store_ledger, appending_without_a_batch_is_a_bug, .signal = SIGABRT)
{
    br_ledger *ledger = writer_at(path);
    made_row made;
    made_row_init(&made, 1);
    uint64_t record = 0;
    cr_assert_neq(br_ledger_append(ledger, &made.row, &record), BR_OK);
}

Test(store_ledger, a_reader_without_a_ledger_is_told_so)
{
    br_ledger *ledger = NULL;
    cr_assert_eq(br_ledger_open_reader(&ledger, path), BR_ERR_NOT_FOUND);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(br_ledger_open_reader(&ledger, path), BR_ERR_NOT_FOUND);
    cr_assert_null(ledger);
}

static int read_whole(void *context)
{
    uint64_t head = 0;
    seen so_far = {.next = 1};
    br_ledger *ledger = NULL;
    bool whole = br_ledger_open_reader(&ledger, path) == BR_OK && br_ledger_head(ledger, &head) == BR_OK &&
                 br_ledger_visit(ledger, 0, head, look_at, &so_far) == BR_OK;
    br_ledger_free(&ledger);
    return whole && so_far.n == *(const uint64_t *)context && so_far.wrong == 0 ? 0 : 1;
}

Test(store_ledger, another_process_reads_what_was_committed)
{
    br_ledger *ledger = writer_at(path);
    for (uint64_t head = 0; head < 300; head += 100) {
        cr_assert_eq(in_child(read_whole, &head), 0);
        cr_assert_eq(add(ledger, head + 1, head + 100), BR_OK);
    }
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    made_row made;
    made_row_init(&made, 301);
    uint64_t record = 0;
    cr_assert_eq(br_ledger_append(ledger, &made.row, &record), BR_OK);
    uint64_t head = 300;
    cr_assert_eq(in_child(read_whole, &head), 0, "an open batch is not seen");
    br_ledger_free(&ledger); // rolls it back
    cr_assert_eq(in_child(read_whole, &head), 0);
}

// --- kill -9 ---

static void write_until_killed(int acks)
{
    br_ledger *ledger = NULL;
    uint64_t head = 0;
    if (br_ledger_open_writer(&ledger, path) != BR_OK || br_ledger_head(ledger, &head) != BR_OK) {
        _exit(1);
    }
    for (;;) {
        uint64_t last = head + 1 + head % 40;
        if (add(ledger, head + 1, last) != BR_OK || write(acks, &last, sizeof last) != (ssize_t)sizeof last) {
            _exit(2);
        }
        head = last;
    }
}

// Let a writer run, end it at a moment of its own, and return the last head that it acknowledged.
static uint64_t one_life(br_rng *rng)
{
    int pipe_ends[2];
    cr_assert_eq(pipe(pipe_ends), 0);
    pid_t child = fork_child();
    if (child == 0) {
        close(pipe_ends[0]);
        write_until_killed(pipe_ends[1]);
    }
    close(pipe_ends[1]);
    uint64_t acknowledged = 0;
    for (uint32_t n = br_rng_below(rng, 6); n > 0; n--) {
        cr_assert_eq(read(pipe_ends[0], &acknowledged, sizeof acknowledged), (ssize_t)sizeof acknowledged);
    }
    for (int64_t end = br_clock_ns() + br_rng_below(rng, 3000000); br_clock_ns() < end;) {
    }
    cr_assert_eq(kill(child, SIGKILL), 0);
    int result = 0;
    cr_assert_eq(waitpid(child, &result, 0), child);
    cr_assert(WIFSIGNALED(result), "the writer ended by itself: %d", WEXITSTATUS(result));
    while (read(pipe_ends[0], &acknowledged, sizeof acknowledged) == (ssize_t)sizeof acknowledged) {
    }
    close(pipe_ends[0]);
    return acknowledged;
}

Test(store_ledger, kill_9_loses_nothing_acknowledged)
{
    br_rng rng = br_rng_at(20260302, BR_STREAM_TEST, 1, 0);
    uint64_t acknowledged = 0;
    for (unsigned round = 0; round < 40; round++) {
        uint64_t last = one_life(&rng);
        acknowledged = last > acknowledged ? last : acknowledged;
        br_ledger *ledger = writer_at(path);
        uint64_t head = head_of(ledger);
        cr_assert_geq(head, acknowledged);
        expect_whole(ledger, head);
        // Exactly once: each is known under its own number.
        for (uint64_t n = 1 + round; n <= head; n += 37) {
            made_row made;
            made_row_init(&made, n);
            uint64_t record = 0;
            cr_assert_eq(known_as(ledger, &made.row, &record), BR_LEDGER_DUPLICATE);
            cr_assert_eq(record, n);
        }
        br_ledger_free(&ledger);
    }
    cr_assert_gt(acknowledged, 100);
}

// --- full disk ---

// Append in batches of 50 until the disk is full; the head then.
static uint64_t fill(br_ledger *ledger, uint64_t head)
{
    br_status status = BR_OK;
    for (unsigned i = 0; i < 1000 && status == BR_OK; i++) {
        status = add(ledger, head + 1, head + 50);
        head += status == BR_OK ? 50 : 0;
    }
    cr_assert_eq(status, BR_ERR_FULL, "%s", br_why(status));
    return head;
}

Test(store_ledger, a_file_size_limit_sheds_load_and_loses_nothing)
{
    signal(SIGXFSZ, SIG_IGN);
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 100), BR_OK);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 300 * 1024;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint64_t head = fill(ledger, 100);
    expect_whole(ledger, head);
    cr_assert_eq(fill(ledger, head), head, "still full");
    limit.rlim_cur = before;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(add(ledger, head + 1, head + 200), BR_OK);
    expect_whole(ledger, head + 200);
    br_ledger_free(&ledger);
}

Test(store_ledger, a_full_disk_sheds_load_and_loses_nothing)
{
    // A mount of our own, gone with this process.
    const char *disk = br_temp_path(directory, "disk");
    cr_assert_eq(mkdir(disk, 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", disk, "tmpfs", 0, "size=2m") != 0) {
        cr_skip_test("mounting is not permitted here: %s", strerror(errno));
    }
    const char *ballast = br_temp_path(disk, "ballast");
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    cr_assert_eq(posix_fallocate(fd, 0, 1 << 20), 0);
    close(fd);
    br_ledger *ledger = writer_at(br_temp_path(disk, "ledger"));
    uint64_t head = fill(ledger, 0);
    cr_assert_gt(head, 0);
    expect_whole(ledger, head);
    cr_assert_eq(unlink(ballast), 0);
    cr_assert_eq(add(ledger, head + 1, head + 200), BR_OK);
    expect_whole(ledger, head + 200);
    br_ledger_free(&ledger);
    cr_assert_eq(umount2(disk, MNT_DETACH), 0);
}

// --- flipped bits ---

static void flip(int fd, off_t place, unsigned bit)
{
    uint8_t byte = 0;
    cr_assert_eq(pread(fd, &byte, 1, place), 1);
    byte ^= (uint8_t)(1u << bit);
    cr_assert_eq(pwrite(fd, &byte, 1, place), 1);
}

static uint8_t *file_bytes(const char *file, size_t *n_out)
{
    struct stat info;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &info) == 0);
    *n_out = (size_t)info.st_size;
    uint8_t *bytes = malloc(*n_out);
    cr_assert_eq(read(fd, bytes, *n_out), (ssize_t)*n_out);
    close(fd);
    return bytes;
}

// Where the id stands in its record: behind its length. In the table of keys it stands behind a zero byte.
static const uint8_t *record_id(const uint8_t *bytes, size_t n, const char *id)
{
    char text[48];
    int length = snprintf(text, sizeof text, "%c%s", (int)strlen(id), id);
    const uint8_t *found = memmem(bytes, n, text, (size_t)length);
    cr_assert_not_null(found);
    return found + 1;
}

Test(store_ledger, every_flipped_bit_of_a_record_is_found)
{
    enum { RECORDS = 120 };
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, RECORDS), BR_OK);
    const char *file = br_temp_path(path, "data.mdb");
    size_t n_bytes = 0;
    uint8_t *bytes = file_bytes(file, &n_bytes);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0);
    br_rng rng = br_rng_at(5, BR_STREAM_TEST, 2, 0);
    for (unsigned i = 0; i < 600; i++) {
        uint64_t record = 1 + br_rng_below(&rng, RECORDS);
        made_row made;
        made_row_init(&made, record);
        const uint8_t *found = record_id(bytes, n_bytes, made.id);
        // The record's key and checksum stand before its id (an 8-byte header too, left alone), the row's rest behind.
        off_t place = found - bytes - 12 + (off_t)br_rng_below(&rng, 32);
        unsigned bit = br_rng_below(&rng, 8);
        flip(fd, place, bit);
        seen so_far = {.next = 1};
        br_status status = br_ledger_visit(ledger, 0, UINT64_MAX, look_at, &so_far);
        cr_assert_eq(status, BR_ERR_CORRUPT, "record %llu, byte %+lld, bit %u", (unsigned long long)record,
                     (long long)(place - (found - bytes)), bit);
        char name[32];
        snprintf(name, sizeof name, "record %llu:", (unsigned long long)record);
        cr_assert_not_null(strstr(br_why(status), name), "%s", br_why(status));
        cr_assert_eq(so_far.wrong, 0);
        cr_assert_eq(so_far.n, record - 1);
        flip(fd, place, bit);
    }
    expect_whole(ledger, RECORDS);
    br_ledger_free(&ledger);
    close(fd);
    free(bytes);
}

static void delete_record(uint64_t record)
{
    static const br_env_kind kind = {
        .name = "ledger", .format = 1, .map_bytes = 1 << 30, .n_tables = 3, .tables = {"meta", "records", "keys"}};
    br_env *env = NULL;
    uint8_t key[8];
    br_be64_put(key, record);
    cr_assert_eq(br_env_open_writer(&env, &kind, path), BR_OK);
    cr_assert_eq(br_env_begin(env), BR_OK);
    cr_assert_eq(br_env_delete(env, 1, br_bytes_of(key, sizeof key)), BR_OK);
    cr_assert_eq(br_env_commit(env), BR_OK);
    br_env_free(&env);
}

Test(store_ledger, a_missing_record_is_found)
{
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, 20), BR_OK);
    br_ledger_free(&ledger);
    delete_record(7);
    ledger = writer_at(path);
    cr_assert_eq(head_of(ledger), 20);
    seen so_far = {.next = 1};
    br_status status = br_ledger_visit(ledger, 0, UINT64_MAX, look_at, &so_far);
    cr_assert_eq(status, BR_ERR_CORRUPT);
    cr_assert_not_null(strstr(br_why(status), "record 7 is missing"), "%s", br_why(status));
    cr_assert_eq(so_far.n, 6);
    br_ledger_free(&ledger);
    delete_record(20);
    ledger = writer_at(path);
    uint64_t head = 0;
    cr_assert_eq(br_ledger_head(ledger, &head), BR_ERR_CORRUPT);
    cr_assert_eq(br_ledger_begin(ledger), BR_ERR_CORRUPT);
    cr_assert_eq(br_ledger_visit(ledger, 18, UINT64_MAX, look_at, &so_far), BR_ERR_CORRUPT);
    br_ledger_free(&ledger);
}

Test(store_ledger, an_id_that_begins_like_another_is_another)
{
    static const char *const ids[] = {"a", "ab", "a", "b", "Ã¿", "a-very-long-one"};
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    for (uint64_t pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            made_row made;
            made_row_init(&made, 4);
            made.row.bond_id = ids[i];
            made.row.revision = pass * 5;
            uint64_t record = 0;
            cr_assert_eq(known_as(ledger, &made.row, &record), pass == 0 ? BR_LEDGER_NEW : BR_LEDGER_SUPERSEDES);
            cr_assert_eq(record, pass == 0 ? 0 : i + 1);
            cr_assert_eq(br_ledger_append(ledger, &made.row, &record), BR_OK);
        }
    }
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    br_ledger_free(&ledger);
}

enum { WRONG_DATA = 42 };

// 0: right data or an error.
static int read_suspiciously(void *context)
{
    const uint64_t *head = context;
    br_ledger *ledger = NULL;
    if (br_ledger_open_reader(&ledger, path) != BR_OK) {
        return 0;
    }
    seen so_far = {.next = 1};
    br_status status = br_ledger_visit(ledger, 0, *head, look_at, &so_far);
    return so_far.wrong > 0 || (status == BR_OK && so_far.n != *head) ? WRONG_DATA : 0;
}

Test(store_ledger, a_flipped_bit_anywhere_never_gives_wrong_data)
{
    uint64_t head = 120;
    br_ledger *ledger = writer_at(path);
    cr_assert_eq(add(ledger, 1, head), BR_OK);
    br_ledger_free(&ledger);
    const char *file = br_temp_path(path, "data.mdb");
    size_t n_bytes = 0;
    free(file_bytes(file, &n_bytes));
    int fd = open(file, O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0);
    br_rng rng = br_rng_at(6, BR_STREAM_TEST, 3, 0);
    unsigned ended = 0;
    for (unsigned i = 0; i < 400; i++) {
        off_t place = br_rng_below(&rng, (uint32_t)n_bytes);
        unsigned bit = br_rng_below(&rng, 8);
        flip(fd, place, bit);
        int result = in_child(read_suspiciously, &head);
        cr_assert_neq(result, WRONG_DATA, "byte %lld, bit %u", (long long)place, bit);
        ended += result != 0;
        flip(fd, place, bit);
    }
    cr_assert_leq(ended, 40, "%u of 400 ended the process", ended); // inside LMDB's page structure
    close(fd);
}

// --- memory ---

Test(store_ledger, every_allocation_may_fail)
{
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; n < 20 && status != BR_OK; n++) {
        br_ledger *ledger = NULL;
        br_alloc_fail_after(n);
        status = br_ledger_open_writer(&ledger, path);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        cr_assert_eq(ledger == NULL, status != BR_OK);
        br_ledger_free(&ledger);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_eq(status, BR_OK);
}

Test(store_ledger, a_batch_that_runs_out_of_memory_is_rolled_back)
{
    br_ledger *ledger = writer_at(path);
    br_status status = BR_ERR_NO_MEMORY;
    size_t failures = 0;
    for (size_t n = 0; n < 1000 && status != BR_OK; n++) {
        br_alloc_fail_after(n);
        status = add(ledger, 1, 8);
        br_alloc_fail_after(SIZE_MAX);
        failures += status != BR_OK;
        expect_whole(ledger, status == BR_OK ? 8 : 0);
    }
    cr_assert_eq(status, BR_OK);
    cr_assert_gt(failures, 2);
    br_ledger_free(&ledger);
}

Test(store_ledger, facts_tell_what_is_used)
{
    br_ledger *ledger = writer_at(path);
    br_store_facts before;
    br_store_facts after;
    cr_assert_eq(br_ledger_facts(ledger, &before), BR_OK);
    cr_assert_eq(add(ledger, 1, 1000), BR_OK);
    cr_assert_eq(br_ledger_facts(ledger, &after), BR_OK);
    cr_assert_gt(after.used_bytes, before.used_bytes + 100000);
    cr_assert_gt(after.map_bytes, after.used_bytes);
    br_ledger_free(&ledger);
}

// --- rejects ---

static br_status write_reject(void *context, const br_reject *reject)
{
    br_buf_printf(context, "%s;", reject->id);
    return BR_OK;
}

static void put_rejects(br_ledger *ledger, uint32_t first, uint32_t n)
{
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    for (uint32_t i = first; i < first + n; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        br_reject reject = {.wall_s = 1.0, .source = "bids.csv", .kind = BR_ROW_BID, .id = id, .reason = "no"};
        cr_assert_eq(br_ledger_put_reject(ledger, &reject), BR_OK);
    }
}

static void expect_rejects(br_ledger *ledger, uint32_t max, uint64_t total, const char *text)
{
    BR_AUTO_DEINIT(br_buf) found = {0};
    uint64_t n = 0;
    cr_assert_eq(br_ledger_visit_rejects(ledger, max, write_reject, &found, &n), BR_OK);
    cr_expect_eq(n, total);
    cr_expect_str_eq(br_buf_text(&found), text);
}

Test(store_ledger, the_last_rejects_are_kept_and_are_no_records)
{
    br_ledger *ledger = NULL;
    uint64_t head = 1;
    cr_assert_eq(br_ledger_open_writer(&ledger, path), BR_OK);
    expect_rejects(ledger, 10, 0, "");
    put_rejects(ledger, 0, 3);
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    expect_rejects(ledger, 2, 3, "2;1;");
    put_rejects(ledger, 3, 2);
    br_ledger_abort(ledger);
    expect_rejects(ledger, 10, 3, "2;1;0;");
    put_rejects(ledger, 3, BR_LEDGER_REJECTS + 5);
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    expect_rejects(ledger, 2, BR_LEDGER_REJECTS, "1007;1006;");
    cr_assert_eq(br_ledger_head(ledger, &head), BR_OK);
    cr_expect_eq(head, 0);
    br_ledger_free(&ledger);
}
