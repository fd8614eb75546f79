#include "examples.h"

#include "itembased/ials.h"

#include <float.h>
#include <math.h>
#include <string.h>

// The hash 01 02 03 ... shifted by `first`.
static br_hash hash_from(uint8_t first)
{
    br_hash hash;
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        hash.bytes[i] = (uint8_t)(first + i);
    }
    return hash;
}

#define VERSION "0123456789abcdef0123456789abcdef"
#define ID_OF_128                                                                                                      \
    "\xE5\x80\xBA\xE5\x88\xB8" /* two Chinese characters, then 122 letters */                                          \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjjjjjjjkk"           \
    "kkkkkkkk"                                                                                                         \
    "llllllllllmm"

// --- rows ---

const br_row *example_br_row(void)
{
    static br_named_value features[2];
    static br_row row;
    features[0] = (br_named_value){"rating", "AAA"};
    features[1] = (br_named_value){"industry", ""};
    row = (br_row){
        .kind = BR_ROW_BID,
        .bid_id = ID_OF_128,
        .bond_id = "B1",
        .issuer_id = "",
        .investor_id = "I 1",
        .announce_day = BR_DAY_NONE,
        .issue_day = -719162,
        .day = BR_DAY_MAX,
        .known_from = 0,
        .amount = INT64_MAX,
        .rate = -DBL_MAX,
        .features = features,
        .n_features = 2,
        .revision = UINT64_MAX,
        .cancelled = true,
        .yaml = "a: 1\n\tb",
        .yaml_bytes = 7,
    };
    return &row;
}

const br_row_batch *example_br_row_batch(void)
{
    static br_row rows[4];
    static br_note note, vote;
    static br_row_batch batch;
    rows[0] = *example_br_row();
    rows[1] = (br_row){.kind = BR_ROW_CLOSE_DAY,
                       .bid_id = "",
                       .bond_id = "",
                       .issuer_id = "",
                       .investor_id = "",
                       .announce_day = BR_DAY_NONE,
                       .issue_day = BR_DAY_NONE,
                       .day = 20000,
                       .known_from = BR_DAY_NONE,
                       .amount = BR_AMOUNT_NONE,
                       .rate = (double)NAN};
    note = (br_note){.id = hash_from(1),
                     .user = "\xE7\x8E\x8B",
                     .time_ms = -1,
                     .topic = BR_TOPIC_REASON,
                     .subject = "rating",
                     .value = "useful",
                     .version = VERSION,
                     .chained = true,
                     .chain = hash_from(101)};
    rows[2] = rows[1];
    rows[2].kind = BR_ROW_NOTE;
    rows[2].note = &note;
    vote = (br_note){.id = hash_from(2),
                     .user = "mei",
                     .time_ms = 1,
                     .topic = BR_TOPIC_PAIR,
                     .subject = "S0001",
                     .value = "yes",
                     .version = ""};
    rows[3] = rows[2];
    rows[3].issuer_id = "S0002";
    rows[3].note = &vote;
    batch = (br_row_batch){rows, 4, "bids.csv"};
    return &batch;
}

const br_row_batch_reply *example_br_row_batch_reply(void)
{
    static br_row_result results[3];
    static br_row_batch_reply reply;
    results[0] = (br_row_result){BR_OUTCOME_ACCEPTED, "", "", UINT64_MAX, false};
    results[1] = (br_row_result){BR_OUTCOME_DUPLICATE, "", "", 1, false};
    results[2] = (br_row_result){BR_OUTCOME_REJECTED, "amount", "is negative: -1", 0, true};
    reply = (br_row_batch_reply){results, 3, UINT64_MAX};
    return &reply;
}

// --- control ---

const br_hint *example_br_hint(void)
{
    static br_hint hint;
    hint = (br_hint){BR_HINT_SNAPSHOT, UINT64_MAX, VERSION};
    return &hint;
}

const br_train_request *example_br_train_request(void)
{
    static br_train_request request;
    request = (br_train_request){BR_TRAIN_BEFORE, -1, UINT64_MAX, UINT32_MAX, true};
    return &request;
}

const br_rollback_request *example_br_rollback_request(void)
{
    static br_rollback_request request;
    request = (br_rollback_request){VERSION};
    return &request;
}

