// usage: send_vote DIRECTORY RATER KEY X Y VALUE
// Sends the ingester one vote on a pair of issuers, unchecked, as a program of somebody else could; prints what became of it.

#include "base/hash.h"
#include "codec/rows.h"
#include "service/service.h"
#include "transport/client.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 10000

static br_status send_note(const char *directory, const br_row *row, br_client **client)
{
    BR_AUTO_DEINIT(br_buf) packed = {0};
    char endpoint[BR_PATH_BYTES];
    uint64_t request = 0;
    br_row sent = *row;
    br_status status = br_row_batch_pack(&(br_row_batch){.rows = &sent, .n_rows = 1, .source = "a test"}, &packed);
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
    if (argc != 7 || br_hash_init() != BR_OK || br_arena_new(&arena, 8u << 20) != BR_OK) {
        return 2;
    }
    const br_note note = {.id = br_hash_of(argv[3], strlen(argv[3])),
                          .user = argv[2],
                          .time_ms = 1,
                          .topic = BR_TOPIC_PAIR,
                          .subject = argv[4],
                          .value = argv[6],
                          .version = ""};
    const br_row row = {.kind = BR_ROW_NOTE,
                        .issuer_id = argv[5],
                        .announce_day = BR_DAY_NONE,
                        .issue_day = BR_DAY_NONE,
                        .day = BR_DAY_NONE,
                        .known_from = BR_DAY_NONE,
                        .amount = BR_AMOUNT_NONE,
                        .rate = (double)NAN,
                        .note = &note};
    br_row_batch_reply reply = {0};
    br_status status = send_note(argv[1], &row, &client);
    if (status == BR_OK) {
        status = br_client_receive(client, &message, WAIT_MS);
    }
    if (status == BR_OK) {
        status = br_row_batch_reply_unpack(&reply, arena, message.body, message.n_body);
    }
    if (status != BR_OK || reply.n_results != 1) {
        fprintf(stderr, "%s\n", br_why(status));
        return 1;
    }
    const br_row_result *result = &reply.results[0];
    printf("%s %s: %s\n", outcomes[result->outcome], result->column, result->reason);
    return 0;
}
