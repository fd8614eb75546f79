#include "fixture.h"

#include "support/temp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fixture_schema = "market: test-market\n"
                                   "revision: 3\n"
                                   "late_days: 7\n"
                                   "history_until: 2019-01-01\n"
                                   "windows_days: [30, 365, ever]\n"
                                   "bond_features:\n"
                                   "  - name: rating\n"
                                   "    kind: ordinal\n"
                                   "    values: [AAA, AA+, no, 3]\n"
                                   "    preference: true\n"
                                   "    label: {en: bond rating, zh: 债项评级}\n"
                                   "  - name: industry\n"
                                   "    kind: categorical\n"
                                   "    max_values: 20\n"
                                   "  - name: coupon\n"
                                   "    kind: continuous\n"
                                   "    bins: 12\n"
                                   "  - name: green\n"
                                   "    kind: flag\n"
                                   "investor_features:\n"
                                   "  - name: org_type\n"
                                   "    kind: categorical\n"
                                   "    group: ability\n"
                                   "activity_features: [frequency, tenure]\n"
                                   "activity_windows_days: [30, 91]\n"
                                   "activity_of: [coupon]\n"
                                   "preference_measure: count\n"
                                   "sample_weights:\n"
                                   "  - {feature: rating, value: AA+, weight: 5}\n"
                                   "  - {feature: green, value: yes, weight: 2.5}\n";

void fixture_write(const char *directory, const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(br_temp_path(directory, name), "wb");
    br_assert(file != NULL);
    br_assert(fwrite(bytes, 1, n, file) == n);
    br_assert(fclose(file) == 0);
}

void fixture_text(const char *directory, const char *name, const char *text)
{
    fixture_write(directory, name, text, strlen(text));
}

char *fixture_folder(void)
{
    char *directory = br_temp_new();
    fixture_text(directory, "schema.yaml", fixture_schema);
    fixture_text(directory, "bonds.csv",
                 "bond_id,issuer_id,announce_date,issue_date,rating,industry,coupon,green\n"
                 "B1,I1,2020-01-01,2020-01-05,AAA,steel,4.5,yes\n");
    fixture_text(directory, "investors.csv", "investor_id,effective_from,org_type\nV1,2019-01-01,bank\n");
    fixture_text(directory, "bids.csv",
                 "bid_id,bond_id,investor_id,bid_date,amount,rate\nR1,B1,V1,2020-01-03,100.5,4.25\n");
    return directory;
}

static void print_item(FILE *out, const br_folder_item *item)
{
    if (item->rejected) {
        fprintf(out, "%s:%" PRIu64 " rejected %s: %s\n", item->file, item->line, item->problem.column,
                item->problem.reason);
        return;
    }
    const br_row *row = &item->row;
    const char *id = row->kind == BR_ROW_SCHEMA     ? "schema"
                     : row->kind == BR_ROW_BID      ? row->bid_id
                     : row->kind == BR_ROW_INVESTOR ? row->investor_id
                                                    : row->bond_id;
    fprintf(out, "%s:%" PRIu64 " %s\n", item->file, item->line, id);
}

char *fixture_read(const char *directory)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    br_assert(out != NULL);
    BR_AUTO(br_folder) *folder = NULL;
    br_status status = br_folder_open(&folder, directory);
    if (status != BR_OK) {
        fprintf(out, "%s: %s\n", br_status_name(status), br_why(status));
        fclose(out);
        return text;
    }
    br_folder_item item;
    while ((status = br_folder_next(folder, &item)) != BR_ERR_AGAIN) {
        if (status != BR_OK) {
            fprintf(out, "failed: %s\n", br_why(status));
        } else if (item.row.kind != BR_ROW_SCHEMA) {
            print_item(out, &item);
        }
    }
    size_t n_unknown;
    const char *const *unknown = br_folder_unknown_columns(folder, &n_unknown);
    for (size_t i = 0; i < n_unknown; i++) {
        fprintf(out, "unknown %s\n", unknown[i]);
    }
    uint64_t done;
    uint64_t total;
    br_folder_progress(folder, &done, &total);
    br_assert(done == total);
    fclose(out);
    return text;
}
