#include "store/recommendations.h"

#include "store/environment.h"

#include <string.h>

enum {
    TABLE_LISTS = 1,   // bond id, 0, be32 as-of day, be64 number -> list
    TABLE_JOBS,        // job id -> body; kept for ever, so that a job can be replayed
    TABLE_TODO,        // be64 arrival -> job id, be32 attempts
    TABLE_TODO_OF,     // job id -> be64 arrival
    TABLE_RESULTS,     // job id -> result
    TABLE_DEAD,        // job id -> dead letter
    TABLE_POPULATIONS, // hash -> be32 n, be32 n_investor_fields, codes
    LIST_KEY_BYTES = BR_MAX_ID_BYTES + 1 + 4 + 8,
    TODO_BYTES = BR_HASH_BYTES + 4,
    POPULATION_HEAD = 8,
    LISTS_PER_VIEW = 1000,
};

static const br_env_kind kind = {
    .name = "recommendations store",
    .format = 1,
    // Some 3 MB a day (100 lists with jobs and results, one population block), five years, 16 times.
    .map_bytes = (size_t)64 << 30,
    .n_tables = 8,
    .tables = {"meta", "lists", "jobs", "todo", "todo_of", "results", "dead", "populations"},
};

struct br_recommendations {
    br_env *env;
    br_arena *arena; // scratch for a stored list
    br_buf packed;
    br_buf other;
};

// --- opening ---

static br_status open_store(br_recommendations **out, const char *directory, bool writer)
{
    BR_AUTO(br_recommendations) *store = br_calloc(1, sizeof *store);
    if (store == NULL) {
        return br_no_memory("recommendations store", 1);
    }
    br_status status = br_arena_new(&store->arena, BR_UNPACK_BYTES);
    if (status == BR_OK) {
        status = writer ? br_env_open_writer(&store->env, &kind, directory)
                        : br_env_open_reader(&store->env, &kind, directory);
    }
    if (status == BR_OK) {
        *out = store;
        store = NULL;
    }
    return status;
}

br_status br_recommendations_open_writer(br_recommendations **out, const char *directory)
{
    return open_store(out, directory, true);
}

br_status br_recommendations_open_reader(br_recommendations **out, const char *directory)
{
    return open_store(out, directory, false);
}

void br_recommendations_free(br_recommendations **store)
{
    if (store == NULL || *store == NULL) {
        return;
    }
    br_env_free(&(*store)->env);
    br_arena_free(&(*store)->arena);
    br_buf_deinit(&(*store)->packed);
    br_buf_deinit(&(*store)->other);
    br_free(*store);
    *store = NULL;
}

br_status br_recommendations_begin(br_recommendations *store)
{
    return br_env_begin(store->env);
}

br_status br_recommendations_commit(br_recommendations *store)
{
    return br_env_commit(store->env);
}

void br_recommendations_abort(br_recommendations *store)
{
    br_env_abort(store->env);
}

// --- helpers ---

static br_bytes hash_key(const br_hash *hash)
{
    return br_bytes_of(hash->bytes, sizeof hash->bytes);
}

static br_bytes packed_bytes(const br_buf *buf)
{
    return br_bytes_of(buf->data, buf->length);
}

// The value of a hash in a table; data = NULL when it is not there. Borrowed as br_view_find() says.
static br_status find(br_recommendations *store, br_view *view, uint32_t table, const br_hash *hash, br_bytes *out)
{
    br_status status = br_view_init(view, store->env);
    return status == BR_OK ? br_view_find(view, table, hash_key(hash), out) : status;
}

static br_status has(br_recommendations *store, uint32_t table, const br_hash *hash, bool *out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find(store, &view, table, hash, &value);
    if (status == BR_OK) {
        *out = value.data != NULL;
    }
    return status;
}

static br_status damaged(const br_recommendations *store, const char *what, const br_hash *hash)
{
    char text[BR_HASH_TEXT];
    br_hash_text(hash, text);
    return br_fail(BR_ERR_CORRUPT, "%s: %s %s does not have its form", br_env_directory(store->env), what, text);
}

