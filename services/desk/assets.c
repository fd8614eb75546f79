// The page: the files that were built from web/, in memory from the start on.

#include "desk.h"

#include "base/alloc.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 256
#define MAX_BYTES (8u << 20)
#define MAX_NAME  128

#define PAGE_CSP                                                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "              \
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "                                   \
    "require-trusted-types-for 'script'; trusted-types"

static const char no_page[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Bookrunner</title></head>\n"
    "<body><h1>Bookrunner</h1>\n<p>This build has no page (BOOKRUNNER_WEB=OFF). The API is there: "
    "<a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a> describes it.</p>\n"
    "<p lang=\"zh-CN\">此构建不含页面（BOOKRUNNER_WEB=OFF）。API 可用，说明见 "
    "<a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>。</p></body></html>\n";

static const char *const types[][2] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".woff2", "font/woff2"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
};

typedef struct asset {
    char name[MAX_NAME]; // below assets/; "" = the page itself
    br_http_kept *kept;
} asset;

struct assets {
    asset files[MAX_FILES];
    size_t n;
    size_t bytes;
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcmp(dot, types[i][0]) == 0) {
            return types[i][1];
        }
    }
    return NULL;
}

/// BR_ERR_NOT_FOUND unless it is a regular file; a link is none.
static br_status read_file(assets *self, int directory, const char *name, br_buf *out)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        if (file >= 0) {
            close(file);
        }
        return br_fail(BR_ERR_NOT_FOUND, "%s is no regular file", name);
    }
    char piece[16384];
    ssize_t n = 0;
    while ((n = read(file, piece, sizeof piece)) > 0 && self->bytes <= MAX_BYTES) {
        br_buf_append(out, piece, (size_t)n);
        self->bytes += (size_t)n;
    }
    close(file);
    if (self->bytes > MAX_BYTES) {
        return br_fail(BR_ERR_LIMIT, "the page's files have more than %u bytes", MAX_BYTES);
    }
    return n < 0         ? br_fail(BR_ERR_IO, "cannot read %s: %s", name, strerror(errno))
           : out->failed ? br_no_memory("page", 1)
                         : BR_OK;
}

static br_status add_file(assets *self, int directory, const char *name, bool page)
{
    const char *type = type_of(name);
    char zipped_name[MAX_NAME + 4];
    if (type == NULL || strlen(name) >= MAX_NAME) {
        return BR_OK;
    }
    br_http_answer answer = {.content_type = type,
                             .cache_control = page ? "no-cache" : "public, max-age=31536000, immutable",
                             .content_security_policy = page ? PAGE_CSP : NULL};
    BR_AUTO_DEINIT(br_buf) zipped = {0};
    snprintf(zipped_name, sizeof zipped_name, "%s.gz", name);
    br_status status = read_file(self, directory, name, &answer.body);
    if (status == BR_ERR_NOT_FOUND && !page) {
        return BR_OK; // a link or a pipe
    }
    br_status with_twin = status == BR_OK ? read_file(self, directory, zipped_name, &zipped) : status;
    if (status == BR_OK && with_twin != BR_ERR_NOT_FOUND) {
        status = with_twin;
    }
    if (status == BR_OK && self->n == MAX_FILES) {
        status = br_fail(BR_ERR_LIMIT, "the page has more than %d files", MAX_FILES);
    }
    if (status == BR_OK) {
        answer_finish(&answer);
        status = br_http_keep(&self->files[self->n].kept, &answer, with_twin == BR_OK ? &zipped : NULL);
    }
    if (status == BR_OK) {
        snprintf(self->files[self->n++].name, MAX_NAME, "%s", page ? "" : name);
    }
    br_buf_deinit(&answer.body);
    return status;
}

static br_status load(assets *self, int directory)
{
    br_status status = add_file(self, directory, "index.html", true);
    int inner = status == BR_OK ? openat(directory, "assets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    DIR *names = inner < 0 ? NULL : fdopendir(inner);
    if (names == NULL) {
        if (inner >= 0) {
            close(inner);
        }
        return status;
    }
    for (const struct dirent *entry = readdir(names); entry != NULL && status == BR_OK; entry = readdir(names)) {
        status = add_file(self, inner, entry->d_name, false);
    }
    closedir(names);
    return status;
}

/// share/bookrunner/web beside the directory of the program.
static int open_directory(void)
{
    char path[BR_PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 40);
    for (int up = 0; n > 0 && up < 2; up++) {
        while (n > 0 && path[--n] != '/') {
        }
    }
    if (n < 0) {
        return -1;
    }
    snprintf(path + n, sizeof path - (size_t)n, "/share/bookrunner/web");
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

br_status assets_load(assets **out)
{
    assets *self = br_calloc(1, sizeof *self);
    if (self == NULL) {
        return br_no_memory("page", 1);
    }
    int directory = open_directory();
    br_status status = directory < 0 ? BR_OK : load(self, directory);
    if (directory >= 0) {
        close(directory);
    }
    if (status != BR_OK) {
        br_log_warn("DESK-PAGE", "reason=\"%s\" next=\"the API alone\"", br_why(status));
        assets_free(&self);
        self = br_calloc(1, sizeof *self);
    }
    *out = self;
    return self == NULL ? br_no_memory("page", 1) : BR_OK;
}

void assets_free(assets **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    for (size_t i = 0; i < (*self)->n; i++) {
        br_http_kept_free(&(*self)->files[i].kept);
    }
    br_free(*self);
    *self = NULL;
}

static br_http_kept *find_asset(const assets *self, const char *name)
{
    for (size_t i = 0; i < self->n; i++) {
        if (strcmp(self->files[i].name, name) == 0) {
            return br_http_kept_hold(self->files[i].kept);
        }
    }
    return NULL;
}

void handle_asset(void *context, const br_http_request *request, br_http_answer *answer)
{
    const desk *self = context;
    answer->kept = request->rest[0] == '\0' ? NULL : find_asset(self->assets, request->rest);
    if (answer->kept == NULL) {
        br_http_problem(answer, 404, "Not found", "the page has no such file");
    }
}

void handle_home(void *context, const br_http_request *request, br_http_answer *answer)
{
    const desk *self = context;
    if (strcmp(request->path, "/") != 0) {
        br_http_problem(answer, 404, "Not found", "there is no such page");
        return;
    }
    answer->kept = find_asset(self->assets, "");
    if (answer->kept == NULL) {
        br_buf_string(&answer->body, no_page);
        answer->content_type = "text/html; charset=utf-8";
        answer_finish(answer);
    }
}
