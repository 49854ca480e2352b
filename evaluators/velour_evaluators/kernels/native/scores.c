/* Scores of labels on datums: what each datum was decided for, and each label's scores ranked.
 *
 * The same bits as velour_evaluators/classification/kernels/class_scores.py and ranking_order.py.
 */
#include <math.h>

#include "bind.h"

enum { MISSING = -1, SCORE_BITS = 62 };
static const uint64_t ONE = 0x3FF0000000000000u; /* the bits of 1.0, the highest score */

/* A score for every row and label, row by row; or, with `row` and `label`, for some pairs, sorted
 * by both. Row and label are copies, so an index that was checked stays what it was; a score is no
 * index. */
#define SCORES(_)                                    \
    _(SIZE(rows, INT32_MAX))                         \
    _(SIZE(labels, INT32_MAX))                       \
    _(LENGTH(cells, INT64_MAX / 64))                 \
    _(SHARED(float64, score, OF(cells)))             \
    _(OPTIONAL(int32, row, OF(cells)))               \
    _(OPTIONAL(int32, label, OF(cells)))             \
    _(THREADS(threads))

static Fault check_scores(int64_t rows, int64_t labels, int64_t cells, const int32_t *row,
                          const int32_t *label)
{
    if (!row != !label || (!row && cells != rows * labels))
        return fault("score", cells);
    for (int64_t cell = 0; row && cell < cells; cell++) {
        const int64_t before = cell ? row[cell - 1] : 0;
        const int64_t least = cell && row[cell] == before ? label[cell - 1] + (int64_t)1 : 0;
        if (UNLIKELY(row[cell] < before || row[cell] >= rows))
            return fault("row", cell);
        if (UNLIKELY(label[cell] < least || label[cell] >= labels))
            return fault("label", cell);
    }
    return FINE;
}

static Fault check_below(const int32_t *values, int64_t count, int64_t most, const char *name)
{
    for (int64_t at = 0; at < count; at++)
        if (UNLIKELY(values[at] < 0 || values[at] >= most))
            return fault(name, at);
    return FINE;
}

/* ---- Decisions, datum by datum ------------------------------------------------------------------ */

#define DECISIONS(_)                          \
    SCORES(_)                                 \
    _(REAL(tolerance))                        \
    _(COLUMN(int32, truth, OF(rows)))         \
    _(OUT(int32, predicted, OF(rows)))        \
    _(OUT(float64, confidence, OF(rows)))     \
    _(OUT(int32, rank, OF(rows)))             \
    _(OUT(float64, chance, OF(rows)))         \
    _(OUT(float64, brier, OF(rows)))

typedef struct {
    DECISIONS(FIELD)
    int64_t *start; /* (rows + 1,) cells of each row; NULL of a score for every label */
} Decisions;

enum { ROWS_AT_ONCE = 4096 };

