/* Contours and bands of all labels of two labellings: boundaries.py's numbers.
 *
 * Both labellings are painted, a row of the picture being a column of the image. Planes hold one bit a
 * pixel. What lies within some steps of a set bit is a running OR along rows, then one across them;
 * labels have planes of their own only where they have contours, a few labels at a time.
 */
#include "label_runs.h"
#include "labels.h"

#define BOUNDARIES(_)                         \
    _(PART(LabelRuns, truth, label_runs))     \
    _(PART(LabelRuns, predicted, label_runs)) \
    _(SIZE(height, MOST_PIXELS))              \
    _(SIZE(width, MOST_PIXELS))               \
    _(SIZE(labels, INT32_MAX - 2))            \
    _(SIZE(reach, INT64_MAX))                 \
    _(BACKED(labels, truth.runs, predicted.runs)) \
    _(OUT(int64, counts, OF(labels), JUST(7)))

/* The columns of the result. */
enum { TRUTH_BAND, PREDICTED_BAND, COMMON_BAND, TRUTH_CONTOUR, PREDICTED_CONTOUR, TRUTH_FOUND, PREDICTED_RIGHT, COLUMNS };

typedef uint64_t *Plane;

/* One side: its picture, which pixels equal the next one of their row, its contour, and its band. */
typedef struct {
    uint8_t *picture;
    Plane same, contour, band;
} Side;

typedef struct {
    BOUNDARIES(FIELD)
    Side truths, predictions;
    int64_t rows, columns, words; /* of a picture: the width and the height of the image */
    int32_t *number;              /* (labels + 2,) in pictures: of no label, each label and the ignored */
    int32_t *label;               /* (shown,) of each number its label */
    int64_t shown;                /* labels that have a number: those of some run */
    int64_t bytes;                /* of a pixel of a picture */
    Plane rest;                   /* what an operation needs beside its operands */
    uint64_t *ahead, *passed;     /* for widening: the rows of a block and an empty one; a row */
    int64_t together;             /* how many labels have planes at a time */
    Plane contours;               /* of each of them: its true contour, then its predicted one */
    int64_t *low, *high;          /* rows between which their contours lie */
} Boundaries;

/* ---- Pictures ------------------------------------------------------------------------------------ */

static void fill(uint8_t *picture, int64_t begin, int64_t end, int64_t bytes, int64_t label)
{
    if (bytes == 1) {
        memset(picture + begin, (int)label, (size_t)(end - begin));
    } else if (bytes == 2) {
        for (uint16_t *pixel = (uint16_t *)picture + begin; pixel < (uint16_t *)picture + end; pixel++)
            *pixel = (uint16_t)label;
    } else {
        for (uint32_t *pixel = (uint32_t *)picture + begin; pixel < (uint32_t *)picture + end; pixel++)
            *pixel = (uint32_t)label;
    }
}

/* Give a label a number, unless it has one. */
static void number_label(Boundaries *job, int64_t label)
{
    if ((uint64_t)label >= (uint64_t)job->labels || job->number[label + 1] >= 0)
        return;
    job->label[job->shown] = (int32_t)label;
    job->number[label + 1] = (int32_t)job->shown++;
}

/* Number all labels, or if they are many those that runs have: pictures and planes are as large as what
 * is seen in them. Nobody, the ignored and labels that no run had so far have the number `shown`. */
static Fault number_labels(Boundaries *job, Pool *pool)
{
    const LabelRuns *sides[2] = {&job->truth, &job->predicted};
    job->number = pool_alloc(pool, job->labels + 2, sizeof *job->number);
    job->label = pool_alloc(pool, job->labels, sizeof *job->label);
    if (pool->failed)
        return NO_MEMORY;
    memset(job->number, -1, (size_t)(job->labels + 2) * sizeof *job->number);
    if (job->labels < UINT8_MAX)
        for (int64_t label = 0; label < job->labels; label++)
            number_label(job, label);
    else
        for (int side = 0; side < 2; side++)
            for (int64_t run = 0; run < sides[side]->runs; run++)
                number_label(job, READ_ONCE(int64_t, sides[side]->labels[run]));
    for (int64_t index = 0; index < job->labels + 2; index++)
        if (job->number[index] < 0)
            job->number[index] = (int32_t)job->shown;
    return FINE;
}

