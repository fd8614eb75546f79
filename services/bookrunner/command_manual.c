// The manual pages in mdoc(7), made of the tables that the program works by: commands, options, exit codes, settings.

#include "base/alloc.h"
#include "base/version.h"
#include "options.h"
#include "service/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

typedef struct page {
    const char *name;
    void (*write)(br_buf *out);
} page;

// --- mdoc ---

/// Text as it is: what roff would read as a request, an escape or a typographic sign is escaped.
static void add_escaped(br_buf *out, const char *text, size_t n)
{
    if (n > 0 && (text[0] == '.' || text[0] == '\'')) {
        br_buf_string(out, "\\&");
    }
    for (size_t i = 0; i < n; i++) {
        const char *instead = text[i] == '\\'   ? "\\e"
                              : text[i] == '-'  ? "\\-"
                              : text[i] == '\'' ? "\\(aq"
                              : text[i] == '`'  ? "\\(ga"
                              : text[i] == '^'  ? "\\(ha"
                              : text[i] == '~'  ? "\\(ti"
                                                : NULL;
        if (instead == NULL) {
            br_buf_char(out, (char)text[i]);
        } else {
            br_buf_string(out, instead);
        }
    }
}

/// Running text: every sentence begins a line, as mdoc wants it. Ends the line.
static void add_prose(br_buf *out, const char *text, size_t n)
{
    size_t begin = 0;
    for (size_t i = 1; i + 1 < n; i++) {
        if (text[i] == '.' && text[i + 1] == ' ' && text[i - 1] != '.') { // "FILE... at random" goes on
            add_escaped(out, text + begin, i + 1 - begin);
            br_buf_char(out, '\n');
            begin = i + 2;
        }
    }
    add_escaped(out, text + begin, n - begin);
    br_buf_char(out, '\n');
}

/// A help text as a sentence.
static void add_sentence(br_buf *out, const char *text)
{
    BR_AUTO_DEINIT(br_buf) sentence = {0};
    br_buf_printf(&sentence, "%c%s.", toupper((unsigned char)text[0]), text + 1);
    add_prose(out, br_buf_text(&sentence), sentence.length);
    out->failed = out->failed || sentence.failed;
}

/// Lines of help: those that are indented stay as they stand.
static void add_lines(br_buf *out, const char *text)
{
    bool prose = false;
    bool literal = false;
    for (const char *at = text; *at != '\0';) {
        const size_t n = strcspn(at, "\n");
        const bool indented = n > 2 && strncmp(at, "  ", 2) == 0;
        br_buf_string(out, literal && !indented ? ".Ed\n" : "");
        br_buf_string(out, indented && !literal ? ".Bd -literal -offset indent\n" : "");
        br_buf_string(out, !indented && !prose && n > 0 ? ".Pp\n" : "");
        if (indented) {
            add_escaped(out, at + 2, n - 2);
            br_buf_char(out, '\n');
        } else if (n > 0) {
            add_prose(out, at, n);
        }
        literal = indented;
        prose = !indented && n > 0;
        at += n + (at[n] == '\n' ? 1 : 0);
    }
    br_buf_string(out, literal ? ".Ed\n" : "");
}

