// Which bonds there are: their table, searched and in order, and one of them with its features.

#include "compute.h"
#include "notes.h"

#include "base/alloc.h"

#include <string.h>

#define DEFAULT_PAGE 100
#define MAX_OFFSET   100000000
#define ARENA_BYTES  (64u << 20)

const char *bond_state(const br_market *market, uint32_t bond)
{
    const br_bond *b = br_market_bond(market, bond);
    br_day today = br_market_business_day(market);
    if (today == BR_DAY_NONE || b->issue_day <= today) {
        return "issued"; // without a closed day the market is a folder of the past
    }
    return b->announce_day <= today ? "upcoming" : "announced";
}

const listed_bond *bond_listed(const desk *self, uint32_t bond)
{
    uint32_t number = bond < self->n_list_of ? self->list_of[bond] : BR_INDEX_NONE;
    return number == BR_INDEX_NONE ? NULL : &self->listed[number];
}

// --- search ---

char desk_folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/// `sought` is folded. Letters beyond ASCII are compared as they are.
static bool contains(const char *text, const char *sought)
{
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (sought[i] != '\0' && desk_folded(text[i]) == sought[i]) {
            i++;
        }
        if (sought[i] == '\0') {
            return true;
        }
    }
    return false;
}

/// Ids are searched as one text.
static void mark_ids(const desk *self, const char *sought, uint8_t *marks, uint32_t n)
{
    const size_t n_sought = strlen(sought);
    const char *ids = (const char *)self->ids.data;
    const char *end = ids + self->ids.length;
    for (const char *at = ids; at != NULL && at < end;) {
        at = memmem(at, (size_t)(end - at), sought, n_sought);
        if (at != NULL) {
            // The first id that ends behind it.
            uint32_t low = 0;
            uint32_t high = n - 1;
            while (low < high) {
                uint32_t middle = (low + high) / 2;
                if (self->id_ends[middle] > (size_t)(at - ids)) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            marks[low] = 1;
            at = ids + self->id_ends[low];
        }
    }
}

/// found[i] = 1 for each of the strings that holds the text; how many they are.
static uint32_t find_strings(uint8_t *found, const br_index *strings, const char *sought)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < br_index_count(strings); i++) {
        found[i] = contains(br_index_text(strings, i), sought) ? 1 : 0;
        n += found[i];
    }
    return n;
}

static void mark_values(const br_market *market, uint32_t feature, const uint8_t *found, uint8_t *marks, uint32_t n)
{
    for (uint32_t bond = 0; bond < n; bond++) {
        uint32_t value = marks[bond] != 0 ? BR_INDEX_NONE : br_market_bond_value(market, bond, feature).value;
        marks[bond] = marks[bond] != 0 || (value != BR_INDEX_NONE && found[value] != 0) ? 1 : 0;
    }
}

/// marks[bond] = 1 for each bond whose id, issuer or value holds the text; NULL in *out without a text.
static br_status search(const desk *self, br_arena *arena, const char *text, uint8_t **out)
{
    *out = NULL;
    const br_market *market = br_follower_market(self->follower);
    const br_schema *schema = br_market_schema(market);
    const uint32_t n = self->n_ids;
    if (text == NULL || text[0] == '\0' || n == 0) {
        return BR_OK;
    }
    uint32_t most = br_market_n_issuers(market);
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        const bool counts = schema->bond_features[i].kind != BR_KIND_CONTINUOUS;
        const uint32_t strings = counts ? br_index_count(br_market_bond_strings(market, i)) : 0;
        most = strings > most ? strings : most;
    }
    char *sought = br_arena_strndup(arena, text, strlen(text));
    uint8_t *marks = br_arena_calloc(arena, n, 1);
    uint8_t *found = br_arena_calloc(arena, most + 1, 1);
    if (sought == NULL || marks == NULL || found == NULL) {
        return br_no_memory("bonds", n);
    }
    for (char *c = sought; *c != '\0'; c++) {
        *c = desk_folded(*c);
    }
    mark_ids(self, sought, marks, n);
    for (uint32_t i = 0; i < br_market_n_issuers(market); i++) {
        found[i] = contains(br_market_issuer_id(market, i), sought) ? 1 : 0;
    }
    for (uint32_t bond = 0; bond < n; bond++) {
        marks[bond] = marks[bond] != 0 || found[br_market_bond(market, bond)->issuer] != 0 ? 1 : 0;
    }
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        if (schema->bond_features[i].kind != BR_KIND_CONTINUOUS &&
            find_strings(found, br_market_bond_strings(market, i), sought) > 0) {
            mark_values(market, i, found, marks, n);
        }
    }
    *out = marks;
    return BR_OK;
}

