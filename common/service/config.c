#include "service/config.h"

#include "base/alloc.h"

#include <ctype.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES (64u << 10)
#define MAX_GROUPS     16
#define MAX_NAMES      512 ///< in one list

// The file as libcyaml leaves it: every value as text, read by the same function as the environment's, so that
// both allow the same and say the same.
typedef struct raw_config {
    char *text[BR_MAX_CONFIG_KEYS];
    char **items[BR_MAX_CONFIG_KEYS]; // of lists
    uint32_t n_items[BR_MAX_CONFIG_KEYS];
} raw_config;

// libcyaml's schema, made from the table of keys. Groups lie in one struct: the offset of a key is absolute, that of a
// group 0.
typedef struct file_schema {
    cyaml_schema_value_t item;
    cyaml_schema_value_t root;
    cyaml_schema_field_t top[BR_MAX_CONFIG_KEYS];
    cyaml_schema_field_t fields[MAX_GROUPS][BR_MAX_CONFIG_KEYS];
    char names[MAX_GROUPS][BR_MAX_NAME];
} file_schema;

// What libcyaml says when it refuses a file.
typedef struct complaint {
    char text[160];
    char path[96];
    unsigned line;
} complaint;

static void *allocate(void *context, void *block, size_t size_bytes)
{
    (void)context;
    if (size_bytes == 0) {
        br_free(block);
        return NULL;
    }
    return br_reallocarray(block, 1, size_bytes);
}

// The first line says what is wrong, then come "in mapping field 'NAME' (line: N, column: M)" from the inside out.
BR_PRINTF(3, 0)
static void listen_to(cyaml_log_t level, void *context, const char *format, va_list args)
{
    (void)level;
    complaint *heard = context;
    char line[160];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    const char *at = strstr(text, "(line: ");
    if (at == NULL) {
        if (heard->text[0] == '\0' && strncmp(text, "Backtrace", 9) != 0) {
            snprintf(heard->text, sizeof heard->text, "%s", text);
        }
        return;
    }
    if (heard->line == 0) {
        heard->line = (unsigned)strtoul(at + 7, NULL, 10);
    }
    const char *name = strstr(text, "field '");
    if (name != NULL) {
        name += 7;
        char inner[sizeof heard->path];
        memcpy(inner, heard->path, sizeof inner);
        snprintf(heard->path, sizeof heard->path, "%.*s%s%.60s", (int)strcspn(name, "'"), name,
                 inner[0] == '\0' ? "" : ".", inner);
    }
}

static bool is_list(const br_config_key *key)
{
    return key->kind == BR_CONFIG_WHOLES || key->kind == BR_CONFIG_NAMES;
}

static cyaml_schema_field_t field_of(const file_schema *schema, const br_config_key *key, size_t number)
{
    const char *dot = strchr(key->path, '.');
    cyaml_schema_field_t field = {
        .key = dot == NULL ? key->path : dot + 1,
        .data_offset = (uint32_t)(offsetof(raw_config, text) + number * sizeof(char *)),
        .value = {.type = CYAML_STRING,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(char),
                  .string = {.min = 0, .max = CYAML_UNLIMITED}},
    };
    if (is_list(key)) {
        bool names = key->kind == BR_CONFIG_NAMES;
        field.data_offset = (uint32_t)(offsetof(raw_config, items) + number * sizeof(char **));
        field.count_offset = (uint32_t)(offsetof(raw_config, n_items) + number * sizeof(uint32_t));
        field.count_size = sizeof(uint32_t);
        field.value = (cyaml_schema_value_t){
            .type = CYAML_SEQUENCE,
            .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
            .data_size = sizeof(char *),
            .sequence = {.entry = &schema->item, .min = names ? 0 : 1, .max = names ? MAX_NAMES : BR_MAX_HIDDEN}};
    }
    return field;
}

