#ifndef BR_SERVICE_CONFIG_H
#define BR_SERVICE_CONFIG_H

/// bookrunner.yaml: everything that can be set, with unit, default and range. Unknown keys and wrong values are errors with line and cause.
/// Precedence: command-line flag, environment BOOKRUNNER_*, DIR/bookrunner.yaml, default. Secrets are only ever files.
///
///     explainers: 4                 # BOOKRUNNER_EXPLAINERS=4
///     ranking:
///       top: 50                     # BOOKRUNNER_RANKING_TOP=50
///     model:
///       hidden: [128, 64]           # BOOKRUNNER_MODEL_HIDDEN=128,64
///
/// Of the layers below, this header takes the option structs of model and explain, their defaults and their checks.

#include "base/buf.h"
#include "explain/explain.h"
#include "model/train.h"
#include "service/paths.h"

#define BR_CONFIG_FILE_NAME      "bookrunner.yaml" ///< in the data directory
#define BR_MAX_NAME              64
#define BR_MAX_CONFIG_KEYS       112
#define BR_CONFIG_VARIABLE_BYTES (BR_MAX_NAME + 16)

typedef struct br_http_config {
    char listen[128];          ///< address of desk, or unix:/PATH; default 127.0.0.1
    uint16_t port;             ///< of desk; default 8080; 0 = any free
    char telemetry_listen[64]; ///< address of the other processes' telemetry; default 127.0.0.1
    uint16_t
        telemetry_port; ///< first port of the other processes' /metrics, /livez, /readyz: ingester, trainer, ranker, evaluator, then the explainers; default 9650; 0 = any free
} br_http_config;

typedef struct br_work_config {
    char listen[128];         ///< further endpoint for explainers on other hosts: tcp://ADDRESS:PORT; "" = none
    char connect[128];        ///< explainers on another host: the ranker's tcp://ADDRESS:PORT; "" = the local socket
    char keys[BR_PATH_BYTES]; ///< directory with server.key and clients/*.pub, or client.key and server.pub
    uint32_t credit;          ///< jobs an explainer holds; default 4, 1 to 16
    uint32_t lease_ms;        ///< default 5,000, 3,000 to 600,000
    uint32_t max_work_ms;     ///< default 600,000
    uint32_t max_attempts;    ///< default 5
} br_work_config;

typedef enum br_daily_start { BR_DAILY_WARM, BR_DAILY_SCRATCH } br_daily_start;

/// How a daily training goes. The epochs' options are those of the last phase of a training from scratch.
typedef struct br_daily_config {
    br_daily_start
        start; ///< warm: from the served snapshot; default scratch, which ends better and costs ten times as much
    uint32_t validation_days; ///< the newest of them with closed books; default 28
    uint32_t epochs;          ///< over the bonds that the served snapshot has not learned; default 3
    double learning_rate;     ///< where these epochs begin; default 3e-4
    double replay_share;      ///< earlier samples seen again for each new one; default 4
    uint32_t
        take_in_epochs; ///< over the validation days, once they have validated; default 2, 0 = they are not learned
} br_daily_config;

/// Names of investor fields, with commas between; see pipeline/vocabulary.h.
typedef struct br_explain_config {
    char banned[2048];        ///< no reasons; default none
    char not_together[2048];  ///< "NAME + NAME": not reasons of one investor; default none
    uint32_t max_evaluations; ///< of the model, in the search for one explanation; default 0 = no bound
} br_explain_config;

/// Each role may do what the former may. BR_ROLE_NONE is nobody's.
typedef enum br_role { BR_ROLE_NONE, BR_ROLE_READ, BR_ROLE_DESK, BR_ROLE_OPERATOR, BR_ROLE_END } br_role;

/// Who may do what in the desk; see service/access.h.
typedef struct br_access_config {
    char user_header[64]; ///< header in which a proxy names the user; default "": there is no proxy
    char proxy[64];       ///< address from which it is believed; default 127.0.0.1
    char desk[4096];      ///< users with the role desk, with commas between; every other one has the role read
    char operators[4096]; ///< users with the role operator
    br_role local_role;   ///< of everyone without a proxy; default read
} br_access_config;

/// Two methods side by side, judged by people; see pipeline/study.h.
typedef struct br_study_config {
    char methods[64]; ///< names of two methods; default backed, gumbel
    uint64_t seed;    ///< of questions, sides and the methods' random numbers; default 1
} br_study_config;

/// How the pairs of issuers are chosen that people are asked about first; see pipeline/question_pool.h.
typedef enum br_sampling { BR_SAMPLING_RANDOM, BR_SAMPLING_DISAGREEMENT } br_sampling;