// --- order ---

typedef enum bond_order { ORDER_ISSUE, ORDER_ID, ORDER_INVESTORS } bond_order;

typedef struct bond_filter {
    const char *state; ///< "upcoming", "issued", "announced" or NULL: upcoming and listed ones
    const char *text;  ///< NULL = all
    br_day from;
    br_day until;
    bond_order order;
    bool descending;
    uint32_t limit;
    uint32_t offset;
} bond_filter;

static bool passes(const desk *self, const br_market *market, const bond_filter *filter, uint32_t bond)
{
    const br_day issue = br_market_bond(market, bond)->issue_day;
    if (issue < filter->from || issue >= filter->until) {
        return false;
    }
    const char *state = bond_state(market, bond);
    if (filter->state != NULL) {
        return strcmp(state, filter->state) == 0;
    }
    return strcmp(state, "upcoming") == 0 || bond_listed(self, bond) != NULL;
}

/// A bond in a table that is to be sorted: few comparisons need more than the key.
typedef struct sorted_bond {
    uint64_t key;
    uint32_t at; ///< in the order of issue
    uint32_t bond;
} sorted_bond;

typedef struct sorting {
    const br_market *market;
    bool by_id; ///< ids decide between equal keys, else their order stays
    bool descending;
} sorting;

static bool is_before(const sorting *s, const sorted_bond *left, const sorted_bond *right)
{
    if (left->key != right->key) {
        return (left->key < right->key) != s->descending;
    }
    int ids =
        s->by_id ? strcmp(br_market_bond_id(s->market, left->bond), br_market_bond_id(s->market, right->bond)) : 0;
    return ids != 0 ? (ids < 0) != s->descending : left->at < right->at;
}

static sorted_bond sorted_of(const desk *self, const sorting *s, uint32_t bond, uint32_t at)
{
    const listed_bond *list = s->by_id ? NULL : bond_listed(self, bond);
    return (sorted_bond){.key = s->by_id ? self->id_keys[bond] : UINT32_MAX - (list == NULL ? 0 : list->n_entries),
                         .at = at,
                         .bond = bond};
}

