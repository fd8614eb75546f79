// The LMDB wrapper: who may open what, what a crash or a full map leaves, who sees what.

#include "store/environment.h"

#include "base/hash.h"
#include "base/rng.h"
#include "store/files.h"
#include "support/temp.h"
#include "unit/store/made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TABLE_A = 1, TABLE_B };

static const br_env_kind kind = {
    .name = "test", .format = 3, .map_bytes = 1 << 20, .n_tables = 3, .tables = {"meta", "a", "b"}};
static const br_env_kind later_kind = {
    .name = "test", .format = 4, .map_bytes = 1 << 20, .n_tables = 2, .tables = {"meta", "c"}};

static const br_env_kind longer_kind = {
    .name = "test", .format = 3, .map_bytes = 1 << 20, .n_tables = 4, .tables = {"meta", "a", "b", "new"}};

static char *directory;
static char *path;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    path = br_temp_path(directory, "store");
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(store_environment, .init = set_up, .fini = tear_down, .timeout = 60);

static br_env *writer(void)
{
    br_env *env = NULL;
    br_status status = br_env_open_writer(&env, &kind, path);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return env;
}

static br_bytes text(const char *bytes)
{
    return br_bytes_of(bytes, strlen(bytes));
}

static void put(br_env *env, const char *key, const char *value)
{
    bool own = !br_env_in_batch(env);
    if (own) {
        cr_assert_eq(br_env_begin(env), BR_OK);
    }
    cr_assert_eq(br_env_put(env, TABLE_A, text(key), text(value), BR_PUT_REPLACE), BR_OK);
    if (own) {
        cr_assert_eq(br_env_commit(env), BR_OK);
    }
}

static bool holds(br_env *env, const char *key, const char *value)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes found;
    cr_assert_eq(br_view_init(&view, env), BR_OK);
    cr_assert_eq(br_view_find(&view, TABLE_A, text(key), &found), BR_OK);
    return value == NULL ? found.data == NULL
                         : found.data != NULL && found.n == strlen(value) && memcmp(found.data, value, found.n) == 0;
}

Test(store_environment, a_batch_is_seen_by_its_handle_at_once_and_by_others_when_committed)
{
    br_env *env = writer();
    br_env *reader = NULL;
    cr_assert_eq(br_env_open_reader(&reader, &kind, path), BR_OK);
    cr_assert_eq(br_env_begin(env), BR_OK);
    put(env, "key", "value");
    cr_assert(holds(env, "key", "value"));
    cr_assert(holds(reader, "key", NULL));
    BR_AUTO_DEINIT(br_view) committed = {0};
    br_bytes found;
    cr_assert_eq(br_view_init_committed(&committed, env), BR_OK);
    cr_assert_eq(br_view_find(&committed, TABLE_A, text("key"), &found), BR_OK);
    cr_assert_null(found.data);
    cr_assert_eq(br_env_commit(env), BR_OK);
    cr_assert(holds(reader, "key", "value"));
    br_view_deinit(&committed);
    cr_assert_eq(br_env_begin(env), BR_OK);
    put(env, "key", "other");
    cr_assert_eq(br_env_delete(env, TABLE_A, text("absent")), BR_OK);
    br_env_abort(env);
    cr_assert(holds(env, "key", "value"));
    br_env_free(&env); // the reader keeps the shared environment
    cr_assert(holds(reader, "key", "value"));
    env = writer();
    put(env, "key", "third");
    cr_assert(holds(reader, "key", "third"));
    br_env_free(&reader);
    br_env_free(&env);
}

// Two whole entries, checksum and all, in each other's place: only the key in the checksum tells.
Test(store_environment, a_value_under_another_key_is_found)
{
    br_env *env = writer();
    put(env, "key-1", "the first value");
    put(env, "key-2", "the other value");
    br_env_free(&env);
    const char *file = br_temp_path(path, "data.mdb");
    static uint8_t bytes[1 << 17];
    int fd = open(file, O_RDWR | O_CLOEXEC);
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    cr_assert(n > 0 && (size_t)n < sizeof bytes);
    enum { VALUE = 15, SEALED = BR_CHECKSUM_BYTES + VALUE };
    for (const uint8_t *at = bytes; at < bytes + n - VALUE; at++) { // all copies: LMDB keeps older pages
        bool first = memcmp(at, "the first value", VALUE) == 0;
        bool other = memcmp(at, "the other value", VALUE) == 0;
        const uint8_t *from = memmem(bytes, (size_t)n, first ? "the other value" : "the first value", VALUE);
        if (first || other) {
            cr_assert_not_null(from);
            off_t place = at - bytes - BR_CHECKSUM_BYTES;
            cr_assert_eq(pwrite(fd, from - BR_CHECKSUM_BYTES, SEALED, place), SEALED);
        }
    }
    close(fd);
    cr_assert_eq(br_env_open_reader(&env, &kind, path), BR_OK);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes found;
    cr_assert_eq(br_view_init(&view, env), BR_OK);
    cr_assert_eq(br_view_find(&view, TABLE_A, text("key-1"), &found), BR_ERR_CORRUPT);
    cr_assert_eq(br_view_find(&view, TABLE_A, text("key-2"), &found), BR_ERR_CORRUPT);
    br_view_deinit(&view);
    br_env_free(&env);
}