static br_status absent(const br_recommendations *store, const char *what, const br_hash *hash)
{
    char text[BR_HASH_TEXT];
    br_hash_text(hash, text);
    return br_fail(BR_ERR_NOT_FOUND, "%s: no %s %s", br_env_directory(store->env), what, text);
}

// The next number of a counter that never goes back.
static br_status take_number(br_recommendations *store, const char *name, uint64_t *out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    uint64_t last = 0;
    br_status status = br_view_init(&view, store->env);
    if (status == BR_OK) {
        status = br_view_number(&view, name, &last);
    }
    if (status == BR_OK) {
        status = br_env_put_number(store->env, name, last + 1);
    }
    if (status == BR_OK) {
        *out = last + 1;
    }
    return status;
}

// --- populations ---

static br_status put_population(br_recommendations *store, const uint8_t *codes, br_population_info info)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes known;
    br_status status = find(store, &view, TABLE_POPULATIONS, &info.hash, &known);
    uint8_t head[POPULATION_HEAD];
    br_be32_put(head, info.n);
    br_be32_put(head + 4, info.n_investor_fields);
    if (status != BR_OK || known.data != NULL) {
        bool same = status == BR_OK && known.n >= POPULATION_HEAD && memcmp(known.data, head, sizeof head) == 0;
        return status != BR_OK || same
                   ? status
                   : br_fail(BR_ERR_INVALID, "population of equal codes in another shape than %u x %u", info.n,
                             info.n_investor_fields);
    }
    br_scratch_clear(&store->packed);
    br_buf_append(&store->packed, head, sizeof head);
    br_buf_append(&store->packed, codes, (size_t)info.n * info.n_investor_fields);
    if (store->packed.failed) {
        return br_no_memory("population rows", info.n);
    }
    return br_env_put(store->env, TABLE_POPULATIONS, hash_key(&info.hash), packed_bytes(&store->packed), BR_PUT_NEW);
}

br_status br_recommendations_put_population(br_recommendations *store, const uint8_t *codes, uint32_t n,
                                            uint32_t n_investor_fields, br_hash *hash_out)
{
    br_assert(store != NULL && codes != NULL && n > 0 && n_investor_fields > 0 && hash_out != NULL);
    br_population_info info = {
        .hash = br_hash_of(codes, (size_t)n * n_investor_fields), .n = n, .n_investor_fields = n_investor_fields};
    bool own = !br_env_in_batch(store->env);
    br_status status = own ? br_env_begin(store->env) : BR_OK;
    if (status == BR_OK) {
        status = br_env_settle(store->env, put_population(store, codes, info));
    }
    if (status == BR_OK && own) {
        status = br_env_commit(store->env);
    }
    if (status == BR_OK) {
        *hash_out = info.hash;
    }
    return status;
}

