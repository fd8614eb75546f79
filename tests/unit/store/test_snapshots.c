// Snapshots: the name verifies the file, equal content has an equal name, nothing damaged is ever loaded, and the registry says
// what is served.

#include "store/snapshots.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "support/temp.h"
#include "unit/store/made.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOND_FIELDS = 2, INVESTOR_FIELDS = 3, FIELDS = BOND_FIELDS + INVESTOR_FIELDS, VALUES = 4 };

static char *directory;
static char *path;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    path = br_temp_path(directory, "models");
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(store_snapshots, .init = set_up, .fini = tear_down, .timeout = 60);

static br_encoder *make_encoder(void)
{
    static const char *const names[FIELDS] = {"rating", "coupon", "org_type", "activity.frequency.30",
                                              "pref.rating.AAA.30"};
    br_encoder *encoder = br_calloc(1, sizeof *encoder);
    encoder->fields = br_calloc(FIELDS, sizeof *encoder->fields);
    encoder->n_fields = FIELDS;
    encoder->n_bond_fields = BOND_FIELDS;
    for (uint32_t j = 0; j < FIELDS; j++) {
        br_field *field = &encoder->fields[j];
        *field = (br_field){.name = br_strdup(names[j]),
                            .source = j < BOND_FIELDS ? BR_SOURCE_BOND : BR_SOURCE_INVESTOR,
                            .group = j < BOND_FIELDS ? BR_GROUP_BOND : BR_GROUP_ATTRIBUTE,
                            .n_values = VALUES,
                            .value_names = br_calloc(VALUES, sizeof *field->value_names),
                            .activity = BR_ACTIVITY_COUNT,
                            .window_days = -1,
                            .bond_field = UINT32_MAX};
        for (uint32_t k = 0; k < VALUES; k++) {
            char name[16];
            snprintf(name, sizeof name, "value %u", k);
            field->value_names[k] = br_strdup(name);
        }
    }
    encoder->fields[FIELDS - 1].bond_field = 0;
    encoder->fields[FIELDS - 1].bond_code = 1;
    return encoder;
}

static br_record *make_record(void)
{
    br_record *record = br_calloc(1, sizeof *record);
    record->n_bond_fields = BOND_FIELDS;
    record->n_investor_fields = INVESTOR_FIELDS;
    record->speaks_of = br_calloc(INVESTOR_FIELDS, sizeof *record->speaks_of);
    record->n_values = br_calloc(INVESTOR_FIELDS, sizeof *record->n_values);
    record->bond_values = br_calloc(BOND_FIELDS, sizeof *record->bond_values);
    record->offset = br_calloc(INVESTOR_FIELDS + 1, sizeof *record->offset);
    record->dev = br_calloc(INVESTOR_FIELDS * VALUES * VALUES, sizeof *record->dev);
    record->bids = br_calloc(INVESTOR_FIELDS * VALUES * VALUES, sizeof *record->bids);
    for (uint32_t j = 0; j < INVESTOR_FIELDS; j++) {
        record->speaks_of[j] = j % BOND_FIELDS;
        record->n_values[j] = VALUES;
        record->offset[j + 1] = (size_t)(j + 1) * VALUES * VALUES;
    }
    for (uint32_t i = 0; i < BOND_FIELDS; i++) {
        record->bond_values[i] = VALUES;
    }
    for (uint32_t i = 0; i < INVESTOR_FIELDS * VALUES * VALUES; i++) {
        record->dev[i] = (float)i / 8.0f - 2.0f;
        record->bids[i] = 3 * i;
    }
    return record;
}

static br_snapshot *make_snapshot(uint64_t seed)
{
    br_snapshot *snapshot = br_calloc(1, sizeof *snapshot);
    br_model_config config = br_model_config_default();
    if (seed % 2 == 0) { // whose mean bond is longer
        config.architecture = BR_WIDE_DEEP;
        config.n_cross = 0;
    }
    snapshot->schema_yaml = br_strdup("market: test\n");
    snapshot->schema_bytes = strlen(snapshot->schema_yaml);
    snapshot->encoder = make_encoder();
    cr_assert_eq(br_model_new_for(&snapshot->model, &config, snapshot->encoder), BR_OK);
    br_model_init(snapshot->model, seed);
    snapshot->record = make_record();
    size_t mean_floats = br_mean_bond_floats(snapshot->model);
    snapshot->mean_bond = br_calloc_aligned(mean_floats, sizeof *snapshot->mean_bond);
    for (size_t i = 0; i < mean_floats; i++) {
        snapshot->mean_bond[i] = (float)i;
    }
    snapshot->calibration = (br_calibration){.slope = 1.25, .offset = -0.5};
    snapshot->facts = (br_snapshot_facts){.split = {100, 200, 250, 300},
                                          .ledger_head = 12345,
                                          .seed = seed,
                                          .n_samples = 1000,
                                          .epochs = 7,
                                          .valid_log_loss = 0.0791,
                                          .valid_auc = 0.87,
                                          .valid_recall_at_50 = 0.4,
                                          .blas = "none",
                                          .engine = "test"};
    return snapshot;
}

