#include "store/snapshots.h"

#include "store/environment.h"
#include "store/files.h"
#include "store/snapshot_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UNFINISHED "writing.tmp"

enum {
    TABLE_EVENTS = 1, // be64 number -> event
    FILE_NAME_BYTES = BR_VERSION_TEXT + 4
};

static const br_env_kind kind = {
    .name = "snapshot registry",
    .format = 1,
    .map_bytes = (size_t)64 << 20, // some 100 bytes for each event of a few a day
    .n_tables = 2,
    .tables = {"meta", "events"},
};

struct br_snapshots {
    br_env *env;
    char directory[BR_STORE_PATH];
};

// --- opening ---

static br_status remove_unfinished(const char *directory)
{
    char path[BR_STORE_PATH];
    br_status status = br_path_join(path, directory, UNFINISHED);
    if (status == BR_OK && unlink(path) != 0 && errno != ENOENT) {
        status = br_store_fail(path, "remove what an earlier start left", errno);
    }
    return status;
}

static br_status open_registry(br_snapshots *snapshots, bool writer)
{
    char registry[BR_STORE_PATH];
    br_status status = br_path_join(registry, snapshots->directory, "registry");
    if (status != BR_OK) {
        return status;
    }
    if (!writer) {
        return br_env_open_reader(&snapshots->env, &kind, registry);
    }
    status = br_directory_make(snapshots->directory);
    if (status == BR_OK) {
        status = br_env_open_writer(&snapshots->env, &kind, registry);
    }
    // With the lock held: nobody else is writing a file now.
    return status == BR_OK ? remove_unfinished(snapshots->directory) : status;
}

static br_status open_snapshots(br_snapshots **out, const char *directory, bool writer)
{
    BR_AUTO(br_snapshots) *snapshots = br_calloc(1, sizeof *snapshots);
    if (snapshots == NULL) {
        return br_no_memory("snapshot store", 1);
    }
    size_t n = strlen(directory);
    if (n >= BR_STORE_PATH) {
        return br_fail(BR_ERR_LIMIT, "path longer than %d bytes: %.200s...", BR_STORE_PATH - 1, directory);
    }
    memcpy(snapshots->directory, directory, n + 1);
    br_status status = open_registry(snapshots, writer);
    if (status == BR_OK) {
        *out = snapshots;
        snapshots = NULL;
    }
    return status;
}

br_status br_snapshots_open_writer(br_snapshots **out, const char *directory)
{
    return open_snapshots(out, directory, true);
}

br_status br_snapshots_open_reader(br_snapshots **out, const char *directory)
{
    return open_snapshots(out, directory, false);
}

void br_snapshots_free(br_snapshots **snapshots)
{
    if (snapshots == NULL || *snapshots == NULL) {
        return;
    }
    br_env_free(&(*snapshots)->env);
    br_free(*snapshots);
    *snapshots = NULL;
}

// --- files ---

static bool is_version(const char *text)
{
    return strlen(text) == BR_VERSION_TEXT - 1 && strspn(text, "0123456789abcdef") == BR_VERSION_TEXT - 1;
}

static void file_name(char out[FILE_NAME_BYTES], const char version[BR_VERSION_TEXT])
{
    snprintf(out, FILE_NAME_BYTES, "%.32s.mdb", version);
}

static br_status hash_version(const char *path, char version_out[BR_VERSION_TEXT])
{
    br_hash hash;
    br_status status = br_hash_file(&hash, path);
    if (status == BR_OK) {
        char text[BR_HASH_TEXT];
        br_hash_text(&hash, text);
        memcpy(version_out, text, BR_VERSION_TEXT - 1);
        version_out[BR_VERSION_TEXT - 1] = '\0';
    }
    return status;
}

br_status br_snapshots_write(br_snapshots *snapshots, const br_snapshot *snapshot, char version_out[BR_VERSION_TEXT])
{
    br_assert(snapshots != NULL && snapshot != NULL && version_out != NULL);
    br_status status = br_model_check_finite(snapshot->model);
    if (status == BR_OK) {
        status = remove_unfinished(snapshots->directory);
    }
    char path[BR_STORE_PATH];
    if (status == BR_OK) {
        status = br_path_join(path, snapshots->directory, UNFINISHED);
    }
    if (status == BR_OK) {
        status = br_snapshot_file_write(path, snapshot);
    }
    char version[BR_VERSION_TEXT];
    if (status == BR_OK) {
        status = hash_version(path, version);
    }
    if (status == BR_OK) {
        // Over a file that is there already: equal content, and it heals one that was damaged.
        char name[FILE_NAME_BYTES];
        file_name(name, version);
        status = br_path_publish(snapshots->directory, UNFINISHED, name);
    }
    if (status == BR_OK) {
        memcpy(version_out, version, sizeof version);
    } else if (unlink(path) != 0) {
        return status; // the next write sweeps it
    }
    return status;
}