Test(store_environment, equal_keys_in_two_tables_are_two_entries)
{
    br_env *env = writer();
    cr_assert_eq(br_env_begin(env), BR_OK);
    cr_assert_eq(br_env_put(env, TABLE_A, text("k"), text("a"), BR_PUT_NEW), BR_OK);
    cr_assert_eq(br_env_put(env, TABLE_B, text("k"), text("b"), BR_PUT_NEW), BR_OK);
    cr_assert_eq(br_env_delete(env, TABLE_B, text("k")), BR_OK);
    cr_assert_eq(br_env_commit(env), BR_OK);
    cr_assert(holds(env, "k", "a"));
    br_env_free(&env);
}

static int open_writer_status(void *context)
{
    br_env *env = NULL;
    br_status status = br_env_open_writer(&env, &kind, path);
    char pid[32];
    snprintf(pid, sizeof pid, "process %d ", *(const int *)context);
    bool named = status == BR_OK || strstr(br_why(status), pid) != NULL;
    br_env_free(&env);
    return named ? (int)status : 99;
}

Test(store_environment, there_is_one_writer)
{
    int self = (int)getpid();
    br_env *env = writer();
    br_env *second = NULL;
    cr_assert_eq(br_env_open_writer(&second, &kind, path), BR_ERR_EXISTS);
    cr_assert_null(second);
    cr_assert_eq(in_child(open_writer_status, &self), BR_ERR_EXISTS);
    br_env_free(&env);
    cr_assert_eq(in_child(open_writer_status, &self), BR_OK);
    env = writer();
    br_env_free(&env);
}

Test(store_environment, a_process_that_reads_cannot_turn_to_writing)
{
    br_env *env = writer();
    br_env_free(&env);
    br_env *reader = NULL;
    cr_assert_eq(br_env_open_reader(&reader, &kind, path), BR_OK);
    cr_assert_eq(br_env_open_writer(&env, &kind, path), BR_ERR_EXISTS);
    br_env_free(&reader);
    env = writer();
    br_env_free(&env);
}