/// Let heap[at] sink in a heap whose last one is on top.
static void sink(const sorting *s, sorted_bond *heap, uint32_t n, uint32_t at)
{
    for (uint32_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && is_before(s, &heap[child], &heap[child + 1])) {
            child++;
        }
        if (!is_before(s, &heap[at], &heap[child])) {
            return;
        }
        sorted_bond moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

/// The first n_first by id, or by the length of the list, of bonds[n], which come in order of issue, the last first.
static br_status sort_bonds(const desk *self, br_arena *arena, const bond_filter *filter, uint32_t *bonds, uint32_t n,
                            uint32_t n_first)
{
    const sorting s = {.market = br_follower_market(self->follower),
                       .by_id = filter->order == ORDER_ID,
                       .descending = filter->descending};
    n_first = n_first < n ? n_first : n;
    sorted_bond *heap = br_arena_calloc(arena, n_first + 1, sizeof *heap);
    if (heap == NULL) {
        return br_no_memory("bonds", n_first);
    }
    for (uint32_t i = 0; i < n_first; i++) {
        heap[i] = sorted_of(self, &s, bonds[i], i);
    }
    for (uint32_t i = n_first / 2; i > 0; i--) {
        sink(&s, heap, n_first, i - 1);
    }
    for (uint32_t i = n_first; i < n && n_first > 0; i++) {
        sorted_bond next = sorted_of(self, &s, bonds[i], i);
        if (is_before(&s, &next, &heap[0])) {
            heap[0] = next;
            sink(&s, heap, n_first, 0);
        }
    }
    for (uint32_t left = n_first; left > 0; left--) {
        bonds[left - 1] = heap[0].bond;
        heap[0] = heap[left - 1];
        sink(&s, heap, left - 1, 0);
    }
    return BR_OK;
}

/// All bonds that pass, in the arena; those up to the end of the page are in their order.
static br_status select_bonds(const desk *self, br_arena *arena, const bond_filter *filter, uint32_t **out,
                              uint32_t *n_out)
{
    const br_market *market = br_follower_market(self->follower);
    uint32_t *bonds = br_arena_calloc(arena, self->n_bonds + 1, sizeof *bonds);
    uint8_t *marks = NULL;
    if (bonds == NULL) {
        return br_no_memory("bonds", self->n_bonds);
    }
    *out = bonds;
    *n_out = 0;
    if (market == NULL) {
        return BR_OK;
    }
    br_status status = search(self, arena, filter->text, &marks);
    uint32_t n = 0;
    for (uint32_t i = self->n_bonds; i > 0 && status == BR_OK; i--) {
        uint32_t bond = self->bonds[i - 1];
        if ((marks == NULL || marks[bond] != 0) && passes(self, market, filter, bond)) {
            bonds[n++] = bond;
        }
    }
    if (filter->order != ORDER_ISSUE && status == BR_OK) {
        status = sort_bonds(self, arena, filter, bonds, n, filter->offset + filter->limit);
    }
    for (uint32_t i = 0; filter->order == ORDER_ISSUE && !filter->descending && i < n / 2; i++) {
        uint32_t bond = bonds[i];
        bonds[i] = bonds[n - 1 - i];
        bonds[n - 1 - i] = bond;
    }
    *n_out = n;
    return status;
}

// --- one bond ---

static void value_json(br_buf *out, const br_market *market, uint32_t bond, uint32_t feature)
{
    br_raw_value value = br_market_bond_value(market, bond, feature);
    if (br_market_schema(market)->bond_features[feature].kind == BR_KIND_CONTINUOUS) {
        br_buf_json_number(out, value.number);
    } else if (value.value == BR_INDEX_NONE) {
        br_buf_string(out, "null");
    } else {
        const char *text = br_index_text(br_market_bond_strings(market, feature), value.value);
        br_buf_json_string(out, text, strlen(text));
    }
}

static void features_json(br_buf *out, const br_market *market, uint32_t bond)
{
    const br_schema *schema = br_market_schema(market);
    br_buf_string(out, "\"features\": {");
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        const char *name = schema->bond_features[i].name;
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_json_string(out, name, strlen(name));
        br_buf_string(out, ": ");
        value_json(out, market, bond, i);
    }
    br_buf_char(out, '}');
}

/// Members of a bond without the braces.
static void bond_members(br_buf *out, const desk *self, uint32_t bond)
{
    const br_market *market = br_follower_market(self->follower);
    const br_bond *b = br_market_bond(market, bond);
    const listed_bond *list = bond_listed(self, bond);
    char day[BR_DAY_TEXT];
    json_member(out, "id", br_market_bond_id(market, bond));
    br_buf_string(out, ", ");
    json_member(out, "issuer", br_market_issuer_id(market, b->issuer));
    br_buf_string(out, ", ");
    json_member(out, "announce_date", br_day_text(b->announce_day, day));
    br_buf_string(out, ", ");
    json_member(out, "issue_date", br_day_text(b->issue_day, day));
    br_buf_string(out, ", ");
    json_member(out, "state", bond_state(market, bond));
    br_buf_printf(out, ", \"cancelled\": %s, \"list\": ", b->cancelled ? "true" : "false");
    if (list == NULL) {
        br_buf_string(out, "null");
    } else {
        br_buf_printf(out, "{\"as_of\": \"%s\", \"investors\": %u, \"backtest\": %s, \"pending\": %s, \"dead\": %s}",
                      br_day_text(list->as_of, day), list->n_entries, list->backtest ? "true" : "false",
                      list->pending ? "true" : "false", list->dead ? "true" : "false");
    }
}

// --- what its features may be ---

/// The values to choose from: those of a closed list, those that the model learned, or without a model those that were seen.
static void values_json(br_buf *out, const br_market *market, uint32_t feature, const br_field *field)
{
    const br_feature *f = &br_market_schema(market)->bond_features[feature];
    const br_index *seen = f->kind == BR_KIND_CONTINUOUS ? NULL : br_market_bond_strings(market, feature);
    const bool learned = field != NULL && f->n_values == 0 && f->kind == BR_KIND_CATEGORICAL;
    uint32_t n = f->kind == BR_KIND_CONTINUOUS ? 0 : learned ? field->n_values - 1u : br_index_count(seen);
    n -= learned && field->n_others > 0 ? 1 : 0; // the last stands for many
    n = n > BR_MAX_VALUES ? BR_MAX_VALUES : n;
    br_buf_string(out, "\"values\": [");
    for (uint32_t i = 0; i < n; i++) {
        const char *text = learned ? field->value_names[i + 1] : br_index_text(seen, i);
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_json_string(out, text, strlen(text));
    }
    br_buf_char(out, ']');
}