// `refused`: a key that shall be refused wherever it stands (NULL = none), see line_of().
static void build_schema(file_schema *schema, const br_config_key *refused)
{
    memset(schema, 0, sizeof *schema);
    schema->item = (cyaml_schema_value_t){.type = CYAML_STRING,
                                          .flags = CYAML_FLAG_POINTER,
                                          .data_size = sizeof(char),
                                          .string = {.min = 0, .max = CYAML_UNLIMITED}};
    size_t n_keys, n_top = 0, n_groups = 0, n_in_group = 0;
    const br_config_key *keys = br_config_keys(&n_keys);
    for (size_t i = 0; i < n_keys; i++) {
        cyaml_schema_field_t field = field_of(schema, &keys[i], i);
        if (&keys[i] == refused) {
            // No value of any type is a mapping with keys that cannot be.
            field.value = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                                 .flags = CYAML_FLAG_OPTIONAL,
                                                 .mapping = {.fields = &schema->top[BR_MAX_CONFIG_KEYS - 1]}};
        }
        const char *dot = strchr(keys[i].path, '.');
        if (dot == NULL) {
            schema->top[n_top++] = field;
            continue;
        }
        size_t length = (size_t)(dot - keys[i].path);
        if (n_groups == 0 || strlen(schema->names[n_groups - 1]) != length ||
            strncmp(schema->names[n_groups - 1], keys[i].path, length) != 0) {
            br_assert(n_groups < MAX_GROUPS && length < BR_MAX_NAME);
            memcpy(schema->names[n_groups], keys[i].path, length);
            schema->top[n_top++] = (cyaml_schema_field_t){.key = schema->names[n_groups],
                                                          .value = {.type = CYAML_MAPPING,
                                                                    .flags = CYAML_FLAG_OPTIONAL,
                                                                    .data_size = sizeof(raw_config),
                                                                    .mapping = {.fields = schema->fields[n_groups]}}};
            n_groups++;
            n_in_group = 0;
        }
        schema->fields[n_groups - 1][n_in_group++] = field;
    }
    schema->root = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                          .flags = CYAML_FLAG_POINTER,
                                          .data_size = sizeof(raw_config),
                                          .mapping = {.fields = schema->top}};
}

static cyaml_err_t parse(raw_config **out, const br_buf *file, const file_schema *schema, complaint *heard)
{
    const cyaml_config_t config = {.log_fn = listen_to,
                                   .log_ctx = heard,
                                   .mem_fn = allocate,
                                   .log_level = CYAML_LOG_WARNING,
                                   .flags = CYAML_CFG_NO_ALIAS};
    cyaml_data_t *data = NULL;
    cyaml_err_t error = cyaml_load_data(file->data, file->length, &config, &schema->root, &data, NULL);
    if (error == CYAML_OK) {
        *out = data;
    }
    return error;
}

static void release(raw_config *raw, const file_schema *schema)
{
    const cyaml_config_t config = {.mem_fn = allocate};
    cyaml_err_t error = cyaml_free(&config, &schema->root, raw, 0);
    br_assert(error == CYAML_OK);
}

// Where a key stands. libcyaml tells lines only of what it refuses itself, so it reads the file once more with a
// schema that refuses this key. 0 if it does not say.
static unsigned line_of(const br_buf *file, const br_config_key *key)
{
    file_schema *schema = br_malloc(sizeof *schema);
    if (schema == NULL) {
        return 0;
    }
    build_schema(schema, key);
    complaint heard = {0};
    raw_config *raw = NULL;
    if (parse(&raw, file, schema, &heard) == CYAML_OK && raw != NULL) {
        release(raw, schema);
    }
    br_free(schema);
    return heard.line;
}

static br_status take(br_config *config, const raw_config *raw, const br_buf *file, const char *path)
{
    size_t n_keys;
    const br_config_key *keys = br_config_keys(&n_keys);
    for (size_t i = 0; i < n_keys; i++) {
        BR_AUTO_DEINIT(br_buf) list = {0};
        const char *text = raw->text[i];
        if (is_list(&keys[i]) && raw->n_items[i] > 0) {
            for (uint32_t item = 0; item < raw->n_items[i]; item++) {
                br_buf_printf(&list, "%s%s", item == 0 ? "" : ",", raw->items[i][item]);
            }
            if (list.failed) {
                return br_no_memory("bytes of a list", 1);
            }
            text = br_buf_text(&list);
        }
        if (text == NULL) {
            continue;
        }
        br_status status = br_config_set(config, &keys[i], text);
        if (status != BR_OK) {
            return br_fail(status, "%s line %u: %s", path, line_of(file, &keys[i]), br_why(status));
        }
        config->origin[i] = BR_CONFIG_FILE;
    }
    return BR_OK;
}

