// Goal: places, endpoints and locks hold what paths.h says. Method: real directories, and a second process as the
// holder of a lock.

#include "base/hash.h"
#include "service/paths.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *directory;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(service_paths, .init = set_up, .fini = tear_down);

static unsigned mode_of(const char *path)
{
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    return info.st_mode & 07777;
}

Test(service_paths, places_are_made_for_the_owner_alone)
{
    static const char *const names[] = {"ledger", "models", "recommendations", "metrics", "run", "log"};
    umask(0);
    char path[BR_PATH_BYTES];
    const char *inner = br_temp_path(directory, "data");
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_eq(br_place_path(path, inner, (br_place)i), BR_OK);
        cr_assert_str_eq(path, br_temp_path(inner, names[i]));
        cr_assert_eq(mode_of(path), 0700);
        cr_assert_eq(br_place_path(path, inner, (br_place)i), BR_OK, "a second time");
    }
    cr_assert_eq(mode_of(inner), 0700);
}

Test(service_paths, an_open_run_directory_is_closed)
{
    char path[BR_PATH_BYTES];
    cr_assert_eq(br_place_path(path, directory, BR_PLACE_RUN), BR_OK);
    cr_assert_eq(chmod(path, 0755), 0);
    cr_assert_eq(br_place_path(path, directory, BR_PLACE_RUN), BR_OK);
    cr_assert_eq(mode_of(path), 0700);
}

Test(service_paths, a_link_in_the_place_of_the_run_directory_is_refused)
{
    char path[BR_PATH_BYTES];
    cr_assert_eq(symlink("/tmp", br_temp_path(directory, "run")), 0);
    cr_assert_eq(br_place_path(path, directory, BR_PLACE_RUN), BR_ERR_IO);
}

Test(service_paths, what_cannot_be_made_is_said)
{
    char path[BR_PATH_BYTES] = "untouched";
    cr_assert_eq(br_place_path(path, "/proc/nothing", BR_PLACE_RUN), BR_ERR_IO);
    cr_assert_not_null(strstr(br_why(BR_ERR_IO), "/proc/nothing"));
    char longer[BR_PATH_BYTES + 10];
    memset(longer, 'a', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(br_place_path(path, longer, BR_PLACE_RUN), BR_ERR_LIMIT);
    cr_assert_str_eq(path, "untouched");
    FILE *file = fopen(br_temp_path(directory, "ledger"), "w");
    cr_assert_not_null(file);
    fclose(file);
    cr_assert_eq(br_place_path(path, directory, BR_PLACE_LEDGER), BR_ERR_IO);
}

Test(service_paths, an_endpoint_is_the_same_from_everywhere)
{
    char absolute[BR_PATH_BYTES], relative[BR_PATH_BYTES], linked[BR_PATH_BYTES];
    cr_assert_eq(br_endpoint(absolute, directory, "ranker.hints"), BR_OK);
    cr_assert_eq(strncmp(absolute, "ipc:///", 7), 0);
    cr_assert_str_eq(absolute + strlen(absolute) - strlen("/run/ranker.hints"), "/run/ranker.hints");
    cr_assert_eq(chdir(directory), 0);
    cr_assert_eq(br_endpoint(relative, ".", "ranker.hints"), BR_OK);
    cr_assert_str_eq(relative, absolute);
    cr_assert_eq(symlink(directory, br_temp_path(directory, "link")), 0);
    cr_assert_eq(br_endpoint(linked, br_temp_path(directory, "link"), "ranker.hints"), BR_OK);
    cr_assert_str_eq(linked, absolute);
}

Test(service_paths, a_long_directory_gets_a_short_endpoint)
{
    setenv("XDG_RUNTIME_DIR", directory, 1);
    char deep[400];
    snprintf(deep, sizeof deep, "%s/%0*d", directory, 120, 1);
    char other[400];
    snprintf(other, sizeof other, "%s/%0*d", directory, 120, 2);
    char a[BR_PATH_BYTES], b[BR_PATH_BYTES], c[BR_PATH_BYTES];
    cr_assert_eq(br_endpoint(a, deep, "evaluator.hints"), BR_OK);
    cr_assert_eq(br_endpoint(b, deep, "evaluator.hints"), BR_OK);
    cr_assert_eq(br_endpoint(c, other, "evaluator.hints"), BR_OK);
    cr_assert_str_eq(a, b);
    cr_assert_str_neq(a, c);
    cr_assert_leq(strlen(a) - strlen("ipc://"), sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    cr_assert_eq(strncmp(a + 6, directory, strlen(directory)), 0, "%s", a);
    *strrchr(a, '/') = '\0';
    cr_assert_eq(mode_of(a + 6), 0700);
}

Test(service_paths, the_longest_path_that_fits_stays)
{
    // One byte more than a socket address holds moves the endpoint away.
    for (int extra = 0; extra < 2; extra++) {
        char deep[400], endpoint[BR_PATH_BYTES];
        int pad = 107 + extra - (int)strlen(directory) - (int)strlen("//run/work");
        setenv("XDG_RUNTIME_DIR", directory, 1);
        snprintf(deep, sizeof deep, "%s/%0*d", directory, pad, 1);
        cr_assert_eq(br_endpoint(endpoint, deep, "work"), BR_OK);
        cr_assert_eq(strstr(endpoint, "/run/work") != NULL, extra == 0, "%s", endpoint);
    }
}

Test(service_paths, a_lock_is_held_by_one)
{
    int pid = -1;
    cr_assert_eq(br_process_holder(directory, "ranker", &pid), BR_OK);
    cr_assert_eq(pid, 0);
    cr_assert_eq(br_process_lock(directory, "ranker"), BR_OK);
    cr_assert_eq(br_process_lock(directory, "trainer"), BR_OK, "another name is another lock");
    cr_assert_eq(br_process_lock(directory, "ranker"), BR_ERR_EXISTS);
    char expected[64];
    snprintf(expected, sizeof expected, "process id %d", (int)getpid());
    cr_assert_not_null(strstr(br_why(BR_ERR_EXISTS), expected), "%s", br_why(BR_ERR_EXISTS));
    cr_assert_eq(br_process_holder(directory, "ranker", &pid), BR_OK);
    cr_assert_eq(pid, (int)getpid());
    cr_assert_eq(br_process_lock(directory, "ranker"), BR_ERR_EXISTS, "asking has not let it go");
}

Test(service_paths, asking_for_the_holder_makes_nothing)
{
    int pid = -1;
    const char *missing = br_temp_path(directory, "missing");
    cr_assert_eq(br_process_holder(missing, "ranker", &pid), BR_OK);
    cr_assert_eq(pid, 0);
    cr_assert_neq(access(missing, F_OK), 0);
}

Test(service_paths, a_killed_holder_lets_go)
{
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // also when the test fails
        char answer = br_process_lock(directory, "ranker") == BR_OK ? 'y' : 'n';
        if (write(ready[1], &answer, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    char answer;
    cr_assert_eq(read(ready[0], &answer, 1), 1);
    cr_assert_eq(answer, 'y');
    int pid = 0;
    cr_assert_eq(br_process_holder(directory, "ranker", &pid), BR_OK);
    cr_assert_eq(pid, (int)child);
    cr_assert_eq(br_process_lock(directory, "ranker"), BR_ERR_EXISTS);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    cr_assert_eq(br_process_holder(directory, "ranker", &pid), BR_OK);
    cr_assert_eq(pid, 0);
    cr_assert_eq(br_process_lock(directory, "ranker"), BR_OK);
}
