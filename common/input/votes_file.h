#ifndef BR_INPUT_VOTES_FILE_H
#define BR_INPUT_VOTES_FILE_H

/// Files that go to raters and come back: pairs to ask (CSV with the columns x, y) and votes (x, y, rater, vote), into br_votes. Other columns
/// are passed over.
///
/// A vote is yes or no, 1 or 0, true or false, valid or invalid, in letters of any case. A vote that br_votes_refuse() does not take (a pair that was not
/// asked, a sixth vote, the same rater twice) is rejected with file, line and reason, and the next one is read.

#include "input/table_file.h"
#include "itembased/votes.h"

/// Ask every pair of the file; then only they may be voted on (br_votes_close()). Errors: those of br_table_file_read() and br_votes_ask().
br_status br_asked_file_read(br_votes *votes, const char *path, const br_table_listener *listener,
                             br_table_tally *tally) BR_MUST_CHECK;
/// Errors: those of br_table_file_read() and br_votes_add().
br_status br_votes_file_read(br_votes *votes, const char *path, const br_table_listener *listener,
                             br_table_tally *tally) BR_MUST_CHECK;

#endif
