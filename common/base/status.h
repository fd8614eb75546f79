#ifndef BR_BASE_STATUS_H
#define BR_BASE_STATUS_H

/// How every call that can fail says so.
///
///     br_status status = br_ledger_open(&ledger, path);
///     if (status != BR_OK) {
///         return status;              // pass it up unchanged; the reason travels with it
///     }
///
/// The place where a failure starts calls br_fail() with what happened and the numbers; callers return the
/// status as it is; the one who reports it asks br_why(). A caller's own mistake (a NULL where none is
/// allowed, a shape that does not fit) is not a status: br_assert() ends the process in every build.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BR_MUST_CHECK       __attribute__((warn_unused_result))
#define BR_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))

typedef enum br_status {
    BR_OK = 0,
    BR_ERR_NO_MEMORY,   ///< an allocation failed or a stated memory bound was reached
    BR_ERR_INVALID,     ///< input from outside is wrong: the reason names place and cause
    BR_ERR_NOT_FOUND,   ///< what was asked for does not exist
    BR_ERR_EXISTS,      ///< it exists already, or another process holds it
    BR_ERR_IO,          ///< the system refused to read or write
    BR_ERR_FULL,        ///< disk, map or queue full
    BR_ERR_CORRUPT,     ///< a checksum, hash or signature does not match
    BR_ERR_LIMIT,       ///< a stated limit was exceeded
    BR_ERR_UNREACHABLE, ///< no such peer, or it does not answer
    BR_ERR_TIMEOUT,     ///< no answer in the time given
    BR_ERR_VERSION,     ///< a format or protocol version we do not speak
    BR_ERR_CANCELLED,   ///< stopped on request
    BR_ERR_AGAIN,       ///< nothing there now; not a failure, never carries a reason
    BR_STATUS_COUNT
} br_status;

/// Record why a call failed and return `status`, so that `return br_fail(...)` reads as one step.
/// The text is kept per thread, one line, at most 1,023 bytes.
br_status br_fail(br_status status, const char *format, ...) BR_PRINTF(2, 3);

/// The reason recorded with `status` in this thread; the status' name if the last reason belongs to another.
/// Borrowed: valid until the next br_fail() of this thread.
const char *br_why(br_status status);

/// The status of a call of the system that failed with this errno: BR_ERR_FULL (disk, quota or file size), BR_ERR_NOT_FOUND, BR_ERR_EXISTS,
/// BR_ERR_NO_MEMORY, else BR_ERR_IO. Records nothing.
br_status br_errno_status(int error);

/// "BR_ERR_INVALID" and the like; never NULL.
const char *br_status_name(br_status status);

/// End the process with file and line if `condition` is false; active in every build.
#define br_assert(condition) ((condition) ? (void)0 : br_assert_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void br_assert_failed(const char *condition, const char *file, int line, const char *function);

/// Run TYPE_free(&variable) when the variable leaves its scope: `BR_AUTO(br_ledger) *ledger = NULL;`.
/// Set the variable to NULL to keep the object.
#define BR_AUTO(type) __attribute__((cleanup(type##_free))) type
/// The same for a value whose memory is the caller's: `BR_AUTO_DEINIT(br_buf) text = {0};`.
#define BR_AUTO_DEINIT(type) __attribute__((cleanup(type##_deinit))) type

#endif