/* Numpy adds pairwise: up to 8 in turn, up to 128 in eight sums, more in halves. */
static double sum_pairwise(const double *value, int64_t count, int squared)
{
    double sums[8], sum = 0.0;
    int64_t at = 0;
    if (count > 128) {
        const int64_t half = count / 2 - count / 2 % 8;
        return sum_pairwise(value, half, squared) +
               sum_pairwise(value + half, count - half, squared);
    }
    if (count >= 8) {
        for (; at < 8; at++)
            sums[at] = squared ? value[at] * value[at] : value[at];
        for (; at + 8 <= count; at += 8)
            for (int lane = 0; lane < 8; lane++)
                sums[lane] += squared ? value[at + lane] * value[at + lane] : value[at + lane];
        sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
              ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
    for (; at < count; at++)
        sum += squared ? value[at] * value[at] : value[at];
    return sum;
}

/* As numpy.add.reduceat: the first value, and then the sum of all others. */
static double sum_segment(const double *value, int64_t count, int squared)
{
    const double first = squared ? value[0] * value[0] : value[0];
    return first + sum_pairwise(value + 1, count - 1, squared);
}

static int32_t label_of(const Decisions *job, int64_t first, int64_t at)
{
    return job->label ? job->label[first + at] : (int32_t)at;
}

/* Where a row names its true label, counted from its first cell; -1 where it does not. */
static int64_t find_truth(const Decisions *job, int64_t first, int64_t count, int32_t truth)
{
    if (!job->label)
        return truth < count ? truth : -1;
    for (int64_t at = 0; at < count; at++)
        if (job->label[first + at] == truth)
            return at;
    return -1;
}

/* Equal scores rank the last label first. */
static int32_t rank_of_truth(const Decisions *job, int64_t first, int64_t count, int64_t position)
{
    const double *score = job->score + first;
    const double true_score = score[position];
    int32_t higher = 0;
    for (int64_t at = 0; at < position; at++)
        higher += score[at] > true_score;
    for (int64_t at = position + 1; at < count; at++)
        higher += score[at] >= true_score;
    return higher + 1;
}

static int64_t highest(const double *score, int64_t count)
{
    int64_t best = 0;
    for (int64_t at = 1; at < count; at++)
        if (score[at] > score[best])
            best = at;
    return best;
}

static void decide(const Decisions *job, int64_t row)
{
    const int64_t first = job->start ? job->start[row] : row * job->labels;
    const int64_t count = job->start ? job->start[row + 1] - first : job->labels;
    const int64_t position = find_truth(job, first, count, job->truth[row]);
    const int64_t best = highest(job->score + first, count);
    double true_score = 0.0, total = 1.0, squares = 0.0;
    if (count) {
        total = sum_segment(job->score + first, count, 0);
        squares = sum_segment(job->score + first, count, 1);
    }
    if (position >= 0)
        true_score = job->score[first + position];
    const int known = fabs(total - 1) <= job->tolerance;
    const double brier = squares - 2 * true_score + 1;
    job->out_predicted[row] = count ? label_of(job, first, best) : MISSING;
    job->out_confidence[row] = count ? job->score[first + best] : (double)NAN;
    job->out_rank[row] = position < 0 ? 0 : rank_of_truth(job, first, count, position);
    job->out_chance[row] = known ? true_score : (double)NAN;
    job->out_brier[row] = !known ? (double)NAN : brier > 0 ? brier : 0.0;
}

static void decide_some(void *work, int64_t number)
{
    const Decisions *job = work;
    const int64_t first = number * ROWS_AT_ONCE, last = first + ROWS_AT_ONCE;
    for (int64_t row = first; row < last && row < job->rows; row++)
        decide(job, row);
}

static Fault decide_all(Decisions *job)
{
    Pool pool = {{0}, 0, 0};
    Fault wrong = check_scores(job->rows, job->labels, job->cells, job->row, job->label);
    wrong = wrong.what ? wrong : check_below(job->truth, job->rows, job->labels, "truth");
    if (!wrong.what && job->row) {
        job->start = pool_alloc(&pool, job->rows + 1, sizeof *job->start);
        wrong = pool.failed ? NO_MEMORY : FINE;
        if (!pool.failed)
            count_keys(job->row, job->cells, job->rows, job->start);
    }
    if (!wrong.what)
        for_each((job->rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, job->threads, decide_some, job);
    pool_free(&pool);
    return wrong;
}

BIND(decide_by_scores, Decisions, DECISIONS, decide_all)

/* ---- Scores ranked, label by label --------------------------------------------------------------- */

#define RANKING(_)                                \
    SCORES(_)                                     \
    _(LENGTH(truths, INT32_MAX))                  \
    _(COLUMN(int32, datum, OF(rows)))             \
    _(COLUMN(int32, truth_row, OF(truths)))       \
    _(COLUMN(int32, truth_label, OF(truths)))     \
    _(BACKED(labels, cells, truths))              \
    _(OUT(int64, bounds, MORE(labels, 1)))        \
    _(OUT(int32, ranked_datum, OF(cells)))        \
    _(OUT(float64, ranked_score, OF(cells)))      \
    _(OUT(int32, found_label, OF(truths)))        \
    _(OUT(int32, found_datum, OF(truths)))        \
    _(OUT(float64, found_score, OF(truths)))      \
    _(OUT(int64, first, OF(truths)))              \
    _(OUT(int64, last, OF(truths)))

typedef struct {
    RANKING(FIELD)
    int64_t *truth_start; /* (labels + 1,) truths of each label */
    int32_t *true_row;    /* (truths,) label by label */
    int64_t most;         /* cells of the label that has most */
    int64_t at_once;      /* labels that one thread takes */
    int64_t next;         /* of these, how many were taken */
    Fault *wrong;         /* (threads,) */
} Ranking;

/* What one thread needs for one label. */
typedef struct {
    uint64_t *words, *spare;
    int32_t *row;      /* of each cell; NULL where every row has one */
    uint8_t *is_true;  /* (rows,) all 0 between labels */
} Scratch;

static int bits_of(int64_t most)
{
    int bits = 1;
    while (most >> bits)
        bits++;
    return bits;
}

static inline uint64_t fall_of(double score)
{
    const double plain = score + 0.0; /* no -0.0 */
    uint64_t bits;
    memcpy(&bits, &plain, sizeof bits);
    return ONE - bits;
}

/* Scores whose leading bits are equal are sorted by the others. */
static void sort_by_last_bits(const double *score, const Scratch *scratch, int64_t count, int width)
{
    const uint64_t kept = low_bits(width);
    for (int64_t first = 0, last; first < count; first = last) {
        const uint64_t leading = scratch->words[first] >> width;
        for (last = first + 1; last < count && scratch->words[last] >> width == leading;)
            last++;
        if (last == first + 1)
            continue;
        for (int64_t at = first; at < last; at++) {
            const uint64_t position = scratch->words[at] & kept;
            scratch->words[at] = (fall_of(score[position]) & low_bits(width - 1)) << width | position;
        }
        sort_words(scratch->words + first, scratch->spare, last - first, width, 2 * width - 1);
    }
}

/* Bring the scores of a label, in the order of their rows, from high to low; equal ones stay in
 * order. A word is the leading bits of a score and its position: plain numbers are sorted fastest. */
static Fault sort_scores(double *score, const Scratch *scratch, int64_t count)
{
    const int width = bits_of(count ? count - 1 : 0);
    for (int64_t at = 0; at < count; at++) {
        if (UNLIKELY(!(score[at] >= 0 && score[at] <= 1)))
            return fault("score", at);
        scratch->words[at] = fall_of(score[at]) >> (width - 1) << width | (uint64_t)at;
    }
    sort_words(scratch->words, scratch->spare, count, width, SCORE_BITS + 1);
    sort_by_last_bits(score, scratch, count, width);
    double *unsorted = (double *)scratch->spare;
    memcpy(unsorted, score, (size_t)count * sizeof *score);
    for (int64_t at = 0; at < count; at++) {
        scratch->words[at] &= low_bits(width); /* now the position alone */
        if (at + AHEAD < count)
            PREFETCH(&unsorted[scratch->words[at + AHEAD] & low_bits(width)]);
        score[at] = unsorted[scratch->words[at]];
    }
    return FINE;
}

static inline int64_t row_of(const Scratch *scratch, int64_t at)
{
    const uint64_t position = scratch->words[at];
    return scratch->row ? scratch->row[position] : (int64_t)position;
}

static void write_truth(const Ranking *job, int64_t truth, int64_t label, int64_t row, double score,
                        int64_t first, int64_t last)
{
    job->out_found_label[truth] = (int32_t)label;
    job->out_found_datum[truth] = job->datum[row];
    job->out_found_score[truth] = score;
    job->out_first[truth] = first;
    job->out_last[truth] = last;
}

/* Truths that scores name, in the order of their scores; returns where the next truth belongs. */
static int64_t find_named(const Ranking *job, const Scratch *scratch, int64_t label)
{
    const int64_t first = job->out_bounds[label], count = job->out_bounds[label + 1] - first;
    const double *score = job->out_ranked_score + first;
    int64_t next = job->truth_start[label], open = next, start = 0;
    for (int64_t at = 0; at < count; at++) {
        if (score[at] != score[start]) {
            while (open < next)
                job->out_last[open++] = first + at;
            start = at;
        }
        const int64_t row = row_of(scratch, at);
        job->out_ranked_datum[first + at] = job->datum[row];
        if (!scratch->is_true[row])
            continue;
        scratch->is_true[row] = 0;
        write_truth(job, next++, label, row, score[at], first + start, first + count);
    }
    return next;
}

/* The other truths score 0, behind all that scores more. */
static int64_t find_unnamed(const Ranking *job, const Scratch *scratch, int64_t label, int64_t next)
{
    const int64_t end = job->out_bounds[label + 1];
    int64_t zeros = end;
    while (zeros > job->out_bounds[label] && job->out_ranked_score[zeros - 1] == 0)
        zeros--;
    for (int64_t at = job->truth_start[label]; at < job->truth_start[label + 1]; at++) {
        const int32_t row = job->true_row[at];
        if (scratch->is_true[row])
            write_truth(job, next++, label, row, 0.0, zeros, end);
        scratch->is_true[row] = 0;
    }
    return next;
}

static Fault rank_label(const Ranking *job, const Scratch *scratch, int64_t label)
{
    const int64_t first = job->out_bounds[label], count = job->out_bounds[label + 1] - first;
    if (scratch->row)
        memcpy(scratch->row, job->out_ranked_datum + first, (size_t)count * sizeof *scratch->row);
    const Fault wrong = sort_scores(job->out_ranked_score + first, scratch, count);
    if (wrong.what)
        return wrong;
    for (int64_t at = job->truth_start[label]; at < job->truth_start[label + 1]; at++)
        scratch->is_true[job->true_row[at]] = 1;
    const int64_t named = find_named(job, scratch, label);
    const int64_t all = find_unnamed(job, scratch, label, named);
    return all == job->truth_start[label + 1] ? FINE : fault("truth", all); /* a pair came twice */
}

/* Columns of a matrix: neighbours lie in one line of the processor's cache. */
static void copy_columns(const Ranking *job, int64_t first, int64_t last)
{
    for (int64_t row = 0; row < job->rows; row++)
        for (int64_t label = first; label < last; label++)
            job->out_ranked_score[label * job->rows + row] = job->score[row * job->labels + label];
}

static Fault rank_taken(Ranking *job, const Scratch *scratch)
{
    Fault wrong = FINE;
    int64_t first;
    memset(scratch->is_true, 0, (size_t)job->rows);
    while (!wrong.what && (first = count_up(&job->next) * job->at_once) < job->labels) {
        const int64_t end = first + job->at_once, last = end < job->labels ? end : job->labels;
        if (!job->row)
            copy_columns(job, first, last);
        for (int64_t label = first; label < last && !wrong.what; label++)
            wrong = rank_label(job, scratch, label);
    }
    return wrong;
}

static void rank_on_thread(void *work, int64_t number)
{
    Ranking *job = work;
    Pool pool = {{0}, 0, 0};
    Scratch scratch = {pool_alloc(&pool, job->most, 8), pool_alloc(&pool, job->most, 8), NULL, NULL};
    scratch.is_true = pool_alloc(&pool, job->rows, 1);
    if (job->row)
        scratch.row = pool_alloc(&pool, job->most, sizeof *scratch.row);
    job->wrong[number] = pool.failed ? NO_MEMORY : rank_taken(job, &scratch);
    pool_free(&pool);
}

/* Cells label by label; the column of datums holds rows until a label is ranked. */
static void group_cells(Ranking *job)
{
    int64_t *bounds = job->out_bounds;
    if (!job->row) {
        for (int64_t label = 0; label <= job->labels; label++)
            bounds[label] = label * job->rows;
        return;
    }
    count_keys(job->label, job->cells, job->labels, bounds);
    for (int64_t cell = 0; cell < job->cells; cell++) {
        const int64_t position = bounds[job->label[cell]]++;
        job->out_ranked_score[position] = job->score[cell];
        job->out_ranked_datum[position] = job->row[cell];
    }
    rewind_starts(bounds, job->labels);
}

static void group_truths(Ranking *job)
{
    count_keys(job->truth_label, job->truths, job->labels, job->truth_start);
    for (int64_t truth = 0; truth < job->truths; truth++)
        job->true_row[job->truth_start[job->truth_label[truth]]++] = job->truth_row[truth];
    rewind_starts(job->truth_start, job->labels);
}

static Fault rank_groups(Ranking *job)
{
    enum { LINE = 8 }; /* scores in a line of cache */
    group_cells(job);
    group_truths(job);
    job->most = 0;
    for (int64_t label = 0; label < job->labels; label++) {
        const int64_t count = job->out_bounds[label + 1] - job->out_bounds[label];
        job->most = count > job->most ? count : job->most;
    }
    job->at_once = job->labels >= LINE * 2 * job->threads ? LINE : 2;
    for_each(job->threads, job->threads, rank_on_thread, job);
    for (int number = 0; number < job->threads; number++)
        if (job->wrong[number].what)
            return job->wrong[number];
    return FINE;
}

static Fault rank_all(Ranking *job)
{
    Pool pool = {{0}, 0, 0};
    Fault wrong = check_scores(job->rows, job->labels, job->cells, job->row, job->label);
    wrong = wrong.what ? wrong : check_below(job->truth_row, job->truths, job->rows, "truth_row");
    wrong = wrong.what ? wrong
                       : check_below(job->truth_label, job->truths, job->labels, "truth_label");
    job->truth_start = pool_alloc(&pool, job->labels + 1, sizeof *job->truth_start);
    job->true_row = pool_alloc(&pool, job->truths, sizeof *job->true_row);
    job->wrong = pool_alloc(&pool, job->threads, sizeof *job->wrong);
    if (!wrong.what)
        wrong = pool.failed ? NO_MEMORY : rank_groups(job);
    pool_free(&pool);
    return wrong;
}

BIND(rank_scores, Ranking, RANKING, rank_all)