static br_issuer_table *make_issuers(void)
{
    static const char *const ids[2] = {"A", "Bank of B"};
    br_issuer_table *table = br_calloc(1, sizeof *table);
    *table = (br_issuer_table){.n_factors = 3, .regularization = 0.5, .confidence = 2.0};
    table->factors = br_calloc(6, sizeof *table->factors);
    cr_assert_eq(br_index_new(&table->ids), BR_OK);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(br_index_add(table->ids, ids[i], strlen(ids[i]), &(uint32_t){0}, NULL), BR_OK);
        table->factors[i] = (float)i - 0.25f;
    }
    return table;
}

static br_snapshots *writer_at(const char *where)
{
    br_snapshots *snapshots = NULL;
    br_status status = br_snapshots_open_writer(&snapshots, where);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return snapshots;
}

static void write_one(br_snapshots *snapshots, uint64_t seed, char version[BR_VERSION_TEXT])
{
    BR_AUTO(br_snapshot) *snapshot = make_snapshot(seed);
    br_status status = br_snapshots_write(snapshots, snapshot, version);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_assert_eq(strspn(version, "0123456789abcdef"), 32);
}

static const char *file_of(const char version[BR_VERSION_TEXT])
{
    char name[64];
    snprintf(name, sizeof name, "%.32s.mdb", version);
    return br_temp_path(path, name);
}

static void expect_equal(const br_snapshot *a, const br_snapshot *b)
{
    size_t cells = INVESTOR_FIELDS * VALUES * VALUES;
    cr_assert_eq(a->model->n_parameters, b->model->n_parameters);
    cr_assert_eq(memcmp(a->model->parameters, b->model->parameters, a->model->n_parameters * sizeof(float)), 0);
    cr_assert_eq(memcmp(a->record->dev, b->record->dev, cells * sizeof(float)), 0);
    cr_assert_eq(memcmp(a->record->bids, b->record->bids, cells * sizeof(uint32_t)), 0);
    cr_assert_eq(memcmp(a->record->offset, b->record->offset, (INVESTOR_FIELDS + 1) * sizeof(size_t)), 0);
    cr_assert_eq(memcmp(a->mean_bond, b->mean_bond, br_mean_bond_floats(a->model) * sizeof(float)), 0);
    cr_assert_str_eq(a->schema_yaml, b->schema_yaml);
    cr_assert_eq(a->schema_bytes, b->schema_bytes);
    cr_assert_str_eq(a->encoder->fields[4].name, b->encoder->fields[4].name);
    cr_assert_str_eq(a->encoder->fields[0].value_names[3], b->encoder->fields[0].value_names[3]);
    cr_assert(a->calibration.slope == b->calibration.slope && a->calibration.offset == b->calibration.offset);
    cr_assert_eq(a->calibration.line.n_knots, b->calibration.line.n_knots);
    cr_assert_eq(a->held == NULL, b->held == NULL);
    cr_assert(a->held == NULL || memcmp(a->held, b->held, a->model->n_parameters * sizeof(float)) == 0);
    cr_assert_eq(a->facts.ledger_head, b->facts.ledger_head);
    cr_assert_eq(memcmp(&a->facts.split, &b->facts.split, sizeof a->facts.split), 0);
    cr_assert_str_eq(a->facts.engine, b->facts.engine);
}

Test(store_snapshots, what_was_written_is_loaded)
{
    br_snapshots *snapshots = writer_at(path);
    BR_AUTO(br_snapshot) *written = make_snapshot(3);
    BR_AUTO(br_snapshot) *loaded = NULL;
    char version[BR_VERSION_TEXT];
    cr_assert_eq(br_snapshots_write(snapshots, written, version), BR_OK);
    br_snapshots_free(&snapshots);
    br_status status = br_snapshots_load(&loaded, path, version);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    expect_equal(written, loaded);
}

