// The one table of everything that can be set, and how a value is read and written.

#include "service/config.h"
#include "service/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED(path, kind, member, min, max, unit, description, names)                                                  \
    {                                                                                                                  \
        path, kind, offsetof(br_config, member), sizeof(((br_config *)NULL)->member), min, max, unit, description,     \
            names                                                                                                      \
    }
#define KEY(path, kind, member, min, max, unit, description)                                                           \
    NAMED(path, kind, member, min, max, unit, description, NULL)
#define WHOLE(path, member, min, max, unit, description) KEY(path, BR_CONFIG_WHOLE, member, min, max, unit, description)
#define DECIMAL(path, member, min, max, unit, description)                                                             \
    KEY(path, BR_CONFIG_DECIMAL, member, min, max, unit, description)
#define CHOICE(path, member, first, names, description)                                                                \
    NAMED(path, BR_CONFIG_CHOICE, member, first, first + sizeof(names) / sizeof *(names)-1, "", description, names)

static const char *const objectives[] = {"plain", "backed"};
static const char *const architectures[] = {"dcn", "dnn", "wide_deep", "deepfm"};
static const char *const daily_starts[] = {"warm", "scratch"};
static const char *const samplings[] = {"random", "disagreement"};
static const char *const roles[] = {"read", "desk", "operator"};
static const char *const calibrations[] = {"auto", "platt", "isotonic"};

// Up to 2^53 a double holds every whole number, so that one kind of range serves all.
#define MAX_EXACT 9007199254740992.0

