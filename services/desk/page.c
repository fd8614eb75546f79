// The page without scripts: bonds left, a bond's investors and their reasons right.

#include "base/alloc.h"
#include "desk.h"

#include <string.h>

#define PAGE_BONDS  100
#define ARENA_BYTES (32u << 20)
#define PAGE_CSP    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

typedef enum page_word {
    WORD_TITLE,
    WORD_BONDS,
    WORD_ISSUE,
    WORD_STATE,
    WORD_INVESTORS,
    WORD_INVESTOR,
    WORD_PROBABILITY,
    WORD_REASONS,
    WORD_AGAINST,
    WORD_CHOOSE,
    WORD_PENDING,
    WORD_FAILED,
    WORD_NO_LIST,
    WORD_AS_OF,
    WORD_BACKTEST,
    WORD_SNAPSHOT,
    WORD_LATER,
    WORD_EARLIER,
    WORD_OTHER_LANGUAGE,
    WORD_PREFERENCE,
    WORD_ATTRIBUTE,
    WORD_ABILITY,
    WORD_COUNT
} page_word;

static const char *const words[WORD_COUNT][2] = {
    [WORD_TITLE] = {"Whom to call", "该联系谁"},
    [WORD_BONDS] = {"Bonds", "债券"},
    [WORD_ISSUE] = {"issue date", "发行日"},
    [WORD_STATE] = {"state", "状态"},
    [WORD_INVESTORS] = {"investors", "投资者"},
    [WORD_INVESTOR] = {"investor", "投资者"},
    [WORD_PROBABILITY] = {"probability", "概率"},
    [WORD_REASONS] = {"reasons", "理由"},
    [WORD_AGAINST] = {"against", "反对理由"},
    [WORD_CHOOSE] = {"Choose a bond on the left.", "请在左侧选择债券。"},
    [WORD_PENDING] = {"The reasons are being worked out; load the page again in a moment.",
                      "理由正在计算，请稍后刷新。"},
    [WORD_FAILED] = {"The reasons could not be worked out: ", "无法得出理由："},
    [WORD_NO_LIST] = {"This bond has no list yet.", "该债券尚无名单。"},
    [WORD_AS_OF] = {"as of", "截至"},
    [WORD_BACKTEST] = {"A backtest, made in hindsight: nobody could have called by it.",
                       "回测：事后生成，当时无人可据此联系。"},
    [WORD_SNAPSHOT] = {"snapshot", "模型"},
    [WORD_LATER] = {"later bonds", "较新的债券"},
    [WORD_EARLIER] = {"earlier bonds", "较早的债券"},
    [WORD_OTHER_LANGUAGE] = {"中文", "English"},
    [WORD_PREFERENCE] = {"preference", "偏好"},
    [WORD_ATTRIBUTE] = {"attribute", "属性"},
    [WORD_ABILITY] = {"ability", "能力"},
};

// The categories differ by symbol and border as well as by colour; the text colours have a contrast of 5.9 and more on white.
static const char style[] =
    "body{font:15px/1.5 system-ui,'Noto Sans CJK SC','PingFang SC','Microsoft "
    "YaHei',sans-serif;margin:0;color:#1b1b1b;background:#fff}\n"
    "header{padding:.5rem 1rem;border-bottom:1px solid #bbb;display:flex;justify-content:space-between}\n"
    "main{display:flex;gap:1.5rem;padding:1rem;align-items:flex-start;flex-wrap:wrap}\n"
    "nav{flex:0 1 24rem}section{flex:1 1 30rem}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px "
    "solid #ddd;vertical-align:top}\n"
    "td.number{text-align:right;white-space:nowrap}tr.chosen{background:#eef3fa}\n"
    ".tag{display:inline-block;position:relative;margin:.1rem .2rem .1rem 0;padding:0 .4rem;border:2px "
    "solid;border-radius:.3rem}\n"
    ".preference{color:#0b5cad;border-style:solid}.attribute{color:#8a5a00;border-style:dashed}.ability{"
    "color:#1d6b35;border-style:double}\n"
    ".against{color:#555;border:1px dotted}\n"
    ".full{display:none;position:absolute;left:0;top:100%;z-index:1;width:22rem;padding:.4rem;background:#"
    "fff;color:#1b1b1b;border:1px solid #777}\n"
    ".tag:hover .full,.tag:focus .full{display:block}\n"
    ".hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}\n";