br_status br_recommendations_get_population(br_recommendations *store, const br_hash *hash, uint8_t **codes_out,
                                            br_population_info *info_out)
{
    br_assert(store != NULL && hash != NULL && codes_out != NULL && info_out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find(store, &view, TABLE_POPULATIONS, hash, &value);
    if (status != BR_OK) {
        return status;
    }
    if (value.data == NULL) {
        return absent(store, "population", hash);
    }
    br_population_info info = {.hash = *hash};
    if (value.n >= POPULATION_HEAD) {
        info.n = br_be32_get(value.data);
        info.n_investor_fields = br_be32_get(value.data + 4);
    }
    if (value.n < POPULATION_HEAD || value.n - POPULATION_HEAD != (size_t)info.n * info.n_investor_fields) {
        return damaged(store, "population", hash);
    }
    uint8_t *codes = br_memdup(value.data + POPULATION_HEAD, value.n - POPULATION_HEAD);
    if (codes == NULL) {
        return br_no_memory("population rows", info.n);
    }
    *codes_out = codes;
    *info_out = info;
    return BR_OK;
}

// --- lists ---

// Key of a list; with `number` UINT64_MAX the place behind the last list of that bond and day.
static br_bytes list_key(uint8_t out[LIST_KEY_BYTES], const char *bond_id, br_day as_of, uint64_t number)
{
    size_t n = strlen(bond_id);
    br_assert(n > 0 && n <= BR_MAX_ID_BYTES);
    memcpy(out, bond_id, n + 1);
    br_be32_put(out + n + 1, br_day_order(as_of));
    br_be64_put(out + n + 5, number);
    return br_bytes_of(out, n + 13);
}

// Is the cursor on a list of this bond?
static bool on_bond(const br_cursor *cursor, const char *bond_id)
{
    size_t n = strlen(bond_id);
    return cursor->key.data != NULL && cursor->key.n == n + 13 && memcmp(cursor->key.data, bond_id, n + 1) == 0;
}

typedef enum list_choice { ANY_LIST, LIVE_LIST, BACKTEST } list_choice;

static br_status is_chosen(br_bytes value, list_choice choice, bool *out)
{
    *out = true;
    if (choice == ANY_LIST) {
        return BR_OK;
    }
    BR_AUTO(br_arena) *arena = NULL;
    br_list list;
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    if (status == BR_OK) {
        status = br_list_unpack(&list, arena, value.data, value.n);
    }
    *out = status == BR_OK && list.backtest == (choice == BACKTEST);
    return status;
}

// From the last list of the bond with as_of <= the given one back to the first that is chosen; BR_ERR_AGAIN if there is none.
static br_status last_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                           list_choice choice, br_list *out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, store->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    uint8_t key[LIST_KEY_BYTES];
    br_bytes before = list_key(key, bond_id, as_of, UINT64_MAX);
    bool chosen = false;
    status = br_cursor_init(&cursor, &view, TABLE_LISTS);
    while (status == BR_OK && !chosen) {
        status = br_cursor_before(&cursor, before);
        if (status == BR_OK && !on_bond(&cursor, bond_id)) {
            return BR_ERR_AGAIN;
        }
        if (status == BR_OK) {
            memcpy(key, cursor.key.data, cursor.key.n);
            status = is_chosen(cursor.value, choice, &chosen);
        }
    }
    return status == BR_OK ? br_list_unpack(out, arena, cursor.value.data, cursor.value.n) : status;
}

// Does the list say the same, its day included, as the last one of its bond up to that day? What else came into the ledger meanwhile does not count:
// replay with the earlier head gives the same list. Nor does a backtest made meanwhile: an event that is worked again after a kill must not
// put its lists behind it.
static br_status is_known(br_recommendations *store, const br_list *list, bool *out)
{
    br_list last;
    *out = false;
    br_arena_reset(store->arena);
    br_status status =
        last_list(store, store->arena, list->bond_id, list->as_of, list->backtest ? BACKTEST : LIVE_LIST, &last);
    if (status == BR_ERR_AGAIN) {
        return BR_OK;
    }
    if (status != BR_OK) {
        return status;
    }
    last.ledger_head = list->ledger_head;
    br_scratch_clear(&store->packed);
    br_scratch_clear(&store->other);
    status = br_list_pack(list, &store->packed);
    if (status == BR_OK) {
        status = br_list_pack(&last, &store->other);
    }
    if (status == BR_OK) {
        *out = store->packed.length == store->other.length &&
               memcmp(store->packed.data, store->other.data, store->packed.length) == 0;
    }
    return status;
}

static br_status put_todo(br_recommendations *store, const br_hash *job)
{
    uint64_t arrival = 0;
    br_status status = take_number(store, "arrivals", &arrival);
    uint8_t place[8];
    br_be64_put(place, arrival);
    uint8_t todo[TODO_BYTES] = {0};
    memcpy(todo, job->bytes, sizeof job->bytes);
    if (status == BR_OK) {
        status = br_env_put(store->env, TABLE_TODO, br_bytes_of(place, sizeof place), br_bytes_of(todo, sizeof todo),
                            BR_PUT_NEW);
    }
    return status == BR_OK
               ? br_env_put(store->env, TABLE_TODO_OF, hash_key(job), br_bytes_of(place, sizeof place), BR_PUT_NEW)
               : status;
}

