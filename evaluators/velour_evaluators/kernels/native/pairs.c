/* Pairs of a detection and a truth: which overlap, and which of them match. */
#include "bind.h"
#include "lanes.h"
#include "masks.h"

#define MEETINGS(_)                                                                \
    _(LENGTH(rows, INT64_MAX))                                                     \
    _(LENGTH(listed, INT64_MAX))                                                   \
    _(LENGTH(detections, INT64_MAX))                                               \
    _(LENGTH(truths, INT64_MAX))                                                   \
    _(COLUMN(int64, row, OF(rows)))           /* detections to look at */          \
    _(COLUMN(int64, cell_truth, OF(listed)))  /* truths, those of a cell together */ \
    _(COLUMN(int64, first, OF(detections)))   /* where each one's cell is listed */ \
    _(COLUMN(int64, count, OF(detections)))   /* and how long it is */             \
    _(COLUMN(bool8, crowd, OF(truths)))                                            \
    _(OPTIONAL(float64, truth_box, OF(truths), JUST(4)))                           \
    _(OPTIONAL(float64, box, OF(detections), JUST(4)))                             \
    _(OPTIONAL_PART(Rasters, truth_masks, rasters)) /* compared instead of boxes */ \
    _(OPTIONAL_PART(Rasters, masks, rasters))                                      \
    _(REAL(least))                                                                 \
    _(THREADS(threads))                                                            \
    _(COUNTED(room)) /* the sum of the rows' counts */                             \
    _(COUNTED(pairs))                                                              \
    _(OUT(int64, detection, UP_TO(room, pairs)))                                   \
    _(OUT(int64, truth, UP_TO(room, pairs)))                                       \
    _(OUT(float64, iou, UP_TO(room, pairs)))

typedef struct {
    MEETINGS(FIELD)
    /* between the steps */
    int64_t *start; /* (rows + 1,) where each row's room begins */
    int64_t *pairs_of_row; /* (rows,) how many pairs it has */
    int64_t bad;
} Meetings;

static inline double iou_of_boxes(const double *truth, const double *box, int crowd, double bar)
{
    const double right = truth[0] + truth[2], bottom = truth[1] + truth[3];
    const double end = box[0] + box[2], low = box[1] + box[3];
    const double across = (right < end ? right : end) - (truth[0] > box[0] ? truth[0] : box[0]);
    const double down = (bottom < low ? bottom : low) - (truth[1] > box[1] ? truth[1] : box[1]);
    if (!((across > 0) & (down > 0)))
        return 0;
    const double shared = across * down, area = box[2] * box[3];
    const double all = crowd ? area : truth[2] * truth[3] + area - shared;
    return (shared > 0) & (shared >= bar * all) ? shared / all : 0;
}

static void meet_rows(void *work, int64_t part)
{
    Meetings *job = work;
    const double bar = job->least * (1 - 1e-6);
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t position = part * MASKS_AT_ONCE; position < end && position < job->rows; position++) {
        const int64_t row = job->row[position], *truths = job->cell_truth + job->first[row];
        int64_t to = job->start[position];
        for (int64_t number = 0; number < job->count[row]; number++) {
            const int64_t truth = truths[number];
            if (UNLIKELY((uint64_t)truth >= (uint64_t)job->truths)) {
                note_row(&job->bad, job->first[row] + number);
                break;
            }
            const double iou =
                job->masks ? iou_of_masks(job->truth_masks, truth, job->masks, row,
                                          job->crowd[truth], job->least)
                           : iou_of_boxes(job->truth_box + 4 * truth, job->box + 4 * row,
                                          job->crowd[truth], bar);
            if (iou >= job->least && iou > 0) {
                job->out_detection[to] = row;
                job->out_truth[to] = truth;
                job->out_iou[to++] = iou;
            }
        }
        job->pairs_of_row[position] = to - job->start[position];
    }
}

