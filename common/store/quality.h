#ifndef BR_STORE_QUALITY_H
#define BR_STORE_QUALITY_H

/// metrics.lmdb: how good the lists were, bond by bond, and the figures of whole evaluations. Writer: the evaluator. Recomputing
/// gives the same bytes.
///
/// A handle that is open for reading may be shared by several threads, a writer's is used by one at a time.

#include "codec/stored.h"
#include "store/ledger.h"

typedef struct br_quality br_quality;

/// Which lists a bond's figures are about. Lists made in hindsight have figures of their own, which no live figure ever sees.
typedef enum br_quality_of { BR_QUALITY_LIVE, BR_QUALITY_BACKTESTS } br_quality_of;

br_status br_quality_open_writer(br_quality **out, const char *directory) BR_MUST_CHECK;
br_status br_quality_open_reader(br_quality **out, const char *directory) BR_MUST_CHECK;
void br_quality_free(br_quality **quality);

br_status br_quality_begin(br_quality *quality) BR_MUST_CHECK;
br_status br_quality_commit(br_quality *quality) BR_MUST_CHECK;
void br_quality_abort(br_quality *quality);
/// Inside begin/commit. Keyed by (issue day, bond): a later figure for the same bond replaces the earlier one.
br_status br_quality_put_bond(br_quality *quality, br_quality_of of, const br_bond_quality *bond) BR_MUST_CHECK;
/// Inside begin/commit. The named figures of an evaluation (AUC, log loss, ... of a snapshot's test range), as a report.
br_status br_quality_put_report(br_quality *quality, const char *name, const br_report *report) BR_MUST_CHECK;
/// Inside begin/commit. Of a snapshot, under its version; a later one replaces the earlier one.
br_status br_quality_put_calibration(br_quality *quality, const br_calibration_bins *bins) BR_MUST_CHECK;
br_status br_quality_put_drift(br_quality *quality, const br_drift *drift) BR_MUST_CHECK;
br_status br_quality_put_offset(br_quality *quality, uint64_t offset) BR_MUST_CHECK;

br_status br_quality_offset(br_quality *quality, uint64_t *offset_out) BR_MUST_CHECK;
br_status br_quality_report(br_quality *quality, br_arena *arena, const char *name, br_report *out) BR_MUST_CHECK;
/// Errors: BR_ERR_NOT_FOUND when this version was not evaluated.
br_status br_quality_calibration(br_quality *quality, br_arena *arena, const char *version,
                                 br_calibration_bins *out) BR_MUST_CHECK;
br_status br_quality_drift(br_quality *quality, br_arena *arena, const char *version, br_drift *out) BR_MUST_CHECK;
/// All bonds in order (issue day, bond id) with issue day in [from, until).
typedef br_status (*br_bond_quality_visitor)(void *context, const br_bond_quality *bond);
br_status br_quality_visit(br_quality *quality, br_quality_of of, br_day from, br_day until,
                           br_bond_quality_visitor visitor, void *context) BR_MUST_CHECK;
br_status br_quality_facts(br_quality *quality, br_store_facts *out) BR_MUST_CHECK;

#endif