typedef struct page {
    br_buf *out;
    desk *desk;
    br_language language;
    uint32_t offset;
} page;

static const char *word(const page *p, page_word which)
{
    return words[which][p->language == BR_LANGUAGE_ZH ? 1 : 0];
}

static void put_html(br_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            br_buf_string(out, "&amp;");
            break;
        case '<':
            br_buf_string(out, "&lt;");
            break;
        case '>':
            br_buf_string(out, "&gt;");
            break;
        case '"':
            br_buf_string(out, "&quot;");
            break;
        case '\'':
            br_buf_string(out, "&#39;");
            break;
        default:
            br_buf_char(out, *c);
        }
    }
}

/// One segment of a path: everything but letters, digits and -._~ as %XX.
static void put_segment(br_buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c) != NULL;
        br_buf_printf(out, plain ? "%c" : "%%%02X", *c);
    }
}

static void put_query(const page *p, uint32_t offset)
{
    br_buf_printf(p->out, "?lang=%s&amp;offset=%u", p->language == BR_LANGUAGE_ZH ? "zh" : "en", offset);
}

static void begin_page(const page *p, const char *bond_id)
{
    br_buf *out = p->out;
    br_buf_printf(out,
                  "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><title>Bookrunner</title>"
                  "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" "
                  "href=\"/style.css\"></head>\n<body>",
                  p->language == BR_LANGUAGE_ZH ? "zh-CN" : "en");
    br_buf_printf(out, "<header><strong>Bookrunner: %s</strong><a href=\"", word(p, WORD_TITLE));
    if (bond_id != NULL) {
        br_buf_string(out, "/bonds/");
        put_segment(out, bond_id);
    } else {
        br_buf_char(out, '/');
    }
    br_buf_printf(out, "?lang=%s&amp;offset=%u\">%s</a></header>\n<main>", p->language == BR_LANGUAGE_ZH ? "en" : "zh",
                  p->offset, word(p, WORD_OTHER_LANGUAGE));
}

static void put_bond_row(const page *p, const br_market *market, uint32_t bond, const char *chosen)
{
    br_buf *out = p->out;
    const char *id = br_market_bond_id(market, bond);
    const listed_bond *list = bond_listed(p->desk, bond);
    char day[BR_DAY_TEXT];
    br_buf_string(out, chosen != NULL && strcmp(chosen, id) == 0 ? "<tr class=\"chosen\"><td><a href=\"/bonds/"
                                                                 : "<tr><td><a href=\"/bonds/");
    put_segment(out, id);
    put_query(p, p->offset);
    br_buf_string(out, "\">");
    put_html(out, id);
    br_buf_printf(out, "</a></td><td>%s</td><td>%s</td><td class=\"number\">%u</td></tr>\n",
                  br_day_text(br_market_bond(market, bond)->issue_day, day), bond_state(market, bond),
                  list == NULL ? 0 : list->n_entries);
}

static void put_pager(const page *p, uint32_t total)
{
    if (p->offset > 0) {
        br_buf_string(p->out, "<a href=\"/");
        put_query(p, p->offset > PAGE_BONDS ? p->offset - PAGE_BONDS : 0);
        br_buf_printf(p->out, "\">%s</a> ", word(p, WORD_LATER));
    }
    if (p->offset + PAGE_BONDS < total) {
        br_buf_string(p->out, "<a href=\"/");
        put_query(p, p->offset + PAGE_BONDS);
        br_buf_printf(p->out, "\">%s</a>", word(p, WORD_EARLIER));
    }
}

