#ifndef BR_STORE_FILES_H
#define BR_STORE_FILES_H

/// Private to store/: the few things done to files and directories beside what LMDB does, and the one translation of
/// system and LMDB error numbers into statuses.

#include "base/status.h"

#define BR_STORE_PATH 1024
#define BR_STORE_ROOM (1 << 20) ///< bytes, a usual batch with what LMDB writes anew for it

/// The status for an errno or LMDB code (never 0), with path and cause as the reason. EIO counts as a full disk: that is how
/// LMDB reports one, and for the caller both mean "not stored, shed load, look at the disk".
br_status br_store_fail(const char *path, const char *what, int code);

/// "DIRECTORY/NAME". Errors: BR_ERR_LIMIT when it would be too long.
br_status br_path_join(char out[BR_STORE_PATH], const char *directory, const char *name) BR_MUST_CHECK;
/// Make a directory (mode 0700) whose parent exists, and sync the parent; nothing if it is there already.
br_status br_directory_make(const char *directory) BR_MUST_CHECK;
/// Is there room for BR_STORE_ROOM bytes more? Errors: BR_ERR_FULL.
br_status br_directory_room(const char *directory) BR_MUST_CHECK;
/// fsync() a file or directory by its path.
br_status br_path_sync(const char *path) BR_MUST_CHECK;
/// Rename within one directory and sync the directory: all or nothing, also when the power goes.
br_status br_path_publish(const char *directory, const char *from, const char *to) BR_MUST_CHECK;

/// Name of the network file system with this statfs(2) magic number, or NULL: on such LMDB's locks and memory maps are not
/// coherent. FUSE counts as one, because what stands behind it is not known.
const char *br_network_file_system(long magic);
/// Errors: BR_ERR_INVALID when `path` is on a network file system.
br_status br_refuse_network(const char *path) BR_MUST_CHECK;

/// Hold DIRECTORY/writer.lock until *fd_out is closed. Errors: BR_ERR_EXISTS with the holder's process id.
br_status br_writer_lock(const char *directory, int *fd_out) BR_MUST_CHECK;

#endif