// A job is done once: what was asked for before is not asked for again.
static br_status put_job(br_recommendations *store, const br_hash *job, const br_job_body *body, bool *todo_out)
{
    bool known = false;
    br_status status = has(store, TABLE_JOBS, job, &known);
    if (status != BR_OK || known) {
        return status;
    }
    br_scratch_clear(&store->packed);
    status = br_job_body_pack(body, &store->packed);
    if (status != BR_OK) {
        return status;
    }
    br_hash hash = br_hash_of(store->packed.data, store->packed.length);
    br_assert(br_hash_equal(&hash, job));
    status = br_env_put(store->env, TABLE_JOBS, hash_key(job), packed_bytes(&store->packed), BR_PUT_NEW);
    if (status == BR_OK) {
        status = put_todo(store, job);
    }
    *todo_out = status == BR_OK;
    return status;
}

static br_status put_list(br_recommendations *store, const br_list *list, const br_job_body *job, bool *todo_out)
{
    *todo_out = false;
    bool known = false;
    br_status status = is_known(store, list, &known);
    if (status != BR_OK || known) {
        return status;
    }
    uint64_t number = 0;
    status = take_number(store, "lists", &number);
    if (status != BR_OK) {
        return status;
    }
    br_scratch_clear(&store->packed);
    status = br_list_pack(list, &store->packed);
    if (status != BR_OK) {
        return status;
    }
    uint8_t key[LIST_KEY_BYTES];
    status = br_env_put(store->env, TABLE_LISTS, list_key(key, list->bond_id, list->as_of, number),
                        packed_bytes(&store->packed), BR_PUT_NEW);
    return status == BR_OK && job != NULL ? put_job(store, &list->job_id, job, todo_out) : status;
}

br_status br_recommendations_put_list(br_recommendations *store, const br_list *list, const br_job_body *job,
                                      bool *todo_out)
{
    br_assert(store != NULL && list != NULL && todo_out != NULL && br_env_in_batch(store->env));
    br_assert(list->has_job == (job != NULL));
    return br_env_settle(store->env, put_list(store, list, job, todo_out));
}

static br_status read_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                           list_choice choice, br_list *out)
{
    br_assert(store != NULL && arena != NULL && bond_id != NULL && out != NULL);
    size_t n = strlen(bond_id); // asked for by people, so a wrong id is not a bug
    br_status status =
        n == 0 || n > BR_MAX_ID_BYTES ? BR_ERR_AGAIN : last_list(store, arena, bond_id, as_of, choice, out);
    if (status != BR_ERR_AGAIN) {
        return status;
    }
    char day[BR_DAY_TEXT];
    return br_fail(BR_ERR_NOT_FOUND, "no list for bond \"%.*s\" as of %s or before", BR_MAX_ID_BYTES, bond_id,
                   br_day_text(as_of, day));
}

br_status br_recommendations_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                                  br_list *out)
{
    return read_list(store, arena, bond_id, as_of, ANY_LIST, out);
}

br_status br_recommendations_live_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                                       br_list *out)
{
    return read_list(store, arena, bond_id, as_of, LIVE_LIST, out);
}

br_status br_recommendations_shown_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_list *out)
{
    br_status status = read_list(store, arena, bond_id, BR_DAY_MAX, LIVE_LIST, out);
    return status == BR_ERR_NOT_FOUND ? read_list(store, arena, bond_id, BR_DAY_MAX, ANY_LIST, out) : status;
}

typedef struct list_walk {
    br_recommendations *store;
    br_arena *arena;
    br_list_visitor visitor;
    void *context;
    uint8_t next[LIST_KEY_BYTES + 1]; // first place behind what was visited last
    size_t next_bytes;
    bool all; // else the newest of each bond
    bool over;
} list_walk;

// From the first list of a bond to its last, which is the newest of the latest day.
static br_status to_newest(list_walk *walk, br_cursor *cursor)
{
    const uint8_t *end = memchr(cursor->key.data, 0, cursor->key.n);
    size_t n = end == NULL ? 0 : (size_t)(end - cursor->key.data);
    if (n == 0 || n > BR_MAX_ID_BYTES) {
        return br_fail(BR_ERR_CORRUPT, "%s: a list without bond", br_env_directory(walk->store->env));
    }
    // Ids have no control characters, so the id and a byte 1 stand behind all of the bond's lists and before the next bond's.
    memcpy(walk->next, cursor->key.data, n);
    walk->next[n] = 1;
    walk->next_bytes = n + 1;
    return br_cursor_before(cursor, br_bytes_of(walk->next, walk->next_bytes));
}

