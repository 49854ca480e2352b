/* The masks of all labels of a label image: run edges down its columns, in one pass over its rows.
 *
 * Rows are compared with the row above them, so that the image is never transposed: a bit marks where
 * a run begins, and runs are sorted by their columns. The image may change while it is read: bits
 * are kept, and each number is read once, where its run begins.
 */
#include "bind.h"
#include "labels.h"

#define LABEL_EDGES(_)                                        \
    _(LENGTH(height, INT32_MAX))                              \
    _(LENGTH(width, INT32_MAX))                               \
    _(LENGTH(bytes, 8))                                       \
    _(SHARED(uint8, image, OF(height), OF(width), OF(bytes))) \
    _(NUMBER(lowest))                                         \
    _(SIZE(labels, 65536))                                    \
    _(COUNTED(flips))                                         \
    _(OUT(int64, edges, UP_TO(room, flips)))                  \
    _(OUT(int64, start, MORE(labels, 1)))

typedef struct {
    LABEL_EDGES(FIELD)
    int64_t room;  /* for edges */
    int64_t words; /* of bits in a row */
} LabelEdges;

/* Which of 64 pixels of a row begin a run, going down the columns one after the other. */
static uint64_t begins(const LabelEdges *job, int64_t row, int64_t word)
{
    const int64_t first = WORD * word, count = job->width - first < WORD ? job->width - first : WORD;
    const int64_t line = job->width * job->bytes;
    const uint8_t *here = job->image + row * line + first * job->bytes;
    if (row)
        return ~equal_pixels(here, here - line, count, job->bytes) & low_bits((int)count);
    /* the top of a column goes on with the bottom of the one before it */
    const uint8_t *bottom = job->image + (job->height - 1) * line + first * job->bytes;
    const int64_t skipped = first == 0;
    const uint64_t same = equal_pixels(here + skipped * job->bytes, bottom - !skipped * job->bytes,
                                       count - skipped, job->bytes);
    return ~(same << skipped) & low_bits((int)count);
}

static Fault count_runs(LabelEdges *job)
{
    int64_t runs = 0;
    if (!is_pixel_size(job->bytes))
        return fault("bytes of a pixel", job->bytes);
    job->words = (job->width + WORD - 1) / WORD;
    for (int64_t row = 0; row < job->height; row++)
        for (int64_t word = 0; word < job->words; word++)
            runs += count_bits(begins(job, row, word));
    job->room = 2 * runs;
    return FINE;
}

/* Where runs begin, a bit a pixel; and how many before each column. Returns how many in all. */
static int64_t find_runs(const LabelEdges *job, uint64_t *bits, int64_t *before)
{
    memset(before, 0, (size_t)(job->width + 1) * sizeof *before);
    for (int64_t row = 0; row < job->height; row++)
        for (int64_t word = 0; word < job->words; word++) {
            uint64_t left = *bits++ = begins(job, row, word);
            for (; left; left &= left - 1)
                before[WORD * word + lowest_bit(left) + 1]++;
        }
    for (int64_t column = 0; column < job->width; column++)
        before[column + 1] += before[column];
    return before[job->width];
}

/* Sort runs by their columns: the start of each, and its label. */
static Fault read_runs(const LabelEdges *job, const uint64_t *bits, int64_t *next, int64_t *first,
                       uint16_t *label)
{
    for (int64_t row = 0; row < job->height; row++)
        for (int64_t word = 0; word < job->words; word++)
            for (uint64_t left = *bits++; left; left &= left - 1) {
                const int64_t column = WORD * word + lowest_bit(left);
                const uint64_t number = settled(
                    label_at(job->image, row * job->width + column, job->bytes, job->lowest));
                if (UNLIKELY(number >= (uint64_t)job->labels))
                    return fault("label of a pixel", row * job->width + column);
                first[next[column]] = column * job->height + row;
                label[next[column]++] = (uint16_t)number;
            }
    return FINE;
}

/* Both ends of every run, by label; a run that ends with the image is open. */
static void write_edges(LabelEdges *job, int64_t runs, const int64_t *first, const uint16_t *label)
{
    int64_t *start = job->out_start;
    for (int64_t run = 0; run < runs; run++)
        start[label[run] + 1] += run + 1 < runs ? 2 : 1;
    for (int64_t index = 0; index < job->labels; index++)
        start[index + 1] += start[index];
    job->flips = start[job->labels];
    for (int64_t run = 0; run < runs; run++) {
        job->out_edges[start[label[run]]++] = first[run];
        if (run + 1 < runs)
            job->out_edges[start[label[run]]++] = first[run + 1];
    }
    rewind_starts(start, job->labels);
}

static Fault edges_of_runs(LabelEdges *job, Pool *pool)
{
    uint64_t *bits = pool_alloc(pool, job->height * job->words, sizeof *bits);
    int64_t *before = pool_alloc(pool, job->width + 1, sizeof *before);
    if (pool->failed)
        return NO_MEMORY;
    const int64_t runs = find_runs(job, bits, before);
    int64_t *first = pool_alloc(pool, runs, sizeof *first);
    uint16_t *label = pool_alloc(pool, runs, sizeof *label);
    if (pool->failed)
        return NO_MEMORY;
    if (2 * runs > job->room) /* the image has changed since runs were counted */
        return fault("runs of the image", runs);
    Fault wrong = read_runs(job, bits, before, first, label);
    if (!wrong.what)
        write_edges(job, runs, first, label);
    return wrong;
}

static Fault label_edges(LabelEdges *job)
{
    Pool pool = {.used = 0};
    memset(job->out_start, 0, (size_t)(job->labels + 1) * sizeof *job->out_start);
    Fault wrong = job->height && job->width ? edges_of_runs(job, &pool) : FINE;
    pool_free(&pool);
    return wrong;
}

BIND_PREPARED(label_edges, LabelEdges, LABEL_EDGES, count_runs, label_edges)
