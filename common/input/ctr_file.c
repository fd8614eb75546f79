#include "input/ctr_file.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Rows in memory: codes [capacity, n_fields], labels [capacity].
typedef struct rows {
    uint32_t *codes;
    uint8_t *labels;
} rows;

// On disk lie blocks of BR_CTR_BLOCK_ROWS rows, first all codes, then all labels; what does not fill a block stays in memory.
struct br_ctr_file {
    int file;
    uint32_t n_fields;
    rows last; // [BR_CTR_BLOCK_ROWS] the block that is being filled
    uint32_t n_last;
    uint32_t n_blocks; // full ones, on disk
    br_ctr_order order;
    uint32_t *blocks; // [n_order] in the order they are read in; number n_blocks is `last`
    uint32_t n_order;
    uint32_t next; // of `blocks`
    rows window;   // [capacity]
    size_t capacity;
    size_t begin; // rows of the window that were not given out lie from here
    size_t end;
    uint32_t n_windows; // filled in this epoch
};

static size_t row_bytes(const br_ctr_file *file)
{
    return file->n_fields * sizeof(uint32_t);
}

static br_status allocate(rows *out, size_t n, uint32_t n_fields)
{
    out->codes = br_calloc(n * n_fields, sizeof *out->codes);
    out->labels = br_calloc(n, sizeof *out->labels);
    return out->codes == NULL || out->labels == NULL ? br_no_memory("encoded rows", n) : BR_OK;
}

static void release(rows *of)
{
    br_free(of->codes);
    br_free(of->labels);
    *of = (rows){0};
}

// --- disk ---

static br_status transfer_failed(const char *what)
{
    return br_fail(br_errno_status(errno), "cannot %s encoded rows: %s", what, strerror(errno));
}

static off_t place_of(const br_ctr_file *file, uint32_t block)
{
    return (off_t)block * (off_t)(BR_CTR_BLOCK_ROWS * (row_bytes(file) + 1));
}

static br_status write_at(int file, const void *bytes, size_t n, off_t place)
{
    for (size_t done = 0; done < n;) {
        ssize_t written = pwrite(file, (const char *)bytes + done, n - done, place + (off_t)done);
        if (written < 0 && errno != EINTR) {
            return transfer_failed("write");
        }
        done += written < 0 ? 0 : (size_t)written;
    }
    return BR_OK;
}

static br_status read_at(int file, void *bytes, size_t n, off_t place)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(file, (char *)bytes + done, n - done, place + (off_t)done);
        if (got < 0 && errno != EINTR) {
            return transfer_failed("read");
        }
        if (got == 0) {
            return br_fail(BR_ERR_IO, "encoded rows end at byte %lld of their file",
                           (long long)place + (long long)done);
        }
        done += got < 0 ? 0 : (size_t)got;
    }
    return BR_OK;
}

br_status br_ctr_file_new(br_ctr_file **out, const char *directory, uint32_t n_fields)
{
    br_assert(out != NULL && directory != NULL && n_fields > 0);
    BR_AUTO(br_ctr_file) *file = br_calloc(1, sizeof *file);
    if (file == NULL) {
        return br_no_memory("file of encoded rows", 1);
    }
    file->file = -1;
    file->n_fields = n_fields;
    BR_AUTO_DEINIT(br_buf) path = {0};
    br_buf_printf(&path, "%s/bookrunner-rows-XXXXXX", directory);
    if (path.failed) {
        return br_no_memory("path", 1);
    }
    file->file = mkostemp((char *)path.data, O_CLOEXEC);
    if (file->file < 0) {
        return br_fail(BR_ERR_IO, "cannot make a file in %s: %s", directory, strerror(errno));
    }
    unlink(br_buf_text(&path)); // it lives as long as it is open
    br_status status = allocate(&file->last, BR_CTR_BLOCK_ROWS, n_fields);
    if (status == BR_OK) {
        *out = file;
        file = NULL;
    }
    return status;
}

br_status br_ctr_file_append(br_ctr_file *file, const uint32_t *codes, uint8_t label)
{
    br_assert(file->blocks == NULL && label <= 1);
    if (file->n_last == BR_CTR_BLOCK_ROWS) {
        size_t n_codes = BR_CTR_BLOCK_ROWS * row_bytes(file);
        off_t place = place_of(file, file->n_blocks);
        br_status status = file->n_blocks < UINT32_MAX - 1
                               ? write_at(file->file, file->last.codes, n_codes, place)
                               : br_fail(BR_ERR_LIMIT, "more than %u blocks of encoded rows", file->n_blocks);
        if (status == BR_OK) {
            status = write_at(file->file, file->last.labels, BR_CTR_BLOCK_ROWS, place + (off_t)n_codes);
        }
        if (status != BR_OK) {
            return status;
        }
        file->n_blocks += 1;
        file->n_last = 0;
    }
    memcpy(file->last.codes + (size_t)file->n_last * file->n_fields, codes, row_bytes(file));
    file->last.labels[file->n_last++] = label;
    return BR_OK;
}

uint64_t br_ctr_file_n_rows(const br_ctr_file *file)
{
    return (uint64_t)file->n_blocks * BR_CTR_BLOCK_ROWS + file->n_last;
}

// --- epochs ---