/* Check the cells, and count how many pairs there may be. */
static Fault check_meetings(Meetings *job)
{
    const int masks = job->masks != NULL, boxes = job->box != NULL;
    if (masks == boxes || masks != (job->truth_masks != NULL) || boxes != (job->truth_box != NULL) ||
        (masks && (job->masks->masks != job->detections || job->truth_masks->masks != job->truths)))
        return fault("size", 0);
    for (int64_t position = 0; position < job->rows; position++) {
        const int64_t row = job->row[position];
        if ((uint64_t)row >= (uint64_t)job->detections)
            return fault("detection to look at", position);
        if (job->first[row] < 0 || job->count[row] < 0 || job->first[row] > job->listed ||
            job->count[row] > job->listed - job->first[row])
            return fault("cell of detection", row);
        if (job->count[row] > INT64_MAX / 16 - job->room)
            return fault("room of row", position);
        job->room += job->count[row];
    }
    return FINE;
}

static Fault measure_sides(Meetings *job, Pool *pool)
{
    Rasters *sides[2] = {job->truth_masks, job->masks};
    Fault wrong = FINE;
    for (int side = 0; side < 2 && job->masks && !wrong.what; side++) {
        sides[side]->area = pool_alloc(pool, sides[side]->masks, sizeof(double));
        sides[side]->box = pool_alloc(pool, sides[side]->masks * 4, sizeof(int64_t));
        wrong = pool->failed ? NO_MEMORY : measure_rasters(sides[side], job->threads);
    }
    return wrong;
}

/* Bring the pairs of all rows together. */
static void close_pairs(Meetings *job)
{
    for (int64_t position = 0; position < job->rows; position++) {
        const int64_t from = job->start[position], to = job->pairs;
        const size_t size = (size_t)job->pairs_of_row[position] * 8;
        memmove(job->out_detection + to, job->out_detection + from, size);
        memmove(job->out_truth + to, job->out_truth + from, size);
        memmove(job->out_iou + to, job->out_iou + from, size);
        job->pairs += job->pairs_of_row[position];
    }
}

