/* SHA-256 digests of rows in columns: the bytes are those of velour_plugin/domain/encoding/content.py.
 *
 * A digest is of parts, each with its length in front: 8 bytes, little endian.
 */
#include <math.h>

#include "bind.h"
#include "regions.h"
#include "sha256.h"

enum { ROWS_AT_ONCE = 256, NUMBERS = 7, DIGITS = 2 * SHA256_BYTES };

static inline void put_low_first(uint8_t *room, uint64_t value, int bytes)
{
    for (int at = 0; at < bytes; at++)
        room[at] = (uint8_t)(value >> 8 * at);
}

static inline void measure(Sha256 *sha, int64_t length)
{
    put_low_first(sha256_room(sha, 8), (uint64_t)length, 8);
}

/* The bits of a number; NaN always has the same bits, and -0.0 those of 0.0. */
static inline uint64_t plain_bits(double number)
{
    const double plain = number + 0.0; /* no -0.0 */
    uint64_t bits;
    memcpy(&bits, &plain, sizeof bits);
    return number != number ? 0x7FF8000000000000u : bits;
}

/* Digests of many rows, two at a time. */
typedef Fault (*AddRow)(Sha256 *sha, const void *job, int64_t row, Spelling *scratch);

typedef struct {
    const void *job;
    int64_t rows;
    AddRow add;
    uint8_t *digests; /* (rows, SHA256_BYTES) */
    Fault *wrong;     /* (tasks,) */
} Rows;

enum { GATHERED = 1 << 17 };

static void digest_some_rows(void *argument, int64_t number)
{
    const Rows *rows = argument;
    const int64_t first = number * ROWS_AT_ONCE, end = first + ROWS_AT_ONCE;
    const int64_t last = end < rows->rows ? end : rows->rows;
    uint8_t *gathered = malloc(2 * GATHERED);
    Spelling scratch = {NULL, 0, 0, NULL, 0};
    Fault wrong = gathered ? FINE : NO_MEMORY;
    for (int64_t row = first; row < last && !wrong.what; row += 2) {
        Sha256 message, next_message;
        const int pair = row + 1 < last;
        uint8_t *digest = rows->digests + row * SHA256_BYTES;
        sha256_begin(&message, gathered, GATHERED);
        wrong = rows->add(&message, rows->job, row, &scratch);
        sha256_begin(&next_message, gathered + GATHERED, GATHERED);
        if (pair && !wrong.what)
            wrong = rows->add(&next_message, rows->job, row + 1, &scratch);
        sha256_end(&message, digest, pair ? &next_message : NULL, digest + SHA256_BYTES);
    }
    forget_spelling(&scratch);
    free(gathered);
    rows->wrong[number] = wrong;
}