Test(store_snapshots, held_parameters_and_a_line_come_back)
{
    br_snapshots *snapshots = writer_at(path);
    BR_AUTO(br_snapshot) *written = make_snapshot(3);
    BR_AUTO(br_snapshot) *loaded = NULL;
    char version[BR_VERSION_TEXT], plain[BR_VERSION_TEXT];
    write_one(snapshots, 3, plain);
    written->held = br_memdup(written->model->parameters, written->model->n_parameters * sizeof *written->held);
    written->held[5] += 1.0f;
    written->calibration.line = (br_isotonic){1, {0.5}, {0.25}};
    cr_assert_eq(br_snapshots_write(snapshots, written, version), BR_OK);
    cr_assert_str_neq(version, plain);
    cr_assert_eq(br_snapshots_load(&loaded, path, version), BR_OK);
    expect_equal(written, loaded);
    written->held[7] = NAN;
    cr_assert_eq(br_snapshots_write(snapshots, written, version), BR_OK);
    BR_AUTO(br_snapshot) *broken = NULL;
    cr_assert_eq(br_snapshots_load(&broken, path, version), BR_ERR_CORRUPT);
    br_snapshots_free(&snapshots);
}

Test(store_snapshots, a_table_of_issuers_comes_back)
{
    br_snapshots *snapshots = writer_at(path);
    BR_AUTO(br_snapshot) *written = make_snapshot(3);
    BR_AUTO(br_snapshot) *loaded = NULL;
    BR_AUTO(br_snapshot) *without = NULL;
    char version[BR_VERSION_TEXT], plain[BR_VERSION_TEXT];
    write_one(snapshots, 3, plain);
    written->issuers = make_issuers();
    cr_assert_eq(br_snapshots_write(snapshots, written, version), BR_OK);
    cr_assert_str_neq(version, plain);
    cr_assert_eq(br_snapshots_load(&loaded, path, version), BR_OK);
    expect_equal(written, loaded);
    cr_assert_not_null(loaded->issuers);
    cr_expect_str_eq(br_index_text(loaded->issuers->ids, 1), "Bank of B");
    cr_expect_eq(loaded->issuers->n_factors, 3);
    cr_expect(loaded->issuers->regularization == 0.5 && loaded->issuers->confidence == 2.0);
    cr_expect_arr_eq(loaded->issuers->factors, written->issuers->factors, 6 * sizeof(float));
    cr_assert_eq(br_snapshots_load(&without, path, plain), BR_OK);
    cr_expect_null(without->issuers);
    written->issuers->factors[5] = NAN;
    cr_assert_eq(br_snapshots_write(snapshots, written, version), BR_OK);
    BR_AUTO(br_snapshot) *broken = NULL;
    cr_assert_eq(br_snapshots_load(&broken, path, version), BR_ERR_CORRUPT);
    br_snapshots_free(&snapshots);
}