br_status br_snapshots_load(br_snapshot **out, const char *directory, const char *version)
{
    br_assert(out != NULL && directory != NULL && version != NULL);
    if (!is_version(version)) {
        return br_fail(BR_ERR_INVALID, "not a snapshot's version: %.80s", version);
    }
    char name[FILE_NAME_BYTES];
    char path[BR_STORE_PATH];
    file_name(name, version);
    br_status status = br_path_join(path, directory, name);
    char found[BR_VERSION_TEXT];
    if (status == BR_OK) {
        status = hash_version(path, found);
    }
    if (status == BR_OK && strcmp(found, version) != 0) {
        status = br_fail(BR_ERR_CORRUPT, "%s: its hash begins with %s", path, found);
    }
    return status == BR_OK ? br_snapshot_file_read(out, path) : status;
}

// --- registry ---

static br_status check_file(const br_snapshots *snapshots, const char *version)
{
    char name[FILE_NAME_BYTES];
    char path[BR_STORE_PATH];
    if (!is_version(version)) {
        return br_fail(BR_ERR_INVALID, "not a snapshot's version: %.80s", version);
    }
    file_name(name, version);
    br_status status = br_path_join(path, snapshots->directory, name);
    return status != BR_OK || access(path, R_OK) == 0 ? status : br_store_fail(path, "serve", errno);
}

static br_status put_event(br_snapshots *snapshots, const br_snapshot_event *event)
{
    BR_AUTO_DEINIT(br_buf) packed = {0};
    br_status status = br_snapshot_event_pack(event, &packed);
    uint64_t last = 0;
    BR_AUTO_DEINIT(br_view) view = {0};
    if (status == BR_OK) {
        status = br_view_init(&view, snapshots->env);
    }
    if (status == BR_OK) {
        status = br_view_number(&view, "events", &last);
    }
    if (status == BR_OK) {
        status = br_env_put_number(snapshots->env, "events", last + 1);
    }
    uint8_t key[8];
    br_be64_put(key, last + 1);
    return status != BR_OK ? status
                           : br_env_put(snapshots->env, TABLE_EVENTS, br_bytes_of(key, sizeof key),
                                        br_bytes_of(packed.data, packed.length), BR_PUT_APPEND);
}

static bool serves(const br_snapshot_event *event)
{
    return event->kind == BR_SNAPSHOT_PUBLISHED || event->kind == BR_SNAPSHOT_ROLLED_BACK;
}

br_status br_snapshots_record(br_snapshots *snapshots, const br_snapshot_event *event)
{
    br_assert(snapshots != NULL && event != NULL);
    br_status status = serves(event) ? check_file(snapshots, event->version) : BR_OK;
    if (status == BR_OK) {
        status = br_env_begin(snapshots->env);
    }
    if (status != BR_OK) {
        return status;
    }
    status = put_event(snapshots, event);
    if (status == BR_OK && serves(event)) {
        status = br_env_put(snapshots->env, BR_ENV_META, br_bytes_of("served", 6),
                            br_bytes_of(event->version, BR_VERSION_TEXT - 1), BR_PUT_REPLACE);
    }
    return status == BR_OK ? br_env_commit(snapshots->env) : br_env_settle(snapshots->env, status);
}