Test(store_environment, what_a_crash_left_of_the_first_file_is_no_store)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    int fd = open(br_temp_path(path, "data.new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, "torn", 4), 4);
    close(fd);
    br_env *env = NULL;
    cr_assert_eq(br_env_open_reader(&env, &kind, path), BR_ERR_NOT_FOUND);
    env = writer();
    put(env, "key", "value");
    cr_assert_neq(access(br_temp_path(path, "data.new"), F_OK), 0);
    br_env_free(&env);
}

Test(store_environment, what_is_no_store_is_refused)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    int fd = open(br_temp_path(path, "data.mdb"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    char rubbish[16384];
    memset(rubbish, 'x', sizeof rubbish);
    cr_assert_eq(write(fd, rubbish, sizeof rubbish), (ssize_t)sizeof rubbish);
    close(fd);
    br_env *env = NULL;
    cr_assert_eq(br_env_open_writer(&env, &kind, path), BR_ERR_CORRUPT);
    cr_assert_eq(br_env_open_reader(&env, &kind, path), BR_ERR_CORRUPT);
    cr_assert_null(env);
}

Test(store_environment, another_format_is_refused)
{
    br_env *env = writer();
    br_env_free(&env);
    cr_assert_eq(br_env_open_writer(&env, &later_kind, path), BR_ERR_VERSION);
    cr_assert_eq(br_env_open_reader(&env, &later_kind, path), BR_ERR_VERSION);
    env = writer();
    br_env_free(&env);
}

Test(store_environment, a_writer_adds_the_tables_that_an_earlier_program_did_not_know)
{
    br_env *env = writer();
    put(env, "key", "kept");
    br_env_free(&env);
    cr_assert_eq(br_env_open_reader(&env, &longer_kind, path), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_env_open_writer(&env, &longer_kind, path), BR_OK);
    cr_expect(holds(env, "key", "kept"));
    cr_assert_eq(br_env_begin(env), BR_OK);
    cr_assert_eq(br_env_put(env, 3, text("k"), text("v"), BR_PUT_NEW), BR_OK);
    cr_assert_eq(br_env_commit(env), BR_OK);
    br_env_free(&env);
    cr_assert_eq(br_env_open_reader(&env, &longer_kind, path), BR_OK);
    cr_expect(holds(env, "key", "kept"));
    br_env_free(&env);
}

Test(store_environment, network_file_systems_are_known)
{
    cr_assert_str_eq(br_network_file_system(0x6969), "NFS");
    cr_assert_str_eq(br_network_file_system((long)0xFE534D42), "SMB2");
    cr_assert_str_eq(br_network_file_system((int)0xFF534D42), "CIFS", "also when its sign was extended");
    cr_assert_str_eq(br_network_file_system(0x65735546), "FUSE");
    cr_assert_str_eq(br_network_file_system(0x01021997), "9p");
    static const long local[] = {0xEF53, 0x01021994, 0x58465342, (long)0x9123683E, 0x794c7630};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        cr_assert_null(br_network_file_system(local[i]), "%lx", local[i]);
    }
    cr_assert_eq(br_refuse_network(directory), BR_OK);
}

Test(store_environment, error_numbers_become_statuses)
{
    static const struct {
        int code;
        br_status status;
    } cases[] = {{MDB_MAP_FULL, BR_ERR_FULL},
                 {EIO, BR_ERR_FULL},
                 {ENOSPC, BR_ERR_FULL},
                 {MDB_READERS_FULL, BR_ERR_LIMIT},
                 {MDB_INVALID, BR_ERR_CORRUPT},
                 {MDB_CORRUPTED, BR_ERR_CORRUPT},
                 {MDB_PAGE_NOTFOUND, BR_ERR_CORRUPT},
                 {MDB_VERSION_MISMATCH, BR_ERR_VERSION},
                 {ENOENT, BR_ERR_NOT_FOUND},
                 {EACCES, BR_ERR_IO},
                 {ENOMEM, BR_ERR_NO_MEMORY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_status status = br_store_fail("/some/where", "commit", cases[i].code);
        cr_assert_eq(status, cases[i].status, "code %d", cases[i].code);
        cr_assert_not_null(strstr(br_why(status), "/some/where: commit: "));
    }
}

// --- the map ---

// Put `n` entries of 2,000 bytes, keys from `first`.
static br_status put_many(br_env *env, uint64_t first, unsigned n)
{
    static const uint8_t value[2000] = {7};
    br_status status = br_env_begin(env);
    for (unsigned i = 0; i < n && status == BR_OK; i++) {
        uint8_t key[8];
        br_be64_put(key, first + i);
        status =
            br_env_put(env, TABLE_A, br_bytes_of(key, sizeof key), br_bytes_of(value, sizeof value), BR_PUT_APPEND);
    }
    return status == BR_OK ? br_env_commit(env) : status;
}

static uint64_t count(br_env *env)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    uint64_t n = 0;
    cr_assert_eq(br_view_init(&view, env), BR_OK);
    cr_assert_eq(br_view_count(&view, TABLE_A, &n), BR_OK);
    return n;
}

Test(store_environment, the_map_grows_before_it_is_full)
{
    br_env *env = writer();
    for (unsigned i = 0; i < 100; i++) {
        br_status status = put_many(env, 100 * i, 100);
        cr_assert_eq(status, BR_OK, "%s", br_why(status));
    }
    cr_assert_eq(count(env), 10000);
    br_store_facts facts;
    cr_assert_eq(br_env_facts(env, &facts), BR_OK);
    cr_assert_gt(facts.used_bytes, 15u << 20);
    cr_assert_gt(facts.map_bytes, facts.used_bytes);
    br_env_free(&env);
    env = writer(); // the kind's own map size is smaller than the file now
    cr_assert_eq(count(env), 10000);
    cr_assert_eq(put_many(env, 10000, 10), BR_OK);
    br_env_free(&env);
}

Test(store_environment, a_batch_larger_than_the_map_is_rolled_back)
{
    br_env *env = writer();
    cr_assert_eq(put_many(env, 0, 10), BR_OK);
    cr_assert_eq(put_many(env, 10, 2000), BR_ERR_FULL);
    cr_assert_not(br_env_in_batch(env));
    cr_assert_eq(count(env), 10);
    cr_assert_eq(put_many(env, 10, 10), BR_OK);
    cr_assert_eq(count(env), 20);
    br_env_free(&env);
}

static int follow_growth(void *context)
{
    const int *ends = context;
    br_env *env = NULL;
    uint8_t byte = 0;
    if (br_env_open_reader(&env, &kind, path) != BR_OK || count(env) != 0 || write(ends[1], &byte, 1) != 1 ||
        read(ends[0], &byte, 1) != 1) {
        return 1;
    }
    uint64_t n = count(env);
    br_env_free(&env);
    return n == 5000 ? 0 : 2;
}

// Threads that read through one handle, each count a view of its own, until the writer is done.
typedef struct sharing {
    br_env *env;
    atomic_int failed;
    atomic_bool done;
} sharing;

static void *read_shared(void *context)
{
    sharing *s = context;
    uint64_t last = 0;
    bool again = true;
    while (again && atomic_load(&s->failed) == 0) {
        again = !atomic_load(&s->done);
        BR_AUTO_DEINIT(br_view) view = {0};
        uint64_t n = 0;
        bool good = br_view_init(&view, s->env) == BR_OK && br_view_count(&view, TABLE_A, &n) == BR_OK && n >= last;
        if (!good) {
            atomic_store(&s->failed, 1);
        }
        last = n;
    }
    return (void *)(uintptr_t)last;
}

static int share_a_reader(void *context)
{
    const int *ends = context;
    enum { THREADS = 4 };
    sharing s = {0};
    pthread_t threads[THREADS];
    uint8_t byte = 0;
    if (br_env_open_reader(&s.env, &kind, path) != BR_OK) {
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, read_shared, &s) != 0) {
            return 2;
        }
    }
    if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) {
        return 3;
    }
    atomic_store(&s.done, true);
    int code = 0;
    for (int i = 0; i < THREADS; i++) {
        void *last = NULL;
        pthread_join(threads[i], &last);
        code = (uintptr_t)last == 5000 ? code : 4;
    }
    code = atomic_load(&s.failed) == 0 ? code : 5;
    br_env_free(&s.env);
    return code;
}

