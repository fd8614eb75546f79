// Goal: what the supervisor writes down of its processes is what others read. Method: a directory without a supervisor, and this process.

#include "base/hash.h"
#include "service/processes.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static char *directory;

static void set_up(void)
{
    char path[BR_PATH_BYTES];
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    cr_assert_eq(br_place_path(path, directory, BR_PLACE_RUN), BR_OK);
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(service_processes, .init = set_up, .fini = tear_down);

Test(service_processes, states_come_back_whatever_a_process_says_of_itself)
{
    const br_process_state states[] = {
        {.name = "ingester", .pid = 7, .state = "ready", .started_s = 1772400000.25, .restarts = 2},
        {.name = "desk", .state = "waiting", .text = "not ready: \"a\\b\" </script>"},
    };
    br_process_state got[3];
    uint32_t n = 9;
    cr_assert_eq(br_process_states_read(directory, got, 3, &n), BR_OK);
    cr_expect_eq(n, 0, "there is no file yet");
    cr_assert_eq(br_process_states_write(directory, states, 2), BR_OK);
    cr_assert_eq(br_process_states_read(directory, got, 3, &n), BR_OK);
    cr_assert_eq(n, 2);
    cr_expect_str_eq(got[0].name, "ingester");
    cr_expect_str_eq(got[0].state, "ready");
    cr_expect(got[0].pid == 7 && got[0].started_s == 1772400000.25 && got[0].restarts == 2 && got[0].text[0] == '\0');
    cr_expect_str_eq(got[1].text, "not ready: 'a'b' </script>");
    cr_assert_eq(br_process_states_read(directory, got, 1, &n), BR_OK);
    cr_expect_eq(n, 1);
}

Test(service_processes, facts_are_those_of_the_system)
{
    static br_process_facts facts[BR_MAX_PROCESSES];
    const br_process_state self = {.name = "desk", .pid = (int)getpid(), .state = "ready"};
    uint32_t n = 9;
    cr_assert_eq(br_process_states_write(directory, &self, 1), BR_OK);
    cr_assert_eq(br_processes_read(directory, facts, &n), BR_OK);
    cr_expect_eq(n, 0, "what a supervisor has left behind when it ended is not true any more");
    cr_assert_eq(br_process_lock(directory, "supervisor"), BR_OK);
    cr_assert_eq(br_processes_read(directory, facts, &n), BR_OK);
    cr_assert_eq(n, 2);
    cr_expect_str_eq(facts[0].state.name, "supervisor");
    cr_expect_str_eq(facts[1].state.name, "desk");
    cr_expect(facts[1].rss_mb > 0.5 && facts[1].peak_rss_mb >= facts[1].rss_mb);
    volatile double spent = 0.0;
    while (facts[1].cpu_s < 0.05) { // it counts what this process uses
        for (int i = 0; i < 1000000; i++) {
            spent += 1.0;
        }
        cr_assert_eq(br_processes_read(directory, facts, &n), BR_OK);
    }
    cr_expect(facts[1].cpu_s < 60.0);
}
