#include "codec/codec.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

// Small messages keep room for fields that a newer minor version may add. proto/README.md lists the same numbers with
// their reasons.
static const struct {
    const char *name;
    size_t max_bytes;
    size_t max_extra_bytes;
} types[] = {
    [BR_MSG_ROW_BATCH] = {"ROW_BATCH", 4 * MIB, 0},
    [BR_MSG_ROW_BATCH_REPLY] = {"ROW_BATCH_REPLY", 2 * MIB, 0},
    [BR_MSG_HINT] = {"HINT", 256, 0},
    [BR_MSG_TRAIN_REQUEST] = {"TRAIN_REQUEST", 256, 0},
    [BR_MSG_ROLLBACK_REQUEST] = {"ROLLBACK_REQUEST", 256, 0},
    [BR_MSG_RANK_REQUEST] = {"RANK_REQUEST", 2 * MIB, 0},
    [BR_MSG_EVALUATE_REQUEST] = {"EVALUATE_REQUEST", 2 * MIB, 0},
    [BR_MSG_STATUS_REQUEST] = {"STATUS_REQUEST", 256, 0},
    [BR_MSG_PROGRESS] = {"PROGRESS", 4 * KIB, 0},
    [BR_MSG_REPORT] = {"REPORT", 1 * MIB, 0},
    [BR_MSG_RETRY_REQUEST] = {"RETRY_REQUEST", 256, 0},
    [BR_MSG_READY] = {"READY", 4 * KIB, 0},
    [BR_MSG_JOB] = {"JOB", 4 * MIB, 0},
    [BR_MSG_RESULT] = {"RESULT", 2 * MIB, 0},
    [BR_MSG_RESULT_ACK] = {"RESULT_ACK", 256, 0},
    [BR_MSG_HEARTBEAT] = {"HEARTBEAT", 1 * KIB, 0},
    [BR_MSG_STOPPING] = {"STOPPING", 256, 0},
    [BR_MSG_POPULATION_GET] = {"POPULATION_GET", 256, 0},
    [BR_MSG_POPULATION] = {"POPULATION", 256, BR_MAX_PART_BYTES},
    [BR_MSG_INTRODUCE] = {"INTRODUCE", 256, 0},
};

static bool known(br_message_type type)
{
    return (size_t)type < sizeof types / sizeof types[0] && types[type].name != NULL;
}

const char *br_message_type_name(br_message_type type)
{
    return known(type) ? types[type].name : "?";
}

size_t br_message_max_bytes(br_message_type type)
{
    return known(type) ? types[type].max_bytes : 0;
}

size_t br_message_max_extra_bytes(br_message_type type)
{
    return known(type) ? types[type].max_extra_bytes : 0;
}
