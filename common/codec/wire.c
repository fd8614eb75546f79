#include "codec/wire.h"

#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors travel as this host keeps them");

#define BR_DAY_MIN ((br_day)-719162) // 0001-01-01

static const struct {
    size_t min;
    size_t max;
} form_bytes[] = {
    [BR_FORM_ID] = {1, BR_MAX_ID_BYTES},       [BR_FORM_ID_OR_NONE] = {0, BR_MAX_ID_BYTES},
    [BR_FORM_VALUE] = {0, BR_MAX_VALUE_BYTES}, [BR_FORM_VERSION] = {1, 32},
    [BR_FORM_VERSION_OR_NONE] = {0, 32},       [BR_FORM_PROSE] = {0, BR_MAX_PROSE_BYTES},
    [BR_FORM_YAML] = {0, BR_MAX_YAML_BYTES},
};

// One byte more than asked for: the arena's memory is zeroed, so every `bytes` field is also a C string.
static void *arena_allocate(void *context, size_t size_bytes)
{
    br_reading *in = context;
    void *memory = size_bytes == SIZE_MAX ? NULL : br_arena_alloc(in->arena, size_bytes + 1);
    in->exhausted = in->exhausted || memory == NULL;
    return memory;
}

static void arena_keep(void *context, void *memory)
{
    (void)context; // the arena is released as a whole
    (void)memory;
}

// No message type contains itself, so this ends.
static bool few_unknown_fields(const ProtobufCMessage *message)
{
    if (message->n_unknown_fields > BR_MAX_UNKNOWN_FIELDS) {
        return false;
    }
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned f = 0; f < type->n_fields; f++) {
        const ProtobufCFieldDescriptor *field = &type->fields[f];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        const char *place = (const char *)message + field->offset;
        size_t n = 1;
        const ProtobufCMessage *const *inner = (const void *)place;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            memcpy(&n, (const char *)message + field->quantifier_offset, sizeof n);
            memcpy(&inner, place, sizeof inner);
        }
        for (size_t i = 0; i < n; i++) {
            if (inner[i] != NULL && !few_unknown_fields(inner[i])) {
                return false;
            }
        }
    }
    return true;
}

const void *br_read_begin(br_reading *in, const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n,
                          size_t max_bytes)
{
    br_assert(in->arena != NULL && (bytes != NULL || n == 0));
    in->message = type->short_name;
    if (n > max_bytes) {
        in->status = br_fail(BR_ERR_LIMIT, "%s: %zu bytes, at most %zu are allowed", in->message, n, max_bytes);
        return NULL;
    }
    ProtobufCAllocator allocator = {arena_allocate, arena_keep, in};
    const ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, n, bytes == NULL ? (const uint8_t *)"" : bytes);
    if (message == NULL && in->exhausted) {
        in->status = br_fail(BR_ERR_LIMIT, "%s: %zu bytes need more memory than its bound allows", in->message, n);
        return NULL;
    }
    if (message == NULL) {
        in->status = br_fail(BR_ERR_INVALID, "%s: %zu bytes that are no such message", in->message, n);
        return NULL;
    }
    if (!few_unknown_fields(message)) {
        in->status = br_fail(BR_ERR_INVALID, "%s: more than %d unknown fields", in->message, BR_MAX_UNKNOWN_FIELDS);
        return NULL;
    }
    return message;
}

void br_read_at(br_reading *in, unsigned depth, const char *list, size_t i)
{
    br_assert(depth < BR_READ_DEPTH);
    in->place[depth].list = list;
    in->place[depth].i = i;
    for (unsigned d = depth + 1; d < BR_READ_DEPTH; d++) {
        in->place[d].list = NULL;
    }
}

void br_read_fail(br_reading *in, const char *field, const char *format, ...)
{
    if (in->status != BR_OK) {
        return;
    }
    char place[128] = "";
    size_t used = 0;
    for (unsigned d = 0; d < BR_READ_DEPTH && used < sizeof place; d++) {
        if (in->place[d].list != NULL) {
            used += (size_t)snprintf(place + used, sizeof place - used, "%s[%zu].", in->place[d].list, in->place[d].i);
        }
    }
    char cause[256];
    va_list args;
    va_start(args, format);
    vsnprintf(cause, sizeof cause, format, args);
    va_end(args);
    in->status = br_fail(BR_ERR_INVALID, "%s.%s%s: %s", in->message, place, field, cause);
}

uint64_t br_read_range(br_reading *in, const char *field, uint64_t value, uint64_t min, uint64_t max)
{
    if (value < min || value > max) {
        br_read_fail(in, field, "%llu is not between %llu and %llu", (unsigned long long)value, (unsigned long long)min,
                     (unsigned long long)max);
        return min;
    }
    return value;
}

br_day br_read_day(br_reading *in, const char *field, int32_t value, bool may_be_none)
{
    if (value == BR_DAY_NONE ? !may_be_none : value < BR_DAY_MIN || value > BR_DAY_MAX) {
        br_read_fail(in, field, "%d is no day", value);
    }
    return value;
}

double br_read_finite(br_reading *in, const char *field, double value)
{
    if (!isfinite(value)) {
        br_read_fail(in, field, "not a finite number");
        return 0.0;
    }
    return value;
}