static const br_config_key keys[] = {
    WHOLE("explainers", n_explainers, 0, 256, "processes", "local explainers under `bookrunner up`"),
    WHOLE("ranking.top", n_top, 1, 1000, "investors", "length of a bond's list"),
    WHOLE("ranking.reasons", n_reasons, 1, BR_MAX_REASONS, "reasons", "reasons for each investor"),
    CHOICE("ranking.objective", objective, BR_OBJECTIVE_PLAIN, objectives, "what an explanation maximises"),
    KEY("ranking.certify", BR_CONFIG_FLAG, certify, 0, 0, "",
        "sweep all swaps of one reason before an explanation is stored, so that it says whether one gains"),
    KEY("ranking.warm_start", BR_CONFIG_FLAG, warm_start, 0, 0, "",
        "reasons begin with those of the bond's list of an earlier day, and change only for a gain above 0.02 logit"),
    KEY("explain.banned", BR_CONFIG_NAMES, explain.banned, 1, 1, "",
        "investor fields that are no reason; NAME* = all that begin so"),
    KEY("explain.not_together", BR_CONFIG_NAMES, explain.not_together, 2, 2, "",
        "NAME + NAME: fields that are not reasons of one investor"),
    WHOLE("explain.max_evaluations", explain.max_evaluations, 0, 10000000, "evaluations",
          "of the model in the search for one explanation; at the bound the best so far; 0 = no bound"),
    CHOICE("model.architecture", model.architecture, BR_DCN, architectures, "form of the network"),
    WHOLE("model.d", model.d, 1, 64, "numbers", "embedding size of a feature"),
    WHOLE("model.cross_layers", model.n_cross, 0, BR_MAX_CROSS, "layers", "cross layers; none unless dcn"),
    KEY("model.stacked", BR_CONFIG_FLAG, model.stacked, 0, 0, "",
        "the deep tower stands on the cross layers instead of beside them; never unless dcn"),
    WHOLE("model.rank", model.rank, 0, 256, "", "rank of a cross layer's product; 0 = full"),
    KEY("model.hidden", BR_CONFIG_WHOLES, model.hidden, 1, 1024, "units", "widths of the deep tower's layers"),
    WHOLE("training.seed", training.seed, 0, MAX_EXACT, "", "seed of all random numbers of a training"),
    WHOLE("training.batch", training.batch, BR_MIN_BATCH, BR_MAX_BATCH, "samples", "samples per step"),
    WHOLE("training.threads", training.n_threads, 1, 256, "threads", "threads; the result does not depend on it"),
    WHOLE("training.max_epochs", training.max_epochs, 1, 10000, "epochs", "epochs at most"),
    WHOLE("training.final_epochs", training.final_epochs, 0, 10000, "epochs", "of them in the last phase"),
    WHOLE("training.patience", training.patience, 1, 1000, "epochs", "epochs without better validation log loss"),
    DECIMAL("training.negatives_per_positive", training.negatives_per_positive, 0, 100000, "samples",
            "negatives drawn per positive in each epoch; 0 = all"),
    DECIMAL("training.learning_rate", training.learning_rate, 1e-8, 1, "", "learning rate at the start"),
    DECIMAL("training.final_learning_rate", training.final_learning_rate, 1e-8, 1, "", "learning rate at the end"),
    DECIMAL("training.l2", training.l2, 0, 1, "", "weight of the embeddings' squares in the loss"),
    DECIMAL("training.dropout", training.dropout, 0, 0.9, "share", "hidden units' outputs that a step leaves out"),
    KEY("training.batch_norm", BR_CONFIG_FLAG, training.batch_norm, 0, 0, "",
        "normalise what hidden units sum up while training"),
    DECIMAL("training.mask_algorithm1", training.masks.algorithm1, 0, 1, "share",
            "samples masked by Algorithm 1 of the paper"),
    DECIMAL("training.mask_few", training.masks.few, 0, 1, "share", "samples that show few fields"),
    WHOLE("training.mask_few_max", training.masks.few_max, 1, 1024, "fields", "fields such a sample shows at most"),
    DECIMAL("training.final_mask_algorithm1", training.final_masks.algorithm1, 0, 1, "share",
            "mask_algorithm1 in the last phase"),
    DECIMAL("training.final_mask_few", training.final_masks.few, 0, 1, "share", "mask_few in the last phase"),
    WHOLE("training.final_mask_few_max", training.final_masks.few_max, 1, 1024, "fields",
          "mask_few_max in the last phase"),
    CHOICE("training.calibration", training.calibration, BR_CALIBRATION_AUTO, calibrations,
           "how a logit becomes a probability; auto: what does better on the later half of the validation"),
    CHOICE("training.daily", daily.start, BR_DAILY_WARM, daily_starts,
           "what a daily training begins with: the served snapshot, or nothing"),
    WHOLE("training.validation_days", daily.validation_days, 1, 3650, "days",
          "of a daily training: the newest days with closed books, which validate"),
    WHOLE("training.daily_epochs", daily.epochs, 1, 10000, "epochs", "of a warm training over what is new"),
    DECIMAL("training.daily_learning_rate", daily.learning_rate, 1e-8, 1, "", "learning rate at the start of these"),
    DECIMAL("training.replay_share", daily.replay_share, 0, 1000, "samples",
            "earlier ones seen again for each new one"),
    WHOLE("training.take_in_epochs", daily.take_in_epochs, 0, 10000, "epochs",
          "over the validation days once they have validated; 0 = they are not learned"),
    WHOLE("training.dataset_max_bytes", dataset_max_bytes, 1000000, 1e12, "bytes", "bound of the training samples"),
    DECIMAL("training.pool_negatives", pool_negatives, 1, 100000, "samples",
            "negatives kept per positive when not all fit"),
    DECIMAL("gate.max_log_loss_ratio", gate.max_log_loss_ratio, 0.5, 100, "ratio",
            "validation log loss of a new model against the served one"),
    DECIMAL("gate.max_recall_drop", gate.max_recall_drop, 0, 1, "", "Recall of its lists that a new model may lose"),
    WHOLE("item_based.factors", item_based.n_factors, 0, 256, "numbers",
          "of an issuer in what past bids say; 0 = only bids on the bond's own issuer are reasons"),
    DECIMAL("item_based.regularization", item_based.regularization, 1e-4, 1e6, "",
            "weight of their squares in the loss"),
    DECIMAL("item_based.confidence", item_based.confidence, 1e-4, 1e6, "", "of a bid against no bid"),
    WHOLE("item_based.sweeps", item_based.n_sweeps, 1, 1000, "sweeps", "over investors and issuers in a training"),
    WHOLE("item_based.threshold", item_based.threshold, 3, 5, "votes",
          "of five on \"because they bid on X\" that must call it valid for it to stay a reason"),
    CHOICE("item_based.sampling", item_based.sampling, BR_SAMPLING_RANDOM, samplings,
           "which pairs of issuers people are asked about first: any, or those that approaches disagree on most"),
    WHOLE("item_based.seed", item_based.seed, 0, MAX_EXACT, "", "seed of the order of these questions"),
    WHOLE("snapshots.keep", snapshots_keep, 2, 1000, "versions",
          "last served, and last refused, whose files stay without a list that names them"),
    KEY("http.listen", BR_CONFIG_ADDRESS, http.listen, 0, 1, "", "address of the page and the API"),
    WHOLE("http.port", http.port, 0, 65535, "", "port of the page and the API; 0 = any free"),
    KEY("http.telemetry_listen", BR_CONFIG_ADDRESS, http.telemetry_listen, 0, 0, "",
        "address of the other processes' /metrics, /livez and /readyz"),
    WHOLE("http.telemetry_port", http.telemetry_port, 0, 65000, "",
          "first port of those: ingester, trainer, ranker, evaluator, explainers; 0 = any free"),
    KEY("access.user_header", BR_CONFIG_HEADER, access.user_header, 0, 0, "",
        "header in which a proxy in front names the user; nothing = there is no proxy"),
    KEY("access.proxy", BR_CONFIG_ADDRESS, access.proxy, 0, 0, "", "address from which that header is believed"),
    KEY("access.desk", BR_CONFIG_NAMES, access.desk, 1, 1, "", "users who may write notes and answer; others read"),
    KEY("access.operators", BR_CONFIG_NAMES, access.operators, 1, 1, "", "users who may also operate and audit"),
    CHOICE("access.local_role", access.local_role, BR_ROLE_READ, roles, "role of everyone while there is no proxy"),
    KEY("work.listen", BR_CONFIG_ENDPOINT, work.listen, 0, 0, "",
        "further endpoint for explainers on other hosts, tcp://ADDRESS:PORT"),
    KEY("work.connect", BR_CONFIG_ENDPOINT, work.connect, 0, 0, "",
        "explainers on another host: the ranker's tcp://ADDRESS:PORT"),
    KEY("work.keys", BR_CONFIG_PATH, work.keys, 0, 0, "", "directory with the keys of that endpoint"),
    WHOLE("work.credit", work.credit, 1, 16, "jobs", "jobs an explainer holds"),
    WHOLE("work.lease_ms", work.lease_ms, 3000, 600000, "ms",
          "time after which a job goes to another if its explainer does not name it in a heartbeat"),
    WHOLE("work.max_work_ms", work.max_work_ms, 1000, 86400000, "ms", "time an explainer works on one job at most"),
    WHOLE("work.max_attempts", work.max_attempts, 1, 100, "attempts", "attempts before a job is set aside"),
    KEY("study.methods", BR_CONFIG_NAMES, study.methods, 1, 1, "", "two methods that people judge side by side"),
    WHOLE("study.seed", study.seed, 0, MAX_EXACT, "", "seed of the questions and sides of that study"),
};

