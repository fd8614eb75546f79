#ifndef BR_STORE_SNAPSHOT_FILE_H
#define BR_STORE_SNAPSHOT_FILE_H

/// Private to store/: one snapshot as one LMDB file without a lock file, written once and then only read.

#include "model/snapshot.h"

/// Write the snapshot to a new file. Equal content gives equal bytes: one transaction in a fresh environment of fixed map size, keys in
/// order, pages that LMDB cleared first. Not synced.
br_status br_snapshot_file_write(const char *path, const br_snapshot *snapshot) BR_MUST_CHECK;

/// Read a file whose hash was found right; never any other, because LMDB trusts what it maps. Errors: BR_ERR_CORRUPT when a chunk's hash
/// or a shape does not fit, BR_ERR_VERSION.
br_status br_snapshot_file_read(br_snapshot **out, const char *path) BR_MUST_CHECK;

#endif
