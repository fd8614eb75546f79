// Goal: what is set arrives, by file and by environment, and what is wrong is refused with its place. Method: every
// key of the table both ways, and known wrong files with the line they must name.

#include "base/alloc.h"
#include "service/config.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *directory;

static void set_up(void)
{
    directory = br_temp_new();
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(service_config, .init = set_up, .fini = tear_down);

static void write_file(const char *text)
{
    FILE *file = fopen(br_temp_path(directory, "bookrunner.yaml"), "w");
    cr_assert_not_null(file);
    cr_assert(fputs(text, file) >= 0);
    cr_assert_eq(fclose(file), 0);
}

static void expect_refusal(const char *text, const char *line, const char *cause)
{
    br_config config;
    write_file(text);
    cr_assert_eq(br_config_load(&config, directory), BR_ERR_INVALID, "%s", text);
    const char *why = br_why(BR_ERR_INVALID);
    cr_assert_not_null(strstr(why, "bookrunner.yaml"), "%s", why);
    cr_assert_not_null(strstr(why, line), "%s: %s", line, why);
    cr_assert_not_null(strstr(why, cause), "%s: %s", cause, why);
}

Test(service_config, without_a_file_the_defaults_hold)
{
    br_config config;
    cr_assert_eq(br_config_load(&config, directory), BR_OK);
    cr_assert_str_eq(config.directory, directory);
    cr_assert_eq(config.n_explainers, 2);
    cr_assert_eq(config.n_top, 50);
    cr_assert_eq(config.n_reasons, 6);
    cr_assert_eq(config.objective, BR_OBJECTIVE_BACKED);
    cr_assert_eq(config.model.n_hidden, 2);
    cr_assert_str_eq(config.http.listen, "127.0.0.1");
    cr_assert_eq(config.http.port, 8080);
    cr_assert_eq(config.work.lease_ms, 5000);
    cr_assert_eq(config.gate.max_log_loss_ratio, 1.01);
    cr_assert_str_eq(config.work.listen, "");
}

Test(service_config, every_default_is_in_its_range)
{
    size_t n;
    const br_config_key *keys = br_config_keys(&n);
    const br_config standard = br_config_default();
    for (size_t i = 0; i < n; i++) {
        BR_AUTO_DEINIT(br_buf) text = {0};
        br_config_value(&standard, &keys[i], &text);
        char plain[256];
        snprintf(plain, sizeof plain, "%s", br_buf_text(&text));
        size_t length = strlen(plain);
        if (plain[0] == '"' || plain[0] == '[') {
            memmove(plain, plain + 1, length);
            plain[length - 2] = '\0';
        }
        if (keys[i].kind == BR_CONFIG_NAMES) { // written as a list, read as names with commas between
            snprintf(plain, sizeof plain, "%s", (const char *)&standard + keys[i].offset);
        }
        br_config config = standard;
        cr_assert_eq(br_config_set(&config, &keys[i], plain), BR_OK, "%s: %s", keys[i].path, br_why(BR_ERR_INVALID));
        cr_assert_eq(memcmp(&config, &standard, sizeof config), 0, "%s changed by its own default", keys[i].path);
    }
}

// A value of this key that is not its default, as one writes it in the file and in the environment.
static const char *other_value(const br_config_key *key, bool file)
{
    switch (key->kind) {
    case BR_CONFIG_WHOLE:
        return strcmp(key->path, "training.batch") == 0               ? "2048"
               : strcmp(key->path, "training.dataset_max_bytes") == 0 ? "1234567"
               : strcmp(key->path, "training.final_epochs") == 0      ? "2"
               : strstr(key->path, "few_max") != NULL                 ? "11"
               : strstr(key->path, "_ms") != NULL                     ? "7777"
               : strcmp(key->path, "ranking.reasons") == 0            ? "5"
               : strcmp(key->path, "item_based.threshold") == 0       ? "4"
                                                                      : "7";
    case BR_CONFIG_DECIMAL:
        return strcmp(key->path, "training.final_learning_rate") == 0 ? "0.00002"
               : strcmp(key->path, "training.pool_negatives") == 0    ? "12.5"
               : strstr(key->path, "ratio") != NULL                   ? "1.5"
               : strcmp(key->path, "training.mask_few") == 0          ? "0.0625"
               : strcmp(key->path, "training.final_mask_few") == 0    ? "0.0625"
                                                                      : "0.125";
    case BR_CONFIG_FLAG:
        return strncmp(key->path, "ranking.", 8) == 0 ? "false" : "true"; // another than the default
    case BR_CONFIG_CHOICE:
        return key->names[strcmp(key->path, "model.architecture") == 0     ? 3
                          : strcmp(key->path, "training.calibration") == 0 ? 2
                          : strcmp(key->path, "access.local_role") == 0    ? 1
                          : strcmp(key->path, "item_based.sampling") == 0  ? 1
                                                                           : 0];
    case BR_CONFIG_ADDRESS:
        return file ? "\"::1\"" : "::1";
    case BR_CONFIG_ENDPOINT:
        return "tcp://10.0.0.1:5555";
    case BR_CONFIG_PATH:
        return "/etc/keys";
    case BR_CONFIG_HEADER:
        return "X-Remote-User";
    case BR_CONFIG_WHOLES:
        return file ? "[32, 16, 8]" : "32,16,8";
    case BR_CONFIG_NAMES:
        return key->min > 1.0 ? (file ? "[a* + b, AA+ + c]" : "a* + b,AA+ + c") : (file ? "[x, \"y*\"]" : "x,y*");
    }
    return "";
}

static void expect_all_set(const br_config *config, br_config_origin origin)
{
    size_t n;
    const br_config_key *keys = br_config_keys(&n);
    const br_config standard = br_config_default();
    for (size_t i = 0; i < n; i++) {
        BR_AUTO_DEINIT(br_buf) before = {0};
        BR_AUTO_DEINIT(br_buf) after = {0};
        br_config_value(&standard, &keys[i], &before);
        br_config_value(config, &keys[i], &after);
        bool off = strcmp(keys[i].path, "model.stacked") == 0; // because of the architecture
        cr_assert_eq(strcmp(br_buf_text(&before), br_buf_text(&after)) == 0, off, "%s", keys[i].path);
        cr_assert_eq(config->origin[i], origin, "%s", keys[i].path);
    }
    cr_assert_eq(config->model.architecture, BR_DEEPFM);
    cr_assert_eq(config->model.n_cross, 0);
    cr_assert_eq(config->model.n_hidden, 3);
    cr_assert_eq(config->model.hidden[2], 8);
    cr_assert_eq(config->http.telemetry_port, 7);
    cr_assert_eq(config->dataset_max_bytes, 1234567);
    cr_assert_str_eq(config->work.keys, "/etc/keys");
    cr_assert_str_eq(config->explain.banned, "x,y*");
    cr_assert_str_eq(config->explain.not_together, "a* + b,AA+ + c");
}

Test(service_config, every_key_can_be_set_in_the_file)
{
    size_t n;
    const br_config_key *keys = br_config_keys(&n);
    BR_AUTO_DEINIT(br_buf) text = {0};
    char group[32] = "";
    br_buf_string(&text, "# a comment\n");
    for (size_t i = 0; i < n; i++) {
        const char *dot = strchr(keys[i].path, '.');
        char here[32];
        snprintf(here, sizeof here, "%.*s", dot == NULL ? 0 : (int)(dot - keys[i].path), keys[i].path);
        if (strcmp(here, group) != 0) {
            br_buf_printf(&text, "%s:\n", here);
            memcpy(group, here, sizeof group);
        }
        // mask_few and mask_algorithm1 are shares of one whole
        br_buf_printf(&text, "%s%s: %s\n", dot == NULL ? "" : "  ", dot == NULL ? keys[i].path : dot + 1,
                      other_value(&keys[i], true));
    }
    write_file(br_buf_text(&text));
    br_config config;
    cr_assert_eq(br_config_load(&config, directory), BR_OK, "%s\n%s", br_why(BR_ERR_INVALID), br_buf_text(&text));
    expect_all_set(&config, BR_CONFIG_FILE);
}

Test(service_config, every_key_can_be_set_in_the_environment_over_the_file)
{
    size_t n;
    const br_config_key *keys = br_config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        char name[BR_CONFIG_VARIABLE_BYTES];
        br_config_variable(&keys[i], name);
        setenv(name, other_value(&keys[i], false), 1);
    }
    setenv("BOOKRUNNER_DIR", "/somewhere", 1);
    setenv("BOOKRUNNER_SOMETHING_ELSE", "x", 1);
    write_file("ranking: {top: 33}\n");
    br_config config;
    cr_assert_eq(br_config_load(&config, directory), BR_OK, "%s", br_why(BR_ERR_INVALID));
    expect_all_set(&config, BR_CONFIG_ENVIRONMENT);
}

