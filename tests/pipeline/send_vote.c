// usage: send_vote DIRECTORY RATER[,RATER...] KEY X Y VALUE [BALLAST]
// Sends the ingester a vote of each rater on a pair of issuers, unchecked, as a program of somebody else could, and so many large notes, all in one batch;
// prints what became of each vote. Exit code 1: the batch was refused as a whole.

#include "base/hash.h"
#include "codec/rows.h"
#include "service/service.h"
#include "transport/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000

// rows[0] is the vote of the first of `raters`, which are parted here; then those of the others, and up to n large notes about nothing. Returns how many votes.
static uint32_t add_others(br_row *rows, br_note *notes, uint32_t *n, const char *key, char *raters)
{
    static char value[BR_MAX_VALUE_BYTES + 1];
    memset(value, 'x', sizeof value - 1);
    uint32_t n_votes = 1;
    for (char *comma = strchr(raters, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        n_votes++;
    }
    *n = *n + n_votes <= BR_MAX_BATCH_ROWS ? *n + n_votes : BR_MAX_BATCH_ROWS;
    notes[0].user = strtok(raters, ",");
    for (uint32_t i = 1; i < *n; i++) {
        char name[160];
        int length = snprintf(name, sizeof name, "%.100s %u", key, i);
        notes[i] = *rows[0].note;
        notes[i].id = br_hash_of(name, (size_t)length);
        rows[i] = rows[0];
        rows[i].note = &notes[i];
        if (i < n_votes) {
            notes[i].user = strtok(NULL, ",");
        } else {
            notes[i].topic = BR_TOPIC_REASON;
            notes[i].value = value;
        }
    }
    return n_votes;
}

static br_status send_rows(const char *directory, br_row *rows, uint32_t n, br_client **client)
{
    BR_AUTO_DEINIT(br_buf) packed = {0};
    char endpoint[BR_PATH_BYTES];
    uint64_t request = 0;
    br_status status = br_row_batch_pack(&(br_row_batch){.rows = rows, .n_rows = n, .source = "a test"}, &packed);
    if (status == BR_OK) {
        status = br_endpoint(endpoint, directory, "ingester");
    }
    if (status == BR_OK) {
        status = br_client_new(client, endpoint);
    }
    return status == BR_OK ? br_client_send(*client, BR_MSG_ROW_BATCH, br_span_of(&packed), &request) : status;
}

int main(int argc, char **argv)
{
    static const char *const outcomes[] = {"?", "accepted", "duplicate", "rejected"};
    BR_AUTO(br_client) *client = NULL;
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_message) message = {0};
    static br_row rows[BR_MAX_BATCH_ROWS];
    static br_note notes[BR_MAX_BATCH_ROWS];
    uint32_t n = argc == 8 ? (uint32_t)strtoul(argv[7], NULL, 10) : 0;
    if (argc < 7 || argc > 8 || n >= BR_MAX_BATCH_ROWS || br_hash_init() != BR_OK ||
        br_arena_new(&arena, 8u << 20) != BR_OK) {
        return 2;
    }
    notes[0] = (br_note){.id = br_hash_of(argv[3], strlen(argv[3])),
                         .time_ms = 1,
                         .topic = BR_TOPIC_PAIR,
                         .subject = argv[4],
                         .value = argv[6],
                         .version = ""};
    rows[0] = (br_row){.kind = BR_ROW_NOTE,
                       .issuer_id = argv[5],
                       .announce_day = BR_DAY_NONE,
                       .issue_day = BR_DAY_NONE,
                       .day = BR_DAY_NONE,
                       .known_from = BR_DAY_NONE,
                       .amount = BR_AMOUNT_NONE,
                       .rate = (double)NAN,
                       .note = &notes[0]};
    const uint32_t n_votes = add_others(rows, notes, &n, argv[3], argv[2]);
    br_row_batch_reply reply = {0};
    br_status status = send_rows(argv[1], rows, n, &client);
    if (status == BR_OK) {
        status = br_client_receive(client, &message, WAIT_MS);
    }
    if (status == BR_OK) {
        status = br_row_batch_reply_unpack(&reply, arena, message.body, message.n_body);
    }
    if (status != BR_OK || reply.n_results != n) {
        fprintf(stderr, "%s\n", br_why(status));
        return 1;
    }
    for (uint32_t i = 0; i < n_votes; i++) {
        const br_row_result *result = &reply.results[i];
        printf("%s %s: %s\n", outcomes[result->outcome], result->column, result->reason);
    }
    return 0;
}
