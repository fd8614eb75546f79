#include "base/alloc.h"
#include "pipeline/study.h"
#include "service/config.h"
#include "table.h"

#include <string.h>

static const char *const origin_names[] = {
    [BR_CONFIG_DEFAULT] = "default", [BR_CONFIG_FILE] = "file", [BR_CONFIG_ENVIRONMENT] = "environment"};

static void add_value(table *t, const br_config *config, const br_config_key *key)
{
    BR_AUTO_DEINIT(br_buf) value = {0};
    br_config_value(config, key, &value);
    t->text.failed = t->text.failed || value.failed;
    if (key->kind == BR_CONFIG_CHOICE) { // alone of all not written as JSON would write it
        table_text(t, br_buf_text(&value));
    } else {
        table_value(t, br_buf_text(&value));
    }
}

static exit_code show(const arguments *args, const br_config *config)
{
    static const char *const columns[] = {"key", "value", "from", "default", "unit", "range", "description"};
    BR_AUTO_DEINIT(table) t = {.columns = columns, .n_columns = sizeof columns / sizeof *columns};
    const br_config standard = br_config_default();
    size_t n_keys;
    const br_config_key *keys = br_config_keys(&n_keys);
    for (size_t i = 0; i < n_keys; i++) {
        BR_AUTO_DEINIT(br_buf) range = {0};
        br_config_range(&keys[i], &range);
        t.text.failed = t.text.failed || range.failed;
        table_text(&t, keys[i].path);
        add_value(&t, config, &keys[i]);
        table_text(&t, origin_names[config->origin[i]]);
        add_value(&t, &standard, &keys[i]);
        table_text(&t, keys[i].unit);
        table_text(&t, br_buf_text(&range));
        table_text(&t, keys[i].description);
    }
    return table_print(&t, args->format, stdout);
}

static exit_code check(const br_config *config, const char *what)
{
    br_method methods[2];
    br_status status =
        br_study_methods(methods, config->study.methods); // the one value whose names are not the table's
    if (status != BR_OK) {
        fprintf(stderr, "bookrunner: %s: %s\n", what, br_why(status));
        return EXIT_CODE_REJECTED;
    }
    size_t n_keys, n_set = 0;
    br_config_keys(&n_keys);
    for (size_t i = 0; i < n_keys; i++) {
        n_set += config->origin[i] == BR_CONFIG_DEFAULT ? 0 : 1;
    }
    fprintf(stderr, "bookrunner: %s: right, %zu of %zu keys set\n", what, n_set, n_keys);
    return EXIT_CODE_OK;
}

exit_code command_config(const arguments *args)
{
    bool showing = strcmp(args->words[0], "show") == 0 && args->n_words == 1;
    if (!showing && strcmp(args->words[0], "check") != 0) {
        fprintf(stderr, "bookrunner config: use `config show` or `config check [FILE]`\n");
        return EXIT_CODE_USAGE;
    }
    char directory[BR_PATH_BYTES];
    const char *file = args->n_words > 1 ? args->words[1] : NULL;
    br_config config;
    br_status status = cli_directory(directory, args);
    if (status == BR_OK) {
        status = file == NULL ? br_config_load(&config, directory) : br_config_load_file(&config, file);
    }
    if (status == BR_ERR_INVALID || status == BR_ERR_LIMIT) {
        fprintf(stderr, "bookrunner: %s\n", br_why(status));
        return EXIT_CODE_REJECTED;
    }
    if (status != BR_OK) {
        return cli_failed(status, "config");
    }
    return showing ? show(args, &config) : check(&config, file == NULL ? directory : file);
}
