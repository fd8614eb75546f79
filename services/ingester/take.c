#include "ingester.h"

#include "input/schema_yaml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static br_status reject(ingester *self, br_row_result *out, const char *column, const char *reason)
{
    out->outcome = BR_OUTCOME_REJECTED;
    out->column = br_arena_strndup(self->round, column, strlen(column));
    out->reason = br_arena_strndup(self->round, reason, strlen(reason));
    br_metric_add(self->rejected, 1);
    return out->column == NULL || out->reason == NULL ? br_no_memory("reasons", 1) : BR_OK;
}

static bool schema_is_good(const br_row *row, br_row_problem *problem)
{
    BR_AUTO(br_schema) *schema = NULL;
    br_status status = br_schema_read(&schema, "schema.yaml", row->yaml, row->yaml_bytes);
    if (status != BR_OK) {
        snprintf(problem->column, sizeof problem->column, "schema");
        snprintf(problem->reason, sizeof problem->reason, "%s", br_why(status));
    }
    return status == BR_OK;
}

// A later schema that an acknowledged row does not fit would end every process that reads the ledger, so that all rows are tried under it
// first. *problem is set if it is not to be taken.
static br_status try_schema(ingester *self, const br_row *row, br_row_problem *problem)
{
    BR_AUTO(br_schema) *schema = NULL;
    BR_AUTO(br_market) *market = NULL;
    br_status status = ingester_commit(self); // what the open batch holds counts as well
    if (status == BR_OK) {
        status = br_schema_read(&schema, "schema.yaml", row->yaml, row->yaml_bytes);
    }
    if (status == BR_OK) {
        status = br_schema_try(&market, schema, self->ledger, problem);
    }
    if (status == BR_OK) {
        status = br_ledger_begin(self->ledger);
    }
    self->open = status == BR_OK;
    return status;
}

static bool row_is_good(ingester *self, const br_row *row, br_row_problem *problem)
{
    *problem = (br_row_problem){{0}, {0}};
    if (row->kind == BR_ROW_SCHEMA) {
        return schema_is_good(row, problem);
    }
    const br_market *market = br_follower_market(self->follower);
    if (market == NULL) {
        snprintf(problem->reason, sizeof problem->reason,
                 "the ledger has no schema yet: import a market with schema.yaml first");
        return false;
    }
    if (!br_row_check(br_market_schema(market), row, problem) || !br_market_check(market, row, problem)) {
        return false;
    }
    const char *reason = NULL;
    const char *column = br_ballot_refuse(self->ballot, row, &reason);
    if (column != NULL) {
        snprintf(problem->column, sizeof problem->column, "%s", column);
        snprintf(problem->reason, sizeof problem->reason, "%s", reason);
    }
    return column == NULL;
}

// A new schema gives later rows another meaning, so that it is committed at once and the market is built again under it.
static br_status take_schema(ingester *self)
{
    br_status status = ingester_commit(self);
    return status == BR_OK ? br_follower_catch_up(self->follower, self->ledger, 0, 0) : status;
}

static br_status see_note(void *context, uint64_t record, const br_row *row)
{
    ingester *self = context;
    self->chain = row->note->chain;
    return br_ballot_take(self->ballot, record, row);
}

br_status ingester_read_ledger(ingester *self)
{
    br_follower_free(&self->follower);
    br_ballot_free(&self->ballot);
    self->chain = (br_hash){{0}};
    br_status status = br_follower_new(&self->follower);
    if (status == BR_OK) {
        status = br_ballot_new(&self->ballot);
    }
    if (status == BR_OK) {
        br_follower_notes(self->follower, see_note, self);
        status = br_follower_catch_up(self->follower, self->ledger, 0, 0);
    }
    return status;
}

// What a note does not need is not taken from its sender, and least of all its chain.
static br_row bare_note(const br_row *row)
{
    const bool pair = row->note != NULL && row->note->topic == BR_TOPIC_PAIR;
    return (br_row){.kind = BR_ROW_NOTE,
                    .bond_id = pair ? "" : row->bond_id,
                    .issuer_id = pair ? row->issuer_id : "",
                    .investor_id = pair ? "" : row->investor_id,
                    .announce_day = BR_DAY_NONE,
                    .issue_day = BR_DAY_NONE,
                    .day = BR_DAY_NONE,
                    .known_from = BR_DAY_NONE,
                    .amount = BR_AMOUNT_NONE,
                    .rate = (double)NAN,
                    .note = row->note};
}

static br_status append(ingester *self, const br_row *row, br_row_result *out)
{
    uint64_t record = 0;
    br_row chained = *row;
    br_note note;
    br_status status = BR_OK;
    if (row->kind == BR_ROW_NOTE) {
        note = *row->note;
        note.chained = true;
        chained.note = &note;
        status = br_note_chain(&note.chain, &self->chain, row, &self->packed);
    }
    if (status == BR_OK) {
        status = br_ledger_append(self->ledger, &chained, &record);
    }
    if (status == BR_OK) {
        status = br_follower_take(self->follower, record, &chained);
    }
    if (status != BR_OK && status != BR_ERR_AGAIN) {
        return status;
    }
    out->outcome = BR_OUTCOME_ACCEPTED;
    out->record = record;
    br_metric_add(self->accepted, 1);
    return row->kind == BR_ROW_SCHEMA ? take_schema(self) : BR_OK;
}

br_status ingester_take_row(ingester *self, const br_row *sent, br_row_result *out)
{
    const br_row note = bare_note(sent);
    const br_row *row = sent->kind == BR_ROW_NOTE ? &note : sent;
    if (!self->open) {
        br_status status = br_ledger_begin(self->ledger);
        if (status != BR_OK) {
            return status;
        }
        self->open = true;
    }
    *out = (br_row_result){.column = "", .reason = ""};
    br_ledger_known known;
    uint64_t record = 0;
    br_status status = br_ledger_look(self->ledger, row, &known, &record);
    if (status != BR_OK) {
        return status;
    }
    if (known == BR_LEDGER_DUPLICATE) {
        out->outcome = BR_OUTCOME_DUPLICATE;
        out->record = record;
        br_metric_add(self->duplicates, 1);
        return BR_OK;
    }
    if (known == BR_LEDGER_CONFLICT) {
        char reason[160];
        snprintf(reason, sizeof reason,
                 "this %s is known with other content (ledger record %llu); a higher revision would supersede it",
                 br_row_kind_name(row->kind), (unsigned long long)record);
        out->conflict = true;
        return reject(self, out, "", reason);
    }
    br_row_problem problem;
    if (!row_is_good(self, row, &problem)) {
        return reject(self, out, problem.column, problem.reason);
    }
    if (row->kind == BR_ROW_SCHEMA && br_follower_market(self->follower) != NULL) {
        status = try_schema(self, row, &problem);
        if (status != BR_OK) {
            return status;
        }
        if (problem.reason[0] != '\0') {
            return reject(self, out, problem.column, problem.reason);
        }
    }
    return append(self, row, out);
}