enum { N_KEYS = sizeof keys / sizeof keys[0] };
_Static_assert(N_KEYS <= BR_MAX_CONFIG_KEYS, "br_config.origin holds every key");

const br_config_key *br_config_keys(size_t *n_out)
{
    *n_out = N_KEYS;
    return keys;
}

br_config br_config_default(void)
{
    br_explain_options explain = br_explain_options_default();
    return (br_config){
        .n_explainers = 2,
        .n_top = 50,
        .n_reasons = explain.n_reasons,
        .objective = explain.objective,
        .certify = true,
        .warm_start = true,
        .model = br_model_config_default(),
        .training = br_train_options_default(),
        .daily = {.start = BR_DAILY_SCRATCH,
                  .validation_days = 28,
                  .epochs = 3,
                  .learning_rate = 3e-4,
                  .replay_share = 4,
                  .take_in_epochs = 2},
        .dataset_max_bytes = 300000000,
        .pool_negatives = 60,
        .snapshots_keep = 5,
        .item_based = {.n_factors = 32,
                       .regularization = 10.0,
                       .confidence = 3.0,
                       .n_sweeps = 15,
                       .threshold = 3,
                       .sampling = BR_SAMPLING_RANDOM,
                       .seed = 1},
        .gate = {.max_log_loss_ratio = 1.01, .max_recall_drop = 0.02},
        .http = {.listen = "127.0.0.1", .port = 8080, .telemetry_listen = "127.0.0.1", .telemetry_port = 9650},
        .access = {.proxy = "127.0.0.1", .local_role = BR_ROLE_READ},
        .study = {.methods = "backed,gumbel", .seed = 1},
        .work = {.credit = 4, .lease_ms = 5000, .max_work_ms = 600000, .max_attempts = 5},
    };
}

// --- ranges ---

static size_t n_names(const br_config_key *key)
{
    return (size_t)(key->max - key->min) + 1;
}

