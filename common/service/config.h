#ifndef BR_SERVICE_CONFIG_H
#define BR_SERVICE_CONFIG_H

/// bookrunner.yaml: everything that can be set, with unit, default and range. Unknown keys and wrong values are errors with line and cause.
/// Precedence: command-line flag, environment BOOKRUNNER_*, DIR/bookrunner.yaml, default. Secrets are only ever files.

#include "model/train.h"
#include "explain/explain.h"
#include "service/paths.h"

#define BR_MAX_NAME 64

typedef struct br_http_config {
    char listen[64]; ///< address of desk; default 127.0.0.1
    uint16_t port;   ///< of desk; default 8080; 0 = any free
    uint16_t telemetry_port; ///< first port of the other processes' /metrics, /livez, /readyz: ingester, trainer, ranker, evaluator, then the explainers; 0 = any free
} br_http_config;

typedef struct br_work_config {
    char listen[128];       ///< further endpoint for explainers on other hosts: tcp://ADDRESS:PORT; "" = none
    char connect[128];      ///< explainers on another host: the ranker's tcp://ADDRESS:PORT; "" = the local socket
    char keys[BR_PATH_BYTES]; ///< directory with server.key and clients/*.pub, or client.key and server.pub
    uint32_t credit;        ///< jobs an explainer holds; default 4, 1 to 16
    uint32_t lease_ms;      ///< default 5,000
    uint32_t max_attempts;  ///< default 5
} br_work_config;

typedef struct br_gate_config {
    double max_log_loss_ratio;  ///< default 1.01: at most 1 % worse
    double max_recall_drop;     ///< default 0.02
} br_gate_config;

typedef struct br_config {
    char directory[BR_PATH_BYTES];
    uint32_t n_explainers; ///< local ones under `up`; default 2
    uint32_t n_top;        ///< default 50
    uint32_t n_reasons;    ///< default 6
    br_objective objective; ///< default backed
    bool certify;
    br_model_config model;
    br_train_options training;
    size_t dataset_max_bytes; ///< bound of the training samples; default 300 MB
    double pool_negatives;    ///< negatives kept per positive when not all fit; default 60
    br_gate_config gate;
    br_http_config http;
    br_work_config work;
} br_config;

/// Defaults, then DIR/bookrunner.yaml if it is there, then the environment. Errors: BR_ERR_INVALID with file, line and cause.
br_status br_config_load(br_config *out, const char *directory) BR_MUST_CHECK;

#endif
