#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char log_stage[64] = "-";
static br_log_level log_level = BR_LOG_INFO;
static bool log_journal;

static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER; // a line and the change of files exclude each other
static char file_path[PATH_MAX];                              // "": stderr is not ours

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const int level_priorities[] = {7, 6, 4, 3};

void br_log_open(const char *stage, br_log_level level)
{
    snprintf(log_stage, sizeof log_stage, "%s", stage);
    log_level = level;
    log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void br_log_file(const char *path)
{
    struct stat named, open;
    bool same = stat(path, &named) == 0 && fstat(STDERR_FILENO, &open) == 0 && S_ISREG(open.st_mode) &&
                named.st_dev == open.st_dev && named.st_ino == open.st_ino;
    if (same && strlen(path) + sizeof ".1" <= sizeof file_path) {
        strcpy(file_path, path);
    }
}

// When no new file can be made the old one takes its name back and goes on.
static void change_files(const struct stat *old)
{
    char aside[sizeof file_path + 2];
    snprintf(aside, sizeof aside, "%s.1", file_path);
    struct stat out;
    bool with_stdout = fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == old->st_dev && out.st_ino == old->st_ino;
    if (rename(file_path, aside) != 0) {
        return;
    }
    int file = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        int back = rename(aside, file_path);
        (void)back; // nowhere to report to
        return;
    }
    dup2(file, STDERR_FILENO);
    if (with_stdout) {
        dup2(file, STDOUT_FILENO);
    }
    close(file);
}

// One write per line, so that lines of several processes on one terminal do not mix.
static void put_line(const char *line, size_t length)
{
    pthread_mutex_lock(&file_lock);
    struct stat now;
    if (file_path[0] != '\0' && fstat(STDERR_FILENO, &now) == 0 && now.st_size + (off_t)length > BR_LOG_FILE_BYTES) {
        change_files(&now);
    }
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; // nowhere left to report to
    pthread_mutex_unlock(&file_lock);
}

static void clean(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

void br_log(br_log_level level, const char *event, const char *format, ...)
{
    if (level < log_level) {
        return;
    }
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    clean(message);

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char line[2400];
    char prefix[8] = "";
    if (log_journal) {
        snprintf(prefix, sizeof prefix, "<%d>", level_priorities[level]);
    }
    int n = snprintf(line, sizeof line, "%sts=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ level=%s stage=%s event=%s%s%s\n",
                     prefix, parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                     parts.tm_sec, now.tv_nsec / 1000000, level_names[level], log_stage, event,
                     message[0] == '\0' ? "" : " ", message);
    if (n > 0) {
        size_t length = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
        line[length - 1] = '\n';
        put_line(line, length);
    }
}