double br_read_share(br_reading *in, const char *field, double value)
{
    if (!(value >= 0.0 && value <= 1.0)) {
        br_read_fail(in, field, "%g is not between 0 and 1", value);
        return 0.0;
    }
    return value;
}

static bool version_characters(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'z'))) {
            return false;
        }
    }
    return true;
}

const char *br_read_text(br_reading *in, const char *field, ProtobufCBinaryData value, br_form form)
{
    if (value.len < form_bytes[form].min || value.len > form_bytes[form].max) {
        br_read_fail(in, field, "%zu bytes, must be %zu to %zu", value.len, form_bytes[form].min, form_bytes[form].max);
        return "";
    }
    if (value.len == 0) {
        return "";
    }
    const char *text = (const char *)value.data;
    bool version = form == BR_FORM_VERSION || form == BR_FORM_VERSION_OR_NONE;
    if (version && !version_characters(text, value.len)) {
        br_read_fail(in, field, "a version is digits and lower-case letters");
    } else if (memchr(text, '\0', value.len) != NULL) {
        br_read_fail(in, field, "has a NUL byte");
    } else if (!br_utf8_valid(text, value.len)) {
        br_read_fail(in, field, "is not UTF-8");
    } else if (form != BR_FORM_YAML && br_utf8_has_control(text, value.len)) {
        br_read_fail(in, field, "has a control character");
    }
    return text;
}

br_hash br_read_hash(br_reading *in, const char *field, ProtobufCBinaryData value)
{
    br_hash hash = {0};
    if (value.len != sizeof hash.bytes) {
        br_read_fail(in, field, "%zu bytes, a hash has %zu", value.len, sizeof hash.bytes);
        return hash;
    }
    memcpy(hash.bytes, value.data, sizeof hash.bytes);
    return hash;
}

void *br_read_alloc(br_reading *in, size_t n, size_t size_bytes)
{
    if (n == 0 || in->status != BR_OK) {
        return NULL;
    }
    void *memory = br_arena_calloc(in->arena, n, size_bytes);
    if (memory == NULL) {
        in->status = br_fail(BR_ERR_LIMIT, "%s: needs more memory than its bound allows", in->message);
    }
    return memory;
}

// --- writing ---

void *br_write_alloc(br_writing *out, size_t n, size_t size_bytes)
{
    if (n == 0 || out->failed) {
        return NULL;
    }
    if (out->arena == NULL && br_arena_new(&out->arena, BR_UNPACK_BYTES) != BR_OK) {
        out->failed = true;
        return NULL;
    }
    void *memory = br_arena_calloc(out->arena, n, size_bytes);
    out->failed = memory == NULL;
    return memory;
}

ProtobufCBinaryData br_write_bytes(const void *bytes, size_t n)
{
    // protobuf-c's struct has no const; packing only reads.
    union {
        const void *in;
        uint8_t *out;
    } pointer = {.in = bytes};
    return (ProtobufCBinaryData){.len = n, .data = pointer.out};
}

ProtobufCBinaryData br_write_text(const char *text)
{
    return br_write_bytes(text, text == NULL ? 0 : strlen(text));
}

ProtobufCBinaryData br_write_prose(br_writing *out, const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n <= BR_MAX_PROSE_BYTES && br_utf8_valid(text, n) && !br_utf8_has_control(text, n)) {
        return br_write_bytes(text, n);
    }
    char *clean = br_write_alloc(out, BR_MAX_PROSE_BYTES, 1);
    if (clean == NULL) {
        return br_write_bytes(NULL, 0);
    }
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        size_t length = br_utf8_sequence(text + i, n - i);
        size_t taken = length == 0 ? 1 : length;
        const char *piece = length == 0 ? "?" : br_utf8_has_control(text + i, length) ? " " : text + i;
        size_t piece_bytes = piece == text + i ? length : 1;
        if (used + piece_bytes > BR_MAX_PROSE_BYTES) {
            break;
        }
        memcpy(clean + used, piece, piece_bytes);
        used += piece_bytes;
        i += taken;
    }
    return br_write_bytes(clean, used);
}

typedef struct buf_sink {
    ProtobufCBuffer base;
    br_buf *buf;
} buf_sink;

static void sink_append(ProtobufCBuffer *base, size_t n, const uint8_t *bytes)
{
    br_buf_append(((buf_sink *)(void *)base)->buf, bytes, n);
}

br_status br_write_end(const br_writing *out, const ProtobufCMessage *message, size_t max_bytes, br_buf *buf)
{
    if (out->failed) {
        return br_no_memory(message->descriptor->short_name, 1);
    }
    size_t n = protobuf_c_message_get_packed_size(message);
    if (n > max_bytes) {
        return br_fail(BR_ERR_LIMIT, "%s: %zu bytes, at most %zu are allowed", message->descriptor->short_name, n,
                       max_bytes);
    }
    buf_sink sink = {.base = {.append = sink_append}, .buf = buf};
    protobuf_c_message_pack_to_buffer(message, &sink.base);
    return buf->failed ? br_no_memory("bytes of a message", n) : BR_OK;
}

void br_writing_deinit(br_writing *out)
{
    br_arena_free(&out->arena);
}