static br_status read_file(br_buf *out, const char *path, bool *there_out)
{
    FILE *file = fopen(path, "re");
    *there_out = file != NULL;
    if (file == NULL) {
        return errno == ENOENT ? BR_OK : br_fail(BR_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    char piece[4096];
    size_t n;
    while (out->length <= MAX_FILE_BYTES && (n = fread(piece, 1, sizeof piece, file)) > 0) {
        br_buf_append(out, piece, n);
    }
    br_status status = BR_OK;
    if (ferror(file)) {
        status = br_fail(BR_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    } else if (out->failed) {
        status = br_no_memory("bytes of configuration", MAX_FILE_BYTES);
    } else if (out->length > MAX_FILE_BYTES) {
        status = br_fail(BR_ERR_LIMIT, "%s is larger than %u bytes", path, MAX_FILE_BYTES);
    }
    fclose(file);
    return status;
}

static br_status load_file(br_config *config, const char *path, bool must_be_there)
{
    BR_AUTO_DEINIT(br_buf) file = {0};
    bool there;
    br_status status = read_file(&file, path, &there);
    if (status == BR_OK && !there && must_be_there) {
        return br_fail(BR_ERR_NOT_FOUND, "%s: %s", path, strerror(ENOENT));
    }
    if (status != BR_OK || !there || file.length == 0) {
        return status;
    }
    file_schema *schema = br_malloc(sizeof *schema);
    if (schema == NULL) {
        return br_no_memory("schema", 1);
    }
    build_schema(schema, NULL);
    complaint heard = {0};
    raw_config *raw = NULL;
    cyaml_err_t error = parse(&raw, &file, schema, &heard);
    if (error == CYAML_ERR_OOM) {
        status = br_no_memory("configuration", 1);
    } else if (error != CYAML_OK || heard.text[0] != '\0') {
        status = br_fail(BR_ERR_INVALID, "%s line %u: %s%s%s", path, heard.line, heard.path,
                         heard.path[0] == '\0' ? "" : ": ", heard.text[0] == '\0' ? cyaml_strerror(error) : heard.text);
    } else if (raw != NULL) {
        status = take(config, raw, &file, path);
    }
    if (raw != NULL) {
        release(raw, schema);
    }
    br_free(schema);
    return status;
}

void br_config_variable(const br_config_key *key, char out[BR_CONFIG_VARIABLE_BYTES])
{
    int n = snprintf(out, BR_CONFIG_VARIABLE_BYTES, "BOOKRUNNER_%s", key->path);
    br_assert(n > 0 && n < BR_CONFIG_VARIABLE_BYTES);
    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

static br_status load_environment(br_config *config)
{
    size_t n_keys;
    const br_config_key *keys = br_config_keys(&n_keys);
    for (size_t i = 0; i < n_keys; i++) {
        char name[BR_CONFIG_VARIABLE_BYTES];
        br_config_variable(&keys[i], name);
        const char *text = getenv(name);
        if (text == NULL) {
            continue;
        }
        br_status status = br_config_set(config, &keys[i], text);
        if (status != BR_OK) {
            return br_fail(status, "environment %s: %s", name, br_why(status));
        }
        config->origin[i] = BR_CONFIG_ENVIRONMENT;
    }
    return BR_OK;
}

// What the keys' ranges cannot say: do the values fit each other?
static br_status fit(br_config *config, const char *from, const char *path)
{
    if (config->model.architecture != BR_DCN) {
        config->model.n_cross = 0;
        config->model.stacked = false;
    }
    br_status status = br_model_config_check(&config->model);
    if (status == BR_OK) {
        status = br_train_options_check(&config->training);
    }
    return status == BR_OK ? BR_OK : br_fail(status, "%s%s: %s", from, path, br_why(status));
}

br_status br_config_load(br_config *out, const char *directory)
{
    br_config config = br_config_default();
    char path[BR_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/" BR_CONFIG_FILE_NAME, directory);
    if (n < 0 || (size_t)n >= sizeof path) {
        return br_fail(BR_ERR_LIMIT, "directory %.40s... is longer than %zu bytes", directory,
                       sizeof path - sizeof BR_CONFIG_FILE_NAME - 1);
    }
    memcpy(config.directory, directory, strlen(directory) + 1);
    br_status status = load_file(&config, path, false);
    if (status == BR_OK) {
        status = load_environment(&config);
    }
    if (status == BR_OK) {
        status = fit(&config, "the environment and ", path);
    }
    if (status == BR_OK) {
        *out = config;
    }
    return status;
}

br_status br_config_load_file(br_config *out, const char *path)
{
    br_config config = br_config_default();
    br_status status = load_file(&config, path, true);
    if (status == BR_OK) {
        status = fit(&config, "", path);
    }
    if (status == BR_OK) {
        *out = config;
    }
    return status;
}