Test(store_environment, threads_share_a_reader_while_another_process_enlarges_the_map)
{
    br_env *env = writer();
    int up[2];
    int down[2];
    uint8_t byte = 0;
    cr_assert(pipe(up) == 0 && pipe(down) == 0);
    int child_ends[2] = {down[0], up[1]};
    pid_t child = fork_child();
    if (child == 0) {
        _exit(share_a_reader(child_ends));
    }
    cr_assert_eq(read(up[0], &byte, 1), 1);
    for (unsigned i = 0; i < 50; i++) {
        cr_assert_eq(put_many(env, 100 * i, 100), BR_OK);
    }
    cr_assert_eq(write(down[1], &byte, 1), 1);
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
    br_env_free(&env);
}

Test(store_environment, a_reader_in_another_process_follows_the_growing_map)
{
    br_env *env = writer();
    int up[2];
    int down[2];
    cr_assert(pipe(up) == 0 && pipe(down) == 0);
    int child_ends[2] = {down[0], up[1]};
    pid_t child = fork_child();
    if (child == 0) {
        _exit(follow_growth(child_ends));
    }
    uint8_t byte = 0;
    cr_assert_eq(read(up[0], &byte, 1), 1);
    for (unsigned i = 0; i < 50; i++) {
        cr_assert_eq(put_many(env, 100 * i, 100), BR_OK);
    }
    cr_assert_eq(write(down[1], &byte, 1), 1);
    int result = 0;
    cr_assert_eq(waitpid(child, &result, 0), child);
    cr_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0, "%x", (unsigned)result);
    br_env_free(&env);
}

