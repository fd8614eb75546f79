// Goal: the text is what Prometheus reads and no count is lost. Method: known text, threads, and promtool where it is
// installed.

#include "base/clock.h"
#include "service/internal.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_line(const br_buf *text, const char *line)
{
    char wanted[512];
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    return strstr(br_buf_text(text), wanted) != NULL;
}

static double value_of(const br_buf *text, const char *name)
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\n%s ", name);
    const char *at = strstr(br_buf_text(text), wanted);
    return at == NULL ? (double)NAN : strtod(at + strlen(wanted), NULL);
}

Test(service_telemetry, metrics_of_one_name_stand_together_under_one_head)
{
    br_metric *a = br_counter("bookrunner_rows_total", "Rows \\ and\nlines.", "outcome=\"accepted\"");
    br_metric *other = br_gauge("bookrunner_queue_depth", "Depth.", "");
    br_metric *b = br_counter("bookrunner_rows_total", "Rows.", "outcome=\"rejected\"");
    br_metric_add(a, 2);
    br_metric_add(a, 0.5);
    br_metric_add(b, 1e15);
    br_metric_set(other, -3);
    br_metric_add(other, 1);
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_telemetry_text(&text);
    cr_assert_not_null(strstr(br_buf_text(&text), "# HELP bookrunner_rows_total Rows \\\\ and\\nlines.\n"
                                                  "# TYPE bookrunner_rows_total counter\n"
                                                  "bookrunner_rows_total{outcome=\"accepted\"} 2.5\n"
                                                  "bookrunner_rows_total{outcome=\"rejected\"} 1e+15\n"),
                       "%s", br_buf_text(&text));
    cr_assert(has_line(&text, "# TYPE bookrunner_queue_depth gauge"));
    cr_assert(has_line(&text, "bookrunner_queue_depth -2"));
    cr_assert_eq(br_metric_value(a), 2.5);
}

Test(service_telemetry, the_same_name_and_labels_are_the_same_metric)
{
    br_metric *a = br_counter("bookrunner_rows_total", "Rows.", "outcome=\"accepted\"");
    cr_assert_eq(br_counter("bookrunner_rows_total", "Rows.", "outcome=\"accepted\""), a);
    cr_assert_neq(br_counter("bookrunner_rows_total", "Rows.", "outcome=\"rejected\""), a);
}

Test(service_telemetry, a_histogram_counts_up_to_its_bounds)
{
    br_metric *h = br_histogram_seconds("bookrunner_stage_duration_seconds", "Time.", "stage=\"rank\"");
    const double values[] = {0.0001, 0.00011, 0.05, 59, 61, 1e9, 0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        br_metric_observe(h, values[i]);
    }
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_telemetry_text(&text);
#define BUCKET "bookrunner_stage_duration_seconds_bucket{stage=\"rank\",le="
    cr_assert(has_line(&text, BUCKET "\"0.0001\"} 2"), "%s", br_buf_text(&text));
    cr_assert(has_line(&text, BUCKET "\"0.00025\"} 3"));
    cr_assert(has_line(&text, BUCKET "\"0.025\"} 3"));
    cr_assert(has_line(&text, BUCKET "\"0.05\"} 4"));
    cr_assert(has_line(&text, BUCKET "\"30\"} 4"));
    cr_assert(has_line(&text, BUCKET "\"60\"} 5"));
    cr_assert(has_line(&text, BUCKET "\"+Inf\"} 7"));
    cr_assert(has_line(&text, "bookrunner_stage_duration_seconds_count{stage=\"rank\"} 7"));
    cr_assert_float_eq(value_of(&text, "bookrunner_stage_duration_seconds_sum{stage=\"rank\"}"), 1000000120.05021,
                       1e-3);
}

Test(service_telemetry, values_that_are_not_finite_have_their_names)
{
    br_metric *g = br_gauge("bookrunner_queue_depth", "Depth.", "");
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    const char *const names[] = {"NaN", "+Inf", "-Inf"};
    for (size_t i = 0; i < 3; i++) {
        BR_AUTO_DEINIT(br_buf) text = {0};
        char line[64];
        snprintf(line, sizeof line, "bookrunner_queue_depth %s", names[i]);
        br_metric_set(g, values[i]);
        br_telemetry_text(&text);
        cr_assert(has_line(&text, line));
    }
}

