// Goal: a process starts, serves, drains and ends as service.h says. Method: a real process, messages, signals and
// HTTP; every wait is for an event, with a deadline.

#include "helpers.h"

#include "base/clock.h"
#include "service/config.h"
#include "support/temp.h"
#include "transport/client.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory;

static void set_up(void)
{
    directory = br_temp_new();
    setenv("BOOKRUNNER_HTTP_TELEMETRY_PORT", "0", 1);
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(service_service, .init = set_up, .fini = tear_down, .timeout = 60);

static br_test_process start_echo(void)
{
    const char *const flags[] = {"--dir", directory, NULL};
    br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert(br_test_notified(&process, "READY=1"), "%s", br_buf_text(&process.err_text));
    return process;
}

static int stop(br_test_process *process)
{
    cr_assert_eq(kill(process->pid, SIGTERM), 0);
    return br_test_wait(process);
}

static void forget(br_test_process *process)
{
    br_buf_deinit(&process->err_text);
    br_buf_deinit(&process->out_text);
}

// One request over the local socket and its answer as text; NULL when none came.
static const char *talk(const char *name, uint16_t type, const char *text)
{
    static char answer[256];
    char endpoint[BR_PATH_BYTES];
    BR_AUTO(br_client) *client = NULL;
    uint64_t number;
    br_message message = {0};
    cr_assert_eq(br_endpoint(endpoint, directory, name), BR_OK);
    cr_assert_eq(br_client_new(&client, endpoint), BR_OK);
    cr_assert_eq(br_client_send(client, type, (br_span){text, strlen(text)}, &number), BR_OK);
    if (br_client_receive(client, &message, BR_TEST_DEADLINE_MS) != BR_OK) {
        return NULL;
    }
    snprintf(answer, sizeof answer, "%.*s", (int)message.n_body, (const char *)message.body);
    br_message_deinit(&message);
    return answer;
}

Test(service_service, it_starts_serves_and_drains)
{
    br_test_process process = start_echo();
    BR_AUTO_DEINIT(br_buf) answer = {0};
    uint16_t port = br_test_port(directory, "echo");
    cr_assert_gt(port, 0);
    cr_assert_eq(br_test_get(port, "/livez", &answer), 200);
    cr_assert_eq(br_test_get(port, "/readyz", &answer), 200);
    cr_assert_eq(br_test_get(port, "/hello", &answer), 200);
    cr_assert_str_eq(br_test_body(&answer), "\"hello\"");
    cr_assert_eq(br_test_get(port, "/metrics", &answer), 200);
    cr_assert_not_null(strstr(br_test_body(&answer), "bookrunner_heartbeat_timestamp_seconds{stage=\"echo\"} 1"));
    cr_assert_str_eq(talk("echo", 1, "good morning"), "good morning");
    int pid = 0;
    cr_assert_eq(br_process_holder(directory, "echo", &pid), BR_OK);
    cr_assert_eq(pid, process.pid);
    cr_assert_eq(stop(&process), 0);
    const char *log = br_buf_text(&process.err_text);
    static const char *const events[] = {
        "SERVICE-START pid=", "SERVICE-READY pid=", "SERVICE-DRAIN pid=", "ECHO-STOPPED drains=1", "SERVICE-STOP pid="};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        const char *at = strstr(log, events[i]);
        cr_assert_not_null(at, "%s is missing or out of order: %s", events[i], br_buf_text(&process.err_text));
        log = at;
    }
    cr_assert_eq(br_test_port(directory, "echo"), 0, "the address file is gone");
    cr_assert_str_eq(br_buf_text(&process.out_text), "", "stdout is for data");
    forget(&process);
}

Test(service_service, sigint_and_sighup_drain_as_well)
{
    const int signals[] = {SIGINT, SIGHUP};
    for (size_t i = 0; i < 2; i++) {
        br_test_process process = start_echo();
        cr_assert_eq(kill(process.pid, signals[i]), 0);
        cr_assert_eq(br_test_wait(&process), 0);
        forget(&process);
    }
}

Test(service_service, a_second_instance_is_refused_with_the_pid_of_the_first)
{
    br_test_process first = start_echo();
    const char *const flags[] = {"--dir", directory, NULL};
    br_test_process second = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert_eq(br_test_wait(&second), 1);
    char expected[64];
    snprintf(expected, sizeof expected, "process id %d", (int)first.pid);
    cr_assert_not_null(strstr(br_buf_text(&second.err_text), expected), "%s", br_buf_text(&second.err_text));
    cr_assert_not_null(strstr(br_buf_text(&second.err_text), "BR_ERR_EXISTS"));
    cr_assert_gt(br_test_port(directory, "echo"), 0, "the first one's address file is still there");
    cr_assert_str_eq(talk("echo", 1, "still here"), "still here");
    cr_assert_eq(stop(&first), 0);
    forget(&first);
    forget(&second);
}