static void put_bonds(const page *p, const char *chosen)
{
    uint32_t bonds[PAGE_BONDS];
    uint32_t total = 0;
    pthread_rwlock_rdlock(&p->desk->lock);
    const br_market *market = br_follower_market(p->desk->follower);
    uint32_t n = bonds_select(p->desk, &(bond_filter){.limit = PAGE_BONDS, .offset = p->offset}, bonds, &total);
    br_buf_printf(p->out,
                  "<nav><h2>%s "
                  "(%u)</h2>\n<table><thead><tr><th>id</th><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>\n",
                  word(p, WORD_BONDS), total, word(p, WORD_ISSUE), word(p, WORD_STATE), word(p, WORD_INVESTORS));
    for (uint32_t i = 0; i < n; i++) {
        put_bond_row(p, market, bonds[i], chosen);
    }
    br_buf_string(p->out, "</tbody></table>\n");
    pthread_rwlock_unlock(&p->desk->lock);
    put_pager(p, total);
    br_buf_string(p->out, "</nav>\n");
}

static void put_reason(const page *p, const br_encoder *encoder, const br_reason *reason, bool against)
{
    if (reason->field >= br_encoder_n_investor_fields(encoder)) {
        return;
    }
    BR_AUTO_DEINIT(br_buf) text = {0};
    const char *category = br_reason_category(encoder, reason->field);
    bool preference = strcmp(category, "preference") == 0;
    bool attribute = strcmp(category, "attribute") == 0;
    const char *name = word(p, preference ? WORD_PREFERENCE : attribute ? WORD_ATTRIBUTE : WORD_ABILITY);
    br_buf_printf(p->out,
                  "<span class=\"tag %s\" tabindex=\"0\"><span aria-hidden=\"true\">%s</span> <span "
                  "class=\"hidden\">%s: </span>",
                  against ? "against" : category,
                  preference  ? "♥"
                  : attribute ? "◆"
                              : "▲",
                  against ? word(p, WORD_AGAINST) : name);
    br_reason_tag(&text, encoder, reason->field, reason->code, p->language);
    put_html(p->out, br_buf_text(&text));
    br_buf_clear(&text);
    br_reason_sentence(&text, encoder, reason, against ? BR_REASON_AGAINST : BR_REASON_FOR, p->language);
    br_buf_string(p->out, "<span class=\"full\">");
    put_html(p->out, br_buf_text(&text));
    br_buf_string(p->out, "</span></span>\n");
    p->out->failed = p->out->failed || text.failed;
}

static void put_investor(const page *p, const br_presented *presented, uint32_t i)
{
    const br_list_entry *entry = &presented->list->entries[i];
    const br_explanation *explanation = br_present_explanation(presented, i);
    br_buf_printf(p->out, "<tr><td class=\"number\">%u</td><td>", i + 1);
    put_html(p->out, entry->investor_id);
    br_buf_printf(p->out, "</td><td class=\"number\">%.1f %%</td><td>", 100.0 * entry->probability);
    for (uint32_t k = 0; explanation != NULL && k < explanation->n_reasons; k++) {
        put_reason(p, presented->encoder, &explanation->reasons[k], false);
    }
    if (explanation != NULL && explanation->against.field != UINT32_MAX) {
        br_buf_printf(p->out, "<br><small>%s: ", word(p, WORD_AGAINST));
        put_reason(p, presented->encoder, &explanation->against, true);
        br_buf_string(p->out, "</small>");
    }
    br_buf_string(p->out, "</td></tr>\n");
}

