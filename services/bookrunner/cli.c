#include "cli.h"

#include "base/hash.h"
#include "base/version.h"
#include "linalg/gemm.h"
#include "options.h"
#include "transport/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_COMMANDS 48

static const exit_meaning exit_codes[] = {
    {EXIT_CODE_OK, "ok"},
    {EXIT_CODE_FAILED, "failed"},
    {EXIT_CODE_USAGE, "usage"},
    {EXIT_CODE_REJECTED, "some input rejected"},
    {EXIT_CODE_UNREACHABLE, "a service does not answer"},
    {EXIT_CODE_CHECK, "a check failed"},
    {EXIT_CODE_INTERRUPTED, "interrupted"},
    {0},
};

const exit_meaning *cli_exit_codes(void)
{
    return exit_codes;
}

static void print_overview(FILE *to)
{
    fprintf(to, "bookrunner: which investors to call for a bond, and why\n\n"
                "Examples:\n"
                "  bookrunner up --detach            start the services\n"
                "  bookrunner run --size small       the whole job on a simulated market\n"
                "  bookrunner explain BOND           a bond's list with reasons\n"
                "  bookrunner down                   stop the services\n\n"
                "Commands:\n");
    for (const command *c = cli_commands(); c->name != NULL; c++) {
        fprintf(to, "  %-10s  %s\n", c->name, c->summary);
    }
    fprintf(to, "\n`bookrunner COMMAND --help` tells more, bookrunner(1) all of it. Exit codes:\n");
    for (const exit_meaning *e = exit_codes; e->meaning != NULL; e++) {
        fprintf(to, "%s%d %s", e == exit_codes ? "" : ", ", (int)e->code, e->meaning);
    }
    fprintf(to, ".\n");
}

static void print_help(const command *c)
{
    printf("bookrunner %s: %s\n\nExamples:\n%s\nUsage: bookrunner %s%s%s [OPTION...]\n\nOptions:\n", c->name,
           c->summary, c->examples, c->name, c->words[0] == '\0' ? "" : " ", c->words);
    const option_spec *spec = NULL;
    for (int i = 0; (spec = option_at(c->options, i)) != NULL; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", spec->name, spec->value == NULL ? "" : " ",
                 spec->value == NULL ? "" : spec->value);
        printf("  %-20s  %s\n", left, spec->help);
    }
    printf("  %-20s  %s\n", "-h, --help", "this help");
    if (c->details != NULL) {
        printf("\n%s", c->details);
    }
}

static const command *find_command(const char *name)
{
    const char *names[MAX_COMMANDS];
    size_t n = 0;
    for (const command *c = cli_commands(); c->name != NULL && n < MAX_COMMANDS; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
        names[n++] = c->name;
    }
    const char *near = nearest_name(name, names, n);
    fprintf(stderr, "bookrunner: there is no command \"%s\"%s%s%s\n", name, near == NULL ? "" : "; did you mean \"",
            near == NULL ? "" : near, near == NULL ? "" : "\"?");
    fprintf(stderr, "bookrunner --help lists the commands\n");
    return NULL;
}

static int usage_error(const command *c, const char *reason)
{
    fprintf(stderr, "bookrunner %s: %s\n", c->name, reason);
    fprintf(stderr, "usage: bookrunner %s%s%s [OPTION...]; bookrunner %s --help tells more\n", c->name,
            c->words[0] == '\0' ? "" : " ", c->words, c->name);
    return EXIT_CODE_USAGE;
}

static int run_command(const command *c, int argc, char **argv)
{
    const char *directory = getenv("BOOKRUNNER_DIR");
    arguments args = {.directory = directory == NULL || directory[0] == '\0' ? "bookrunner-data" : directory,
                      .timeout_s = 60,
                      .size = "small",
                      .seed = 1,
                      .before = BR_DAY_NONE,
                      .as_of = BR_DAY_MAX};
    bool help = false;
    br_status status = options_parse(&args, c->options, argc, argv, &help);
    if (help) {
        print_help(c);
        return EXIT_CODE_OK;
    }
    if (status != BR_OK) {
        return usage_error(c, br_why(status));
    }
    if (args.n_words < c->min_words) {
        return usage_error(c, "something is missing");
    }
    if (c->max_words >= 0 && args.n_words > c->max_words) {
        char reason[160];
        snprintf(reason, sizeof reason, "\"%.80s\" is too much", args.words[c->max_words]);
        return usage_error(c, reason);
    }
    status = br_hash_init();
    if (status != BR_OK) {
        return (int)cli_failed(status, "start");
    }
    exit_code code = c->run(&args);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "bookrunner: cannot write the output: %s\n", strerror(errno));
        return code == EXIT_CODE_OK ? EXIT_CODE_FAILED : (int)code;
    }
    return (int)code;
}

static int print_version(void)
{
    printf("bookrunner %s (%s)\n%s\n%s\n", BR_VERSION, BR_COMMIT, br_gemm_describe(), br_transport_describe());
    return EXIT_CODE_OK;
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        print_overview(stdout);
        return EXIT_CODE_OK;
    }
    if (strcmp(argv[1], "help") == 0) {
        if (argc == 2) {
            print_overview(stdout);
            return EXIT_CODE_OK;
        }
        const command *about = find_command(argv[2]);
        if (about != NULL) {
            print_help(about);
        }
        return about == NULL ? EXIT_CODE_USAGE : EXIT_CODE_OK;
    }
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    const command *c = find_command(argv[1]);
    return c == NULL ? EXIT_CODE_USAGE : run_command(c, argc - 2, argv + 2);
}

exit_code cli_failed(br_status status, const char *doing)
{
    fprintf(stderr, "bookrunner: %s: %s\n", doing, br_why(status));
    return status == BR_ERR_UNREACHABLE || status == BR_ERR_TIMEOUT ? EXIT_CODE_UNREACHABLE : EXIT_CODE_FAILED;
}

br_status cli_directory(char out[BR_PATH_BYTES], const arguments *args)
{
    int n = 0;
    if (args->directory[0] == '/') {
        n = snprintf(out, BR_PATH_BYTES, "%s", args->directory);
    } else {
        char *here = getcwd(NULL, 0);
        if (here == NULL) {
            return br_fail(BR_ERR_IO, "the working directory is gone: %s", strerror(errno));
        }
        n = snprintf(out, BR_PATH_BYTES, "%s/%s", here, args->directory);
        free(here); // NOLINT: getcwd() allocated it
    }
    if (n < 0 || n >= BR_PATH_BYTES) {
        return br_fail(BR_ERR_LIMIT, "data directory %.60s...: its path is longer than %d bytes", args->directory,
                       BR_PATH_BYTES - 1);
    }
    return BR_OK;
}
