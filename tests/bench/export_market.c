// Writes the samples that a training would see of a market folder, as arrays that numpy loads:
//
//     export_market MARKET_DIR DEST_DIR [SEED]
//
// The split, the fields and the bounds of the samples are those of the trainer's defaults. DEST_DIR/fields.npy has the number of
// values of each field, bond fields first, and DEST_DIR/n_bond_fields.npy how many of them are the bond's; of train, valid and test
// there are PART.bond_codes, investor_codes, bond_of, row_of, label and negative_keep (market/dataset.h).

#include "input/folder.h"
#include "market/dataset.h"
#include "service/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, HEADER_BYTES = 128 };

static const double TRAIN_SHARE = 0.6, VALID_SHARE = 0.2;

/// The whole of it.
typedef struct export
{
    const char *destination;
    br_folder *folder;
    br_market *market;
    br_encoder *encoder;
}
export;

static void export_deinit(export *it)
{
    br_encoder_free(&it->encoder);
    br_market_free(&it->market);
    br_folder_free(&it->folder);
}

/// An array of one or two dimensions; columns = 0: one.
typedef struct array {
    const char *name;
    const char *type; ///< numpy's: "|u1" and the like
    const void *data;
    size_t item_bytes;
    size_t rows;
    size_t columns;
} array;

static br_status write_array(const export *it, const char *part, const array *a)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s%s%s.npy", it->destination, part, *part == '\0' ? "" : ".", a->name);
    char shape[64];
    int n = a->columns > 0 ? snprintf(shape, sizeof shape, "(%zu, %zu)", a->rows, a->columns)
                           : snprintf(shape, sizeof shape, "(%zu,)", a->rows);
    br_assert(n > 0);
    // Magic, version 1.0, length of what follows, a Python dictionary padded with blanks so that the data are aligned.
    char header[HEADER_BYTES + 1] = "\x93NUMPY\x01";
    header[8] = HEADER_BYTES - 10;
    n = snprintf(header + 10, HEADER_BYTES - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s}", a->type,
                 shape);
    br_assert(n > 0 && n < HEADER_BYTES - 11);
    memset(header + 10 + n, ' ', (size_t)(HEADER_BYTES - 11 - n));
    header[HEADER_BYTES - 1] = '\n';
    size_t items = a->rows * (a->columns > 0 ? a->columns : 1);
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fwrite(header, 1, HEADER_BYTES, file) == HEADER_BYTES &&
                   fwrite(a->data, a->item_bytes, items, file) == items;
    written = file != NULL && fclose(file) == 0 && written;
    return written ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
}

static br_status read_market(export *it, const char *path)
{
    br_status status = br_folder_open(&it->folder, path);
    if (status == BR_OK) {
        status = br_market_new(&it->market, br_folder_schema(it->folder));
    }
    while (status == BR_OK) {
        br_folder_item item;
        status = br_folder_next(it->folder, &item);
        if (status != BR_OK) {
            break;
        }
        if (item.rejected || !br_market_check(it->market, &item.row, &item.problem)) {
            return br_fail(BR_ERR_INVALID, "%s, line %llu would be rejected: 'bookrunner validate' tells why",
                           item.file, (unsigned long long)item.line);
        }
        status = br_market_apply(it->market, &item.row);
    }
    return status == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status export_fields(const export *it)
{
    static uint32_t n_values[BR_MAX_FIELDS];
    for (uint32_t j = 0; j < it->encoder->n_fields; j++) {
        n_values[j] = it->encoder->fields[j].n_values;
    }
    const array arrays[] = {
        {"fields", "<u4", n_values, sizeof(uint32_t), it->encoder->n_fields, 0},
        {"n_bond_fields", "<u4", &it->encoder->n_bond_fields, sizeof(uint32_t), 1, 0},
    };
    br_status status = write_array(it, "", &arrays[0]);
    return status == BR_OK ? write_array(it, "", &arrays[1]) : status;
}

static br_status export_part(const export *it, const char *part, br_day from, br_day until,
                             const br_dataset_options *options)
{
    BR_AUTO(br_dataset) *data = NULL;
    br_status status = br_dataset_new(&data, it->market, it->encoder, from, until, options);
    if (status != BR_OK) {
        return status;
    }
    const array arrays[] = {
        {"bond_codes", "|u1", data->bond_codes, 1, data->n_bonds, data->n_bond_fields},
        {"investor_codes", "|u1", data->investor_codes, 1, data->n_rows, data->n_investor_fields},
        {"bond_of", "<u4", data->bond_of, sizeof(uint32_t), data->n, 0},
        {"row_of", "<u4", data->row_of, sizeof(uint32_t), data->n, 0},
        {"label", "|u1", data->label, 1, data->n, 0},
        {"negative_keep", "<f8", &data->negative_keep, sizeof(double), 1, 0},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0] && status == BR_OK; i++) {
        status = write_array(it, part, &arrays[i]);
    }
    printf("%s: %u bonds, %zu of %zu pairs, %zu with a bid\n", part, data->n_bonds, data->n, data->n_pairs,
           data->n_positive);
    return status;
}

static br_status export_market(export *it, const char *source, uint64_t seed)
{
    br_split split;
    br_status status = read_market(it, source);
    if (status == BR_OK) {
        status = br_split_by_time(&split, it->market, TRAIN_SHARE, VALID_SHARE);
    }
    if (status == BR_OK) {
        status = br_encoder_learn(&it->encoder, it->market, split.train_from, split.train_until, seed);
    }
    if (status == BR_OK) {
        status = export_fields(it);
    }
    const br_config config = br_config_default();
    br_dataset_options options = {
        .max_bytes = config.dataset_max_bytes / 4 * 3, .max_negatives = config.pool_negatives, .seed = seed};
    if (status == BR_OK) {
        status = export_part(it, "train", split.train_from, split.train_until, &options);
    }
    options.max_bytes = config.dataset_max_bytes / 4;
    if (status == BR_OK) {
        status = export_part(it, "valid", split.train_until, split.valid_until, &options);
    }
    options = (br_dataset_options){.seed = seed}; // every pair of the test range counts
    return status == BR_OK ? export_part(it, "test", split.valid_until, split.test_until, &options) : status;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: export_market MARKET_DIR DEST_DIR [SEED]\n");
        return 2;
    }
    if (mkdir(argv[2], 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    BR_AUTO_DEINIT(export) it = {.destination = argv[2]};
    br_status status = export_market(&it, argv[1], argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    if (status != BR_OK) {
        fprintf(stderr, "%s\n", br_why(status));
    }
    return status == BR_OK ? 0 : 1;
}