/// What is typed: "BOND" is replaced, "list|rollback" typed so, "[...]" may be left out. Ends the line.
static void add_typed(br_buf *out, const char *typed)
{
    for (const char *at = typed + strspn(typed, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        bool optional = at[0] == '[';
        bool choice = memchr(at, '|', n) != NULL || islower((unsigned char)at[optional ? 1 : 0]);
        br_buf_string(out, optional ? " Op" : "");
        br_buf_string(out, choice ? " Cm " : " Ar ");
        for (size_t i = 0; i < n; i++) {
            bool bracket = at[i] == '[' || at[i] == ']'; // which Op writes, around all that follows on its line
            br_buf_string(out, bracket ? "" : at[i] == '|' ? " | " : (const char[]){at[i], '\0'});
        }
        at += n;
    }
    br_buf_char(out, '\n');
}

static void add_option(br_buf *out, const char *macro, const option_spec *spec)
{
    br_buf_printf(out, ".%s Fl -%s", macro, spec->name);
    add_typed(out, spec->value == NULL ? "" : spec->value);
}

static void add_title(br_buf *out, const char *title, const char *section, const char *name, const char *about)
{
    br_buf_printf(
        out,
        ".\\\" Written by `bookrunner manual %s`.\n.Dd %s\n.Dt %s %s\n.Os Bookrunner %s\n.Sh NAME\n.Nm %s\n.Nd %s\n",
        name, BR_DATE, title, section, BR_VERSION, name, about);
}

// --- bookrunner(1) ---

static void add_command(br_buf *out, const command *c)
{
    br_buf_printf(out, ".Ss %s\n.Nm Cm %s", c->name, c->name);
    add_typed(out, c->words);
    const option_spec *spec = NULL;
    for (int i = 0; (spec = option_at(c->options, i)) != NULL; i++) {
        add_option(out, "Op", spec);
    }
    br_buf_string(out, ".Pp\n");
    add_sentence(out, c->summary);
    add_lines(out, c->details == NULL ? "" : c->details);
    add_lines(out, c->examples);
}

static const struct {
    const char *name;
    const char *text;
} variables[] = {
    {"BOOKRUNNER_DIR", "data directory where no option names one"},
    {"BOOKRUNNER_LOG_LEVEL", "what services log: debug, info (default), warn or error"},
    {"BOOKRUNNER_BIN", "directory of the services' programs (default: the one of this program)"},
    {"BOOKRUNNER_KERNEL",
     "kernels instead of the best that the host can run: avx512, avx2 or plain; the results are the same"},
    {"XDG_RUNTIME_DIR", "where sockets go when the data directory's path is too long for them (default /tmp)"},
    {"TMPDIR", "where training on rows keeps what does not fit into memory (default /tmp)"},
    {"TERM", "where it is dumb, no line of progress is drawn"},
    {"NOTIFY_SOCKET", "where services tell systemd that they are ready; see sd_notify(3)"},
    {"WATCHDOG_USEC", "how often systemd wants to hear from a service; WATCHDOG_PID: from which"},
    {"JOURNAL_STREAM", "set by systemd: services log with the journal's priorities"},
};

static const struct {
    const char *name;
    const char *text;
} files[] = {
    {BR_CONFIG_FILE_NAME, "settings, see bookrunner.yaml(5); may be missing"},
    {"ledger/", "rows and notes, written by the ingester"},
    {"models/", "snapshots and which one is served, written by the trainer"},
    {"recommendations/", "lists, jobs and explanations, written by the ranker"},
    {"metrics/", "figures of quality, written by the evaluator"},
    {"run/", "sockets, locks and addresses; mode 0700"},
    {"log/", "what the services say under `bookrunner up`"},
};

static void add_surroundings(br_buf *out)
{
    br_buf_string(out, ".Sh ENVIRONMENT\nEvery setting of\n.Xr bookrunner.yaml 5\nhas a variable as well.\n"
                       ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        br_buf_printf(out, ".It Ev %s\n", variables[i].name);
        add_sentence(out, variables[i].text);
    }
    br_buf_string(out, ".El\n.Sh FILES\nIn the data directory\n.Ar DIR :\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        br_buf_printf(out, ".It Pa DIR/%s\n", files[i].name);
        add_sentence(out, files[i].text);
    }
    br_buf_string(out, ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (const exit_meaning *e = cli_exit_codes(); e->meaning != NULL; e++) {
        br_buf_printf(out, ".It %d\n", (int)e->code);
        add_sentence(out, e->meaning);
    }
    br_buf_string(out, ".El\n.Sh SEE ALSO\n.Xr bookrunner.yaml 5\n");
}

static void write_program(br_buf *out)
{
    add_title(out, "BOOKRUNNER", "1", "bookrunner", "which investors to call for a bond, and why");
    br_buf_string(out,
                  ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar word ...\n.Op Ar option ...\n.Nm\n.Cm help\n.Op Ar command\n"
                  ".Nm\n.Fl -help | -version\n"
                  ".Sh DESCRIPTION\n"
                  "For every bond about to be issued\n.Nm\n"
                  "ranks the investors most likely to bid, gives reasons for each, learns from the bids that come, and "
                  "tells how\n"
                  "right it was.\n"
                  "The work is done by services, one process each, over the stores of one data directory:\n.Cm up\n"
                  "starts and watches them,\n.Cm import\nfeeds them,\n.Cm train , rank\nand\n.Cm evaluate\n"
                  "ask them, and people look at the page of the desk.\n"
                  "Each service tells its own flags with\n.Fl -help .\n.Pp\n"
                  "Data go to standard output, messages to standard error.\n"
                  "Words and options may mix; an option's value follows it, or a\n.Sq = ;\n.Sq --\nends the options.\n"
                  ".Sh COMMANDS\n");
    for (const command *c = cli_commands(); c->name != NULL; c++) {
        add_command(out, c);
    }
    br_buf_string(out, ".Sh OPTIONS\nAn option means the same wherever a command takes it.\n.Bl -tag -width Ds\n"
                       ".It Fl h , -help\nSay what the command does and takes.\n"
                       ".It Fl V , -version\nWithout a command: say what was built.\n");
    const option_spec *spec = NULL;
    for (int i = 0; (spec = option_at(NULL, i)) != NULL; i++) {
        add_option(out, "It", spec);
        add_sentence(out, spec->help);
    }
    br_buf_string(out, ".El\n");
    add_surroundings(out);
}

// --- bookrunner.yaml(5) ---

static void add_key(br_buf *out, const br_config *standard, const br_config_key *key)
{
    BR_AUTO_DEINIT(br_buf) line = {0};
    br_buf_printf(out, ".It Cm %s\n", key->path);
    add_sentence(out, key->description);
    br_buf_string(&line, "range: ");
    br_config_range(key, &line);
    br_buf_string(&line, "; default: ");
    br_config_value(standard, key, &line);
    br_buf_printf(&line, "%s%s", key->unit[0] == '\0' ? "" : " ", key->unit);
    add_sentence(out, br_buf_text(&line));
    out->failed = out->failed || line.failed;
}

static void write_settings(br_buf *out)
{
    add_title(out, "BOOKRUNNER.YAML", "5", BR_CONFIG_FILE_NAME, "settings of Bookrunner");
    br_buf_string(out, ".Sh DESCRIPTION\n"
                       "The file\n.Pa DIR/" BR_CONFIG_FILE_NAME "\n"
                       "holds the settings of the data directory\n.Ar DIR .\n"
                       "It may be missing, and so may every key.\n"
                       "A key stands in the mapping that its name begins with:\n");
    add_lines(out, "  explainers: 4\n"
                   "  ranking:\n"
                   "    top: 50\n"
                   "  model:\n"
                   "    hidden: [128, 64]\n");
    br_buf_string(
        out, ".Pp\nAn unknown key, a key given twice and a value out of its range are errors, told with their line;\n"
             ".Ql bookrunner config check\nfinds them before a service does.\n.Pp\n"
             "Variables of the environment override the file, options of a command override both.\n"
             "A variable is named after its key, lists have commas between:\n.Ev ");
    size_t n_keys;
    const br_config_key *keys = br_config_keys(&n_keys);
    const br_config standard = br_config_default();
    char variable[BR_CONFIG_VARIABLE_BYTES];
    br_config_variable(&keys[1], variable);
    br_buf_printf(out, "%s\nis\n.Cm %s .\n", variable, keys[1].path);
    br_buf_string(out, ".Ql bookrunner config show\ntells every value and where it comes from.\n"
                       ".Sh KEYS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < n_keys; i++) {
        add_key(out, &standard, &keys[i]);
    }
    br_buf_string(out, ".El\n.Sh SEE ALSO\n.Xr bookrunner 1\n");
}

static const page pages[] = {{"bookrunner", write_program}, {BR_CONFIG_FILE_NAME, write_settings}};

exit_code command_manual(const arguments *args)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(args->words[0], pages[i].name) == 0) {
            BR_AUTO_DEINIT(br_buf) out = {0};
            pages[i].write(&out);
            if (out.failed) {
                return cli_failed(br_no_memory("bytes of a page", out.length), "manual");
            }
            fwrite(out.data, 1, out.length, stdout);
            return EXIT_CODE_OK;
        }
    }
    fprintf(stderr, "bookrunner manual: use `manual bookrunner` or `manual " BR_CONFIG_FILE_NAME "`\n");
    return EXIT_CODE_USAGE;
}