static void dirty_the_heap(uint8_t value)
{
    enum { BLOCKS = 200 };
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(1000 + 97 * i);
        memset(blocks[i], value, 1000 + 97 * i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
}

Test(store_snapshots, equal_content_has_an_equal_name)
{
    char versions[4][BR_VERSION_TEXT];
    for (unsigned i = 0; i < 4; i++) {
        static const char *const names[] = {"one", "two", "three", "a-longer-name-than-the-others"};
        br_snapshots *snapshots = writer_at(br_temp_path(directory, names[i]));
        dirty_the_heap((uint8_t)(0x55 + i));
        write_one(snapshots, 7, versions[i]);
        if (i == 3) { // over itself
            write_one(snapshots, 8, versions[2]);
            write_one(snapshots, 7, versions[3]);
            cr_assert_str_neq(versions[2], versions[3]);
            memcpy(versions[2], versions[3], BR_VERSION_TEXT);
        }
        cr_assert_str_eq(versions[i], versions[0]);
        br_snapshots_free(&snapshots);
    }
}

Test(store_snapshots, every_part_counts_in_the_name)
{
    br_snapshots *snapshots = writer_at(path);
    char versions[6][BR_VERSION_TEXT];
    for (unsigned i = 0; i < 6; i++) {
        BR_AUTO(br_snapshot) *snapshot = make_snapshot(1);
        if (i == 1) {
            snapshot->model->parameters[17] += 1e-6f;
        } else if (i == 2) {
            snapshot->record->bids[3]++;
        } else if (i == 3) {
            snapshot->mean_bond[1] = 5.0f;
        } else if (i == 4) {
            snapshot->schema_yaml[0] = 'M';
        } else if (i == 5) {
            snapshot->calibration.slope = 2.0;
        }
        cr_assert_eq(br_snapshots_write(snapshots, snapshot, versions[i]), BR_OK);
        for (unsigned k = 0; k < i; k++) {
            cr_assert_str_neq(versions[i], versions[k]);
        }
    }
    br_snapshots_free(&snapshots);
}

Test(store_snapshots, a_model_that_is_not_finite_is_not_written)
{
    br_snapshots *snapshots = writer_at(path);
    BR_AUTO(br_snapshot) *snapshot = make_snapshot(1);
    snapshot->model->parameters[5] = 1e38f * 1e38f;
    char version[BR_VERSION_TEXT] = "untouched";
    cr_assert_eq(br_snapshots_write(snapshots, snapshot, version), BR_ERR_INVALID);
    cr_assert_str_eq(version, "untouched");
    br_snapshots_free(&snapshots);
}

static void flip(const char *file, off_t place, unsigned bit)
{
    uint8_t byte = 0;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0 && pread(fd, &byte, 1, place) == 1);
    byte ^= (uint8_t)(1u << bit);
    cr_assert_eq(pwrite(fd, &byte, 1, place), 1);
    close(fd);
}

static void expect_refused(const char *version, br_status expected)
{
    br_snapshot *snapshot = NULL;
    cr_assert_eq(br_snapshots_load(&snapshot, path, version), expected);
    cr_assert_null(snapshot);
}

Test(store_snapshots, no_damaged_file_is_loaded)
{
    br_snapshots *snapshots = writer_at(path);
    char version[BR_VERSION_TEXT];
    write_one(snapshots, 3, version);
    const char *file = file_of(version);
    struct stat info;
    cr_assert_eq(stat(file, &info), 0);
    br_rng rng = br_rng_at(9, BR_STREAM_TEST, 0, 0);
    for (unsigned i = 0; i < 400; i++) {
        off_t place = br_rng_below(&rng, (uint32_t)info.st_size);
        unsigned bit = br_rng_below(&rng, 8);
        flip(file, place, bit);
        expect_refused(version, BR_ERR_CORRUPT);
        flip(file, place, bit);
    }
    BR_AUTO(br_snapshot) *whole = NULL;
    cr_assert_eq(br_snapshots_load(&whole, path, version), BR_OK, "it was the flips");
    for (off_t size = info.st_size - 1; size > 0; size = size * 2 / 3) {
        cr_assert_eq(truncate(file, size), 0);
        expect_refused(version, BR_ERR_CORRUPT);
    }
    cr_assert_eq(truncate(file, 0), 0);
    expect_refused(version, BR_ERR_CORRUPT);
    char again[BR_VERSION_TEXT];
    write_one(snapshots, 3, again); // writing it again heals it
    cr_assert_str_eq(again, version);
    br_snapshot_free(&whole);
    cr_assert_eq(br_snapshots_load(&whole, path, version), BR_OK);
    br_snapshots_free(&snapshots);
}

Test(store_snapshots, a_file_under_another_name_is_not_loaded)
{
    br_snapshots *snapshots = writer_at(path);
    char version[BR_VERSION_TEXT];
    write_one(snapshots, 3, version);
    char other[BR_VERSION_TEXT] = "00112233445566778899aabbccddeeff";
    char target[256];
    snprintf(target, sizeof target, "%s", file_of(other));
    cr_assert_eq(rename(file_of(version), target), 0);
    expect_refused(other, BR_ERR_CORRUPT);
    expect_refused(version, BR_ERR_NOT_FOUND);
    expect_refused("", BR_ERR_INVALID);
    expect_refused("../../../../../etc/passwd", BR_ERR_INVALID);
    expect_refused("00112233445566778899AABBCCDDEEFF", BR_ERR_INVALID);
    br_snapshots_free(&snapshots);
}

