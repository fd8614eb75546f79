// usage: forge_note LEDGER_DIRECTORY    with the services down
// Appends a note as someone could who has the ledger's files: all checksums are right, only the chain is made up.

#include "base/hash.h"
#include "store/ledger.h"

#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    BR_AUTO(br_ledger) *ledger = NULL;
    if (argc != 2 || br_hash_init() != BR_OK) {
        return 2;
    }
    const br_note note = {.id = br_hash_of("forged", 6),
                          .user = "nobody",
                          .time_ms = 1,
                          .topic = BR_TOPIC_ACTION,
                          .subject = "",
                          .value = "forged",
                          .version = "",
                          .chained = true,
                          .chain = br_hash_of("made up", 7)};
    const br_row row = {.kind = BR_ROW_NOTE,
                        .announce_day = BR_DAY_NONE,
                        .issue_day = BR_DAY_NONE,
                        .day = BR_DAY_NONE,
                        .known_from = BR_DAY_NONE,
                        .amount = BR_AMOUNT_NONE,
                        .rate = (double)NAN,
                        .note = &note};
    uint64_t record = 0;
    br_status status = br_ledger_open_writer(&ledger, argv[1]);
    if (status == BR_OK) {
        status = br_ledger_begin(ledger);
    }
    if (status == BR_OK) {
        status = br_ledger_append(ledger, &row, &record);
    }
    if (status == BR_OK) {
        status = br_ledger_commit(ledger);
    }
    if (status != BR_OK) {
        fprintf(stderr, "%s\n", br_why(status));
        return 1;
    }
    printf("%llu\n", (unsigned long long)record);
    return 0;
}