static br_status visit_list(list_walk *walk, br_cursor *cursor)
{
    br_status status = BR_OK;
    if (!walk->all) {
        status = to_newest(walk, cursor);
    } else {
        br_assert(cursor->key.n <= LIST_KEY_BYTES);
        memcpy(walk->next, cursor->key.data, cursor->key.n);
        walk->next[cursor->key.n] = 0; // the next key there can be
        walk->next_bytes = cursor->key.n + 1;
    }
    if (status != BR_OK) {
        return status;
    }
    br_arena_reset(walk->arena);
    br_list list;
    status = br_list_unpack(&list, walk->arena, cursor->value.data, cursor->value.n);
    return status == BR_OK ? walk->visitor(walk->context, &list) : status;
}

static br_status visit_some(list_walk *walk)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, walk->store->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, &view, TABLE_LISTS);
    for (unsigned n = 0; status == BR_OK && n < LISTS_PER_VIEW && !walk->over; n++) {
        status = br_cursor_seek(&cursor, br_bytes_of(walk->next, walk->next_bytes));
        walk->over = status == BR_OK && cursor.key.data == NULL;
        if (status == BR_OK && !walk->over) {
            status = visit_list(walk, &cursor);
        }
    }
    return status;
}

static br_status visit_lists(br_recommendations *store, bool all, br_list_visitor visitor, void *context)
{
    br_assert(store != NULL && visitor != NULL);
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    list_walk walk = {
        .store = store, .arena = arena, .visitor = visitor, .context = context, .next_bytes = 1, .all = all};
    while (status == BR_OK && !walk.over) {
        status = visit_some(&walk);
    }
    return status;
}

br_status br_recommendations_visit(br_recommendations *store, br_list_visitor visitor, void *context)
{
    return visit_lists(store, false, visitor, context);
}

br_status br_recommendations_visit_all(br_recommendations *store, br_list_visitor visitor, void *context)
{
    return visit_lists(store, true, visitor, context);
}

// --- jobs ---

// Where a job stands in the to-do list; *found = false when it is not there.
static br_status todo_place(br_recommendations *store, const br_hash *job, uint8_t place[8], bool *found)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find(store, &view, TABLE_TODO_OF, job, &value);
    if (status != BR_OK) {
        return status;
    }
    *found = value.data != NULL;
    if (*found) {
        if (value.n != 8) {
            return damaged(store, "to-do entry", job);
        }
        memcpy(place, value.data, 8);
    }
    return BR_OK;
}

static br_status remove_todo(br_recommendations *store, const br_hash *job, const uint8_t place[8])
{
    br_status status = br_env_delete(store->env, TABLE_TODO, br_bytes_of(place, 8));
    return status == BR_OK ? br_env_delete(store->env, TABLE_TODO_OF, hash_key(job)) : status;
}

static br_status put_result(br_recommendations *store, const br_result *result, bool *first_out)
{
    uint8_t place[8];
    bool found = false;
    br_status status = todo_place(store, &result->job_id, place, &found);
    if (status != BR_OK || !found) {
        *first_out = false;
        return status;
    }
    br_scratch_clear(&store->packed);
    status = br_result_pack(result, &store->packed);
    if (status == BR_OK) {
        status =
            br_env_put(store->env, TABLE_RESULTS, hash_key(&result->job_id), packed_bytes(&store->packed), BR_PUT_NEW);
    }
    if (status == BR_OK) {
        status = remove_todo(store, &result->job_id, place);
    }
    *first_out = status == BR_OK;
    return status;
}

br_status br_recommendations_put_result(br_recommendations *store, const br_result *result, bool *first_out)
{
    br_assert(store != NULL && result != NULL && first_out != NULL && br_env_in_batch(store->env));
    return br_env_settle(store->env, put_result(store, result, first_out));
}