const br_rank_request *example_br_rank_request(void)
{
    static const char *ids[2];
    static br_rank_request request;
    ids[0] = "B1";
    ids[1] = ID_OF_128;
    request = (br_rank_request){BR_SCOPE_BONDS, ids, 2, true};
    return &request;
}

const br_retry_request *example_br_retry_request(void)
{
    static br_retry_request request;
    request = (br_retry_request){false, hash_from(9)};
    return &request;
}

const br_evaluate_request *example_br_evaluate_request(void)
{
    static const char *ids[1];
    static br_evaluate_request request;
    ids[0] = "B1";
    request = (br_evaluate_request){BR_SCOPE_BONDS, ids, 1};
    return &request;
}

const br_progress *example_br_progress(void)
{
    static br_progress progress;
    progress = (br_progress){"epoch 3", UINT64_MAX, 1, DBL_MIN, "loss 0.08"};
    return &progress;
}

const br_report *example_br_report(void)
{
    static br_figure figures[2];
    static br_report report;
    figures[0] = (br_figure){"auc", 0.8125, ""};
    figures[1] = (br_figure){"version", 0.0, VERSION};
    report = (br_report){false, "the gate: log loss 2 % worse", figures, 2};
    return &report;
}

// --- work ---

const br_ready *example_br_ready(void)
{
    static const char *versions[2];
    static br_ready ready;
    versions[0] = VERSION;
    versions[1] = "ffffffffffffffffffffffffffffffff";
    ready = (br_ready){"explainer-2", BR_MAX_CREDIT, BR_ENGINE_VERSION, versions, 2};
    return &ready;
}

const br_job_body *example_br_job_body(void)
{
    static uint8_t codes[3];
    static float scores[4];
    static uint8_t eligible[4];
    static uint32_t investors[2];
    static br_job_body body;
    static const uint32_t banned[2] = {4, BR_MAX_FIELDS - 1};
    static const uint32_t apart[4] = {0, 3, 2, 300};
    static const uint32_t issuers[3] = {0, BR_MAX_TABLE_ISSUERS - 1, BR_OWN_ISSUER};
    static const uint32_t bids[3] = {1, UINT32_MAX, 7};
    static const uint32_t days[3] = {INT32_MAX, 400, 1};
    static const br_past past[2] = {{issuers, bids, days, 3}, {.n = 0}};
    for (uint8_t i = 0; i < 3; i++) {
        codes[i] = (uint8_t)(255 - i);
    }
    for (uint8_t i = 0; i < 4; i++) {
        scores[i] = i == 0 ? -FLT_MAX : i == 1 ? FLT_MIN : (float)i;
        eligible[i] = i % 2;
    }
    investors[0] = 3;
    investors[1] = 0;
    body = (br_job_body){
        .version = VERSION,
        .as_of = 20000,
        .bond_codes = {codes, 3},
        .population = hash_from(7),
        .scores = scores,
        .eligible = eligible,
        .n_population = 4,
        .investors = investors,
        .n_investors = 2,
        .objective = BR_OBJECTIVE_BACKED,
        .n_reasons = 3,
        .engine = BR_ENGINE_VERSION,
        .certify = true,
        .banned = banned,
        .n_banned = 2,
        .apart = apart,
        .n_apart = 2,
        .max_evaluations = 5000,
        .has_after = true,
        .after = hash_from(40),
        .issuer = ID_OF_128,
        .past = past,
    };
    return &body;
}

const br_job *example_br_job(void)
{
    static br_job job;
    static const uint32_t warm_start[6] = {0, 1, BR_MAX_FIELDS - 1, BR_NO_FIELD, BR_NO_FIELD, BR_NO_FIELD};
    job = (br_job){.body = *example_br_job_body(), .attempt = 5, .lease_ms = 5000, .warm_start = warm_start};
    br_assert(br_job_id(&job.job_id, &job.body) == BR_OK);
    return &job;
}