/* Paint the numbers of labels; pixels without a label, or ignored, are `shown` on both sides. */
static Fault paint(Boundaries *job)
{
    const int64_t size = job->rows * job->columns;
    RunReader predicted = read_runs_of(&job->predicted, size, job->labels - 1);
    while (predicted.end < size) {
        if (!job->predicted.runs || !next_run(&predicted))
            return fault("predicted run", predicted.run);
        fill(job->predictions.picture, predicted.begin, predicted.end, job->bytes,
             job->number[predicted.label + 1]);
    }
    RunReader truth = read_runs_of(&job->truth, size, job->labels);
    while (truth.end < size) {
        if (!job->truth.runs || !next_run(&truth))
            return fault("true run", truth.run);
        fill(job->truths.picture, truth.begin, truth.end, job->bytes,
             job->number[truth.label + 1]);
        if (truth.label == job->labels)
            fill(job->predictions.picture, truth.begin, truth.end, job->bytes, job->shown);
    }
    return FINE;
}

/* ---- Contours ------------------------------------------------------------------------------------ */

static inline uint64_t pixels_in(const Boundaries *job, int64_t word)
{
    const int64_t count = job->columns - WORD * word;
    return low_bits(count < WORD ? (int)count : WORD);
}

/* Which of the first `count` pixels of a row equal those of another row. */
static void compare_rows(const Boundaries *job, const uint8_t *left, const uint8_t *right, int64_t count,
                         uint64_t *bits)
{
    for (int64_t word = 0; word < job->words; word++, count -= WORD)
        bits[word] = equal_pixels(left + WORD * word * job->bytes, right + WORD * word * job->bytes,
                                  count < WORD ? count : WORD, job->bytes);
}

/* Pixels that equal both neighbours in their row. */
static inline uint64_t flat(const uint64_t *same, int64_t word)
{
    return (same[word] << 1 | (word ? same[word - 1] >> 63 : 0)) & same[word];
}

/* Pixels whose 3 x 3 neighbourhood leaves the picture or holds another label. */
static void find_contour(Boundaries *job, Side *side)
{
    const int64_t words = job->words, line = job->columns * job->bytes;
    Plane below = job->rest;
    for (int64_t row = 0; row < job->rows; row++) {
        const uint8_t *here = side->picture + row * line;
        compare_rows(job, here, here + job->bytes, job->columns - 1, side->same + row * words);
        if (row + 1 < job->rows)
            compare_rows(job, here, here + line, job->columns, below + row * words);
    }
    for (int64_t row = 0; row < job->rows; row++)
        for (int64_t word = 0; word < words; word++) {
            const uint64_t *same = side->same + row * words, *down = below + row * words;
            uint64_t inner = 0;
            if (row && row + 1 < job->rows)
                inner = flat(same - words, word) & flat(same, word) & flat(same + words, word) &
                        down[word - words] & down[word];
            side->contour[row * words + word] = ~inner & pixels_in(job, word);
        }
}

/* ---- Widening ------------------------------------------------------------------------------------ */

static void set_bits(uint64_t *row, int64_t begin, int64_t end)
{
    const int64_t first = begin / WORD, last = (end - 1) / WORD;
    const uint64_t head = ~low_bits((int)(begin % WORD)), tail = low_bits((int)((end - 1) % WORD + 1));
    if (first == last) {
        row[first] |= head & tail;
        return;
    }
    row[first] |= head;
    for (int64_t word = first + 1; word < last; word++)
        row[word] = ~(uint64_t)0;
    row[last] |= tail;
}