/// Does the encoder speak of the market's features? A later schema may not.
static bool encoder_fits(const br_encoder *encoder, const br_schema *schema)
{
    bool fits = encoder != NULL && encoder->n_bond_fields == schema->n_bond_features;
    for (uint32_t i = 0; fits && i < schema->n_bond_features; i++) {
        const br_feature *f = &schema->bond_features[i];
        fits = encoder->fields[i].kind == f->kind && strcmp(encoder->fields[i].name, f->name) == 0;
    }
    return fits;
}

/// Members that say what a feature is.
static void feature_members(br_buf *out, const br_feature *f, br_language language)
{
    const char *label = language == BR_LANGUAGE_ZH && f->label.zh != NULL ? f->label.zh : f->label.en;
    json_member(out, "name", f->name);
    br_buf_string(out, ", ");
    json_member(out, "label", label == NULL ? f->name : label);
    br_buf_string(out, ", ");
    json_member(out, "kind", br_feature_kind_name(f->kind));
}

void feature_json(br_buf *out, const br_market *market, uint32_t bond, uint32_t feature, br_language language)
{
    br_buf_char(out, '{');
    feature_members(out, &br_market_schema(market)->bond_features[feature], language);
    br_buf_string(out, ", \"value\": ");
    value_json(out, market, bond, feature);
    br_buf_char(out, '}');
}

/// encoder: NULL without a served snapshot.
static void fields_json(br_buf *out, const br_market *market, uint32_t bond, const br_encoder *encoder,
                        br_language language)
{
    static _Thread_local uint8_t codes[BR_MAX_FEATURES];
    const br_schema *schema = br_market_schema(market);
    const bool fits = encoder_fits(encoder, schema);
    if (fits) {
        br_encoder_bond(encoder, market, bond, codes);
    }
    br_buf_string(out, "\"feature_fields\": [");
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        br_buf_string(out, i == 0 ? "\n {" : ",\n {");
        feature_members(out, &schema->bond_features[i], language);
        br_buf_string(out, ", ");
        values_json(out, market, i, fits ? &encoder->fields[i] : NULL);
        br_buf_string(out, ", \"value\": ");
        value_json(out, market, bond, i);
        br_buf_printf(out, ", \"coded\": %s}", fits && codes[i] != 0 ? "true" : "false");
    }
    br_buf_char(out, ']');
}

// --- requests ---

static bool read_state(const br_http_request *request, br_http_answer *answer, bond_filter *filter)
{
    const char *state = request->query(request, "state");
    if (state != NULL && strcmp(state, "upcoming") != 0 && strcmp(state, "issued") != 0 &&
        strcmp(state, "announced") != 0) {
        br_http_problem(answer, 400, "Wrong parameter", "state must be upcoming, issued or announced");
        return false;
    }
    filter->state = state;
    return true;
}

static bool read_order(const br_http_request *request, br_http_answer *answer, bond_filter *filter)
{
    static const char *const names[] = {[ORDER_ISSUE] = "issue", [ORDER_ID] = "id", [ORDER_INVESTORS] = "investors"};
    const char *sort = request->query(request, "sort");
    if (sort == NULL) {
        sort = "-issue";
    }
    filter->descending = sort[0] == '-';
    for (bond_order order = ORDER_ISSUE; order <= ORDER_INVESTORS; order++) {
        if (strcmp(sort + (filter->descending ? 1 : 0), names[order]) == 0 &&
            !(order == ORDER_INVESTORS && filter->descending)) {
            filter->order = order;
            return true;
        }
    }
    br_http_problem(answer, 400, "Wrong parameter", "sort must be issue, -issue, id, -id or investors");
    return false;
}

void bond_json(br_buf *out, const desk *self, uint32_t bond)
{
    br_buf_char(out, '{');
    bond_members(out, self, bond);
    br_buf_string(out, ", ");
    features_json(out, br_follower_market(self->follower), bond);
    br_buf_char(out, '}');
}