void br_config_range(const br_config_key *key, br_buf *out)
{
    switch (key->kind) {
    case BR_CONFIG_WHOLE:
        br_buf_printf(out, "a whole number from %.0f to %.0f", key->min, key->max);
        break;
    case BR_CONFIG_DECIMAL:
        br_buf_printf(out, "a number from %g to %g", key->min, key->max);
        break;
    case BR_CONFIG_FLAG:
        br_buf_string(out, "true or false");
        break;
    case BR_CONFIG_CHOICE:
        for (size_t i = 0; i < n_names(key); i++) {
            br_buf_printf(out, "%s%s", i == 0 ? "" : i + 1 < n_names(key) ? ", " : " or ", key->names[i]);
        }
        break;
    case BR_CONFIG_ADDRESS:
        br_buf_string(out,
                      key->max > 0 ? "a numeric IPv4 or IPv6 address or unix:/PATH" : "a numeric IPv4 or IPv6 address");
        break;
    case BR_CONFIG_ENDPOINT:
        br_buf_string(out, "tcp://ADDRESS:PORT or nothing");
        break;
    case BR_CONFIG_PATH:
        br_buf_printf(out, "a path of at most %zu bytes or nothing", key->bytes - 1);
        break;
    case BR_CONFIG_HEADER:
        br_buf_printf(out, "at most %zu letters, digits and -, or nothing", key->bytes - 1);
        break;
    case BR_CONFIG_WHOLES:
        br_buf_printf(out, "1 to %d whole numbers from %.0f to %.0f", BR_MAX_HIDDEN, key->min, key->max);
        break;
    case BR_CONFIG_NAMES:
        br_buf_printf(out, "a list of %s, together at most %zu bytes", key->min > 1.0 ? "NAME + NAME" : "names",
                      key->bytes - 1);
        break;
    }
}

static br_status refuse(const br_config_key *key, const char *text)
{
    BR_AUTO_DEINIT(br_buf) range = {0};
    br_config_range(key, &range);
    return br_fail(BR_ERR_INVALID, "%s: \"%.60s\" is not %s", key->path, text, br_buf_text(&range));
}

// --- reading ---

static bool read_whole(const char *text, size_t n, const br_config_key *key, uint64_t *out)
{
    if (n == 0 || n > 19 || strspn(text, "0123456789") < n) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return (double)value >= key->min && (double)value <= key->max;
}

static bool read_decimal(const char *text, const br_config_key *key, double *out)
{
    // strtod() reads also hexadecimal, "inf" and "nan".
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text)) {
        return false;
    }
    char *end;
    double value = strtod(text, &end);
    *out = value;
    return *end == '\0' && isfinite(value) && value >= key->min && value <= key->max;
}

static void store_whole(uint8_t *target, size_t bytes, uint64_t value)
{
    if (bytes == sizeof(uint16_t)) {
        uint16_t narrow = (uint16_t)value;
        memcpy(target, &narrow, sizeof narrow);
    } else if (bytes == sizeof(uint32_t)) {
        uint32_t narrow = (uint32_t)value;
        memcpy(target, &narrow, sizeof narrow);
    } else {
        br_assert(bytes == sizeof value);
        memcpy(target, &value, sizeof value);
    }
}

