// Arguments. Method: lines as people type them, against the values they mean or the reason they are refused for.

#include "options.h"

#include <criterion/criterion.h>
#include <string.h>

#define MAX_WORDS 16

/// Parse a line split at blanks. The words point into static memory.
static br_status parse(arguments *out, const char *accepted, const char *line, bool *help_out)
{
    static char text[256];
    static char *words[MAX_WORDS];
    int n = 0;
    cr_assert_lt(strlen(line), sizeof text);
    strcpy(text, line);
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        cr_assert_lt(n, MAX_WORDS);
        words[n++] = word;
    }
    *out = (arguments){.seed = 1};
    return options_parse(out, accepted, n, words, help_out);
}

Test(bookrunner_options, options_and_words_may_mix)
{
    arguments args;
    bool help = true;
    cr_assert_eq(
        parse(&args, "seed test before format", "B1 --seed=7 B2 --test --before 2026-03-02 --format csv B3", &help),
        BR_OK);
    cr_assert_not(help);
    cr_assert_eq(args.n_words, 3);
    cr_assert_str_eq(args.words[0], "B1");
    cr_assert_str_eq(args.words[2], "B3");
    cr_assert_eq(args.seed, 7);
    cr_assert(args.test);
    cr_assert_eq(args.before, br_day_from_civil(2026, 3, 2));
    cr_assert_eq(args.format, FORMAT_CSV);
}

Test(bookrunner_options, two_dashes_end_the_options)
{
    arguments args;
    bool help = false;
    cr_assert_eq(parse(&args, "test", "-- --test -h -", &help), BR_OK);
    cr_assert_eq(args.n_words, 3);
    cr_assert_not(args.test);
    cr_assert_not(help);
}

Test(bookrunner_options, an_option_given_is_told_from_its_default)
{
    arguments args;
    bool help = false;
    cr_assert_eq(parse(&args, "port combinations", "--port 0", &help), BR_OK);
    cr_assert(args.has_port);
    cr_assert_not(args.has_combinations);
}

Test(bookrunner_options, what_is_wrong_is_named)
{
    static const struct {
        const char *line;
        const char *reason;
    } cases[] = {
        {"--sed 1", "did you mean --seed?"},
        {"--seed", "needs a value: N"},
        {"--seed 1x", "--seed 1x: a whole number"},
        {"--seed -1", "--seed -1: a whole number"},
        {"--seed 99999999999999999999", "a whole number"},
        {"--test=yes", "--test takes no value"},
        {"--before 2026-02-29", "a date YYYY-MM-DD"},
        {"--format nagios", "use table|json|ndjson|csv"},
        {"--format jso", "--format jso: use"},
        {"--format table|json", "--format table|json: use"},
        {"--format=", "--format : use"},
        {"--timeout soon", "--timeout soon: a number"},
        {"-s", "no option -s"},
        {"--market x", "no option --market here"},
        {"--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "no option --aaaa"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arguments args;
        bool help = false;
        br_status status = parse(&args, "seed test before format timeout", cases[i].line, &help);
        cr_assert_eq(status, BR_ERR_INVALID, "%s", cases[i].line);
        cr_assert_not_null(strstr(br_why(status), cases[i].reason), "%s: %s", cases[i].line, br_why(status));
    }
}

Test(bookrunner_options, a_name_inside_another_is_not_accepted)
{
    cr_assert_null(option_find("before-noon no-wait", "before"));
    cr_assert_null(option_find("install", "all"));
    cr_assert_not_null(option_find("dir no-wait", "no-wait"));
}

Test(bookrunner_options, only_near_names_are_suggested)
{
    static const char *const names[] = {"import", "train", "rank"};
    cr_assert_str_eq(nearest_name("imprt", names, 3), "import");
    cr_assert_str_eq(nearest_name("imp", names, 3), "import");
    cr_assert_str_eq(nearest_name("rnk", names, 3), "rank");
    cr_assert_null(nearest_name("zebra", names, 3));
    cr_assert_null(nearest_name("", names, 3));
}

Test(bookrunner_options, a_name_that_two_options_share_means_what_the_command_lists)
{
    arguments args;
    bool help;
    cr_assert_eq(parse(&args, "test seed", "--test", &help), BR_OK);
    cr_assert(args.test && args.test_files == NULL);
    cr_assert_eq(parse(&args, "test=FILES seed", "--test a,b", &help), BR_OK);
    cr_assert_str_eq(args.test_files, "a,b");
    cr_assert_not(args.test);
    cr_assert_eq(parse(&args, "test=FILES seed", "--test", &help), BR_ERR_INVALID);
}

Test(bookrunner_options, a_command_may_have_more_formats)
{
    arguments args;
    bool help;
    cr_assert_eq(parse(&args, "full format=table|json|ndjson|csv|nagios", "--format nagios", &help), BR_OK);
    cr_assert_eq(args.format, FORMAT_NAGIOS);
    cr_assert_eq(parse(&args, "format", "--format ndjson", &help), BR_OK);
    cr_assert_eq(args.format, FORMAT_NDJSON);
}