// A file that was changed and then given the name of its new content: what the manifest says still holds.
Test(store_snapshots, a_chunk_that_does_not_match_the_manifest_is_not_loaded)
{
    br_snapshots *snapshots = writer_at(path);
    BR_AUTO(br_snapshot) *snapshot = make_snapshot(3);
    char version[BR_VERSION_TEXT];
    cr_assert_eq(br_snapshots_write(snapshots, snapshot, version), BR_OK);
    const char *file = file_of(version);
    uint8_t bytes[1 << 18];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    cr_assert(n > 0 && (size_t)n < sizeof bytes);
    const uint8_t *place = memmem(bytes, (size_t)n, snapshot->model->parameters + 40, 64);
    cr_assert_not_null(place);
    flip(file, place - bytes, 0);
    br_hash hash;
    cr_assert_eq(br_hash_file(&hash, file), BR_OK);
    char text[BR_HASH_TEXT];
    br_hash_text(&hash, text);
    text[BR_VERSION_TEXT - 1] = '\0';
    cr_assert_eq(rename(file, file_of(text)), 0); // file_of() takes the first 32 digits
    br_snapshot *loaded = NULL;
    br_status status = br_snapshots_load(&loaded, path, text);
    cr_assert_eq(status, BR_ERR_CORRUPT);
    cr_assert_not_null(strstr(br_why(status), "parameters"), "%s", br_why(status));
    br_snapshots_free(&snapshots);
}

Test(store_snapshots, unfinished_files_are_swept)
{
    br_snapshots *snapshots = writer_at(path);
    br_snapshots_free(&snapshots);
    const char *unfinished = br_temp_path(path, "writing.tmp");
    int fd = open(unfinished, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    close(fd);
    snapshots = writer_at(path);
    cr_assert_neq(access(unfinished, F_OK), 0);
    br_snapshots_free(&snapshots);
}

// --- registry ---

static br_status record(br_snapshots *snapshots, br_snapshot_event_kind kind, const char *version)
{
    br_snapshot_event event = {.kind = kind, .version = version, .reason = "because", .wall_s = 5.0};
    return br_snapshots_record(snapshots, &event);
}

static void expect_served(br_snapshots *snapshots, const char *served, const char *previous)
{
    char version[BR_VERSION_TEXT];
    cr_assert_eq(br_snapshots_served(snapshots, version), BR_OK);
    cr_assert_str_eq(version, served);
    br_status status = br_snapshots_previous(snapshots, version);
    if (previous == NULL) {
        cr_assert_eq(status, BR_ERR_NOT_FOUND);
    } else {
        cr_assert_eq(status, BR_OK, "%s", br_why(status));
        cr_assert_str_eq(version, previous);
    }
}

Test(store_snapshots, the_registry_says_what_is_served_and_what_was_before)
{
    br_snapshots *snapshots = writer_at(path);
    char a[BR_VERSION_TEXT];
    char b[BR_VERSION_TEXT];
    char c[BR_VERSION_TEXT];
    write_one(snapshots, 1, a);
    write_one(snapshots, 2, b);
    write_one(snapshots, 3, c);
    expect_served(snapshots, "", NULL);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_REFUSED, a), BR_OK);
    expect_served(snapshots, "", NULL);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, a), BR_OK);
    expect_served(snapshots, a, NULL);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, a), BR_OK);
    expect_served(snapshots, a, NULL);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, b), BR_OK);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_REFUSED, a), BR_OK);
    expect_served(snapshots, b, a);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, c), BR_OK);
    expect_served(snapshots, c, b);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_ROLLED_BACK, b), BR_OK);
    expect_served(snapshots, b, a);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_ROLLED_BACK, a), BR_OK);
    expect_served(snapshots, a, NULL);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_ROLLED_BACK, c), BR_OK); // by name, to one that was left
    expect_served(snapshots, c, a);
    br_snapshots_free(&snapshots);
}

Test(store_snapshots, what_has_no_file_is_not_served)
{
    br_snapshots *snapshots = writer_at(path);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, "00112233445566778899aabbccddeeff"), BR_ERR_NOT_FOUND);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, ""), BR_ERR_INVALID);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_REFUSED, ""), BR_OK, "a refused one may never have been written");
    expect_served(snapshots, "", NULL);
    br_snapshots_free(&snapshots);
}

static br_status write_down(void *context, const br_snapshot_event *event)
{
    br_buf_printf(context, "%d %.4s %s %.0f;", (int)event->kind, event->version, event->reason, event->wall_s);
    return BR_OK;
}