Test(service_telemetry, the_process_describes_itself)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_build_info("blas", "OpenBLAS \\\"x\\\"");
    br_telemetry_text(&text);
    const char *all = br_buf_text(&text);
    cr_assert_not_null(strstr(all, "bookrunner_build_info{version=\"0."), "%s", all);
    cr_assert_not_null(strstr(all, ",blas=\"OpenBLAS \\\"x\\\"\"} 1\n"), "%s", all);
    cr_assert_gt(value_of(&text, "process_resident_memory_bytes"), 1e6);
    cr_assert_geq(value_of(&text, "process_virtual_memory_bytes"), value_of(&text, "process_resident_memory_bytes"));
    cr_assert_geq(value_of(&text, "process_open_fds"), 3);
    cr_assert_geq(value_of(&text, "process_max_fds"), value_of(&text, "process_open_fds"));
    cr_assert_geq(value_of(&text, "process_threads"), 1);
    cr_assert_geq(value_of(&text, "process_cpu_seconds_total"), 0);
    double age_s = br_clock_wall_s() - value_of(&text, "process_start_time_seconds");
    cr_assert(age_s > -1 && age_s < 600, "started %g s ago", age_s);
}

static void *wait_for_byte(void *argument)
{
    const int *file = argument;
    char byte;
    return read(*file, &byte, 1) == 1 ? NULL : argument;
}

Test(service_telemetry, threads_and_files_are_counted)
{
    BR_AUTO_DEINIT(br_buf) before = {0};
    BR_AUTO_DEINIT(br_buf) after = {0};
    br_telemetry_text(&before);
    int files[2];
    pthread_t thread;
    void *failed = NULL;
    cr_assert_eq(pipe(files), 0);
    cr_assert_eq(pthread_create(&thread, NULL, wait_for_byte, files), 0);
    br_telemetry_text(&after);
    cr_assert_eq(value_of(&after, "process_threads"), value_of(&before, "process_threads") + 1);
    cr_assert_eq(value_of(&after, "process_open_fds"), value_of(&before, "process_open_fds") + 2);
    cr_assert_eq(value_of(&after, "process_start_time_seconds"), value_of(&before, "process_start_time_seconds"));
    cr_assert_eq(write(files[1], "x", 1), 1);
    pthread_join(thread, &failed);
    cr_assert_null(failed);
}

enum { N_THREADS = 4, N_STEPS = 50000 };

static void *count_up(void *argument)
{
    br_metric **metrics = argument;
    for (int i = 0; i < N_STEPS; i++) {
        br_metric_add(metrics[0], 1);
        br_metric_add(metrics[1], i % 2 == 0 ? 2 : -1);
        br_metric_observe(metrics[2], 0.25);
    }
    return NULL;
}

Test(service_telemetry, threads_lose_no_count)
{
    br_metric *metrics[] = {br_counter("bookrunner_a_total", "A.", ""), br_gauge("bookrunner_b", "B.", ""),
                            br_histogram_seconds("bookrunner_c_seconds", "C.", "")};
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, count_up, metrics), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(br_metric_value(metrics[0]), N_THREADS * N_STEPS);
    cr_assert_eq(br_metric_value(metrics[1]), N_THREADS * N_STEPS / 2);
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_telemetry_text(&text);
    cr_assert_eq(value_of(&text, "bookrunner_c_seconds_count"), N_THREADS * N_STEPS);
    cr_assert_eq(value_of(&text, "bookrunner_c_seconds_sum"), 0.25 * N_THREADS * N_STEPS);
}

Test(service_telemetry, a_counter_ends_in_total, .signal = SIGABRT)
{
    br_counter("bookrunner_rows", "Rows.", "");
}

Test(service_telemetry, a_counter_never_falls, .signal = SIGABRT)
{
    br_metric_add(br_counter("bookrunner_rows_total", "Rows.", ""), -1);
}

Test(service_telemetry, one_name_has_one_kind, .signal = SIGABRT)
{
    br_gauge("bookrunner_x_seconds", "X.", "");
    br_histogram_seconds("bookrunner_x_seconds", "X.", "");
}

Test(service_telemetry, labels_have_a_form, .signal = SIGABRT)
{
    br_gauge("bookrunner_x", "X.", "stage=\"a\"b\"");
}

Test(service_telemetry, promtool_has_nothing_to_say)
{
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        cr_skip_test("promtool is not installed");
    }
    br_metric_add(br_counter("bookrunner_rows_total", "Rows.", "outcome=\"accepted\""), 1);
    br_metric_observe(br_histogram_seconds("bookrunner_stage_duration_seconds", "Time.", ""), 1);
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_telemetry_text(&text);
    FILE *pipe = popen("promtool check metrics 1>&2", "w");
    cr_assert_not_null(pipe);
    cr_assert_geq(fputs(br_buf_text(&text), pipe), 0);
    cr_assert_eq(pclose(pipe), 0);
}
