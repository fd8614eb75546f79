#include "service/telemetry.h"

#include "base/alloc.h"
#include "base/version.h"
#include "service/internal.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAX_METRICS 1024
#define MAX_INFO    512

// 0.1 ms to 60 s in steps of about 2 to 3, so that a quantile read from them is right within that factor.
static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};

enum { N_BOUNDS = sizeof bounds / sizeof bounds[0] };

typedef enum metric_kind { COUNTER, GAUGE, HISTOGRAM } metric_kind;

struct br_metric {
    char *name;
    char *help;
    char *labels;
    metric_kind kind;
    _Atomic double value;      // of a histogram: the sum
    _Atomic uint64_t *buckets; // histograms: [N_BOUNDS + 1], each by itself
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static br_metric *registry[MAX_METRICS]; // in order of name, then of arrival
static size_t n_metrics;
static char build_labels[MAX_INFO];

// --- names ---

static bool valid_name(const char *name)
{
    if (!isalpha((unsigned char)name[0])) {
        return false;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_') {
            return false;
        }
    }
    return true;
}

// key="value",key="value" with \\, \" and \n as the only escapes.
static bool valid_labels(const char *text)
{
    while (*text != '\0') {
        size_t key = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (key == 0 || text[key] != '=' || text[key + 1] != '"') {
            return false;
        }
        text += key + 2;
        while (*text != '"') {
            if (*text == '\0' || *text == '\n' || (*text == '\\' && strchr("\\\"n", text[1]) == NULL)) {
                return false;
            }
            text += *text == '\\' && text[1] != '\0' ? 2 : 1;
        }
        text++;
        if (*text == ',' && text[1] != '\0') {
            text++;
        } else if (*text != '\0') {
            return false;
        }
    }
    return true;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

// --- registering ---

// Metrics live as long as the process: whoever counts keeps a pointer and never asks whether it still holds.
static br_metric *metric_new(const char *name, const char *help, const char *labels, metric_kind kind)
{
    br_metric *metric = br_calloc(1, sizeof *metric);
    br_assert(metric != NULL);
    metric->name = br_strdup(name);
    metric->help = br_strdup(help);
    metric->labels = br_strdup(labels);
    br_assert(metric->name != NULL && metric->help != NULL && metric->labels != NULL);
    metric->kind = kind;
    if (kind == HISTOGRAM) {
        metric->buckets = br_calloc(N_BOUNDS + 1, sizeof *metric->buckets);
        br_assert(metric->buckets != NULL);
    }
    return metric;
}

static br_metric *insert(const char *name, const char *help, const char *labels, metric_kind kind)
{
    size_t at = 0;
    while (at < n_metrics && strcmp(registry[at]->name, name) <= 0) {
        if (strcmp(registry[at]->name, name) == 0) {
            br_assert(registry[at]->kind == kind);
            if (strcmp(registry[at]->labels, labels) == 0) {
                return registry[at];
            }
        }
        at++;
    }
    br_assert(n_metrics < MAX_METRICS);
    memmove(registry + at + 1, registry + at, (n_metrics - at) * sizeof registry[0]);
    registry[at] = metric_new(name, help, labels, kind);
    n_metrics++;
    return registry[at];
}

static br_metric *enlist(const char *name, const char *help, const char *labels, metric_kind kind)
{
    br_assert(valid_name(name) && valid_labels(labels) && help[0] != '\0');
    pthread_mutex_lock(&registry_lock);
    br_metric *metric = insert(name, help, labels, kind);
    pthread_mutex_unlock(&registry_lock);
    return metric;
}

br_metric *br_counter(const char *name, const char *help, const char *labels)
{
    br_assert(ends_in(name, "_total"));
    return enlist(name, help, labels, COUNTER);
}

br_metric *br_gauge(const char *name, const char *help, const char *labels)
{
    br_assert(!ends_in(name, "_total"));
    return enlist(name, help, labels, GAUGE);
}

br_metric *br_histogram_seconds(const char *name, const char *help, const char *labels)
{
    br_assert(ends_in(name, "_seconds"));
    return enlist(name, help, labels, HISTOGRAM);
}

void br_build_info(const char *key, const char *value)
{
    pthread_mutex_lock(&registry_lock);
    size_t used = strlen(build_labels);
    int n = snprintf(build_labels + used, sizeof build_labels - used, ",%s=\"%s\"", key, value);
    br_assert(n > 0 && (size_t)n < sizeof build_labels - used && valid_labels(build_labels + 1));
    pthread_mutex_unlock(&registry_lock);
}

// --- counting ---

static void add_to(_Atomic double *sum, double value)
{
    double old = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &old, old + value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

void br_metric_add(br_metric *metric, double value)
{
    br_assert(metric->kind == GAUGE || (metric->kind == COUNTER && value >= 0));
    add_to(&metric->value, value);
}

void br_metric_set(br_metric *metric, double value)
{
    br_assert(metric->kind == GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void br_metric_observe(br_metric *metric, double value)
{
    br_assert(metric->kind == HISTOGRAM);
    size_t bucket = 0;
    while (bucket < N_BOUNDS && !(value <= bounds[bucket])) {
        bucket++;
    }
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    add_to(&metric->value, value);
}

double br_metric_value(const br_metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

// --- text format 0.0.4 ---

static void put_number(br_buf *out, double value)
{
    if (isnan(value)) {
        br_buf_string(out, "NaN");
    } else if (isinf(value)) {
        br_buf_string(out, value > 0 ? "+Inf" : "-Inf");
    } else {
        br_buf_json_number(out, value);
    }
}

static void put_head(br_buf *out, const br_metric *metric)
{
    static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
    br_buf_printf(out, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c != '\0'; c++) {
        if (*c == '\\' || *c == '\n') {
            br_buf_string(out, *c == '\n' ? "\\n" : "\\\\");
        } else {
            br_buf_char(out, *c);
        }
    }
    br_buf_printf(out, "\n# TYPE %s %s\n", metric->name, kinds[metric->kind]);
}

static void put_histogram(br_buf *out, const br_metric *metric)
{
    const char *comma = metric->labels[0] == '\0' ? "" : ",";
    uint64_t count = 0;
    for (size_t i = 0; i <= N_BOUNDS; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        br_buf_printf(out, "%s_bucket{%s%sle=\"", metric->name, metric->labels, comma);
        put_number(out, i == N_BOUNDS ? (double)INFINITY : bounds[i]);
        br_buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    const char *open = metric->labels[0] == '\0' ? "" : "{";
    const char *shut = metric->labels[0] == '\0' ? "" : "}";
    br_buf_printf(out, "%s_sum%s%s%s ", metric->name, open, metric->labels, shut);
    put_number(out, br_metric_value(metric));
    br_buf_printf(out, "\n%s_count%s%s%s %llu\n", metric->name, open, metric->labels, shut, (unsigned long long)count);
}

static void put_value(br_buf *out, const br_metric *metric)
{
    br_buf_string(out, metric->name);
    if (metric->labels[0] != '\0') {
        br_buf_printf(out, "{%s}", metric->labels);
    }
    br_buf_char(out, ' ');
    put_number(out, br_metric_value(metric));
    br_buf_char(out, '\n');
}

void br_telemetry_text(br_buf *out)
{
    pthread_mutex_lock(&registry_lock);
    br_buf_printf(out,
                  "# HELP bookrunner_build_info What this process was built from; always 1.\n"
                  "# TYPE bookrunner_build_info gauge\n"
                  "bookrunner_build_info{version=\"%s\",commit=\"%s\",libzmq=\"%s\"%s} 1\n",
                  BR_VERSION, BR_COMMIT, br_transport_describe(), build_labels);
    for (size_t i = 0; i < n_metrics; i++) {
        if (i == 0 || strcmp(registry[i]->name, registry[i - 1]->name) != 0) {
            put_head(out, registry[i]);
        }
        if (registry[i]->kind == HISTOGRAM) {
            put_histogram(out, registry[i]);
        } else {
            put_value(out, registry[i]);
        }
    }
    pthread_mutex_unlock(&registry_lock);
    br_process_text(out);
}
