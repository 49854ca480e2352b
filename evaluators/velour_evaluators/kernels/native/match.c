/* Match detections with ground truths: from columns to the tables of a ledger. */
#include "bind.h"
#include "lanes.h"
#include "masks.h"
#include "rle.h"

/* A detection: its row in the columns, and its position in the order of the ledger. */
typedef struct {
    int32_t row, position;
} Slot;

#define MATCHING(_)                                                                      \
    _(SIZE(datums, INT32_MAX))                                                           \
    _(SIZE(labels, INT32_MAX))                                                           \
    _(SIZE(most, UINT16_MAX)) /* detections of a datum and label that are kept */        \
    _(LENGTH(truths, INT32_MAX))                                                         \
    _(COLUMN(int32, truth_datum, OF(truths)))                                            \
    _(COLUMN(int32, truth_label, OF(truths)))                                            \
    _(SHARED(float64, truth_box, OF(truths), JUST(4)))                                   \
    _(SHARED(float64, truth_area, OF(truths)))                                           \
    _(SHARED(bool8, crowd, OF(truths)))                                                  \
    _(LENGTH(detections, INT32_MAX))                                                     \
    _(COLUMN(int32, datum, OF(detections)))                                              \
    _(COLUMN(int32, label, OF(detections)))                                              \
    _(SHARED(float64, box, OF(detections), JUST(4)))                                     \
    _(SHARED(float64, score, OF(detections)))                                            \
    _(SHARED(float64, area, OF(detections)))                                             \
    /* compared instead of boxes; texts are decoded one at a time, and none is kept */   \
    _(OPTIONAL_PART(Rasters, truth_masks, rasters))                                      \
    _(OPTIONAL_PART(Rasters, masks, rasters))                                            \
    _(OPTIONAL_PART(Texts, texts, texts))                                                \
    _(BACKED(datums, truths, detections))                                                \
    _(BACKED(labels, truths, detections))                                                \
    _(LENGTH(areas, MOST_AREAS))                                                         \
    _(LENGTH(thresholds, MOST_LANES))                                                    \
    _(COLUMN(float64, range, OF(areas), JUST(2)))                                        \
    _(COLUMN(float64, threshold, OF(thresholds)))                                        \
    _(THREADS(threads))                                                                  \
    /* the ledger */                                                                     \
    _(COUNTED(kept))                                                                     \
    _(COUNTED(matches))                                                                  \
    _(OUT(int32, label, UP_TO(detections, kept)))                                        \
    _(OUT(int32, datum, UP_TO(detections, kept)))                                        \
    _(OUT(float64, score, UP_TO(detections, kept)))                                      \
    _(OUT(uint16, rank, UP_TO(detections, kept)))                                        \
    _(OUT(uint8, areas, UP_TO(detections, kept)))                                        \
    _(OUT(int32, match, UP_TO(detections, matches)))                                     \
    _(OUT(uint64, hit, UP_TO(detections, matches)))                                      \
    _(OUT(uint64, ignored, UP_TO(detections, matches)))                                  \
    _(OUT(uint8, truth_areas, OF(truths)))

typedef struct {
    MATCHING(FIELD)
    /* between the steps */
    Grid grid;
    uint64_t *words, *spare;  /* score, as an order that rises, and row */
    int shift;                /* bits of the score's order that do not fit beside the row */
    int64_t *label_start;     /* where each label's words begin */
    Slot *slots;              /* by datum, then as in the ledger */
    int64_t *slot_start;      /* where each datum's slots begin */
    int32_t *truth_rows;      /* truths by datum, then label, then as given */
    int64_t *truth_start;     /* where each datum's truths begin */
    int32_t *match_index;     /* (detections,) where the lanes of each are in hit; -1: no match */
    Lanes *hit, *ignored;
    int64_t chunks;
    int failed;
    int64_t bad; /* a detection whose run lengths are malformed, or -1 */
} Boxes;

/* Scores from 1 down to 0 as whole numbers that rise: the bits of a double sort as it does. */
static inline uint64_t falling(double score)
{
    uint64_t bits;
    score += 0.0; /* -0.0 sorts as 0.0 */
    memcpy(&bits, &score, sizeof bits);
    return UINT64_C(0x3FF0000000000000) - bits;
}

static Fault check_scores(Boxes *job)
{
    uint64_t most = 0;
    for (int64_t row = 0; row < job->detections; row++) {
        if (UNLIKELY(!(job->score[row] >= 0.0 && job->score[row] <= 1.0)))
            return fault("score", row);
        uint64_t order = falling(job->score[row]);
        most = order > most ? order : most;
    }
    job->shift = 0;
    while (most >> job->shift > UINT32_MAX)
        job->shift++;
    return FINE;
}

