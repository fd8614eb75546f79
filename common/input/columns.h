#ifndef BR_INPUT_COLUMNS_H
#define BR_INPUT_COLUMNS_H

/// What the columns of each file mean: names to members of br_row, text to their values.

#include "base/index.h"
#include "market/row.h"

typedef enum br_target {
    BR_TARGET_BID_ID,
    BR_TARGET_BOND_ID,
    BR_TARGET_ISSUER_ID,
    BR_TARGET_INVESTOR_ID,
    BR_TARGET_ANNOUNCE_DATE,
    BR_TARGET_ISSUE_DATE,
    BR_TARGET_DAY, ///< bid_date or effective_from
    BR_TARGET_AMOUNT,
    BR_TARGET_RATE,
    BR_TARGET_KNOWN_FROM,
    BR_TARGET_REVISION,
    BR_TARGET_CANCELLED,
    BR_TARGET_FEATURE
} br_target;

typedef struct br_column {
    const char *name; ///< borrowed: from this module or the schema
    br_target target;
    bool required;    ///< in the header
    uint32_t feature; ///< of the schema, if the target is one
} br_column;

/// The columns one kind of row may have, in the order they are written in.
typedef struct br_columns {
    br_row_kind kind;
    const br_schema *schema;
    const br_feature *features; ///< of this kind of row
    br_column *list;            ///< [n]
    uint32_t n;
    br_index *by_name; ///< numbers of `list`
} br_columns;

/// `schema` is borrowed and must outlive it. Errors: BR_ERR_INVALID (a feature has the name of a column),
/// BR_ERR_NO_MEMORY.
br_status br_columns_init(br_columns *columns, br_row_kind kind, const br_schema *schema) BR_MUST_CHECK;
/// Number of the column, or BR_INDEX_NONE.
uint32_t br_columns_find(const br_columns *columns, const char *name, size_t n);
void br_columns_deinit(br_columns *columns);

/// Make `row` an empty row of this kind, its features to be collected in `features`.
void br_row_start(br_row *row, const br_columns *columns, const br_named_value *features);
/// Set what the column stands for. False and `problem` filled in if the text is not what it should be.
/// `row->features` must be `features`, with room for every feature of the schema.
bool br_row_set(br_row *row, br_named_value *features, const br_columns *columns, uint32_t column, const char *text,
                br_row_problem *problem);
/// Fill in a problem; `format` and what follows make the reason.
void br_problem_set(br_row_problem *problem, const char *column, const char *format, ...) BR_PRINTF(3, 4);

#endif