Test(service_service, several_run_beside_each_other_by_name)
{
    setenv("ECHO_MANY", "1", 1);
    const char *const flags[] = {"--dir", directory, "--name", "2", NULL};
    br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert(br_test_notified(&process, "READY=1"), "%s", br_buf_text(&process.err_text));
    cr_assert_gt(br_test_port(directory, "echo-2"), 0);
    int pid = 0;
    cr_assert_eq(br_process_holder(directory, "echo-2", &pid), BR_OK);
    cr_assert_eq(pid, process.pid);
    cr_assert_eq(stop(&process), 0);
    cr_assert_not_null(strstr(br_buf_text(&process.err_text), "stage=echo-2 "));
    forget(&process);
}

Test(service_service, a_failing_handler_ends_it_with_the_reason)
{
    br_test_process process = start_echo();
    char endpoint[BR_PATH_BYTES];
    br_client *client = NULL;
    uint64_t number;
    cr_assert_eq(br_endpoint(endpoint, directory, "echo"), BR_OK);
    cr_assert_eq(br_client_new(&client, endpoint), BR_OK);
    cr_assert_eq(br_client_send(client, 2, (br_span){"because", 7}, &number), BR_OK);
    cr_assert_eq(br_test_wait(&process), 1);
    cr_assert_not_null(strstr(br_buf_text(&process.err_text), "SERVICE-FAILED pid="), "%s",
                       br_buf_text(&process.err_text));
    cr_assert_not_null(strstr(br_buf_text(&process.err_text), "told to fail: because"));
    br_client_free(&client);
    forget(&process);
}

Test(service_service, a_failing_start_ends_it_with_its_code)
{
    static const struct {
        const char *mode;
        int code;
        const char *reason;
    } cases[] = {{"fail", 1, "the store is broken"}, {"unreachable", 4, "nobody there"}};
    for (size_t i = 0; i < 2; i++) {
        setenv("ECHO_MODE", cases[i].mode, 1);
        const char *const flags[] = {"--dir", directory, NULL};
        br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
        cr_assert_eq(br_test_wait(&process), cases[i].code);
        cr_assert_not_null(strstr(br_buf_text(&process.err_text), cases[i].reason));
        cr_assert_null(strstr(br_buf_text(&process.err_text), "SERVICE-READY"));
        forget(&process);
    }
}

Test(service_service, it_waits_for_what_it_needs_alive_and_not_ready)
{
    const char *file = br_temp_path(directory, "needed");
    setenv("ECHO_MODE", "wait", 1);
    setenv("ECHO_FILE", file, 1);
    const char *const flags[] = {"--dir", directory, NULL};
    br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
    // The second of these comes from a second attempt.
    cr_assert(br_test_notified(&process, "STATUS=not ready: waiting for a file"));
    cr_assert(br_test_notified(&process, "STATUS=not ready: waiting for a file"));
    uint16_t port = br_test_port(directory, "echo");
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(br_test_get(port, "/livez", &answer), 200);
    cr_assert_eq(br_test_get(port, "/readyz", &answer), 503);
    cr_assert_str_eq(br_test_body(&answer), "not ready: waiting for a file\n");
    cr_assert_eq(br_test_get(port, "/hello", &answer), 404, "its routes come with the start");
    FILE *made = fopen(file, "w");
    cr_assert_not_null(made);
    fclose(made);
    cr_assert(br_test_notified(&process, "READY=1"), "%s", br_buf_text(&process.err_text));
    cr_assert_eq(br_test_get(port, "/readyz", &answer), 200);
    cr_assert_eq(br_test_get(port, "/hello", &answer), 200);
    cr_assert_str_eq(talk("echo", 1, "x"), "x");
    cr_assert_eq(stop(&process), 0);
    forget(&process);
}

Test(service_service, it_can_be_stopped_while_it_waits)
{
    setenv("ECHO_MODE", "wait", 1);
    setenv("ECHO_FILE", "/nothing/there", 1);
    const char *const flags[] = {"--dir", directory, NULL};
    br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert(br_test_notified(&process, "STATUS=not ready"));
    cr_assert_eq(stop(&process), 0);
    forget(&process);
}