/// Past bids as reasons: see pipeline/past.h and itembased/ials.h.
typedef struct br_item_based_config {
    uint32_t n_factors;    ///< default 32; 0 = only bids on the bond's own issuer are reasons
    double regularization; ///< default 10
    double confidence;     ///< default 3
    uint32_t n_sweeps;     ///< default 15
    uint32_t threshold;    ///< of five votes on a pair, so many must call it valid; default 3
    br_sampling sampling;  ///< default random
    uint64_t seed;         ///< of the order of questions; default 1
} br_item_based_config;

typedef struct br_gate_config {
    double max_log_loss_ratio; ///< default 1.01: at most 1 % worse
    double max_recall_drop;    ///< default 0.02
} br_gate_config;

typedef struct br_config {
    char directory[BR_PATH_BYTES]; ///< as given
    uint32_t n_explainers;         ///< local ones under `up`; default 2
    uint32_t n_top;                ///< default 50
    uint32_t n_reasons;            ///< default 6
    br_objective objective;        ///< default backed
    bool certify;                  ///< default true; takes `backed` two fifths longer, `plain` three times as long
    bool warm_start;               ///< default true
    br_explain_config explain;
    br_model_config model;
    br_train_options training;
    br_daily_config daily;
    size_t dataset_max_bytes; ///< bound of the training samples; default 300 MB
    double pool_negatives;    ///< negatives kept per positive when not all fit; default 60
    br_gate_config gate;
    br_item_based_config item_based;
    uint32_t
        snapshots_keep; ///< served ones, and refused ones, whose files stay without a list that names them; default 5
    br_http_config http;
    br_work_config work;
    br_access_config access;
    br_study_config study;
    uint8_t origin[BR_MAX_CONFIG_KEYS]; ///< br_config_origin by number of the key
} br_config;

typedef enum br_config_origin { BR_CONFIG_DEFAULT, BR_CONFIG_FILE, BR_CONFIG_ENVIRONMENT } br_config_origin;

typedef enum br_config_kind {
    BR_CONFIG_WHOLE,    ///< a whole number
    BR_CONFIG_DECIMAL,  ///< a number
    BR_CONFIG_FLAG,     ///< true or false
    BR_CONFIG_CHOICE,   ///< one of some names
    BR_CONFIG_ADDRESS,  ///< numeric IPv4 or IPv6 address; where max is 1 also unix:/PATH
    BR_CONFIG_ENDPOINT, ///< tcp://ADDRESS:PORT, or empty
    BR_CONFIG_PATH,     ///< a path, or empty
    BR_CONFIG_HEADER,   ///< name of an HTTP header, or empty
    BR_CONFIG_WHOLES,   ///< a list of whole numbers, in the environment with commas between
    BR_CONFIG_NAMES     ///< a list of texts without commas, in the environment with commas between
} br_config_kind;

/// One thing that can be set.
typedef struct br_config_key {
    const char *path; ///< "ranking.top"
    br_config_kind kind;
    size_t offset; ///< of the value in br_config
    size_t bytes;  ///< size of the value there
    double min;    ///< of numbers; of a choice what its first name stands for; of names: 2 for pairs
    double max;
    const char *unit; ///< "" = none
    const char *description;
    const char *const *names; ///< [max - min + 1] of a choice; NULL elsewhere
} br_config_key;

/// All keys in the order of the file; *n_out of them.
const br_config_key *br_config_keys(size_t *n_out);
/// The value as one would write it in the file.
void br_config_value(const br_config *config, const br_config_key *key, br_buf *out);
/// "1 to 1000", "true or false".
void br_config_range(const br_config_key *key, br_buf *out);
/// Its variable of the environment: BOOKRUNNER_RANKING_TOP of ranking.top.
void br_config_variable(const br_config_key *key, char out[BR_CONFIG_VARIABLE_BYTES]);

/// Set one value from text. Errors: BR_ERR_INVALID with the key, the text and what is allowed.
br_status br_config_set(br_config *config, const br_config_key *key, const char *text) BR_MUST_CHECK;

br_config br_config_default(void);
/// Defaults, then DIR/bookrunner.yaml if it is there, then the environment. Variables BOOKRUNNER_* that are no key are left alone. Cross
/// layers and a stacked tower are off, whatever was set, when the architecture is not dcn.
/// Errors: BR_ERR_INVALID with file, line and cause; BR_ERR_IO; BR_ERR_LIMIT (directory too long, file above 64 KiB).
br_status br_config_load(br_config *out, const char *directory) BR_MUST_CHECK;
/// The same from one file alone, wherever it is, without the environment. Errors also: BR_ERR_NOT_FOUND.
br_status br_config_load_file(br_config *out, const char *path) BR_MUST_CHECK;

#endif