br_status br_snapshots_served(br_snapshots *snapshots, char version_out[BR_VERSION_TEXT])
{
    br_assert(snapshots != NULL && version_out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes served;
    br_status status = br_view_init(&view, snapshots->env);
    if (status == BR_OK) {
        status = br_view_find(&view, BR_ENV_META, br_bytes_of("served", 6), &served);
    }
    if (status != BR_OK) {
        return status;
    }
    size_t n = served.data == NULL ? 0 : served.n;
    if (n >= BR_VERSION_TEXT) {
        return br_fail(BR_ERR_CORRUPT, "%s: the served version has %zu bytes", snapshots->directory, n);
    }
    if (n > 0) {
        memcpy(version_out, served.data, n);
    }
    version_out[n] = '\0';
    return BR_OK;
}

br_status br_snapshots_history(br_snapshots *snapshots, br_snapshot_event_visitor visitor, void *context)
{
    br_assert(snapshots != NULL && visitor != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, snapshots->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    BR_AUTO(br_arena) *arena = NULL;
    status = br_cursor_init(&cursor, &view, TABLE_EVENTS);
    if (status == BR_OK) {
        status = br_arena_new(&arena, BR_UNPACK_BYTES);
    }
    if (status == BR_OK) {
        status = br_cursor_seek(&cursor, br_bytes_of("", 1));
    }
    while (status == BR_OK && cursor.key.data != NULL) {
        br_snapshot_event event;
        br_arena_reset(arena);
        status = br_snapshot_event_unpack(&event, arena, cursor.value.data, cursor.value.n);
        if (status == BR_OK) {
            status = visitor(context, &event);
        }
        if (status == BR_OK) {
            status = br_cursor_next(&cursor);
        }
    }
    return status;
}

// The versions that were served, oldest first, as fixed pieces of a buffer; a rollback takes back those it leaves.
static br_status follow(void *context, const br_snapshot_event *event)
{
    br_buf *served = context;
    if (!serves(event)) {
        return BR_OK;
    }
    size_t n = served->length / BR_VERSION_TEXT;
    const char *texts = br_buf_text(served);
    if (event->kind == BR_SNAPSHOT_ROLLED_BACK) {
        while (n > 0 && strcmp(texts + (n - 1) * BR_VERSION_TEXT, event->version) != 0) {
            n--;
        }
        if (n > 0) {
            served->length = n * BR_VERSION_TEXT;
            return BR_OK;
        }
    } else if (n > 0 && strcmp(texts + (n - 1) * BR_VERSION_TEXT, event->version) == 0) {
        return BR_OK;
    }
    char version[BR_VERSION_TEXT] = "";
    memcpy(version, event->version, strnlen(event->version, BR_VERSION_TEXT - 1));
    br_buf_append(served, version, sizeof version);
    return served->failed ? br_no_memory("served versions", n + 1) : BR_OK;
}

br_status br_snapshots_previous(br_snapshots *snapshots, char version_out[BR_VERSION_TEXT])
{
    br_assert(snapshots != NULL && version_out != NULL);
    BR_AUTO_DEINIT(br_buf) served = {0};
    br_status status = br_snapshots_history(snapshots, follow, &served);
    if (status != BR_OK) {
        return status;
    }
    size_t n = served.length / BR_VERSION_TEXT;
    if (n < 2) {
        return br_fail(BR_ERR_NOT_FOUND, "%s: no version was served before", snapshots->directory);
    }
    memcpy(version_out, br_buf_text(&served) + (n - 2) * BR_VERSION_TEXT, BR_VERSION_TEXT);
    return BR_OK;
}

// --- sweeping ---

// Every event's version, oldest first, as fixed pieces of a buffer, behind a byte that says whether it was served.
enum { EVENT_BYTES = 1 + BR_VERSION_TEXT };

static br_status note_event(void *context, const br_snapshot_event *event)
{
    br_buf *events = context;
    char piece[EVENT_BYTES] = {serves(event) ? 1 : 0};
    memcpy(piece + 1, event->version, strnlen(event->version, BR_VERSION_TEXT - 1));
    br_buf_append(events, piece, sizeof piece);
    return events->failed ? br_no_memory("events of snapshots", events->length / EVENT_BYTES) : BR_OK;
}

static bool contains(const br_buf *versions, const char *version)
{
    const char *texts = br_buf_text(versions);
    for (size_t at = 0; at < versions->length; at += BR_VERSION_TEXT) {
        if (strcmp(texts + at, version) == 0) {
            return true;
        }
    }
    return false;
}

static br_status find_hot(br_snapshots *snapshots, uint32_t keep, br_buf *hot)
{
    BR_AUTO_DEINIT(br_buf) events = {0};
    char served[BR_VERSION_TEXT] = "";
    br_status status = br_snapshots_served(snapshots, served);
    if (status == BR_OK) {
        status = br_snapshots_history(snapshots, note_event, &events);
    }
    br_buf_append(hot, served, sizeof served);
    uint32_t left[2] = {keep, served[0] == '\0' ? keep : keep - 1}; // of refused ones, of served ones
    for (size_t end = events.length; status == BR_OK && end > 0; end -= EVENT_BYTES) {
        const char *piece = br_buf_text(&events) + end - EVENT_BYTES;
        uint32_t *room = &left[piece[0] != 0];
        if (*room > 0 && !contains(hot, piece + 1)) {
            br_buf_append(hot, piece + 1, BR_VERSION_TEXT);
            (*room)--;
        }
    }
    return status == BR_OK && hot->failed ? br_no_memory("versions to keep", 2 * (size_t)keep) : status;
}

static bool version_of_file(const char *name, char version_out[BR_VERSION_TEXT])
{
    if (strlen(name) != FILE_NAME_BYTES - 1 || strcmp(name + BR_VERSION_TEXT - 1, ".mdb") != 0) {
        return false;
    }
    memcpy(version_out, name, BR_VERSION_TEXT - 1);
    version_out[BR_VERSION_TEXT - 1] = '\0';
    return is_version(version_out);
}

br_status br_snapshots_sweep(br_snapshots *snapshots, uint32_t keep, br_version_needed needed, void *context,
                             uint32_t *n_removed_out)
{
    br_assert(snapshots != NULL && keep > 0 && needed != NULL && n_removed_out != NULL);
    BR_AUTO_DEINIT(br_buf) hot = {0};
    br_status status = find_hot(snapshots, keep, &hot);
    DIR *directory = status == BR_OK ? opendir(snapshots->directory) : NULL;
    if (directory == NULL) {
        return status == BR_OK ? br_store_fail(snapshots->directory, "list", errno) : status;
    }
    uint32_t n = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL && status == BR_OK; entry = readdir(directory)) {
        char version[BR_VERSION_TEXT];
        if (!version_of_file(entry->d_name, version) || contains(&hot, version) || needed(context, version)) {
            continue;
        }
        if (unlinkat(dirfd(directory), entry->d_name, 0) == 0) {
            n++;
        } else if (errno != ENOENT) {
            status = br_store_fail(snapshots->directory, "remove an old snapshot", errno);
        }
    }
    closedir(directory);
    *n_removed_out = n;
    return status;
}