Test(service_service, timers_idle_work_and_wake_ups_have_their_turn)
{
    br_test_process process = start_echo();
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(br_test_get(br_test_port(directory, "echo"), "/hello", &answer), 200);
    unsigned timers = 0, idles = 0, wakes = 0, attempts = 0;
    int64_t until_ms = br_clock_ms() + BR_TEST_DEADLINE_MS;
    while ((timers < 3 || idles < 3 || wakes < 1) && br_clock_ms() < until_ms) {
        const char *text = talk("echo", 3, "");
        cr_assert_not_null(text);
        cr_assert_eq(sscanf(text, "timers=%u idles=%u wakes=%u attempts=%u", &timers, &idles, &wakes, &attempts), 4);
    }
    cr_assert(timers >= 3 && idles >= 3 && wakes == 1 && attempts == 1, "%u %u %u %u", timers, idles, wakes, attempts);
    cr_assert_eq(stop(&process), 0);
    forget(&process);
}

Test(service_service, a_flood_does_not_keep_it_from_draining)
{
    br_test_process process = start_echo();
    char endpoint[BR_PATH_BYTES];
    br_client *client = NULL;
    uint64_t number;
    cr_assert_eq(br_endpoint(endpoint, directory, "echo"), BR_OK);
    cr_assert_eq(br_client_new(&client, endpoint), BR_OK);
    for (int i = 0; i < 900; i++) {
        cr_assert_eq(br_client_send(client, 1, (br_span){"x", 1}, &number), BR_OK);
    }
    cr_assert_eq(stop(&process), 0);
    br_client_free(&client);
    forget(&process);
}

Test(service_service, a_second_interrupt_ends_it_at_once)
{
    setenv("ECHO_MODE", "linger", 1);
    br_test_process process = start_echo();
    cr_assert_eq(kill(process.pid, SIGINT), 0);
    cr_assert(br_test_notified(&process, "STOPPING=1"));
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(br_test_get(br_test_port(directory, "echo"), "/readyz", &answer), 503, "it drains");
    int64_t started_ms = br_clock_ms();
    cr_assert_eq(kill(process.pid, SIGINT), 0);
    cr_assert_eq(br_test_wait(&process), 130);
    cr_assert_lt(br_clock_ms() - started_ms, 5000);
    forget(&process);
}

Test(service_service, a_watchdog_is_fed)
{
    setenv("WATCHDOG_USEC", "40000", 1);
    br_test_process process = start_echo();
    for (int i = 0; i < 3; i++) {
        cr_assert(br_test_notified(&process, "WATCHDOG=1"));
    }
    cr_assert_eq(stop(&process), 0);
    forget(&process);
}