/* Group the detections by label, in their order inside each. */
static Fault group_by_label(Boxes *job)
{
    int64_t wrong = count_keys(job->label, job->detections, job->labels, job->label_start);
    if (wrong >= 0)
        return fault("label", wrong);
    for (int64_t row = 0; row < job->detections; row++) {
        uint64_t order = falling(job->score[row]) >> job->shift;
        job->words[job->label_start[job->label[row]]++] = order << 32 | (uint64_t)row;
    }
    rewind_starts(job->label_start, job->labels);
    return FINE;
}

static inline double score_of(const Boxes *job, uint64_t word)
{
    return job->score[(uint32_t)word];
}

/* Sort words by falling score, stably, where their first 32 bits could not tell. */
static void merge_scores(const Boxes *job, uint64_t *words, uint64_t *spare, int64_t count)
{
    uint64_t *from = words, *to = spare;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t low = 0; low < count; low += 2 * width) {
            int64_t middle = low + width < count ? low + width : count;
            int64_t high = middle + width < count ? middle + width : count;
            int64_t left = low, right = middle;
            for (int64_t position = low; position < high; position++) {
                int second = left == middle || (right < high && score_of(job, from[right]) >
                                                                    score_of(job, from[left]));
                to[position] = second ? from[right++] : from[left++];
            }
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != words)
        memcpy(words, from, (size_t)count * sizeof *words);
}

/* Sort the detections of one label by falling score. */
static void sort_label(void *work, int64_t label)
{
    Boxes *job = work;
    int64_t first = job->label_start[label], last = job->label_start[label + 1];
    uint64_t *words = job->words, *spare = job->spare;
    sort_words(words + first, spare + first, last - first, 32, 64);
    if (!job->shift)
        return;
    for (int64_t position = first; position < last;) {
        int64_t end = position + 1;
        int sorted = 1;
        while (end < last && words[end] >> 32 == words[position] >> 32) {
            sorted &= score_of(job, words[end - 1]) >= score_of(job, words[end]);
            end++;
        }
        if (!sorted)
            merge_scores(job, words + position, spare + position, end - position);
        position = end;
    }
}

/* Write label, datum and score in the order of the ledger, and group its positions by datum. */
static Fault group_by_datum(Boxes *job)
{
    int64_t wrong = count_keys(job->datum, job->detections, job->datums, job->slot_start);
    if (wrong >= 0)
        return fault("datum", wrong);
    for (int64_t label = 0; label < job->labels; label++) {
        for (int64_t position = job->label_start[label]; position < job->label_start[label + 1]; position++) {
            if (position + AHEAD < job->detections) {
                const uint32_t later = (uint32_t)job->words[position + AHEAD];
                PREFETCH(&job->datum[later]);
                PREFETCH(&job->score[later]);
            }
            int32_t row = (int32_t)(uint32_t)job->words[position];
            int32_t datum = job->datum[row];
            Slot slot = {row, (int32_t)position};
            job->slots[job->slot_start[datum]++] = slot;
            job->out_label[position] = (int32_t)label;
            job->out_datum[position] = datum;
            job->out_score[position] = job->score[row];
        }
    }
    rewind_starts(job->slot_start, job->datums);
    return FINE;
}

/* The area in the column, or else that of the region. */
static inline double area_of(const double *area, const double *box, const Rasters *masks, int64_t row)
{
    if (area[row] == area[row])
        return area[row];
    return masks ? masks->area[row] : box[4 * row + 2] * box[4 * row + 3];
}

static Fault group_truths(Boxes *job, Pool *pool)
{
    int32_t *by_label = pool_alloc(pool, job->truths, sizeof *by_label);
    int64_t *start = pool_alloc(pool, job->labels + 1, sizeof *start);
    if (pool->failed)
        return NO_MEMORY;
    int64_t wrong = count_keys(job->truth_label, job->truths, job->labels, start);
    if (wrong >= 0)
        return fault("truth label", wrong);
    for (int64_t row = 0; row < job->truths; row++)
        by_label[start[job->truth_label[row]]++] = (int32_t)row;
    wrong = count_keys(job->truth_datum, job->truths, job->datums, job->truth_start);
    if (wrong >= 0)
        return fault("truth datum", wrong);
    for (int64_t position = 0; position < job->truths; position++) {
        int32_t row = by_label[position];
        job->truth_rows[job->truth_start[job->truth_datum[row]]++] = row;
    }
    rewind_starts(job->truth_start, job->datums);
    for (int64_t row = 0; row < job->truths; row++) {
        const double area = area_of(job->truth_area, job->truth_box, job->truth_masks, row);
        job->out_truth_areas[row] = job->crowd[row] ? 0 : ranges_of(&job->grid, area);
    }
    return FINE;
}