/* Of a row: OR of the bits up to `steps` away on either side.
 *
 * Bits that lie at most 2 * steps + 1 pixels apart leave no gap between them: of so many neighbours only
 * the first and the last are looked at. */
static void widen_row(const Boundaries *job, const uint64_t *from, int64_t steps, uint64_t *to)
{
    int64_t begin = 0, end = 0;
    int group = WORD;
    while (group > 2 * steps + 1)
        group /= 2;
    memset(to, 0, (size_t)job->words * sizeof *to);
    for (int64_t word = 0; word < job->words; word++)
        for (uint64_t left = from[word], bits; left; left ^= bits) {
            bits = left & low_bits(group) << (lowest_bit(left) & -group);
            const int64_t first = WORD * word + lowest_bit(bits) - steps;
            if (first > end) {
                if (end)
                    set_bits(to, begin, end);
                begin = first;
            }
            end = WORD * word + highest_bit(bits) + steps + 1;
        }
    if (end)
        set_bits(to, begin, end < job->columns ? end : job->columns);
}
static void unite(uint64_t *to, const uint64_t *left, const uint64_t *right, int64_t words)
{
    for (int64_t word = 0; word < words; word++)
        to[word] = left[word] | right[word];
}

/* OR of the bits up to `steps` away, diagonally too, of what lies in the rows from `low` to `high`.
 *
 * A window of rows begins in one block and ends in the next, blocks being as long as windows: it is
 * what is ahead in the first, and what was passed of the second. */
static void widen(const Boundaries *job, const uint64_t *from, int64_t steps, int64_t low, int64_t high,
                  uint64_t *to)
{
    const int64_t words = job->words, tall = steps < job->rows ? steps : job->rows;
    const int64_t wide = steps < job->columns ? steps : job->columns, block = 2 * tall + 1;
    uint64_t *const empty = job->ahead + block * words;
    memset(empty, 0, (size_t)words * sizeof *empty);
    for (int64_t row = low; row < high; row++)
        widen_row(job, from + row * words, wide, job->rest + row * words);
    for (int64_t first = low; first < high; first += block) {
        for (int64_t index = block - 1; index >= 0; index--) {
            const int64_t row = first + index - tall;
            uint64_t *const ahead = job->ahead + index * words;
            unite(ahead, ahead + words, row >= low && row < high ? job->rest + row * words : empty, words);
        }
        memset(job->passed, 0, (size_t)words * sizeof *job->passed);
        for (int64_t row = first; row < high && row < first + block; row++) {
            if (row > first && row + tall < high)
                unite(job->passed, job->passed, job->rest + (row + tall) * words, words);
            unite(to + row * words, job->ahead + (row - first) * words, job->passed, words);
        }
    }
}

/* ---- Counting ------------------------------------------------------------------------------------ */

/* The pieces of a word of a row that have one label each, one after the other. */
typedef struct {
    uint64_t ends, done; /* last pixels of pieces to come; pixels of those that were */
    uint64_t pixels;     /* of this one */
    int64_t number;      /* of its label */
} Piece;

/* The counts of a label by its number. */
static inline int64_t *counts_of(const Boundaries *job, int64_t number)
{
    return job->out_counts + COLUMNS * job->label[number];
}

static inline Piece before_pieces(const Boundaries *job, const Side *side, int64_t row, int64_t word)
{
    const uint64_t pixels = pixels_in(job, word), last = pixels ^ pixels >> 1;
    const Piece piece = {(~side->same[row * job->words + word] & pixels) | last, 0, 0, 0};
    return piece;
}

static inline int next_piece(const Boundaries *job, const Side *side, int64_t row, int64_t word, Piece *piece)
{
    if (!piece->ends)
        return 0;
    const int last = lowest_bit(piece->ends);
    piece->pixels = low_bits(last + 1) & ~piece->done;
    piece->done |= piece->pixels;
    piece->ends &= piece->ends - 1;
    piece->number = (int64_t)number_at(side->picture, row * job->columns + WORD * word + last, job->bytes);
    return 1;
}