static void bonds_json(br_buf *out, const desk *self, const bond_filter *filter, const uint32_t *bonds, uint32_t n)
{
    const br_market *market = br_follower_market(self->follower);
    br_day today = market == NULL ? BR_DAY_NONE : br_market_business_day(market);
    char day[BR_DAY_TEXT];
    br_buf_printf(out, "{\"total\": %u, \"limit\": %u, \"offset\": %u, \"business_day\": ", n, filter->limit,
                  filter->offset);
    if (today == BR_DAY_NONE) {
        br_buf_string(out, "null");
    } else {
        br_buf_printf(out, "\"%s\"", br_day_text(today, day));
    }
    br_buf_string(out, ", \"bonds\": [");
    for (uint32_t i = filter->offset; i < n && i - filter->offset < filter->limit; i++) {
        br_buf_string(out, i == filter->offset ? "\n {" : ",\n {");
        bond_members(out, self, bonds[i]);
        br_buf_char(out, '}');
    }
    br_buf_string(out, "]}\n");
}

void handle_bonds(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_arena) *arena = NULL;
    bond_filter filter = {
        .text = request->query(request, "q"), .from = BR_DAY_NONE + 1, .until = BR_DAY_MAX, .limit = DEFAULT_PAGE};
    if (!read_state(request, answer, &filter) || !read_order(request, answer, &filter) ||
        !request_day(request, answer, "from", &filter.from) || !request_day(request, answer, "until", &filter.until) ||
        !request_whole(request, answer, "limit", DESK_MAX_PAGE, &filter.limit) ||
        !request_whole(request, answer, "offset", MAX_OFFSET, &filter.offset)) {
        return;
    }
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK) {
        uint32_t *bonds = NULL;
        uint32_t n = 0;
        pthread_rwlock_rdlock(&self->lock);
        status = select_bonds(self, arena, &filter, &bonds, &n);
        if (status == BR_OK) {
            bonds_json(&answer->body, self, &filter, bonds, n);
        }
        pthread_rwlock_unlock(&self->lock);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer_finish(answer);
}

static void answer_bond(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id)
{
    char served[BR_VERSION_TEXT];
    cached_snapshot *snapshot = NULL;
    desk_served(self, served);
    br_status status = served[0] == '\0' ? BR_OK : desk_borrow(self, served, &snapshot);
    if (status != BR_OK && status != BR_ERR_NOT_FOUND) { // its file may just have been removed, with another one served
        answer_failed(answer, status);
        return;
    }
    br_buf *out = &answer->body;
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    uint32_t bond = market == NULL ? BR_INDEX_NONE : br_market_find_bond(market, bond_id);
    if (bond != BR_INDEX_NONE) {
        br_buf_char(out, '{');
        bond_members(out, self, bond);
        br_buf_string(out, ", ");
        features_json(out, market, bond);
        br_buf_string(out, ", ");
        fields_json(out, market, bond, snapshot == NULL ? NULL : snapshot->snapshot->encoder,
                    request_language(request));
        br_buf_string(out, "}\n");
    }
    pthread_rwlock_unlock(&self->lock);
    if (snapshot != NULL) {
        desk_release(self, snapshot);
    }
    if (bond == BR_INDEX_NONE) {
        br_http_problem(answer, 404, "Not found", "no bond has this id");
        return;
    }
    answer_finish(answer);
}

void handle_bond(void *context, const br_http_request *request, br_http_answer *answer)
{
    static const struct {
        const char *suffix;
        bond_handler handler;
    } parts[] = {{"/recommendations", answer_recommendations},
                 {"/recommendations.csv", answer_csv},
                 {"/notes", answer_notes},
                 {"", answer_bond}};
    if (handle_investor_of_bond(context, request, answer)) {
        return;
    }
    const char *rest = request->rest;
    const size_t n = strlen(rest);
    size_t i = 0;
    size_t n_suffix = strlen(parts[0].suffix);
    while (n < n_suffix || strcmp(rest + n - n_suffix, parts[i].suffix) != 0) {
        n_suffix = strlen(parts[++i].suffix);
    }
    const size_t n_id = n - n_suffix;
    char id[BR_MAX_ID_BYTES + 1];
    if (n_id == 0 || n_id > BR_MAX_ID_BYTES) {
        br_http_problem(answer, 404, "Not found", "a bond's id has 1 to 128 bytes");
        return;
    }
    memcpy(id, rest, n_id);
    id[n_id] = '\0';
    parts[i].handler(context, request, answer, id);
}