/* Write the pairs that overlap enough, row after row. */
static Fault find_pairs(Meetings *job)
{
    Pool pool = {{NULL}, 0, 0};
    job->start = pool_alloc(&pool, job->rows + 1, sizeof *job->start);
    job->pairs_of_row = pool_alloc(&pool, job->rows, sizeof *job->pairs_of_row);
    job->bad = -1;
    Fault wrong = pool.failed ? NO_MEMORY : measure_sides(job, &pool);
    if (!wrong.what) {
        job->start[0] = 0;
        for (int64_t position = 0; position < job->rows; position++)
            job->start[position + 1] = job->start[position] + job->count[job->row[position]];
        for_each((job->rows + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, job->threads, meet_rows, job);
        if (job->bad >= 0)
            wrong = fault("truth of cell", job->bad);
        else
            close_pairs(job);
    }
    pool_free(&pool);
    return wrong;
}

BIND_PREPARED(find_pairs, Meetings, MEETINGS, check_meetings, find_pairs)

/* ---- Matching pairs ----------------------------------------------------------------------------- */

#define PAIRS(_)                                     \
    _(LENGTH(pairs, INT64_MAX))                      \
    _(LENGTH(detections, INT32_MAX))                 \
    _(LENGTH(truths, INT64_MAX))                     \
    _(COLUMN(int64, rank, OF(detections)))           \
    _(COLUMN(int64, detection, OF(pairs)))           \
    _(COLUMN(int64, truth, OF(pairs)))               \
    _(COLUMN(float64, iou, OF(pairs)))               \
    _(COLUMN(uint64, lanes, OF(pairs)))              \
    _(COLUMN(uint64, ignored_in, OF(truths)))        \
    _(COLUMN(bool8, crowd, OF(truths)))              \
    _(COUNTED(matches))                              \
    _(OUT(int64, row, UP_TO(detections, matches)))   \
    _(OUT(uint64, hit, UP_TO(detections, matches)))  \
    _(OUT(uint64, ignored, UP_TO(detections, matches)))

typedef struct {
    PAIRS(FIELD)
} Pairs;

/* A pair, waiting to be tried; the number keeps equal ones as given. */
typedef struct {
    double iou;
    int64_t truth, number;
} Wish;

static int by_wish(const void *a, const void *b)
{
    const Wish *wish = a, *other = b;
    if (wish->iou != other->iou)
        return wish->iou > other->iou ? -1 : 1;
    if (wish->truth != other->truth)
        return wish->truth > other->truth ? -1 : 1;
    return wish->number < other->number ? -1 : 1;
}

static Fault check_pairs(const Pairs *job)
{
    for (int64_t row = 0; row < job->detections; row++)
        if (job->rank[row] < 0 || job->rank[row] > INT32_MAX)
            return fault("rank", row);
    for (int64_t row = 0; row < job->pairs; row++) {
        if ((uint64_t)job->detection[row] >= (uint64_t)job->detections)
            return fault("detection of pair", row);
        if ((uint64_t)job->truth[row] >= (uint64_t)job->truths)
            return fault("truth of pair", row);
        if (job->iou[row] != job->iou[row])
            return fault("IoU of pair", row);
    }
    return FINE;
}

/* Lanes in which one detection matches a truth among the pairs of `wishes`. */
static void grant(const Pairs *job, Lanes *taken, const Wish *wishes, int64_t count, Lanes *hit,
                  Lanes *ignored)
{
    Lanes matched[2] = {0, 0}; /* with truths that count, then with others */
    for (int beside = 0; beside < 2; beside++) {
        for (int64_t position = 0; position < count; position++) {
            int64_t truth = wishes[position].truth;
            Lanes eligible = beside ? job->ignored_in[truth] : ~job->ignored_in[truth];
            Lanes busy = job->crowd[truth] ? 0 : taken[truth];
            Lanes free = job->lanes[wishes[position].number] & eligible & ~busy & ~(matched[0] | matched[1]);
            matched[beside] |= free;
            taken[truth] |= free;
        }
    }
    *hit = matched[0];
    *ignored = matched[1];
}

static Fault match_pairs(Pairs *job)
{
    Fault wrong = check_pairs(job);
    if (wrong.what)
        return wrong;
    Pool pool = {{NULL}, 0, 0};
    int64_t *start = pool_alloc(&pool, job->detections + 1, sizeof *start);
    Wish *wishes = pool_alloc(&pool, job->pairs, sizeof *wishes);
    Lanes *taken = pool_alloc(&pool, job->truths, sizeof *taken);
    uint64_t *turns = pool_alloc(&pool, job->detections, sizeof *turns);
    uint64_t *spare = pool_alloc(&pool, job->detections, sizeof *spare);
    Lanes *hit = pool_alloc(&pool, job->detections, sizeof *hit);
    Lanes *ignored = pool_alloc(&pool, job->detections, sizeof *ignored);
    if (pool.failed) {
        pool_free(&pool);
        return NO_MEMORY;
    }
    memset(start, 0, (size_t)(job->detections + 1) * sizeof *start);
    memset(taken, 0, (size_t)job->truths * sizeof *taken);
    for (int64_t row = 0; row < job->pairs; row++)
        start[job->detection[row] + 1]++;
    for (int64_t row = 0; row < job->detections; row++)
        start[row + 1] += start[row];
    for (int64_t row = 0; row < job->pairs; row++) {
        Wish wish = {job->iou[row], job->truth[row], row};
        wishes[start[job->detection[row]]++] = wish;
    }
    rewind_starts(start, job->detections);

    /* those of lower rank choose first; no two of one rank overlap the same truth */
    int64_t asking = 0;
    for (int64_t row = 0; row < job->detections; row++)
        if (start[row + 1] > start[row])
            turns[asking++] = (uint64_t)job->rank[row] << 32 | (uint64_t)row;
    sort_words(turns, spare, asking, 32, 64);
    for (int64_t turn = 0; turn < asking; turn++) {
        int64_t row = (int64_t)(turns[turn] & UINT32_MAX), count = start[row + 1] - start[row];
        if (count > 1)
            qsort(wishes + start[row], (size_t)count, sizeof *wishes, by_wish);
        grant(job, taken, wishes + start[row], count, &hit[row], &ignored[row]);
    }
    job->matches = 0;
    for (int64_t row = 0; row < job->detections; row++) {
        if (start[row + 1] == start[row] || !(hit[row] | ignored[row]))
            continue;
        job->out_row[job->matches] = row;
        job->out_hit[job->matches] = hit[row];
        job->out_ignored[job->matches++] = ignored[row];
    }
    pool_free(&pool);
    return FINE;
}

BIND(match_pairs, Pairs, PAIRS, match_pairs)