static bool read_address(const char *text, const br_config_key *key)
{
    uint8_t address[16];
    if (key->max > 0 && br_listen_is_path(text)) {
        return true;
    }
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool read_endpoint(const char *text)
{
    if (text[0] == '\0') {
        return true;
    }
    const char *port = strrchr(text, ':');
    if (strncmp(text, "tcp://", 6) != 0 || port == NULL || port <= text + 6) {
        return false;
    }
    const br_config_key range = {.min = 0, .max = 65535};
    uint64_t number;
    return strcmp(port, ":*") == 0 || read_whole(port + 1, strlen(port + 1), &range, &number);
}

static bool read_header(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    return strspn(text, allowed) == strlen(text);
}

static bool read_flag(const char *text, uint8_t *target)
{
    bool value = strcmp(text, "true") == 0;
    memcpy(target, &value, sizeof value);
    return value || strcmp(text, "false") == 0;
}

static bool read_choice(const char *text, const br_config_key *key, uint8_t *target)
{
    for (size_t i = 0; i < n_names(key); i++) {
        if (strcmp(text, key->names[i]) == 0) {
            store_whole(target, key->bytes, (uint64_t)key->min + i);
            return true;
        }
    }
    return false;
}

static bool read_wholes(const char *text, const br_config_key *key, br_model_config *model)
{
    uint32_t n = 0;
    for (const char *item = text;; item++) {
        item += strspn(item, " ");
        size_t length = strcspn(item, ", ");
        uint64_t value;
        if (n == BR_MAX_HIDDEN || !read_whole(item, length, key, &value)) {
            return false;
        }
        model->hidden[n++] = (uint32_t)value;
        item += length;
        item += strspn(item, " ");
        if (*item == '\0') {
            break;
        }
        if (*item != ',') {
            return false;
        }
    }
    for (uint32_t i = n; i < BR_MAX_HIDDEN; i++) {
        model->hidden[i] = 0;
    }
    model->n_hidden = n;
    return true;
}

// Names, or pairs of them.
static bool read_names(const char *text, const br_config_key *key, uint8_t *target)
{
    for (const char *at = text; *at != '\0' && key->min > 1.0;) {
        size_t length = strcspn(at, ",");
        const char *plus = memmem(at, length, " + ", 3);
        if (plus == NULL || strspn(at, " ") == (size_t)(plus - at) ||
            strspn(plus + 3, " ") == length - (size_t)(plus + 3 - at)) {
            return false;
        }
        at += length + (at[length] == ',' ? 1 : 0);
    }
    if (strlen(text) >= key->bytes) {
        return false;
    }
    memset(target, 0, key->bytes);
    memcpy(target, text, strlen(text));
    return true;
}

static bool read_value(br_config *config, const br_config_key *key, const char *text)
{
    uint8_t *target = (uint8_t *)config + key->offset;
    uint64_t whole;
    double decimal;
    switch (key->kind) {
    case BR_CONFIG_WHOLE:
        if (!read_whole(text, strlen(text), key, &whole)) {
            return false;
        }
        store_whole(target, key->bytes, whole);
        return true;
    case BR_CONFIG_DECIMAL:
        if (!read_decimal(text, key, &decimal)) {
            return false;
        }
        memcpy(target, &decimal, sizeof decimal);
        return true;
    case BR_CONFIG_FLAG:
        return read_flag(text, target);
    case BR_CONFIG_CHOICE:
        return read_choice(text, key, target);
    case BR_CONFIG_WHOLES:
        return read_wholes(text, key, &config->model);
    case BR_CONFIG_NAMES:
        return read_names(text, key, target);
    case BR_CONFIG_ADDRESS:
    case BR_CONFIG_ENDPOINT:
    case BR_CONFIG_PATH:
    case BR_CONFIG_HEADER:
        if (strlen(text) >= key->bytes || (key->kind == BR_CONFIG_ADDRESS && !read_address(text, key)) ||
            (key->kind == BR_CONFIG_ENDPOINT && !read_endpoint(text)) ||
            (key->kind == BR_CONFIG_HEADER && !read_header(text))) {
            return false;
        }
        memcpy(target, text, strlen(text) + 1);
        return true;
    }
    return false;
}

br_status br_config_set(br_config *config, const br_config_key *key, const char *text)
{
    br_config changed = *config; // so that a refused value leaves the old one
    if (!read_value(&changed, key, text)) {
        return refuse(key, text);
    }
    *config = changed;
    return BR_OK;
}

// --- writing ---

static uint64_t load_whole(const uint8_t *source, size_t bytes)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    if (bytes == sizeof two) {
        memcpy(&two, source, sizeof two);
        return two;
    }
    if (bytes == sizeof four) {
        memcpy(&four, source, sizeof four);
        return four;
    }
    memcpy(&eight, source, sizeof eight);
    return eight;
}

static void write_names(const char *names, br_buf *out)
{
    br_buf_char(out, '[');
    for (const char *at = names; *at != '\0';) {
        size_t length = strcspn(at, ",");
        br_buf_string(out, at == names ? "" : ", ");
        br_buf_json_string(out, at, length);
        at += length + (at[length] == ',' ? 1 : 0);
    }
    br_buf_char(out, ']');
}

void br_config_value(const br_config *config, const br_config_key *key, br_buf *out)
{
    const uint8_t *source = (const uint8_t *)config + key->offset;
    double decimal;
    switch (key->kind) {
    case BR_CONFIG_WHOLE:
        br_buf_printf(out, "%llu", (unsigned long long)load_whole(source, key->bytes));
        break;
    case BR_CONFIG_DECIMAL:
        memcpy(&decimal, source, sizeof decimal);
        br_buf_json_number(out, decimal);
        break;
    case BR_CONFIG_FLAG:
        br_buf_string(out, *(const bool *)source ? "true" : "false");
        break;
    case BR_CONFIG_CHOICE:
        br_buf_string(out, key->names[load_whole(source, key->bytes) - (uint64_t)key->min]);
        break;
    case BR_CONFIG_ADDRESS:
    case BR_CONFIG_ENDPOINT:
    case BR_CONFIG_PATH:
    case BR_CONFIG_HEADER:
        br_buf_json_string(out, (const char *)source, strlen((const char *)source));
        break;
    case BR_CONFIG_NAMES:
        write_names((const char *)source, out);
        break;
    case BR_CONFIG_WHOLES:
        for (uint32_t i = 0; i < config->model.n_hidden; i++) {
            br_buf_printf(out, "%s%u", i == 0 ? "[" : ", ", config->model.hidden[i]);
        }
        br_buf_char(out, ']');
        break;
    }
}