/* Pixels of one side's band and contour, by label; on the true side also those of both bands. */
static void count_side(const Boundaries *job, const Side *side, int band, int contour)
{
    const int64_t line = job->columns * job->bytes;
    for (int64_t row = 0; row < job->rows; row++)
        for (int64_t word = 0; word < job->words; word++) {
            const int64_t at = row * job->words + word, left = job->columns - WORD * word;
            const uint64_t near = side->band[at];
            if (!near)
                continue;
            uint64_t common = 0;
            if (side == &job->truths && job->predictions.band[at] & near)
                common = near & job->predictions.band[at] &
                         equal_pixels(job->truths.picture + row * line + WORD * word * job->bytes,
                                      job->predictions.picture + row * line + WORD * word * job->bytes,
                                      left < WORD ? left : WORD, job->bytes);
            for (Piece piece = before_pieces(job, side, row, word); next_piece(job, side, row, word, &piece);) {
                if (piece.number == job->shown)
                    continue;
                int64_t *counts = counts_of(job, piece.number);
                counts[band] += count_bits(near & piece.pixels);
                counts[contour] += count_bits(side->contour[at] & piece.pixels);
                if (common)
                    counts[COMMON_BAND] += count_bits(common & piece.pixels);
            }
        }
}

static inline Plane contour_plane(const Boundaries *job, int64_t index, int side)
{
    return job->contours + (2 * index + side) * job->rows * job->words;
}

/* The contours of some labels on one side, a plane each. */
static void part_contours(const Boundaries *job, const Side *side, int number, int64_t first)
{
    for (int64_t row = 0; row < job->rows; row++)
        for (int64_t word = 0; word < job->words; word++) {
            const int64_t at = row * job->words + word;
            Piece piece = before_pieces(job, side, row, word);
            while (side->contour[at] & ~piece.done && next_piece(job, side, row, word, &piece)) {
                const int64_t index = piece.number - first;
                const uint64_t pixels = side->contour[at] & piece.pixels;
                if (!pixels || piece.number == job->shown || index < 0 || index >= job->together)
                    continue;
                contour_plane(job, index, number)[at] |= pixels;
                job->low[index] = row < job->low[index] ? row : job->low[index];
                job->high[index] = row + 1 > job->high[index] ? row + 1 : job->high[index];
            }
        }
}

/* Pixels of one side's contour of a label that lie near the other's. */
static int64_t count_near(const Boundaries *job, int64_t index, int side)
{
    const int64_t low = job->low[index], high = job->high[index];
    Plane near = job->truths.band, plane = contour_plane(job, index, side);
    int64_t near_pixels = 0;
    widen(job, contour_plane(job, index, !side), job->reach, low, high, near);
    for (int64_t at = low * job->words; at < high * job->words; at++)
        if (plane[at] & near[at])
            near_pixels += count_bits(plane[at] & near[at]);
    return near_pixels;
}

/* Contours that meet, for `together` labels from the first on; bands are needed no longer. */
static void count_met(const Boundaries *job, int64_t first)
{
    for (int64_t index = 0; index < job->together; index++) {
        job->low[index] = job->rows;
        job->high[index] = 0;
    }
    part_contours(job, &job->truths, 0, first);
    part_contours(job, &job->predictions, 1, first);
    for (int64_t index = 0; index < job->together && first + index < job->shown; index++) {
        int64_t *counts = counts_of(job, first + index);
        if (counts[TRUTH_CONTOUR] && counts[PREDICTED_CONTOUR]) {
            counts[TRUTH_FOUND] = count_near(job, index, 0);
            counts[PREDICTED_RIGHT] = count_near(job, index, 1);
        }
        const int64_t rows = job->high[index] > job->low[index] ? job->high[index] - job->low[index] : 0;
        for (int side = 0; side < 2; side++)
            memset(contour_plane(job, index, side) + job->low[index] * job->words, 0,
                   (size_t)(rows * job->words) * sizeof(uint64_t));
    }
}