/* A truth of the current cell, with the lanes in which it is matched already. */
typedef struct {
    double left, top, right, bottom, area;
    int64_t row;
    Lanes ignored; /* lanes in which it is out of range or a crowd */
    Lanes taken;
    Lanes held;    /* all lanes where taking it bars others; none for a crowd */
} Target;

typedef struct {
    double iou;
    int32_t target;
    Lanes lanes;
} Candidate;

/* Memory to match a cell in; one for each thread, used for many cells. */
typedef struct {
    Target *targets;
    Candidate *candidates;
    int64_t room;
    Rasters mask; /* of the current detection, when it comes as text */
    int64_t *edges, edges_room, start, stop, box[4];
    double area;
} Cell;

/* Falling IoU; of equals the later truth first, as COCO's loop leaves it. */
static int by_preference(const void *a, const void *b)
{
    const Candidate *candidate = a, *other = b;
    if (candidate->iou != other->iou)
        return candidate->iou > other->iou ? -1 : 1;
    return (candidate->target < other->target) - (candidate->target > other->target);
}

static void sort_candidates(Candidate *candidates, int64_t count)
{
    if (count > 24) {
        qsort(candidates, (size_t)count, sizeof *candidates, by_preference);
        return;
    }
    for (int64_t next = 1; next < count; next++) {
        Candidate candidate = candidates[next];
        int64_t position = next;
        for (; position > 0 && by_preference(&candidate, &candidates[position - 1]) < 0; position--)
            candidates[position] = candidates[position - 1];
        candidates[position] = candidate;
    }
}

/* Match one detection: first with truths that count, then with those that make it ignored. */
static void take_targets(Target *targets, const Candidate *candidates, int64_t count, Lanes *hit,
                         Lanes *ignored)
{
    Lanes counted = 0, beside = 0;
    for (int64_t position = 0; position < count; position++) {
        Target *target = &targets[candidates[position].target];
        Lanes free = candidates[position].lanes & ~target->ignored & ~target->taken & ~counted;
        counted |= free;
        target->taken |= free & target->held;
    }
    for (int64_t position = 0; position < count; position++) {
        Target *target = &targets[candidates[position].target];
        Lanes free = candidates[position].lanes & target->ignored & ~target->taken & ~(counted | beside);
        beside |= free;
        target->taken |= free & target->held;
    }
    *hit = counted;
    *ignored = beside;
}

static int enter_cell(const Boxes *job, Cell *cell, const int32_t *rows, int64_t count)
{
    if (count > cell->room) {
        int64_t room = cell->room;
        if (!grow((void **)&cell->targets, &room, count, sizeof *cell->targets))
            return 0;
        room = cell->room;
        if (!grow((void **)&cell->candidates, &room, count, sizeof *cell->candidates))
            return 0;
        cell->room = room;
    }
    for (int64_t number = 0; number < count; number++) {
        const double *box = job->truth_box + 4 * (int64_t)rows[number];
        Target *target = &cell->targets[number];
        target->row = rows[number];
        target->left = box[0];
        target->top = box[1];
        target->right = box[0] + box[2];
        target->bottom = box[1] + box[3];
        target->area = box[2] * box[3];
        target->ignored = ~lanes_of_ranges(&job->grid, job->out_truth_areas[rows[number]]);
        target->taken = 0;
        target->held = job->crowd[rows[number]] ? 0 : ~(Lanes)0;
    }
    return 1;
}

/* The truths of the cell that a box overlaps enough to matter. */
static int64_t find_candidates(const Boxes *job, Cell *cell, int64_t targets, const double *box)
{
    const double left = box[0], top = box[1], right = box[0] + box[2], bottom = box[1] + box[3];
    const double area = box[2] * box[3], least = job->grid.threshold[0];
    const double bar = least * (1 - 1e-6); /* spares the division; never refuses what reaches least */
    int64_t count = 0;
    for (int64_t number = 0; number < targets; number++) {
        const Target *target = &cell->targets[number];
        double across = (target->right < right ? target->right : right) -
                        (target->left > left ? target->left : left);
        double down = (target->bottom < bottom ? target->bottom : bottom) -
                      (target->top > top ? target->top : top);
        double shared = across * down;
        double all = target->held ? target->area + area - shared : area;
        if (UNLIKELY((across > 0) & (down > 0) & (shared >= bar * all) & (shared > 0))) {
            double iou = shared / all;
            if (iou >= least) {
                Candidate candidate = {iou, (int32_t)number, lanes_of_iou(&job->grid, iou)};
                cell->candidates[count++] = candidate;
            }
        }
    }
    if (count > 1)
        sort_candidates(cell->candidates, count);
    return count;
}

