#include "input/votes_file.h"

#include "base/utf8.h"

#include <strings.h>

enum { X, Y, RATER, VOTE, N_VOTE_COLUMNS };

static const br_table_column columns[N_VOTE_COLUMNS] = {
    [X] = {"x", true}, [Y] = {"y", true}, [RATER] = {"rater", true}, [VOTE] = {"vote", true}};

static br_status take_pair(void *context, const br_csv_field *texts, uint32_t *column_out)
{
    (void)column_out;
    return br_votes_ask(context, texts[X].text, texts[Y].text);
}

static br_status parse_vote(bool *out, const br_csv_field *text)
{
    static const char *const words[][2] = {{"no", "yes"}, {"0", "1"}, {"false", "true"}, {"invalid", "valid"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int valid = 0; valid < 2; valid++) {
            if (strcasecmp(text->text, words[i][valid]) == 0) {
                *out = valid == 1;
                return BR_OK;
            }
        }
    }
    return br_fail(BR_ERR_INVALID, "'%.*s' is not a vote: yes or no, 1 or 0, true or false, valid or invalid",
                   br_utf8_shown(text->text), text->text);
}

static br_status take_vote(void *context, const br_csv_field *texts, uint32_t *column_out)
{
    br_vote vote = {.x = texts[X].text, .y = texts[Y].text, .rater = texts[RATER].text};
    br_status status = parse_vote(&vote.valid, &texts[VOTE]);
    if (status != BR_OK) {
        *column_out = VOTE;
        return status;
    }
    return br_votes_add(context, &vote);
}

br_status br_asked_file_read(br_votes *votes, const char *path, const br_table_listener *listener,
                             br_table_tally *tally)
{
    br_status status = br_table_file_read(&(br_table_file){.path = path,
                                                           .columns = columns,
                                                           .n_columns = Y + 1,
                                                           .take = take_pair,
                                                           .context = votes,
                                                           .listener = *listener},
                                          tally);
    if (status == BR_OK) {
        br_votes_close(votes);
    }
    return status;
}

br_status br_votes_file_read(br_votes *votes, const char *path, const br_table_listener *listener,
                             br_table_tally *tally)
{
    return br_table_file_read(&(br_table_file){.path = path,
                                               .columns = columns,
                                               .n_columns = N_VOTE_COLUMNS,
                                               .take = take_vote,
                                               .context = votes,
                                               .listener = *listener},
                              tally);
}