static int read_elsewhere(void *context)
{
    const char *version = context;
    br_snapshots *snapshots = NULL;
    char served[BR_VERSION_TEXT];
    BR_AUTO_DEINIT(br_buf) found = {0};
    BR_AUTO_DEINIT(br_buf) expected = {0};
    br_buf_printf(&expected, "1 %.4s because 5;2 %.4s because 5;", version, version);
    BR_AUTO(br_snapshot) *snapshot = NULL;
    bool right = br_snapshots_open_reader(&snapshots, path) == BR_OK &&
                 br_snapshots_served(snapshots, served) == BR_OK && strcmp(served, version) == 0 &&
                 br_snapshots_history(snapshots, write_down, &found) == BR_OK &&
                 strcmp(br_buf_text(&found), br_buf_text(&expected)) == 0 &&
                 br_snapshots_load(&snapshot, path, version) == BR_OK;
    br_snapshots_free(&snapshots);
    return right ? 0 : 1;
}

Test(store_snapshots, another_process_loads_what_is_served)
{
    br_snapshots *snapshots = NULL;
    cr_assert_eq(br_snapshots_open_reader(&snapshots, path), BR_ERR_NOT_FOUND);
    snapshots = writer_at(path);
    char version[BR_VERSION_TEXT];
    write_one(snapshots, 1, version);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_PUBLISHED, version), BR_OK);
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_REFUSED, version), BR_OK);
    cr_assert_eq(in_child(read_elsewhere, version), 0);
    br_snapshots_free(&snapshots);
}

// --- memory ---

Test(store_snapshots, every_allocation_may_fail)
{
    BR_AUTO(br_snapshot) *snapshot = make_snapshot(1);
    char version[BR_VERSION_TEXT];
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; n < 500 && status != BR_OK; n++) {
        br_snapshots *snapshots = NULL;
        br_snapshot *loaded = NULL;
        br_alloc_fail_after(n);
        status = br_snapshots_open_writer(&snapshots, path);
        if (status == BR_OK) {
            status = br_snapshots_write(snapshots, snapshot, version);
        }
        if (status == BR_OK) {
            status = br_snapshots_load(&loaded, path, version);
        }
        br_alloc_fail_after(SIZE_MAX);
        // An arena that cannot grow looks to the codec like one at its bound.
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY || status == BR_ERR_LIMIT, "%s", br_why(status));
        br_snapshot_free(&loaded);
        br_snapshots_free(&snapshots);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_eq(status, BR_OK);
}

static bool is_the_one(void *context, const char *version)
{
    return strcmp(context, version) == 0;
}

Test(store_snapshots, a_sweep_leaves_the_served_the_last_and_the_needed_ones)
{
    br_snapshots *snapshots = writer_at(path);
    enum { N = 9, ORPHAN = 8 };
    char v[N][BR_VERSION_TEXT];
    for (uint64_t i = 0; i < N; i++) {
        write_one(snapshots, i, v[i]);
    }
    static const br_snapshot_event_kind kinds[] = {BR_SNAPSHOT_PUBLISHED, BR_SNAPSHOT_PUBLISHED, BR_SNAPSHOT_PUBLISHED,
                                                   BR_SNAPSHOT_REFUSED,   BR_SNAPSHOT_PUBLISHED, BR_SNAPSHOT_PUBLISHED,
                                                   BR_SNAPSHOT_REFUSED,   BR_SNAPSHOT_REFUSED};
    for (size_t i = 0; i < ORPHAN; i++) {
        cr_assert_eq(record(snapshots, kinds[i], v[i]), BR_OK);
    }
    cr_assert_eq(record(snapshots, BR_SNAPSHOT_ROLLED_BACK, v[0]), BR_OK);
    // Served last: 0, 5; refused last: 7, 6; needed: 2. Not 1, 3, 4, and not the one without an event.
    static const bool stays[N] = {true, false, true, false, false, true, true, true, false};
    uint32_t n = 0;
    cr_assert_eq(br_snapshots_sweep(snapshots, 2, is_the_one, v[2], &n), BR_OK);
    cr_expect_eq(n, 4);
    for (size_t i = 0; i < N; i++) {
        cr_expect_eq(access(file_of(v[i]), F_OK) == 0, stays[i], "version %zu", i);
    }
    cr_assert_eq(br_snapshots_sweep(snapshots, 2, is_the_one, v[2], &n), BR_OK);
    cr_assert_eq(n, 0);
    BR_AUTO(br_snapshot) *loaded = NULL;
    cr_assert_eq(br_snapshots_load(&loaded, path, v[0]), BR_OK);
    br_snapshots_free(&snapshots);
}