static Fault digest_rows(const void *job, int64_t count, AddRow add, uint8_t *digests, int threads)
{
    Pool pool = {{0}, 0, 0};
    const int64_t tasks = (count + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    Rows rows = {job, count, add, digests, pool_alloc(&pool, tasks, sizeof *rows.wrong)};
    Fault result = pool.failed ? NO_MEMORY : FINE;
    if (!pool.failed)
        for_each(tasks, threads, digest_some_rows, &rows);
    for (int64_t number = 0; !pool.failed && !result.what && number < tasks; number++)
        result = rows.wrong[number];
    pool_free(&pool);
    return result;
}

static const char *check_bounds(const int64_t *bound, int64_t count, int64_t length)
{
    if (bound[0] < 0 || bound[count] > length)
        return "bounds";
    for (int64_t at = 0; at < count; at++)
        if (bound[at] > bound[at + 1])
            return "bounds";
    return NULL;
}

/* ---- Annotations: all rows of a table, for each datum -------------------------------------------- */

#define ANNOTATIONS(_)                                                    \
    _(LENGTH(datums, INT32_MAX))                                          \
    _(LENGTH(rows, INT32_MAX))                                            \
    _(LENGTH(labels, INT32_MAX))                                          \
    _(BYTES(uid, uid_length))                                             \
    _(COLUMN(int64, uid_bound, MORE(datums, 1)))                          \
    _(BYTES(name, name_length))                                           \
    _(COLUMN(int64, name_bound, MORE(labels, 1)))                         \
    _(SHARED(int32, datum, OF(rows)))                                     \
    _(SHARED(int32, annotation, OF(rows)))                                \
    _(SHARED(int32, label, OF(rows)))                                     \
    _(OPTIONAL_SHARED(float64, score, OF(rows)))                          \
    _(OPTIONAL_SHARED(float64, box, OF(rows), JUST(4)))                   \
    _(OPTIONAL_SHARED(float64, area, OF(rows)))                           \
    _(OPTIONAL_SHARED(bool8, crowd, OF(rows)))                            \
    _(OPTIONAL_PART(Regions, regions, regions))                           \
    _(BYTES(metadata, metadata_length))                                   \
    _(OPTIONAL(int64, metadata_bound, MORE(rows, 1)))                     \
    _(BYTES(embedding, embedding_length))                                 \
    _(OPTIONAL(int64, embedding_bound, MORE(rows, 1)))                    \
    _(THREADS(threads))                                                   \
    _(OUT(uint8, digests, OF(datums), JUST(SHA256_BYTES)))

/* Encoded objects, row by row; without bounds, each row is the whole text. */
typedef struct {
    const char *text;
    int64_t length;
    const int64_t *bound;
} Extra;

enum { EXTRAS = 2 };

typedef struct {
    ANNOTATIONS(FIELD)
    int64_t *first; /* (datums + 1,) row of each datum */
    Extra extras[EXTRAS];
} Annotations;

/* Where the rows of each datum begin, from a non-decreasing column. */
static Fault find_rows(Annotations *job)
{
    int64_t next = 0;
    for (int64_t row = 0; row < job->rows; row++) {
        const int64_t datum = READ_ONCE(int32_t, job->datum[row]);
        if (UNLIKELY(datum < next - 1 || datum >= job->datums))
            return fault("datum", row);
        while (next <= datum)
            job->first[next++] = row;
    }
    while (next <= job->datums)
        job->first[next++] = job->rows;
    return FINE;
}

static void add_annotations(Sha256 *sha, const Annotations *job, int64_t first, int64_t last)
{
    uint32_t number = 0;
    int32_t before = first < last ? job->annotation[first] : 0;
    for (int64_t row = first; row < last; row++) {
        const int32_t here = job->annotation[row];
        number += here != before;
        before = here;
        put_low_first(sha256_room(sha, 4), number, 4);
    }
}

/* Another thread may change labels meanwhile: each one is checked as it is read. */
static int64_t label_at(const Annotations *job, int64_t row, int64_t *wrong)
{
    const int64_t label = READ_ONCE(int32_t, job->label[row]);
    if ((uint64_t)label < (uint64_t)job->labels)
        return label;
    *wrong = row;
    return 0;
}

static int64_t length_of_labels(const Annotations *job, int64_t first, int64_t last, int64_t *wrong)
{
    int64_t length = 0;
    for (int64_t row = first; row < last; row++) {
        const int64_t label = label_at(job, row, wrong);
        length += job->name_bound[label + 1] - job->name_bound[label];
    }
    return length;
}

static void add_labels(Sha256 *sha, const Annotations *job, int64_t first, int64_t last,
                       int64_t *wrong)
{
    for (int64_t row = first; row < last; row++) {
        const int64_t label = label_at(job, row, wrong), start = job->name_bound[label];
        sha256_add(sha, job->name + start, job->name_bound[label + 1] - start);
    }
}

static void add_numbers(Sha256 *sha, const Annotations *job, int64_t first, int64_t last)
{
    const double none = (double)NAN;
    for (int64_t row = first; row < last; row++) {
        uint8_t *room = sha256_room(sha, NUMBERS * 8);
        put_low_first(room, plain_bits(job->score ? job->score[row] : none), 8);
        for (int side = 0; side < 4; side++)
            put_low_first(room + 8 + 8 * side,
                          plain_bits(job->box ? job->box[4 * row + side] : none), 8);
        put_low_first(room + 40, plain_bits(job->area ? job->area[row] : none), 8);
        put_low_first(room + 48, plain_bits(job->crowd && job->crowd[row] ? 1.0 : 0.0), 8);
    }
}

static int64_t length_of_extra(const Extra *extra, int64_t first, int64_t last)
{
    return extra->bound ? extra->bound[last] - extra->bound[first] : extra->length * (last - first);
}

static void add_extra(Sha256 *sha, const Extra *extra, int64_t first, int64_t last)
{
    if (extra->bound) {
        sha256_add(sha, extra->text + extra->bound[first], length_of_extra(extra, first, last));
        return;
    }
    for (int64_t row = first; row < last; row++)
        sha256_add(sha, extra->text, extra->length);
}

static Fault add_datum(Sha256 *sha, const void *argument, int64_t datum, Spelling *shapes)
{
    const Annotations *job = argument;
    const int64_t first = job->first[datum], last = job->first[datum + 1];
    const Fault bad = job->regions ? spell_regions(job->regions, first, last, shapes) : FINE;
    if (bad.what)
        return bad;
    const Extra none = {"", 1, NULL};
    const int64_t uid = job->uid_bound[datum], uid_length = job->uid_bound[datum + 1] - uid;
    int64_t wrong = -1;
    int64_t length = (last - first) * (4 + NUMBERS * 8) + length_of_labels(job, first, last, &wrong);
    length += job->regions ? shapes->length : last - first;
    for (int number = 0; number < EXTRAS; number++)
        length += length_of_extra(&job->extras[number], first, last);
    measure(sha, uid_length);
    sha256_add(sha, job->uid + uid, uid_length);
    measure(sha, length);
    add_annotations(sha, job, first, last);
    add_labels(sha, job, first, last, &wrong);
    add_numbers(sha, job, first, last);
    if (job->regions && shapes->length)
        sha256_add(sha, shapes->bytes, shapes->length);
    else if (!job->regions)
        add_extra(sha, &none, first, last); /* a NUL byte for each */
    for (int number = 0; number < EXTRAS; number++)
        add_extra(sha, &job->extras[number], first, last);
    return wrong < 0 ? FINE : fault("label", wrong);
}

static const char *check_texts(Annotations *job)
{
    const Extra extras[EXTRAS] = {{job->metadata, job->metadata_length, job->metadata_bound},
                                  {job->embedding, job->embedding_length, job->embedding_bound}};
    memcpy(job->extras, extras, sizeof extras);
    const char *wrong = check_bounds(job->uid_bound, job->datums, job->uid_length);
    wrong = wrong ? wrong : check_bounds(job->name_bound, job->labels, job->name_length);
    for (int number = 0; number < EXTRAS && !wrong; number++)
        if (extras[number].bound)
            wrong = check_bounds(extras[number].bound, job->rows, extras[number].length);
    return wrong;
}

static Fault digest_annotations(Annotations *job)
{
    const char *wrong = check_texts(job);
    if (wrong)
        return fault(wrong, 0);
    if (job->rows && !job->labels)
        return fault("label", 0);
    const Fault bad = job->regions ? check_regions(job->regions) : FINE;
    if (bad.what)
        return bad;
    if (job->regions && job->regions->rows != job->rows)
        return fault("regions", job->regions->rows);
    Pool pool = {{0}, 0, 0};
    job->first = pool_alloc(&pool, job->datums + 1, sizeof *job->first);
    Fault result = pool.failed ? NO_MEMORY : find_rows(job);
    if (!result.what)
        result = digest_rows(job, job->datums, add_datum, job->out_digests, job->threads);
    pool_free(&pool);
    return result;
}

BIND(digest_annotations, Annotations, ANNOTATIONS, digest_annotations)

/* ---- Texts: one part each ----------------------------------------------------------------------- */

#define TEXTS(_)                                   \
    _(LENGTH(texts, INT32_MAX))                    \
    _(BYTES(before, before_length))                \
    _(BYTES(text, text_length))                    \
    _(COLUMN(int64, bound, MORE(texts, 1)))        \
    _(BYTES(after, after_length))                  \
    _(THREADS(threads))                            \
    _(OUT(uint8, digests, OF(texts), JUST(SHA256_BYTES)))

typedef struct {
    TEXTS(FIELD)
} Texts;

static Fault add_text(Sha256 *sha, const void *argument, int64_t row, Spelling *unused)
{
    const Texts *job = argument;
    const int64_t start = job->bound[row], length = job->bound[row + 1] - start;
    (void)unused;
    measure(sha, job->before_length + length + job->after_length);
    sha256_add(sha, job->before, job->before_length);
    sha256_add(sha, job->text + start, length);
    sha256_add(sha, job->after, job->after_length);
    return FINE;
}

static Fault digest_texts(Texts *job)
{
    const char *wrong = check_bounds(job->bound, job->texts, job->text_length);
    if (wrong)
        return fault(wrong, 0);
    return digest_rows(job, job->texts, add_text, job->out_digests, job->threads);
}

BIND(digest_texts, Texts, TEXTS, digest_texts)

/* ---- Pairs of digests, as hexadecimal digits ---------------------------------------------------- */

#define PAIRS(_)                                             \
    _(LENGTH(pairs, INT32_MAX))                              \
    _(SHARED(uint8, first, OF(pairs), JUST(SHA256_BYTES)))   \
    _(SHARED(uint8, second, OF(pairs), JUST(SHA256_BYTES)))  \
    _(THREADS(threads))                                      \
    _(OUT(uint8, digests, OF(pairs), JUST(SHA256_BYTES)))

typedef struct {
    PAIRS(FIELD)
} Pairs;

/* By arithmetic, not from a table, so that compilers vectorise it. */
static inline uint8_t digit_of(uint8_t value)
{
    return (uint8_t)(value + '0' + (value > 9 ? 'a' - '0' - 10 : 0));
}

static inline void put_digits(uint8_t *room, const uint8_t *digest)
{
    for (int at = 0; at < SHA256_BYTES; at++) {
        room[2 * at] = digit_of(digest[at] >> 4);
        room[2 * at + 1] = digit_of(digest[at] & 15);
    }
}

static void add_digits(Sha256 *sha, const uint8_t *digest)
{
    measure(sha, DIGITS);
    put_digits(sha256_room(sha, DIGITS), digest);
}

static Fault add_pair(Sha256 *sha, const void *argument, int64_t row, Spelling *unused)
{
    const Pairs *job = argument;
    (void)unused;
    add_digits(sha, job->first + row * SHA256_BYTES);
    add_digits(sha, job->second + row * SHA256_BYTES);
    return FINE;
}

static Fault digest_pairs(Pairs *job)
{
    return digest_rows(job, job->pairs, add_pair, job->out_digests, job->threads);
}

BIND(digest_pairs, Pairs, PAIRS, digest_pairs)

/* ---- Digests as hexadecimal digits with lengths, to be parts of one digest ----------------------- */

enum { MEASURED_DIGITS = 8 + DIGITS };

#define MEASURED(_)                                            \
    _(LENGTH(rows, INT32_MAX))                                 \
    _(SHARED(uint8, digests, OF(rows), JUST(SHA256_BYTES)))    \
    _(OUT(uint8, parts, OF(rows), JUST(MEASURED_DIGITS)))

typedef struct {
    MEASURED(FIELD)
} Measured;

static Fault measured_digits(Measured *job)
{
    for (int64_t row = 0; row < job->rows; row++) {
        uint8_t *part = job->out_parts + row * MEASURED_DIGITS;
        put_low_first(part, DIGITS, 8);
        put_digits(part + 8, job->digests + row * SHA256_BYTES);
    }
    return FINE;
}

BIND(measured_digits, Measured, MEASURED, measured_digits)
