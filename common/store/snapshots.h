#ifndef BR_STORE_SNAPSHOTS_H
#define BR_STORE_SNAPSHOTS_H

/// Model snapshots: one immutable LMDB file per version, named by the hash of its content, and the registry that says which one is
/// served. Writer: the trainer. Nothing is served before its hash was checked.
///
///   DIR/<version>.mdb   one snapshot: "manifest", "schema", "parameters", "parameters.held", "record.dev", "record.bids", "mean_bond", "table.issuers"
///   DIR/registry/       served version, history of published, refused and rolled-back ones
///
/// A handle that is open for reading may be shared by several threads, a writer's is used by one at a time.
///
/// A version is the first 32 hexadecimal digits of BLAKE2b of the file's bytes: the name verifies the file before LMDB parses it.

#include "codec/stored.h"
#include "store/ledger.h"

typedef struct br_snapshots br_snapshots;

br_status br_snapshots_open_writer(br_snapshots **out,
                                   const char *directory) BR_MUST_CHECK; ///< sweeps unfinished files
br_status br_snapshots_open_reader(br_snapshots **out, const char *directory) BR_MUST_CHECK;
void br_snapshots_free(br_snapshots **snapshots);

/// Write the snapshot as a new immutable file: temporary name, synced, renamed, directory synced. Not served yet.
/// version_out: its name. The same content gives the same version.
br_status br_snapshots_write(br_snapshots *snapshots, const br_snapshot *snapshot,
                             char version_out[BR_VERSION_TEXT]) BR_MUST_CHECK;
/// Serve this version from now on (atomic), or record why it is not served. `event` carries kind, version and reason. Errors:
/// BR_ERR_NOT_FOUND when the version to serve has no file.
br_status br_snapshots_record(br_snapshots *snapshots, const br_snapshot_event *event) BR_MUST_CHECK;
/// The served version; "" when none is.
br_status br_snapshots_served(br_snapshots *snapshots, char version_out[BR_VERSION_TEXT]) BR_MUST_CHECK;
/// The version served before the served one: where a rollback without a name goes. A rollback takes back the versions it leaves, so
/// the next one goes further back. BR_ERR_NOT_FOUND if there is none.
br_status br_snapshots_previous(br_snapshots *snapshots, char version_out[BR_VERSION_TEXT]) BR_MUST_CHECK;
typedef br_status (*br_snapshot_event_visitor)(void *context, const br_snapshot_event *event);
br_status br_snapshots_history(br_snapshots *snapshots, br_snapshot_event_visitor visitor, void *context) BR_MUST_CHECK;

/// Remove the files of versions that are neither served, nor among the `keep` served last or the `keep` refused last, nor needed by the caller's word. What
/// the history says of them stays. *n_removed_out: how many.
typedef bool (*br_version_needed)(void *context, const char *version);
br_status br_snapshots_sweep(br_snapshots *snapshots, uint32_t keep, br_version_needed needed, void *context,
                             uint32_t *n_removed_out) BR_MUST_CHECK;

/// Load and verify one version. *out is owned by the caller (br_snapshot_free). Errors: BR_ERR_NOT_FOUND, BR_ERR_CORRUPT (hash of the file, a
/// chunk's hash, a shape that does not fit), BR_ERR_VERSION.
br_status br_snapshots_load(br_snapshot **out, const char *directory, const char *version) BR_MUST_CHECK;

#endif