/* Decode the mask of a detection into its cell; 0 when it is malformed, -1 when there is no room. */
static int decode_mask(const Boxes *job, Cell *cell, int64_t row)
{
    const Texts *texts = job->texts;
    const uint8_t *text = letters_of(texts, row);
    const int64_t length = texts->stop[row] - texts->start[row];
    if (!grow((void **)&cell->edges, &cell->edges_room, length + 1, sizeof *cell->edges))
        return -1;
    cell->start = 0;
    cell->stop = decode_text(text, length, texts->escaped, texts->height[row] * texts->width[row],
                             cell->edges);
    if (cell->stop < 0)
        return 0;
    const Rasters mask = {1,          cell->stop,           cell->edges,         &cell->start,
                          &cell->stop, &texts->height[row], &texts->width[row], &cell->area,
                          cell->box,  -1};
    cell->mask = mask;
    measure_mask(&cell->mask, 0);
    return 1;
}

/* The truths of the cell that a mask overlaps enough to matter. */
static int64_t find_masks(const Boxes *job, Cell *cell, int64_t targets, const Rasters *masks,
                          int64_t row)
{
    const double least = job->grid.threshold[0];
    int64_t count = 0;
    for (int64_t number = 0; number < targets; number++) {
        const Target *target = &cell->targets[number];
        const double iou =
            iou_of_masks(job->truth_masks, target->row, masks, row, !target->held, least);
        if (iou >= least && iou > 0) {
            Candidate candidate = {iou, (int32_t)number, lanes_of_iou(&job->grid, iou)};
            cell->candidates[count++] = candidate;
        }
    }
    if (count > 1)
        sort_candidates(cell->candidates, count);
    return count;
}

/* The datums of one chunk: rank, areas and matches of their detections, cell by cell. */
static void match_chunk(void *work, int64_t chunk)
{
    Boxes *job = work;
    Cell cell;
    memset(&cell, 0, sizeof cell);
    int64_t first_datum = chunk * job->datums / job->chunks;
    int64_t last_datum = (chunk + 1) * job->datums / job->chunks;
    int64_t match_index = job->slot_start[first_datum];
    for (int64_t datum = first_datum; datum < last_datum; datum++) {
        int64_t at = job->slot_start[datum], end = job->slot_start[datum + 1];
        int64_t truth = job->truth_start[datum], last_truth = job->truth_start[datum + 1];
        for (int64_t rank = 0, targets = 0; at < end; at++) {
            if (at + AHEAD < job->detections) {
                const Slot later = job->slots[at + AHEAD];
                PREFETCH(&job->box[4 * (int64_t)later.row]);
                PREFETCH(&job->area[later.row]);
                PREFETCH(&job->out_areas[later.position]);
                PREFETCH(&job->out_rank[later.position]);
                PREFETCH(&job->match_index[later.position]);
            }
            const Slot slot = job->slots[at];
            const int32_t label = job->label[slot.row];
            if (rank == 0) { /* a new cell */
                while (truth < last_truth && job->truth_label[job->truth_rows[truth]] < label)
                    truth++;
                targets = 0;
                while (truth + targets < last_truth &&
                       job->truth_label[job->truth_rows[truth + targets]] == label)
                    targets++;
                if (targets && !enter_cell(job, &cell, job->truth_rows + truth, targets)) {
                    raise_flag(&job->failed);
                    goto out;
                }
            }
            const double *box = job->box + 4 * (int64_t)slot.row;
            const Rasters *masks = job->masks;
            int64_t mask = slot.row;
            if (job->texts) {
                const int decoded = decode_mask(job, &cell, slot.row);
                if (decoded <= 0) {
                    if (decoded)
                        raise_flag(&job->failed);
                    else
                        note_row(&job->bad, slot.row);
                    goto out;
                }
                masks = &cell.mask;
                mask = 0;
            }
            const double given_area = job->area[slot.row];
            const double area = given_area == given_area ? given_area
                                : masks                  ? masks->area[mask]
                                                         : box[2] * box[3];
            job->out_areas[slot.position] = ranges_of(&job->grid, area);
            job->out_rank[slot.position] = (uint16_t)(rank < UINT16_MAX ? rank : UINT16_MAX);
            int32_t match = -1;
            if (targets && rank < job->most) {
                int64_t count = masks ? find_masks(job, &cell, targets, masks, mask)
                                      : find_candidates(job, &cell, targets, box);
                if (count) {
                    take_targets(cell.targets, cell.candidates, count, &job->hit[match_index],
                                 &job->ignored[match_index]);
                    if (job->hit[match_index] | job->ignored[match_index])
                        match = (int32_t)match_index++;
                }
            }
            job->match_index[slot.position] = match;
            rank = at + 1 < end && job->label[job->slots[at + 1].row] == label ? rank + 1 : 0;
        }
    }
out:
    free(cell.edges);
    free(cell.targets);
    free(cell.candidates);
}

