#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

br_status br_store_fail(const char *path, const char *what, int code)
{
    if (code == EIO || br_errno_status(code) == BR_ERR_FULL) {
        return br_fail(BR_ERR_FULL, "%s: %s: disk full or failing (%s)", path, what, strerror(code));
    }
    switch (code) {
    case MDB_MAP_FULL:
        return br_fail(BR_ERR_FULL, "%s: %s: the map is full; it grows with the next transaction", path, what);
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
        return br_fail(BR_ERR_LIMIT, "%s: %s: %s", path, what, mdb_strerror(code));
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_NOTFOUND: // absence where the store's own rules say that something is
    case MDB_INCOMPATIBLE:
        return br_fail(BR_ERR_CORRUPT, "%s: %s: %s", path, what, mdb_strerror(code));
    case MDB_VERSION_MISMATCH:
        return br_fail(BR_ERR_VERSION, "%s: %s: %s", path, what, mdb_strerror(code));
    case ENOMEM:
        return br_fail(BR_ERR_NO_MEMORY, "%s: %s: no memory", path, what);
    case ENOENT:
        return br_fail(BR_ERR_NOT_FOUND, "%s: %s: does not exist", path, what);
    default:
        return br_fail(BR_ERR_IO, "%s: %s: %s", path, what, mdb_strerror(code));
    }
}

br_status br_path_join(char out[BR_STORE_PATH], const char *directory, const char *name)
{
    int n = snprintf(out, BR_STORE_PATH, "%s/%s", directory, name);
    return n > 0 && n < BR_STORE_PATH
               ? BR_OK
               : br_fail(BR_ERR_LIMIT, "path longer than %d bytes: %.200s...", BR_STORE_PATH - 1, directory);
}

br_status br_path_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return br_store_fail(path, "open to sync", errno);
    }
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code == 0 ? BR_OK : br_store_fail(path, "sync", code);
}

br_status br_directory_make(const char *directory)
{
    if (mkdir(directory, 0700) != 0) {
        return errno == EEXIST ? BR_OK : br_store_fail(directory, "make directory", errno);
    }
    char parent[BR_STORE_PATH];
    br_status status = br_path_join(parent, directory, "..");
    return status == BR_OK ? br_path_sync(parent) : status;
}

br_status br_directory_room(const char *directory)
{
    char path[BR_STORE_PATH];
    br_status status = br_path_join(path, directory, "room.tmp");
    if (status != BR_OK) {
        return status;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return br_store_fail(path, "look for room", errno);
    }
    unlink(path);
    int code = posix_fallocate(fd, 0, BR_STORE_ROOM);
    close(fd);
    return code == 0 ? BR_OK : br_store_fail(directory, "look for room", code);
}

br_status br_path_publish(const char *directory, const char *from, const char *to)
{
    char from_path[BR_STORE_PATH];
    char to_path[BR_STORE_PATH];
    br_status status = br_path_join(from_path, directory, from);
    if (status == BR_OK) {
        status = br_path_join(to_path, directory, to);
    }
    if (status == BR_OK) {
        status = br_path_sync(from_path);
    }
    if (status == BR_OK && rename(from_path, to_path) != 0) {
        status = br_store_fail(to_path, "rename", errno);
    }
    return status == BR_OK ? br_path_sync(directory) : status;
}

const char *br_network_file_system(long magic)
{
    static const struct {
        uint32_t magic;
        const char *name;
    } known[] = {
        {0x00006969u, "NFS"},    {0x0000517Bu, "SMB"},    {0xFF534D42u, "CIFS"}, {0xFE534D42u, "SMB2"},
        {0x65735546u, "FUSE"},   {0x01021997u, "9p"},     {0x5346414Fu, "AFS"},  {0x6B414653u, "AFS"},
        {0x73757245u, "Coda"},   {0x0000564Cu, "NCP"},    {0x00C36400u, "Ceph"}, {0x01161970u, "GFS2"},
        {0x7461636Fu, "OCFS2"},  {0x0BD00BD0u, "Lustre"}, {0x47504653u, "GPFS"}, {0x19830326u, "BeeGFS"},
        {0x786F4256u, "vboxsf"}, {0xAAD7AAEAu, "PanFS"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].magic == (uint32_t)magic) { // f_type is sign-extended on some systems
            return known[i].name;
        }
    }
    return NULL;
}

br_status br_refuse_network(const char *path)
{
    struct statfs info;
    if (statfs(path, &info) != 0) {
        return br_store_fail(path, "statfs", errno);
    }
    const char *name = br_network_file_system((long)info.f_type);
    return name == NULL ? BR_OK
                        : br_fail(BR_ERR_INVALID, "%s: is on %s: a store needs a local file system", path, name);
}

br_status br_writer_lock(const char *directory, int *fd_out)
{
    char path[BR_STORE_PATH];
    br_status status = br_path_join(path, directory, "writer.lock");
    if (status != BR_OK) {
        return status;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return br_store_fail(path, "open", errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        char holder[24] = "";
        ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
        close(fd);
        return code != EWOULDBLOCK ? br_store_fail(path, "lock", code)
                                   : br_fail(BR_ERR_EXISTS, "%s: process %.*s writes it already", directory,
                                             n > 0 ? (int)strcspn(holder, "\n") : 1, n > 0 ? holder : "?");
    }
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        status = br_store_fail(path, "write", errno);
        close(fd);
        return status;
    }
    *fd_out = fd;
    return BR_OK;
}
