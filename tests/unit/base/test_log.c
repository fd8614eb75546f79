// Goal: the log of a process stays bounded and loses no line. Method: more than the bound is written into a real file.

#include "base/log.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 1000, LINES = BR_LOG_FILE_BYTES / LINE_BYTES * 3 / 2 };

static char *directory;

static void set_up(void)
{
    directory = br_temp_new();
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(base_log, .init = set_up, .fini = tear_down, .timeout = 60);

// Say `lines` numbered lines into `path` as stderr, in the hands of the log or not.
static void say(const char *path, bool ours, unsigned lines)
{
    char text[LINE_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    int kept = dup(STDERR_FILENO);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    cr_assert(file >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO);
    close(file);
    br_log_open("test", BR_LOG_INFO);
    br_log_file(ours ? path : br_temp_path(directory, "another"));
    for (unsigned i = 0; i < lines; i++) {
        br_log_info("LINE", "n=%u text=%s", i, text);
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static unsigned count(const char *path, unsigned *expected_io)
{
    char line[4096];
    unsigned n = 0;
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        const char *number = strstr(line, "n=");
        unsigned found = UINT32_MAX;
        cr_assert(number != NULL && sscanf(number, "n=%u ", &found) == 1);
        cr_assert_eq(found, *expected_io);
        *expected_io += 1;
        n++;
    }
    fclose(file);
    return n;
}

static off_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

Test(base_log, a_file_of_ours_is_set_aside_at_its_bound_and_no_line_is_lost)
{
    const char *path = br_temp_path(directory, "a.log");
    const char *aside = br_temp_path(directory, "a.log.1");
    say(path, true, LINES);
    cr_assert_leq(size_of(path), BR_LOG_FILE_BYTES);
    cr_assert_leq(size_of(aside), BR_LOG_FILE_BYTES);
    cr_assert_gt(size_of(aside), BR_LOG_FILE_BYTES - 2 * LINE_BYTES);
    unsigned next = 0;
    unsigned older = count(aside, &next);
    unsigned newer = count(path, &next);
    cr_assert(older > 0 && newer > 0 && next == LINES, "%u %u %u", older, newer, next);
}

Test(base_log, a_file_that_someone_else_opened_is_left_alone)
{
    const char *path = br_temp_path(directory, "b.log");
    say(path, false, LINES);
    cr_assert_gt(size_of(path), BR_LOG_FILE_BYTES);
    cr_assert_eq(size_of(br_temp_path(directory, "b.log.1")), -1);
}