Test(service_config, one_file_alone_asks_no_environment)
{
    br_config config;
    setenv("BOOKRUNNER_RANKING_TOP", "44", 1);
    write_file("ranking: {top: 33}\n");
    char path[BR_PATH_BYTES];
    snprintf(path, sizeof path, "%s", br_temp_path(directory, "bookrunner.yaml"));
    cr_assert_eq(br_config_load_file(&config, path), BR_OK, "%s", br_why(BR_ERR_INVALID));
    cr_assert_eq(config.n_top, 33);
    write_file("training: {max_epochs: 3, final_epochs: 4}\n");
    cr_assert_eq(br_config_load_file(&config, path), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "bookrunner.yaml: training: final_epochs"));
    cr_assert_eq(br_config_load_file(&config, br_temp_path(directory, "none.yaml")), BR_ERR_NOT_FOUND);
    cr_assert_not_null(strstr(br_why(BR_ERR_NOT_FOUND), "none.yaml"));
}

Test(service_config, what_an_architecture_does_not_have_is_off)
{
    static const char *const names[] = {"dcn", "dnn", "wide_deep", "deepfm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        br_config config;
        char text[96];
        snprintf(text, sizeof text, "model: {architecture: %s, cross_layers: 3, stacked: true}\n", names[i]);
        write_file(text);
        cr_assert_eq(br_config_load(&config, directory), BR_OK, "%s", br_why(BR_ERR_INVALID));
        cr_assert_eq(config.model.architecture, BR_DCN + i);
        cr_assert_eq(config.model.n_cross, i == BR_DCN ? 3 : 0);
        cr_assert_eq(config.model.stacked, i == BR_DCN);
    }
}