/* Drop what lies beyond the most detections, and list the matches in order. */
static void close_ledger(Boxes *job)
{
    int64_t kept = 0, matches = 0;
    for (int64_t position = 0; position < job->detections; position++) {
        if (UNLIKELY(job->out_rank[position] >= job->most))
            continue;
        if (kept != position) {
            job->out_label[kept] = job->out_label[position];
            job->out_datum[kept] = job->out_datum[position];
            job->out_score[kept] = job->out_score[position];
            job->out_rank[kept] = job->out_rank[position];
            job->out_areas[kept] = job->out_areas[position];
        }
        int32_t match_index = job->match_index[position];
        if (match_index >= 0) {
            job->out_match[matches] = (int32_t)kept;
            job->out_hit[matches] = job->hit[match_index];
            job->out_ignored[matches++] = job->ignored[match_index];
        }
        kept++;
    }
    job->kept = kept;
    job->matches = matches;
}

static Fault check_sizes(Boxes *job)
{
    if (!make_grid(&job->grid, job->areas, job->thresholds, job->range, job->threshold) ||
        job->most < 1 || (job->masks && job->masks->masks != job->detections) ||
        (job->texts && job->texts->masks != job->detections) ||
        (job->truth_masks && job->truth_masks->masks != job->truths) ||
        !job->truth_masks != !(job->masks || job->texts))
        return fault("size", 0);
    return job->texts ? check_texts(job->texts) : FINE;
}

static Fault match_boxes(Boxes *job)
{
    Pool pool = {{NULL}, 0, 0};
    Rasters *sides[2] = {job->truth_masks, job->masks};
    Fault wrong = check_sizes(job);
    for (int side = 0; side < 2 && !wrong.what; side++) {
        if (!sides[side])
            continue;
        sides[side]->area = pool_alloc(&pool, sides[side]->masks, sizeof(double));
        sides[side]->box = pool_alloc(&pool, sides[side]->masks * 4, sizeof(int64_t));
        if (!pool.failed)
            wrong = measure_rasters(sides[side], job->threads);
    }
    job->words = pool_alloc(&pool, job->detections, sizeof *job->words);
    job->spare = pool_alloc(&pool, job->detections, sizeof *job->spare);
    job->label_start = pool_alloc(&pool, job->labels + 1, sizeof *job->label_start);
    job->slot_start = pool_alloc(&pool, job->datums + 1, sizeof *job->slot_start);
    job->truth_start = pool_alloc(&pool, job->datums + 1, sizeof *job->truth_start);
    job->truth_rows = pool_alloc(&pool, job->truths, sizeof *job->truth_rows);
    job->slots = pool_alloc(&pool, job->detections, sizeof *job->slots);
    job->match_index = pool_alloc(&pool, job->detections, sizeof *job->match_index);
    job->hit = pool_alloc(&pool, job->detections, sizeof *job->hit);
    job->ignored = pool_alloc(&pool, job->detections, sizeof *job->ignored);
    if (pool.failed)
        wrong = NO_MEMORY;
    if (!wrong.what)
        wrong = check_scores(job);
    if (!wrong.what)
        wrong = group_by_label(job);
    if (!wrong.what)
        wrong = group_truths(job, &pool);
    if (!wrong.what) {
        for_each(job->labels, job->threads, sort_label, job);
        wrong = group_by_datum(job);
    }
    if (!wrong.what) {
        job->chunks = job->threads > 1 ? 8 * job->threads : 1;
        job->failed = 0;
        job->bad = -1;
        for_each(job->chunks, job->threads, match_chunk, job);
        if (job->failed)
            wrong = NO_MEMORY;
        else if (job->bad >= 0)
            wrong = fault("run lengths of mask", job->bad);
        else
            close_ledger(job);
    }
    pool_free(&pool);
    return wrong;
}

BIND(match_boxes, Boxes, MATCHING, match_boxes)