/* ---- The job ------------------------------------------------------------------------------------- */

enum {
    ROOM_FOR_PLANES = 1 << 24, /* bytes, for planes of single labels; at least one has some */
    MOST_WORDS = 1 << 26       /* of a plane: a picture whose rows fill no word has few rows */
};

static Fault take_room(Boundaries *job, Pool *pool)
{
    const int64_t size = job->rows * job->words, tall = job->reach < job->rows ? job->reach : job->rows;
    job->bytes = job->shown < UINT8_MAX ? 1 : job->shown < UINT16_MAX ? 2 : 4;
    job->together = ROOM_FOR_PLANES / (2 * size * (int64_t)sizeof(uint64_t)) + 1;
    job->together = job->together < job->shown ? job->together : job->shown;
    Side *sides[2] = {&job->truths, &job->predictions};
    for (int side = 0; side < 2; side++) {
        sides[side]->picture = pool_alloc(pool, job->rows * job->columns, (size_t)job->bytes);
        sides[side]->same = pool_alloc(pool, size, sizeof(uint64_t));
        sides[side]->contour = pool_alloc(pool, size, sizeof(uint64_t));
        sides[side]->band = pool_alloc(pool, size, sizeof(uint64_t));
    }
    job->rest = pool_alloc(pool, size, sizeof(uint64_t));
    job->passed = pool_alloc(pool, job->words, sizeof(uint64_t));
    job->ahead = pool_alloc(pool, (2 * tall + 2) * job->words, sizeof(uint64_t));
    job->low = pool_alloc(pool, job->together, sizeof *job->low);
    job->high = pool_alloc(pool, job->together, sizeof *job->high);
    job->contours = pool_alloc(pool, 2 * job->together * size, sizeof(uint64_t));
    if (pool->failed)
        return NO_MEMORY;
    memset(job->contours, 0, (size_t)(2 * job->together * size) * sizeof(uint64_t));
    return FINE;
}

static Fault count_all(Boundaries *job, Pool *pool)
{
    Fault wrong = number_labels(job, pool);
    if (!wrong.what)
        wrong = take_room(job, pool);
    if (!wrong.what)
        wrong = paint(job);
    if (wrong.what)
        return wrong;
    find_contour(job, &job->truths);
    find_contour(job, &job->predictions);
    widen(job, job->truths.contour, job->reach - 1, 0, job->rows, job->truths.band);
    widen(job, job->predictions.contour, job->reach - 1, 0, job->rows, job->predictions.band);
    count_side(job, &job->truths, TRUTH_BAND, TRUTH_CONTOUR);
    count_side(job, &job->predictions, PREDICTED_BAND, PREDICTED_CONTOUR);
    for (int64_t first = 0; first < job->shown; first += job->together)
        count_met(job, first);
    return FINE;
}

static Fault boundary_counts(Boundaries *job)
{
    Pool pool = {.used = 0};
    Fault wrong = FINE;
    job->rows = job->width;
    job->columns = job->height;
    job->words = (job->columns + WORD - 1) / WORD;
    if ((job->height && job->width > MOST_PIXELS / job->height) ||
        (job->words && job->rows > MOST_WORDS / job->words))
        return fault("pixels of an image", 0);
    if (job->reach < 1)
        return fault("reach", job->reach);
    memset(job->out_counts, 0, (size_t)(COLUMNS * job->labels) * sizeof *job->out_counts);
    if (job->rows && job->columns && job->labels)
        wrong = count_all(job, &pool);
    pool_free(&pool);
    return wrong;
}

BIND(boundary_counts, Boundaries, BOUNDARIES, boundary_counts)