const br_result *example_br_result(void)
{
    static br_explanation explanations[2];
    static br_past_bid bids[2];
    static br_past_bids past[2];
    static br_result result;
    explanations[0] = (br_explanation){
        .investor = 3,
        .n_reasons = 2,
        .reasons = {{0, 255, FLT_MAX, -17.8f, UINT32_MAX}, {BR_MAX_FIELDS - 1, 0, -FLT_MAX, 0.0f, 0}},
        .against = {5, 2, -0.5f, 1.5f, 3},
        .logit_selected = 1.25f,
        .logit_all = -2.5f,
        .logit_none = FLT_MIN,
        .objective = -DBL_MAX,
        .n_matching = BR_MAX_POPULATION,
        .mean_probability_matching = 1.0,
        .certified = true,
        .evaluations = UINT32_MAX,
    };
    explanations[1] = (br_explanation){.n_reasons = 1, .against = {.field = UINT32_MAX}};
    bids[0] = (br_past_bid){ID_OF_128, UINT32_MAX, BR_DAY_MAX, 0.0f};
    bids[1] = (br_past_bid){"A", 1, -719162, 1.0f};
    past[1] = (br_past_bids){bids, 2};
    result = (br_result){hash_from(1), explanations, 2, "", true, ID_OF_128, past};
    return &result;
}

const br_result_ack *example_br_result_ack(void)
{
    static br_result_ack ack;
    ack = (br_result_ack){hash_from(200)};
    return &ack;
}

const br_heartbeat *example_br_heartbeat(void)
{
    static br_hash jobs[2];
    static br_heartbeat heartbeat;
    jobs[0] = hash_from(11);
    jobs[1] = hash_from(12);
    heartbeat = (br_heartbeat){jobs, 2};
    return &heartbeat;
}

const br_population_get *example_br_population_get(void)
{
    static br_population_get get;
    get = (br_population_get){hash_from(3), 65536};
    return &get;
}

const br_population_part *example_br_population_part(void)
{
    static br_population_part part;
    part = (br_population_part){{hash_from(3), BR_MAX_POPULATION, 268}, 66000000};
    return &part;
}

// --- stored ---

const br_list *example_br_list(void)
{
    static br_list_entry entries[2];
    static br_list list;
    entries[0] = (br_list_entry){ID_OF_128, BR_MAX_POPULATION - 1, FLT_MAX, 1.0};
    entries[1] = (br_list_entry){"I2", 0, -1.5f, 0.0};
    list = (br_list){
        .bond_id = "B1",
        .as_of = 20000,
        .version = VERSION,
        .ledger_head = UINT64_MAX,
        .entries = entries,
        .n_entries = 2,
        .has_job = true,
        .job_id = hash_from(9),
        .n_eligible = UINT32_MAX,
        .population = hash_from(3),
        .backtest = true,
    };
    return &list;
}

const br_dead_job *example_br_dead_job(void)
{
    static br_dead_job dead;
    dead = (br_dead_job){hash_from(4), "five workers died", UINT32_MAX};
    return &dead;
}

const br_snapshot_event *example_br_snapshot_event(void)
{
    static br_snapshot_event event;
    event = (br_snapshot_event){BR_SNAPSHOT_ROLLED_BACK, VERSION, "asked for", 1.75e9, VERSION};
    return &event;
}

const br_bond_quality *example_br_bond_quality(void)
{
    static br_bond_quality quality;
    quality = (br_bond_quality){
        .bond_id = "B1",
        .issue_day = 20001,
        .as_of = 20000,
        .version = VERSION,
        .n_listed = 50,
        .hits = 50,
        .bidders = UINT32_MAX,
        .bidders_outside = 3,
        .provisional = true,
        .unranked = false,
        .hits_activity = 49,
        .n_top = 60,
    };
    return &quality;
}

const br_calibration_bins *example_br_calibration_bins(void)
{
    static br_reliability_bin parts[2];
    static br_calibration_bins bins;
    parts[0] = (br_reliability_bin){.low = 0.0, .high = 0.25, .n = 1, .mean_probability = 0.125, .rate = 0.0};
    parts[1] = (br_reliability_bin){.low = 0.25, .high = 1.0, .n = UINT64_MAX, .mean_probability = 0.5, .rate = 1.0};
    bins = (br_calibration_bins){.version = VERSION, .bins = parts, .n_bins = 2};
    return &bins;
}

const br_drift *example_br_drift(void)
{
    static br_field_drift fields[2];
    static br_drift drift;
    fields[0] = (br_field_drift){.field = "rating", .psi = 0.5, .by_chance = 0.0625};
    fields[1] = (br_field_drift){.field = "\xe8\xaf\x84\xe7\xba\xa7 365", .psi = 0.0, .by_chance = 0.0};
    drift = (br_drift){.version = VERSION,
                       .from = 20000,
                       .until = 20029,
                       .n_bonds = UINT32_MAX,
                       .fields = fields,
                       .n_fields = 2,
                       .scores = 0.125};
    return &drift;
}