static br_status put_dead(br_recommendations *store, const br_dead_job *dead)
{
    uint8_t place[8];
    bool found = false;
    br_status status = todo_place(store, &dead->job_id, place, &found);
    if (status != BR_OK || !found) {
        return status;
    }
    br_scratch_clear(&store->packed);
    status = br_dead_job_pack(dead, &store->packed);
    if (status == BR_OK) {
        status =
            br_env_put(store->env, TABLE_DEAD, hash_key(&dead->job_id), packed_bytes(&store->packed), BR_PUT_REPLACE);
    }
    return status == BR_OK ? remove_todo(store, &dead->job_id, place) : status;
}

br_status br_recommendations_put_dead(br_recommendations *store, const br_dead_job *dead)
{
    br_assert(store != NULL && dead != NULL && br_env_in_batch(store->env));
    return br_env_settle(store->env, put_dead(store, dead));
}

static br_status put_again(br_recommendations *store, const br_hash *job, bool *again_out)
{
    *again_out = false;
    bool dead = false;
    br_status status = has(store, TABLE_DEAD, job, &dead);
    if (status == BR_OK && dead) {
        status = br_env_delete(store->env, TABLE_DEAD, hash_key(job));
        status = status == BR_OK ? put_todo(store, job) : status;
        *again_out = status == BR_OK;
    }
    return status;
}

br_status br_recommendations_put_again(br_recommendations *store, const br_hash *job, bool *again_out)
{
    br_assert(store != NULL && job != NULL && again_out != NULL && br_env_in_batch(store->env));
    return br_env_settle(store->env, put_again(store, job, again_out));
}

br_status br_recommendations_put_attempt(br_recommendations *store, const br_hash *job, uint32_t attempt)
{
    br_assert(store != NULL && job != NULL && br_env_in_batch(store->env));
    uint8_t place[8];
    bool found = false;
    br_status status = todo_place(store, job, place, &found);
    if (status == BR_OK && found) {
        uint8_t todo[TODO_BYTES];
        memcpy(todo, job->bytes, sizeof job->bytes);
        br_be32_put(todo + BR_HASH_BYTES, attempt);
        status = br_env_put(store->env, TABLE_TODO, br_bytes_of(place, sizeof place), br_bytes_of(todo, sizeof todo),
                            BR_PUT_REPLACE);
    }
    return br_env_settle(store->env, status);
}