Test(service_config, files_without_settings_are_fine)
{
    static const char *const texts[] = {"", "# nothing\n", "\n\n", "{}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        br_config config;
        write_file(texts[i]);
        cr_assert_eq(br_config_load(&config, directory), BR_OK, "%s", texts[i]);
        cr_assert_eq(config.n_top, 50);
    }
}

Test(service_config, wrong_files_are_refused_with_line_and_cause)
{
    expect_refusal("ranking:\n  top: 0\n", "line 2", "ranking.top: \"0\" is not a whole number from 1 to 1000");
    expect_refusal("explainers: 2\nranking:\n  reasons: 6\n  top: 1001\n", "line 4", "\"1001\"");
    expect_refusal("\nexplainers: many\n", "line 2", "explainers: \"many\"");
    expect_refusal("training: {calibration: linear}\n", "line 1", "is not auto, platt or isotonic");
    expect_refusal("explainers: -1\n", "line 1", "\"-1\"");
    expect_refusal("explainers: 1.0\n", "line 1", "\"1.0\"");
    expect_refusal("explainers: 99999999999999999999999\n", "line 1", "0 to 256");
    expect_refusal("explainers:\n", "line 1", "\"\" is not a whole number");
    expect_refusal("training:\n  seed: 1\n  learning_rate: nan\n", "line 3", "\"nan\"");
    expect_refusal("training:\n  learning_rate: 0x1p-4\n", "line 2", "0x1p-4");
    expect_refusal("training:\n  learning_rate: 1e400\n", "line 2", "1e400");
    expect_refusal("ranking:\n  certify: yes\n", "line 2", "true or false");
    expect_refusal("ranking:\n  objective: best\n", "line 2", "plain or backed");
    expect_refusal("model:\n  architecture: fm\n", "line 2", "dcn, dnn, wide_deep or deepfm");
    expect_refusal("model:\n  d: 8\n  hidden: [128, 0]\n", "line 3", "\"128,0\"");
    expect_refusal("model:\n  hidden: [1, 2, 3, 4, 5]\n", "line 2", "model.hidden");
    expect_refusal("model:\n  hidden: []\n", "line 2", "model.hidden");
    expect_refusal("model:\n  hidden: 128\n", "line 2", "model.hidden");
    expect_refusal("http:\n  listen: localhost\n", "line 2", "numeric IPv4 or IPv6");
    expect_refusal("http:\n  listen: unix:relative\n", "line 2", "or unix:/PATH");
    expect_refusal("http:\n  telemetry_listen: unix:/run/x\n", "line 2", "numeric IPv4 or IPv6");
    expect_refusal("http:\n  port: 65536\n", "line 2", "65536");
    expect_refusal("work:\n  listen: ipc:///tmp/x\n", "line 2", "tcp://ADDRESS:PORT");
    expect_refusal("work:\n  listen: tcp://1.2.3.4\n", "line 2", "tcp://1.2.3.4");
    expect_refusal("ranking:\n  tops: 4\n", "line 2", "Unexpected key: tops");
    expect_refusal("rankin:\n  top: 4\n", "line 1", "Unexpected key: rankin");
    expect_refusal("ranking:\n  top: 4\n  top: 5\n", "line", "already seen: top");
    expect_refusal("ranking: 5\n", "line 1", "ranking");
    expect_refusal("ranking:\n  top: [4]\n", "line 2", "ranking.top");
    expect_refusal("explainers: &a 3\nranking: {top: *a}\n", "line 2", "");
    expect_refusal("explainers: 3\n---\nexplainers: 4\n", "line", "");
    expect_refusal("a: : b\n", "line", "");
    expect_refusal("\x01\xff\n", "line", "");
}

