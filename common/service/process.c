// The process' own figures, by the names that Prometheus' client libraries agreed on.

#include "service/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct process_stat {
    unsigned long long n_threads;
    unsigned long long start_ticks; // since boot
    unsigned long long virtual_bytes;
    unsigned long long resident_pages;
} process_stat;

static size_t read_text(char *out, size_t room, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t n = 0;
    if (file != NULL) {
        n = fread(out, 1, room - 1, file);
        fclose(file);
    }
    out[n] = '\0';
    return n;
}

// Fields 20, 22, 23 and 24 of proc(5); the name in field 2 may hold blanks and brackets, so counting starts behind it.
static bool read_stat(process_stat *out)
{
    char text[1024];
    read_text(text, sizeof text, "/proc/self/stat");
    char *field = strrchr(text, ')');
    unsigned long long values[25] = {0};
    if (field == NULL || strlen(field) < 4) {
        return false;
    }
    field += 4; // ") S"
    for (size_t i = 4; i <= 24; i++) {
        values[i] = strtoull(field, &field, 10);
    }
    *out = (process_stat){values[20], values[22], values[23], values[24]};
    return true;
}

static double boot_time_s(void)
{
    // Uptime and the wall clock rather than btime of /proc/stat: that file grows with the number of processors.
    struct timespec since, now;
    clock_gettime(CLOCK_BOOTTIME, &since);
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)(now.tv_sec - since.tv_sec) + (double)(now.tv_nsec - since.tv_nsec) * 1e-9;
}

static unsigned count_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned n = 0;
    if (directory != NULL) {
        while (readdir(directory) != NULL) {
            n++;
        }
        closedir(directory);
    }
    return n > 3 ? n - 3 : 0; // ".", ".." and the directory itself
}

static void put(br_buf *out, const char *name, const char *kind, const char *help, double value)
{
    br_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, kind, name);
    br_buf_json_number(out, value);
    br_buf_char(out, '\n');
}

void br_process_text(br_buf *out)
{
    struct timespec cpu;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        put(out, "process_cpu_seconds_total", "counter", "User and system time of this process in seconds.",
            (double)cpu.tv_sec + (double)cpu.tv_nsec * 1e-9);
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        put(out, "process_max_fds", "gauge", "File descriptors this process may open.", (double)files.rlim_cur);
    }
    put(out, "process_open_fds", "gauge", "Open file descriptors.", count_files());
    process_stat stat;
    if (!read_stat(&stat)) {
        return; // without /proc the rest is not known
    }
    put(out, "process_resident_memory_bytes", "gauge", "Memory in use in bytes.",
        (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE));
    // The same figure at every scrape although both clocks are read anew.
    static _Atomic double start_s;
    if (start_s <= 0) {
        start_s = boot_time_s() + (double)stat.start_ticks / (double)sysconf(_SC_CLK_TCK);
    }
    put(out, "process_start_time_seconds", "gauge", "Start of this process in seconds since the epoch.", start_s);
    put(out, "process_threads", "gauge", "Threads of this process.", (double)stat.n_threads);
    put(out, "process_virtual_memory_bytes", "gauge", "Address space in bytes.", (double)stat.virtual_bytes);
}