Test(service_service, wrong_usage_is_2_and_says_what_was_meant)
{
    static const struct {
        const char *flags[4];
        const char *text;
    } cases[] = {
        {{"--dri", "x"}, "did you mean --dir?"},
        {{"--verzion"}, "did you mean --version?"},
        {{"--something-else"}, "unknown flag \"--something-else\" See"},
        {{"--name", "1"}, "unknown flag"},
        {{"work"}, "unknown argument \"work\""},
        {{"--dir"}, "--dir needs a value"},
        {{"--dir="}, "--dir cannot be \"\""},
        {{"--log-level", "loud"}, "--log-level cannot be \"loud\""},
        {{"--help=yes"}, "unknown flag"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_test_process process = br_test_spawn(directory, "bookrunner-echo", cases[i].flags);
        cr_assert_eq(br_test_wait(&process), 2, "case %zu", i);
        cr_assert_not_null(strstr(br_buf_text(&process.err_text), cases[i].text), "%zu: %s", i,
                           br_buf_text(&process.err_text));
        cr_assert_str_eq(br_buf_text(&process.out_text), "");
        forget(&process);
    }
}

Test(service_service, help_and_version_go_to_stdout)
{
    static const char *const cases[][2] = {{"--help", "--log-level LEVEL"},
                                           {"-h", "Exit codes: 0"},
                                           {"--version", "bookrunner-echo 0.1.0 (commit "},
                                           {"-V", "libzmq 4."}};
    for (size_t i = 0; i < 4; i++) {
        const char *const flags[] = {cases[i][0], NULL};
        br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
        cr_assert_eq(br_test_wait(&process), 0);
        cr_assert_not_null(strstr(br_buf_text(&process.out_text), cases[i][1]), "%s", br_buf_text(&process.out_text));
        cr_assert_str_eq(br_buf_text(&process.err_text), "");
        forget(&process);
    }
}

Test(service_service, flags_stand_over_the_environment)
{
    setenv("BOOKRUNNER_DIR", "/proc/nowhere", 1);
    setenv("BOOKRUNNER_LOG_LEVEL", "error", 1);
    br_test_process process = start_echo();
    cr_assert_eq(stop(&process), 0);
    cr_assert_str_eq(br_buf_text(&process.err_text), "", "info is below error");
    forget(&process);
}

Test(service_service, a_port_in_use_is_said)
{
    setenv("ECHO_PAGE", "1", 1);
    setenv("BOOKRUNNER_HTTP_PORT", "0", 1);
    br_test_process first = start_echo();
    char number[16];
    snprintf(number, sizeof number, "%u", br_test_port(directory, "echo"));
    setenv("BOOKRUNNER_HTTP_PORT", number, 1);
    const char *other = br_temp_path(directory, "other");
    const char *const flags[] = {"--dir", other, NULL};
    br_test_process second = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert_eq(br_test_wait(&second), 1);
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1 port %s is in use", number);
    cr_assert_not_null(strstr(br_buf_text(&second.err_text), expected), "%s", br_buf_text(&second.err_text));
    cr_assert_eq(stop(&first), 0);
    forget(&first);
    forget(&second);
}

Test(service_service, a_wrong_configuration_is_said_and_nothing_is_left_open)
{
    FILE *file = fopen(br_temp_path(directory, "bookrunner.yaml"), "w");
    cr_assert_not_null(file);
    fputs("ranking:\n  top: 0\n", file);
    fclose(file);
    umask(0);
    const char *const flags[] = {"--dir", directory, NULL};
    br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert_eq(br_test_wait(&process), 1);
    cr_assert_not_null(strstr(br_buf_text(&process.err_text), "line 2: ranking.top"));
    struct stat info;
    cr_assert_eq(stat(br_temp_path(directory, "run/echo.lock"), &info), 0);
    cr_assert_eq(info.st_mode & 077, 0);
    forget(&process);
}

Test(service_service, a_killed_one_can_start_again)
{
    br_test_process process = start_echo();
    cr_assert_eq(kill(process.pid, SIGKILL), 0);
    cr_assert_eq(br_test_wait(&process), 1000 + SIGKILL);
    forget(&process);
    process = start_echo();
    cr_assert_str_eq(talk("echo", 1, "again"), "again");
    cr_assert_eq(stop(&process), 0);
    forget(&process);
}

Test(service_service, a_full_store_makes_it_start_over_in_its_place_until_there_is_room)
{
    const char *file = br_temp_path(directory, "room");
    setenv("ECHO_MODE", "full", 1);
    setenv("ECHO_FILE", file, 1);
    br_test_process process = start_echo();
    BR_AUTO_DEINIT(br_buf) answer = {0};
    uint16_t port = br_test_port(directory, "echo");
    cr_assert_str_eq(talk("echo", 4, "last words"), "last words");
    cr_assert(br_test_notified(&process, "STATUS=not ready: still no room"));
    cr_assert_eq(br_test_get(port, "/livez", &answer), 200);
    cr_assert_eq(br_test_get(port, "/readyz", &answer), 503);
    cr_assert_not_null(strstr(br_test_body(&answer), "no room"));
    cr_assert_eq(br_test_get(port, "/hello", &answer), 404, "its state is gone");
    cr_assert_eq(br_test_get(port, "/metrics", &answer), 200);
    cr_assert_not_null(strstr(br_test_body(&answer), "bookrunner_store_full{stage=\"echo\"} 1"));
    FILE *made = fopen(file, "w");
    cr_assert_not_null(made);
    fclose(made);
    cr_assert(br_test_notified(&process, "READY=1"));
    cr_assert_eq(br_test_get(port, "/readyz", &answer), 200);
    cr_assert_eq(br_test_get(port, "/metrics", &answer), 200);
    cr_assert_not_null(strstr(br_test_body(&answer), "bookrunner_store_full{stage=\"echo\"} 0"));
    cr_assert_str_eq(talk("echo", 1, "good morning"), "good morning");
    cr_assert_eq(stop(&process), 0);
    const char *first = strstr(br_buf_text(&process.err_text), "SERVICE-STORE-FULL");
    cr_assert_not_null(first);
    cr_assert_null(strstr(first + 1, "SERVICE-STORE-FULL"), "said once");
    forget(&process);
}

Test(service_service, a_store_that_is_full_at_the_first_start_ends_it)
{
    setenv("ECHO_MODE", "full", 1);
    const char *const flags[] = {"--dir", directory, NULL};
    br_test_process process = br_test_spawn(directory, "bookrunner-echo", flags);
    cr_assert_eq(br_test_wait(&process), 1);
    forget(&process);
}