const br_reject *example_br_reject(void)
{
    static br_reject reject;
    reject = (br_reject){.wall_s = 1772400000.5,
                         .source = "bids.csv",
                         .kind = BR_ROW_CLOSE_DAY,
                         .id = "D1",
                         .column = "bond_id",
                         .reason = "no bond has this id"};
    return &reject;
}

// --- the snapshot ---

const br_hash example_chunks[EXAMPLE_CHUNKS] = {{{1, 2, 3}}, {{255}}, {{0}}};
const br_hash example_issuers = {{9, 8, 7}};

static char text_missing[] = "(missing)";
static char text_value[] = "AAA";
static char text_other[] = "other";
static char text_label[] = "\xE5\x80\xBA";

static br_field field_of(char *name, br_feature_group group, br_field_source source)
{
    static char *values[] = {text_missing, text_value, text_other};
    return (br_field){
        .name = name,
        .group = group,
        .kind = BR_KIND_CATEGORICAL,
        .source = source,
        .n_values = 3,
        .value_names = values,
        .window_days = -1,
        .activity = BR_ACTIVITY_COUNT,
        .bond_field = UINT32_MAX,
    };
}

static br_encoder *example_encoder(void)
{
    static char names[4][16] = {"rating", "coupon", "org_type", "pref.rating.AAA"};
    static char *others[] = {text_label, text_value};
    static double cuts[2];
    static br_field fields[4];
    static br_encoder encoder;
    cuts[0] = -DBL_MAX;
    cuts[1] = 2.25;
    fields[0] = field_of(names[0], BR_GROUP_BOND, BR_SOURCE_BOND);
    fields[0].others = others;
    fields[0].n_others = 2;
    fields[1] = field_of(names[1], BR_GROUP_BOND, BR_SOURCE_BOND);
    fields[1].kind = BR_KIND_CONTINUOUS;
    fields[1].feature = 1;
    fields[1].cuts = cuts;
    fields[1].n_cuts = 2;
    fields[1].label = (br_label){text_value, text_label};
    fields[2] = field_of(names[2], BR_GROUP_ATTRIBUTE, BR_SOURCE_INVESTOR);
    fields[3] = field_of(names[3], BR_GROUP_PREFERENCE, BR_SOURCE_PREFERENCE);
    fields[3].window_days = 30;
    fields[3].bond_field = 0;
    fields[3].bond_code = 1;
    encoder = (br_encoder){fields, 4, 2};
    return &encoder;
}

static br_record *example_record(void)
{
    static uint32_t speaks_of[2] = {1, 0};
    static uint32_t values[2] = {3, 3};
    static uint32_t bond_values[2] = {3, 3};
    static size_t offset[3] = {0, 9, 18};
    static br_record record;
    speaks_of[0] = 1;
    values[1] = 3;
    bond_values[0] = 3;
    record = (br_record){2, 2, speaks_of, values, bond_values, offset, NULL, NULL};
    return &record;
}

br_snapshot *example_snapshot(void)
{
    static br_model model;
    static br_snapshot snapshot;
    // 14 embedding rows of 2 (two masks among them); one cross layer of 2 * 8 * 2 + 8; tower 8 * 3 + 3; 8 + 3 + 1.
    model = (br_model){
        .config = {.d = 2, .n_cross = 1, .rank = 2, .n_hidden = 1, .hidden = {3}},
        .n_parameters = 28 + 40 + 27 + 12,
    };
    static float held[1];
    snapshot = (br_snapshot){
        .held = held,
        .encoder = example_encoder(),
        .model = &model,
        .calibration = {.slope = 0.5, .offset = -1.5, .line = {2, {-4.0, 1.0}, {-5.5, 0.25}}},
        .record = example_record(),
        .facts = {.split = {0, 100, 120, BR_DAY_NONE},
                  .ledger_head = UINT64_MAX,
                  .parent = VERSION,
                  .seed = 7,
                  .unmasked = true,
                  .n_samples = 1000,
                  .epochs = 9,
                  .valid_log_loss = 0.0625,
                  .valid_auc = 0.75,
                  .valid_recall_at_50 = 0.5,
                  .blas = "OpenBLAS 0.3.21 Haswell",
                  .engine = "0.1.0"},
    };
    return &snapshot;
}

// --- all of them ---