static void shuffle_blocks(br_ctr_file *file)
{
    br_rng rng = br_rng_at(file->order.seed, BR_STREAM_SHUFFLE, file->order.epoch, 0);
    for (uint32_t left = file->n_order; left > 1; left--) {
        uint32_t drawn = br_rng_below(&rng, left);
        uint32_t block = file->blocks[drawn];
        file->blocks[drawn] = file->blocks[left - 1];
        file->blocks[left - 1] = block;
    }
}

br_status br_ctr_file_start(br_ctr_file *file, const br_ctr_order *order)
{
    br_assert(order->batch_rows > 0 && order->batch_rows <= BR_CTR_MAX_BATCH_ROWS);
    size_t capacity = (size_t)BR_CTR_WINDOW_ROWS + order->batch_rows;
    if (file->capacity != capacity) {
        release(&file->window);
        file->capacity = 0;
        br_status status = allocate(&file->window, capacity, file->n_fields);
        if (status != BR_OK) {
            return status;
        }
        file->capacity = capacity;
    }
    file->n_order = file->n_blocks + (file->n_last > 0);
    if (file->blocks == NULL) {
        file->blocks = br_calloc(file->n_order, sizeof *file->blocks);
        if (file->blocks == NULL) {
            return br_no_memory("blocks of encoded rows", file->n_order);
        }
    }
    for (uint32_t i = 0; i < file->n_order; i++) {
        file->blocks[i] = i;
    }
    file->order = *order;
    file->next = 0;
    file->begin = 0;
    file->end = 0;
    file->n_windows = 0;
    if (order->shuffled) {
        shuffle_blocks(file);
    }
    return BR_OK;
}

// Append a block to the window.
static br_status load(br_ctr_file *file, uint32_t block)
{
    uint32_t *codes = file->window.codes + file->end * file->n_fields;
    uint8_t *labels = file->window.labels + file->end;
    if (block == file->n_blocks) {
        memcpy(codes, file->last.codes, file->n_last * row_bytes(file));
        memcpy(labels, file->last.labels, file->n_last);
        file->end += file->n_last;
        return BR_OK;
    }
    size_t n_codes = BR_CTR_BLOCK_ROWS * row_bytes(file);
    br_status status = read_at(file->file, codes, n_codes, place_of(file, block));
    if (status == BR_OK) {
        status = read_at(file->file, labels, BR_CTR_BLOCK_ROWS, place_of(file, block) + (off_t)n_codes);
    }
    file->end += BR_CTR_BLOCK_ROWS;
    return status;
}

static void swap_rows(const br_ctr_file *file, size_t a, size_t b)
{
    uint32_t *left = file->window.codes + a * file->n_fields;
    uint32_t *right = file->window.codes + b * file->n_fields;
    for (uint32_t i = 0; i < file->n_fields; i++) {
        uint32_t code = left[i];
        left[i] = right[i];
        right[i] = code;
    }
    uint8_t label = file->window.labels[a];
    file->window.labels[a] = file->window.labels[b];
    file->window.labels[b] = label;
}

// Keep what was not given out, which is less than a batch, and fill the window up.
static br_status refill(br_ctr_file *file)
{
    size_t n_left = file->end - file->begin;
    memmove(file->window.codes, file->window.codes + file->begin * file->n_fields, n_left * row_bytes(file));
    memmove(file->window.labels, file->window.labels + file->begin, n_left);
    file->begin = 0;
    file->end = n_left;
    br_status status = BR_OK;
    while (file->next < file->n_order && file->end + BR_CTR_BLOCK_ROWS <= file->capacity && status == BR_OK) {
        status = load(file, file->blocks[file->next++]);
    }
    if (status == BR_OK && file->order.shuffled) {
        br_rng rng = br_rng_at(file->order.seed, BR_STREAM_SHUFFLE, file->order.epoch, ++file->n_windows);
        for (size_t left = file->end; left > 1; left--) {
            swap_rows(file, br_rng_below(&rng, (uint32_t)left), left - 1);
        }
    }
    return status;
}

br_status br_ctr_file_next(br_ctr_file *file, uint32_t n_rows, br_ctr_batch *batch)
{
    br_assert(file->blocks != NULL); // br_ctr_file_start() was called
    br_assert(n_rows > 0 && n_rows <= file->order.batch_rows);
    if (file->end - file->begin < file->order.batch_rows && file->next < file->n_order) {
        br_status status = refill(file);
        if (status != BR_OK) {
            return status;
        }
    }
    size_t n_left = file->end - file->begin;
    if (n_left == 0) {
        return BR_ERR_AGAIN;
    }
    uint32_t n = n_left < n_rows ? (uint32_t)n_left : n_rows;
    *batch = (br_ctr_batch){.n = n,
                            .codes = file->window.codes + file->begin * file->n_fields,
                            .labels = file->window.labels + file->begin};
    file->begin += n;
    return BR_OK;
}

void br_ctr_file_free(br_ctr_file **file)
{
    br_ctr_file *gone = *file;
    if (gone == NULL) {
        return;
    }
    if (gone->file >= 0) {
        close(gone->file);
    }
    release(&gone->last);
    release(&gone->window);
    br_free(gone->blocks);
    br_free(gone);
    *file = NULL;
}