Test(service_config, the_page_may_listen_on_a_path)
{
    br_config config;
    char text[200];
    write_file("http:\n  listen: unix:/run/bookrunner/desk.socket\n");
    cr_assert_eq(br_config_load(&config, directory), BR_OK, "%s", br_why(BR_ERR_INVALID));
    cr_assert_str_eq(config.http.listen, "unix:/run/bookrunner/desk.socket");
    snprintf(text, sizeof text, "http:\n  listen: unix:/%0120d\n", 1); // longer than the name of a socket may be
    expect_refusal(text, "line 2", "or unix:/PATH");
}

Test(service_config, wrong_environment_is_refused_by_its_name)
{
    br_config config;
    setenv("BOOKRUNNER_HTTP_PORT", "eighty", 1);
    cr_assert_eq(br_config_load(&config, directory), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "BOOKRUNNER_HTTP_PORT"));
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "0 to 65535"));
}

Test(service_config, options_that_do_not_fit_each_other_are_refused)
{
    br_config config;
    write_file("training: {max_epochs: 3, final_epochs: 4}\n");
    cr_assert_eq(br_config_load(&config, directory), BR_ERR_INVALID, "more epochs in the last phase than in all");
}

Test(service_config, huge_and_unreadable_files_are_refused)
{
    br_config config;
    BR_AUTO_DEINIT(br_buf) text = {0};
    for (int i = 0; i < 70000; i++) {
        br_buf_char(&text, '#');
    }
    write_file(br_buf_text(&text));
    cr_assert_eq(br_config_load(&config, directory), BR_ERR_LIMIT);
    char longer[BR_PATH_BYTES + 10];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(br_config_load(&config, longer), BR_ERR_LIMIT);
}

Test(service_config, no_allocation_that_fails_is_lost)
{
    br_config config;
    write_file("explainers: 3\nmodel:\n  hidden: [64, 32]\nranking: {top: 20, certify: true}\n");
    size_t live = br_alloc_live();
    size_t n = 0;
    br_status status;
    do {
        br_alloc_fail_after(n);
        status = br_config_load(&config, directory);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "after %zu: %s", n, br_why(status));
        cr_assert_eq(br_alloc_live(), live, "after %zu", n);
        n++;
    } while (status != BR_OK && n < 1000);
    cr_assert_gt(n, 10);
    cr_assert_eq(config.n_top, 20);
    cr_assert_eq(config.model.hidden[1], 32);
}