#define CASE(type)                                                                                                     \
    static br_status pack_##type(br_buf *out)                                                                          \
    {                                                                                                                  \
        return type##_pack(example_##type(), out);                                                                     \
    }                                                                                                                  \
    static br_status again_##type(br_arena *arena, const uint8_t *bytes, size_t n, br_buf *out)                        \
    {                                                                                                                  \
        type message;                                                                                                  \
        br_status status = type##_unpack(&message, arena, bytes, n);                                                   \
        return status == BR_OK ? type##_pack(&message, out) : status;                                                  \
    }

CASE(br_row)
CASE(br_row_batch)
CASE(br_row_batch_reply)
CASE(br_hint)
CASE(br_train_request)
CASE(br_rollback_request)
CASE(br_rank_request)
CASE(br_retry_request)
CASE(br_evaluate_request)
CASE(br_progress)
CASE(br_report)
CASE(br_ready)
CASE(br_job_body)
CASE(br_job)
CASE(br_result)
CASE(br_result_ack)
CASE(br_heartbeat)
CASE(br_population_get)
CASE(br_population_part)
CASE(br_list)
CASE(br_dead_job)
CASE(br_snapshot_event)
CASE(br_bond_quality)
CASE(br_calibration_bins)
CASE(br_drift)
CASE(br_reject)

static br_status pack_manifest(br_buf *out)
{
    return br_manifest_pack(example_snapshot(), example_chunks, EXAMPLE_CHUNKS, &example_issuers, out);
}

static br_status again_manifest(br_arena *arena, const uint8_t *bytes, size_t n, br_buf *out)
{
    (void)arena;
    BR_AUTO(br_snapshot) *snapshot = NULL;
    br_hash chunks[EXAMPLE_CHUNKS];
    br_hash issuers;
    br_status status = br_manifest_unpack(&snapshot, chunks, EXAMPLE_CHUNKS, &issuers, bytes, n);
    return status == BR_OK ? br_manifest_pack(snapshot, chunks, EXAMPLE_CHUNKS, &issuers, out) : status;
}

static br_status pack_issuer_table(br_buf *out)
{
    static float factors[4] = {FLT_MAX, -FLT_MIN, 0.0f, -1.5f};
    br_issuer_table table = {
        .n_factors = 2, .regularization = 0.5, .confidence = BR_IALS_MAX_STRENGTH, .factors = factors};
    br_status status = br_index_new(&table.ids);
    const char *const ids[2] = {ID_OF_128, "A"};
    for (size_t i = 0; i < 2 && status == BR_OK; i++) {
        status = br_index_add(table.ids, ids[i], strlen(ids[i]), &(uint32_t){0}, NULL);
    }
    if (status == BR_OK) {
        status = br_issuer_table_pack(&table, out);
    }
    br_index_free(&table.ids);
    return status;
}

static br_status again_issuer_table(br_arena *arena, const uint8_t *bytes, size_t n, br_buf *out)
{
    (void)arena;
    BR_AUTO(br_issuer_table) *table = NULL;
    br_status status = br_issuer_table_unpack(&table, bytes, n);
    return status == BR_OK ? br_issuer_table_pack(table, out) : status;
}

#define ENTRY(type)                                                                                                    \
    {                                                                                                                  \
#type, pack_##type, again_##type                                                                               \
    }

const codec_case codec_cases[] = {
    ENTRY(br_row),
    ENTRY(br_row_batch),
    ENTRY(br_row_batch_reply),
    ENTRY(br_hint),
    ENTRY(br_train_request),
    ENTRY(br_rollback_request),
    ENTRY(br_rank_request),
    ENTRY(br_retry_request),
    ENTRY(br_evaluate_request),
    ENTRY(br_progress),
    ENTRY(br_report),
    ENTRY(br_ready),
    ENTRY(br_job_body),
    ENTRY(br_job),
    ENTRY(br_result),
    ENTRY(br_result_ack),
    ENTRY(br_heartbeat),
    ENTRY(br_population_get),
    ENTRY(br_population_part),
    ENTRY(br_list),
    ENTRY(br_dead_job),
    ENTRY(br_snapshot_event),
    ENTRY(br_bond_quality),
    ENTRY(br_calibration_bins),
    ENTRY(br_drift),
    ENTRY(br_reject),
    ENTRY(manifest),
    ENTRY(issuer_table),
};
const size_t n_codec_cases = sizeof codec_cases / sizeof codec_cases[0];