br_status br_recommendations_todo(br_recommendations *store, uint64_t *after_io, br_hash *jobs_out,
                                  uint32_t *attempts_out, uint32_t max, uint32_t *n_out)
{
    br_assert(store != NULL && after_io != NULL && jobs_out != NULL && attempts_out != NULL && n_out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, store->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    uint8_t start[8];
    br_be64_put(start, *after_io + 1);
    status = br_cursor_init(&cursor, &view, TABLE_TODO);
    if (status == BR_OK) {
        status = br_cursor_seek(&cursor, br_bytes_of(start, sizeof start));
    }
    uint64_t last = *after_io;
    uint32_t n = 0;
    while (status == BR_OK && n < max && cursor.key.data != NULL) {
        if (cursor.key.n != 8 || cursor.value.n != TODO_BYTES) {
            return br_fail(BR_ERR_CORRUPT, "%s: a to-do entry of %zu bytes", br_env_directory(store->env),
                           cursor.value.n);
        }
        last = br_be64_get(cursor.key.data);
        memcpy(jobs_out[n].bytes, cursor.value.data, BR_HASH_BYTES);
        attempts_out[n] = br_be32_get(cursor.value.data + BR_HASH_BYTES);
        n++;
        status = br_cursor_next(&cursor);
    }
    if (status == BR_OK) {
        *after_io = last;
        *n_out = n;
    }
    return status;
}

br_status br_recommendations_is_todo(br_recommendations *store, const br_hash *job, bool *out)
{
    br_assert(store != NULL && job != NULL && out != NULL);
    return has(store, TABLE_TODO_OF, job, out);
}

br_status br_recommendations_job(br_recommendations *store, br_arena *arena, const br_hash *job, br_job_body *out)
{
    br_assert(store != NULL && arena != NULL && job != NULL && out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find(store, &view, TABLE_JOBS, job, &value);
    if (status != BR_OK) {
        return status;
    }
    if (value.data == NULL) {
        return absent(store, "job", job);
    }
    return br_job_body_unpack(out, arena, value.data, value.n);
}

br_status br_recommendations_result(br_recommendations *store, br_arena *arena, const br_hash *job, br_result *out)
{
    br_assert(store != NULL && arena != NULL && job != NULL && out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find(store, &view, TABLE_RESULTS, job, &value);
    if (status != BR_OK) {
        return status;
    }
    return value.data == NULL ? absent(store, "result of job", job) : br_result_unpack(out, arena, value.data, value.n);
}

static br_status read_dead(br_recommendations *store, br_arena *arena, const br_hash *job, br_outcome *out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find(store, &view, TABLE_DEAD, job, &value);
    if (status == BR_OK && value.data != NULL) {
        out->state = BR_JOB_DEAD;
        status = br_dead_job_unpack(&out->dead, arena, value.data, value.n);
    }
    return status;
}

br_status br_recommendations_outcome(br_recommendations *store, br_arena *arena, const br_list *list, br_outcome *out)
{
    br_assert(store != NULL && arena != NULL && list != NULL && out != NULL);
    *out = (br_outcome){.state = list->has_job ? BR_JOB_TODO : BR_JOB_NONE};
    if (!list->has_job) {
        return BR_OK;
    }
    br_status status = br_recommendations_result(store, arena, &list->job_id, &out->result);
    if (status == BR_ERR_NOT_FOUND) {
        return read_dead(store, arena, &list->job_id, out);
    }
    out->state = status == BR_OK ? BR_JOB_DONE : BR_JOB_TODO;
    return status;
}

br_status br_recommendations_visit_dead(br_recommendations *store, br_dead_visitor visitor, void *context)
{
    br_assert(store != NULL && visitor != NULL);
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    if (status == BR_OK) {
        status = br_view_init(&view, store->env);
    }
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, &view, TABLE_DEAD);
    if (status == BR_OK) {
        status = br_cursor_seek(&cursor, br_bytes_of("", 1));
    }
    while (status == BR_OK && cursor.key.data != NULL) {
        br_dead_job dead;
        br_arena_reset(arena);
        status = br_dead_job_unpack(&dead, arena, cursor.value.data, cursor.value.n);
        if (status == BR_OK) {
            status = visitor(context, &dead);
        }
        if (status == BR_OK) {
            status = br_cursor_next(&cursor);
        }
    }
    return status;
}

// --- facts ---

br_status br_recommendations_counts(br_recommendations *store, uint64_t *lists_out, uint64_t *todo_out,
                                    uint64_t *results_out, uint64_t *dead_out)
{
    br_assert(store != NULL && lists_out != NULL && todo_out != NULL && results_out != NULL && dead_out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, store->env);
    if (status == BR_OK) {
        status = br_view_count(&view, TABLE_LISTS, lists_out);
    }
    if (status == BR_OK) {
        status = br_view_count(&view, TABLE_TODO, todo_out);
    }
    if (status == BR_OK) {
        status = br_view_count(&view, TABLE_RESULTS, results_out);
    }
    return status == BR_OK ? br_view_count(&view, TABLE_DEAD, dead_out) : status;
}

br_status br_recommendations_put_offset(br_recommendations *store, uint64_t offset)
{
    return br_env_put_number(store->env, "offset", offset);
}

br_status br_recommendations_offset(br_recommendations *store, uint64_t *offset_out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, store->env);
    return status == BR_OK ? br_view_number(&view, "offset", offset_out) : status;
}

br_status br_recommendations_put_owed(br_recommendations *store, uint64_t record)
{
    return br_env_put_number(store->env, "owed", record);
}

br_status br_recommendations_owed(br_recommendations *store, uint64_t *record_out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, store->env);
    return status == BR_OK ? br_view_number(&view, "owed", record_out) : status;
}

br_status br_recommendations_facts(br_recommendations *store, br_store_facts *out)
{
    return br_env_facts(store->env, out);
}