static void hold_a_view(int ready)
{
    br_env *env = NULL;
    br_view view = {0};
    uint8_t byte = 0;
    bool held = br_env_open_reader(&env, &kind, path) == BR_OK && br_view_init(&view, env) == BR_OK;
    if (!held || write(ready, &byte, 1) != 1) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

Test(store_environment, a_dead_reader_does_not_make_the_file_grow)
{
    br_env *env = writer();
    cr_assert_eq(put_many(env, 0, 50), BR_OK);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork_child();
    if (child == 0) {
        hold_a_view(ends[1]);
    }
    uint8_t byte = 0;
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    cr_assert_eq(kill(child, SIGKILL), 0);
    int result = 0;
    cr_assert_eq(waitpid(child, &result, 0), child);
    br_store_facts facts;
    cr_assert_eq(br_env_facts(env, &facts), BR_OK); // frees the dead reader's place
    uint64_t used = facts.used_bytes;
    char value[3000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (unsigned i = 0; i < 200; i++) {
        put(env, "again", value);
    }
    cr_assert_eq(br_env_facts(env, &facts), BR_OK);
    cr_assert_lt(facts.used_bytes, used + (100u << 10), "grew by %llu bytes",
                 (unsigned long long)(facts.used_bytes - used));
    br_env_free(&env);
}

// --- cursors ---

static bool at(const br_cursor *cursor, const char *key)
{
    return key == NULL ? cursor->key.data == NULL
                       : cursor->key.n == strlen(key) && memcmp(cursor->key.data, key, cursor->key.n) == 0;
}

Test(store_environment, cursors_find_neighbours_and_ends)
{
    br_env *env = writer();
    BR_AUTO_DEINIT(br_view) view = {0};
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    cr_assert_eq(br_view_init(&view, env), BR_OK);
    cr_assert_eq(br_cursor_init(&cursor, &view, TABLE_A), BR_OK);
    cr_assert_eq(br_cursor_seek(&cursor, text("a")), BR_OK);
    cr_assert(at(&cursor, NULL));
    cr_assert_eq(br_cursor_before(&cursor, text("z")), BR_OK);
    cr_assert(at(&cursor, NULL));
    cr_assert_eq(br_cursor_last(&cursor), BR_OK);
    cr_assert(at(&cursor, NULL));
    br_cursor_deinit(&cursor);
    br_view_deinit(&view);

    put(env, "b", "1");
    put(env, "d", "2");
    put(env, "f", "3");
    cr_assert_eq(br_view_init(&view, env), BR_OK);
    cr_assert_eq(br_cursor_init(&cursor, &view, TABLE_A), BR_OK);
    static const struct {
        const char *key;
        const char *from;   // br_cursor_seek()
        const char *before; // br_cursor_before()
    } cases[] = {{"a", "b", NULL}, {"b", "b", NULL}, {"c", "d", "b"}, {"d", "d", "b"},
                 {"e", "f", "d"},  {"f", "f", "d"},  {"g", NULL, "f"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(br_cursor_seek(&cursor, text(cases[i].key)), BR_OK);
        cr_assert(at(&cursor, cases[i].from), "from %s", cases[i].key);
        cr_assert_eq(br_cursor_before(&cursor, text(cases[i].key)), BR_OK);
        cr_assert(at(&cursor, cases[i].before), "before %s", cases[i].key);
    }
    cr_assert_eq(br_cursor_last(&cursor), BR_OK);
    cr_assert(at(&cursor, "f") && cursor.value.n == 1 && cursor.value.data[0] == '3');
    cr_assert_eq(br_cursor_next(&cursor), BR_OK);
    cr_assert(at(&cursor, NULL));
    br_cursor_deinit(&cursor);
    br_view_deinit(&view);
    br_env_free(&env);
}

Test(store_environment, numbers_sort_as_their_bytes_do)
{
    static const br_day days[] = {INT32_MIN, -1, 0, 1, 18000, INT32_MAX};
    uint8_t last[4] = {0};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        uint8_t bytes[4];
        br_be32_put(bytes, br_day_order(days[i]));
        cr_assert(i == 0 || memcmp(last, bytes, sizeof bytes) < 0);
        cr_assert_eq(br_be32_get(bytes), br_day_order(days[i]));
        memcpy(last, bytes, sizeof last);
    }
    uint8_t bytes[8];
    br_be64_put(bytes, 0x0102030405060708u);
    cr_assert_eq(bytes[0], 1);
    cr_assert_eq(br_be64_get(bytes), 0x0102030405060708u);
}

Test(store_environment, a_reader_that_writes_is_a_bug, .signal = SIGABRT)
{
    br_env *env = writer();
    br_env *reader = NULL;
    cr_assert_eq(br_env_open_reader(&reader, &kind, path), BR_OK);
    br_env_free(&env);
    cr_assert_neq(br_env_begin(reader), BR_OK);
}

Test(store_environment, a_second_batch_in_one_handle_is_a_bug, .signal = SIGABRT)
{
    br_env *env = writer();
    cr_assert_eq(br_env_begin(env), BR_OK);
    cr_assert_eq(br_env_begin(env), BR_OK);
}