static void put_list(const page *p, const br_presented *presented)
{
    char day[BR_DAY_TEXT];
    br_buf *out = p->out;
    br_buf_printf(out, "<p>%s %s, %s ", word(p, WORD_AS_OF), br_day_text(presented->list->as_of, day),
                  word(p, WORD_SNAPSHOT));
    put_html(out, presented->list->version);
    br_buf_string(out, "</p>\n");
    if (presented->list->backtest) {
        br_buf_printf(out, "<p>%s</p>\n", word(p, WORD_BACKTEST));
    }
    if (presented->outcome->state == BR_JOB_TODO) {
        br_buf_printf(out, "<p role=\"status\">%s</p>\n", word(p, WORD_PENDING));
    } else if (presented->outcome->state == BR_JOB_DEAD) {
        br_buf_printf(out, "<p role=\"status\">%s", word(p, WORD_FAILED));
        put_html(out, presented->outcome->dead.reason);
        br_buf_string(out, "</p>\n");
    }
    br_buf_printf(out, "<table><thead><tr><th></th><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>\n",
                  word(p, WORD_INVESTOR), word(p, WORD_PROBABILITY), word(p, WORD_REASONS));
    for (uint32_t i = 0; i < presented->list->n_entries; i++) {
        put_investor(p, presented, i);
    }
    br_buf_string(out, "</tbody></table>\n");
}

static void end_page(const page *p, br_http_answer *answer)
{
    br_buf_string(p->out, "</section></main></body></html>\n");
    answer->content_type = "text/html; charset=utf-8";
    answer->content_security_policy = PAGE_CSP;
    answer_finish(answer);
}

static bool begin_request(page *p, void *context, const br_http_request *request, br_http_answer *answer)
{
    *p = (page){.out = &answer->body, .desk = context, .language = request_language(request)};
    return request_whole(request, answer, "offset", 100000000, &p->offset);
}

void handle_home(void *context, const br_http_request *request, br_http_answer *answer)
{
    page p;
    if (strcmp(request->path, "/") != 0) {
        br_http_problem(answer, 404, "Not found", "there is no such page");
        return;
    }
    if (begin_request(&p, context, request, answer)) {
        begin_page(&p, NULL);
        put_bonds(&p, NULL);
        br_buf_printf(p.out, "<section><p>%s</p>\n", word(&p, WORD_CHOOSE));
        end_page(&p, answer);
    }
}

static bool bond_exists(desk *self, const char *id)
{
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    bool exists = market != NULL && br_market_find_bond(market, id) != BR_INDEX_NONE;
    pthread_rwlock_unlock(&self->lock);
    return exists;
}

void handle_bond_page(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    page p;
    BR_AUTO(br_arena) *arena = NULL;
    stored_list stored = {.outcome.state = BR_JOB_NONE};
    cached_snapshot *snapshot = NULL;
    if (!begin_request(&p, context, request, answer)) {
        return;
    }
    if (!bond_exists(self, request->rest)) {
        br_http_problem(answer, 404, "Not found", "no bond has this id");
        return;
    }
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    br_status found = status == BR_OK ? stored_list_read(self, arena, request->rest, &stored) : status;
    status = found == BR_OK ? desk_borrow(self, stored.list.version, &snapshot) : found;
    if (status != BR_OK && found != BR_ERR_NOT_FOUND) {
        answer_failed(answer, status);
        return;
    }
    begin_page(&p, request->rest);
    put_bonds(&p, request->rest);
    br_buf_string(p.out, "<section><h2>");
    put_html(p.out, request->rest);
    br_buf_string(p.out, "</h2>\n");
    if (snapshot != NULL) {
        br_presented presented = {.list = &stored.list,
                                  .outcome = &stored.outcome,
                                  .encoder = snapshot->snapshot->encoder,
                                  .language = p.language};
        put_list(&p, &presented);
        desk_release(self, snapshot);
    } else {
        br_buf_printf(p.out, "<p>%s</p>\n", word(&p, WORD_NO_LIST));
    }
    end_page(&p, answer);
}

void handle_style(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    br_buf_string(&answer->body, style);
    answer->content_type = "text/css; charset=utf-8";
    answer_finish(answer);
}
