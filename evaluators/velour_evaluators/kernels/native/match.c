/* Detections are matched with ground truths: from columns to the tables of a ledger. */
#include "arguments.h"
#include "lanes.h"
#include "masks.h"
#include "rle.h"

/* A detection on its way: its row as given, and its place in the order of the ledger. */
typedef struct {
    int32_t row, place;
} Slot;

typedef struct {
    /* given */
    int64_t truths, detections, datums, labels, most;
    const int32_t *truth_datum, *truth_label, *datum, *label;
    const double *truth_box, *truth_area, *box, *score, *area;
    const uint8_t *crowd;
    Rasters *truth_masks, *masks; /* compared instead of boxes; NULL: boxes */
    Texts *texts; /* the detections' masks before decoding: each is looked at once, then forgotten */
    Grid grid;
    int threads;
    /* the ledger */
    int32_t *out_label, *out_datum, *out_match;
    double *out_score;
    uint16_t *out_rank;
    uint8_t *out_areas, *out_truth_areas;
    Lanes *out_hit, *out_ignored;
    int64_t kept, matches;
    /* between the steps */
    uint64_t *words, *spare;  /* score, as an order that rises, and row */
    int shift;                /* bits of the score's order that do not fit beside the row */
    int64_t *label_start;     /* where each label's words begin */
    Slot *slots;              /* by datum, then as in the ledger */
    int64_t *slot_start;      /* where each datum's slots begin */
    int32_t *truth_rows;      /* truths by datum, then label, then as given */
    int64_t *truth_start;     /* where each datum's truths begin */
    int32_t *found;           /* for each place, where its lanes are in hit and ignored; -1: no match */
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

/* Deal the detections out by label, as given inside each. */
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
            for (int64_t place = low; place < high; place++) {
                int second = left == middle || (right < high && score_of(job, from[right]) >
                                                                    score_of(job, from[left]));
                to[place] = second ? from[right++] : from[left++];
            }
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != words)
        memcpy(words, from, (size_t)count * sizeof *words);
}

/* One label: from the order as given to that of falling scores. */
static void sort_label(void *given, int64_t label)
{
    Boxes *job = given;
    int64_t first = job->label_start[label], last = job->label_start[label + 1];
    uint64_t *words = job->words, *spare = job->spare;
    sort_words(words + first, spare + first, last - first, 32, 64);
    if (!job->shift)
        return;
    for (int64_t place = first; place < last;) {
        int64_t end = place + 1;
        int sorted = 1;
        while (end < last && words[end] >> 32 == words[place] >> 32) {
            sorted &= score_of(job, words[end - 1]) >= score_of(job, words[end]);
            end++;
        }
        if (!sorted)
            merge_scores(job, words + place, spare + place, end - place);
        place = end;
    }
}

/* Write what of the ledger is known when the order is, and deal its places out by datum. */
static Fault group_by_datum(Boxes *job)
{
    int64_t wrong = count_keys(job->datum, job->detections, job->datums, job->slot_start);
    if (wrong >= 0)
        return fault("datum", wrong);
    for (int64_t label = 0; label < job->labels; label++) {
        for (int64_t place = job->label_start[label]; place < job->label_start[label + 1]; place++) {
            if (place + AHEAD < job->detections) {
                const uint32_t later = (uint32_t)job->words[place + AHEAD];
                SOON(&job->datum[later]);
                SOON(&job->score[later]);
            }
            int32_t row = (int32_t)(uint32_t)job->words[place];
            int32_t datum = job->datum[row];
            Slot slot = {row, (int32_t)place};
            job->slots[job->slot_start[datum]++] = slot;
            job->out_label[place] = (int32_t)label;
            job->out_datum[place] = datum;
            job->out_score[place] = job->score[row];
        }
    }
    rewind_starts(job->slot_start, job->datums);
    return FINE;
}

/* The area that was given, or else that of the region. */
static inline double area_of(const double *area, const double *box, const Rasters *masks, int64_t row)
{
    if (area[row] == area[row])
        return area[row];
    return masks ? masks->area[row] : box[4 * row + 2] * box[4 * row + 3];
}

static Fault group_truths(Boxes *job, Pool *pool)
{
    int32_t *by_label = take(pool, job->truths, sizeof *by_label);
    int64_t *start = take(pool, job->labels + 1, sizeof *start);
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
    for (int64_t place = 0; place < job->truths; place++) {
        int32_t row = by_label[place];
        job->truth_rows[job->truth_start[job->truth_datum[row]]++] = row;
    }
    rewind_starts(job->truth_start, job->datums);
    for (int64_t row = 0; row < job->truths; row++) {
        const double area = area_of(job->truth_area, job->truth_box, job->truth_masks, row);
        job->out_truth_areas[row] = job->crowd[row] ? 0 : ranges_of(&job->grid, area);
    }
    return FINE;
}

/* A truth of the cell at hand, with what has happened to it. */
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

/* Where one cell is matched; one for each thread, used for many. */
typedef struct {
    Target *targets;
    Candidate *candidates;
    int64_t room;
    Rasters mask; /* of the detection at hand, when it comes as text */
    int64_t *edges, edges_room, start, stop, box[4];
    double area;
} Cell;

/* Falling IoU; of equals the later truth first, as COCO's loop leaves it. */
static int by_preference(const void *a, const void *b)
{
    const Candidate *one = a, *other = b;
    if (one->iou != other->iou)
        return one->iou > other->iou ? -1 : 1;
    return (one->target < other->target) - (one->target > other->target);
}

static void sort_candidates(Candidate *candidates, int64_t count)
{
    if (count > 24) {
        qsort(candidates, (size_t)count, sizeof *candidates, by_preference);
        return;
    }
    for (int64_t next = 1; next < count; next++) {
        Candidate one = candidates[next];
        int64_t place = next;
        for (; place > 0 && by_preference(&one, &candidates[place - 1]) < 0; place--)
            candidates[place] = candidates[place - 1];
        candidates[place] = one;
    }
}

/* One detection takes its truths: first those that count, then those that make it ignored. */
static void take_targets(Target *targets, const Candidate *candidates, int64_t count, Lanes *hit,
                         Lanes *ignored)
{
    Lanes found = 0, beside = 0;
    for (int64_t place = 0; place < count; place++) {
        Target *target = &targets[candidates[place].target];
        Lanes free = candidates[place].lanes & ~target->ignored & ~target->taken & ~found;
        found |= free;
        target->taken |= free & target->held;
    }
    for (int64_t place = 0; place < count; place++) {
        Target *target = &targets[candidates[place].target];
        Lanes free = candidates[place].lanes & target->ignored & ~target->taken & ~(found | beside);
        beside |= free;
        target->taken |= free & target->held;
    }
    *hit = found;
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
                Candidate one = {iou, (int32_t)number, lanes_of_iou(&job->grid, iou)};
                cell->candidates[count++] = one;
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
    const uint8_t *text = texts->text + texts->start[row];
    const int64_t length = texts->stop[row] - texts->start[row];
    if (!grow((void **)&cell->edges, &cell->edges_room, count_runs(text, length) + 1,
              sizeof *cell->edges))
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
            Candidate one = {iou, (int32_t)number, lanes_of_iou(&job->grid, iou)};
            cell->candidates[count++] = one;
        }
    }
    if (count > 1)
        sort_candidates(cell->candidates, count);
    return count;
}

/* The datums of one chunk: rank, areas and matches of their detections, cell by cell. */
static void match_chunk(void *given, int64_t chunk)
{
    Boxes *job = given;
    Cell cell;
    memset(&cell, 0, sizeof cell);
    int64_t first_datum = chunk * job->datums / job->chunks;
    int64_t last_datum = (chunk + 1) * job->datums / job->chunks;
    int64_t found = job->slot_start[first_datum];
    for (int64_t datum = first_datum; datum < last_datum; datum++) {
        int64_t at = job->slot_start[datum], end = job->slot_start[datum + 1];
        int64_t truth = job->truth_start[datum], last_truth = job->truth_start[datum + 1];
        for (int64_t rank = 0, targets = 0; at < end; at++) {
            if (at + AHEAD < job->detections) {
                const Slot later = job->slots[at + AHEAD];
                SOON(&job->box[4 * (int64_t)later.row]);
                SOON(&job->area[later.row]);
                SOON(&job->out_areas[later.place]);
                SOON(&job->out_rank[later.place]);
                SOON(&job->found[later.place]);
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
                    job->failed = 1;
                    goto out;
                }
            }
            const double *box = job->box + 4 * (int64_t)slot.row;
            const Rasters *masks = job->masks;
            int64_t mask = slot.row;
            if (job->texts) {
                const int decoded = decode_mask(job, &cell, slot.row);
                if (decoded <= 0) {
                    job->bad = decoded ? job->bad : slot.row;
                    job->failed |= decoded < 0;
                    goto out;
                }
                masks = &cell.mask;
                mask = 0;
            }
            const double given_area = job->area[slot.row];
            const double area = given_area == given_area ? given_area
                                : masks                  ? masks->area[mask]
                                                         : box[2] * box[3];
            job->out_areas[slot.place] = ranges_of(&job->grid, area);
            job->out_rank[slot.place] = (uint16_t)(rank < UINT16_MAX ? rank : UINT16_MAX);
            int32_t match = -1;
            if (targets && rank < job->most) {
                int64_t count = masks ? find_masks(job, &cell, targets, masks, mask)
                                      : find_candidates(job, &cell, targets, box);
                if (count) {
                    take_targets(cell.targets, cell.candidates, count, &job->hit[found],
                                 &job->ignored[found]);
                    if (job->hit[found] | job->ignored[found])
                        match = (int32_t)found++;
                }
            }
            job->found[slot.place] = match;
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
    for (int64_t place = 0; place < job->detections; place++) {
        if (UNLIKELY(job->out_rank[place] >= job->most))
            continue;
        if (kept != place) {
            job->out_label[kept] = job->out_label[place];
            job->out_datum[kept] = job->out_datum[place];
            job->out_score[kept] = job->out_score[place];
            job->out_rank[kept] = job->out_rank[place];
            job->out_areas[kept] = job->out_areas[place];
        }
        int32_t found = job->found[place];
        if (found >= 0) {
            job->out_match[matches] = (int32_t)kept;
            job->out_hit[matches] = job->hit[found];
            job->out_ignored[matches++] = job->ignored[found];
        }
        kept++;
    }
    job->kept = kept;
    job->matches = matches;
}

static Fault match_boxes(Boxes *job)
{
    Pool pool = {{NULL}, 0, 0};
    Rasters *sides[2] = {job->truth_masks, job->masks};
    Fault wrong = FINE;
    for (int side = 0; side < 2; side++) {
        if (!sides[side])
            continue;
        sides[side]->area = take(&pool, sides[side]->masks, sizeof(double));
        sides[side]->box = take(&pool, sides[side]->masks * 4, sizeof(int64_t));
        if (!pool.failed && !wrong.what)
            wrong = measure_rasters(sides[side], job->threads);
    }
    job->words = take(&pool, job->detections, sizeof *job->words);
    job->spare = take(&pool, job->detections, sizeof *job->spare);
    job->label_start = take(&pool, job->labels + 1, sizeof *job->label_start);
    job->slot_start = take(&pool, job->datums + 1, sizeof *job->slot_start);
    job->truth_start = take(&pool, job->datums + 1, sizeof *job->truth_start);
    job->truth_rows = take(&pool, job->truths, sizeof *job->truth_rows);
    job->slots = take(&pool, job->detections, sizeof *job->slots);
    job->found = take(&pool, job->detections, sizeof *job->found);
    job->hit = take(&pool, job->detections, sizeof *job->hit);
    job->ignored = take(&pool, job->detections, sizeof *job->ignored);
    if (job->texts) {
        job->texts->first = take(&pool, job->texts->masks + 1, sizeof(int64_t));
        if (!pool.failed && !wrong.what)
            wrong = check_texts(job->texts);
    }
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
    give_back(&pool);
    return wrong;
}

PyObject *py_match_boxes(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_match_boxes(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 51))
        return NULL;
    Arguments next = {given, 0};
    Boxes job;
    memset(&job, 0, sizeof job);
    job.truths = next_number(&next);
    job.detections = next_number(&next);
    job.datums = next_number(&next);
    job.labels = next_number(&next);
    job.most = next_number(&next);
    job.truth_datum = next_address(&next);
    job.truth_label = next_address(&next);
    job.truth_box = next_address(&next);
    job.truth_area = next_address(&next);
    job.crowd = next_address(&next);
    job.datum = next_address(&next);
    job.label = next_address(&next);
    job.box = next_address(&next);
    job.score = next_address(&next);
    job.area = next_address(&next);
    int64_t areas = next_number(&next), thresholds = next_number(&next);
    const double *range = next_address(&next), *threshold = next_address(&next);
    job.threads = next_threads(&next);
    job.out_label = next_address(&next);
    job.out_datum = next_address(&next);
    job.out_score = next_address(&next);
    job.out_rank = next_address(&next);
    job.out_areas = next_address(&next);
    job.out_match = next_address(&next);
    job.out_hit = next_address(&next);
    job.out_ignored = next_address(&next);
    job.out_truth_areas = next_address(&next);
    Rasters truth_masks, masks; /* without starts: there are none */
    memset(&truth_masks, 0, sizeof truth_masks);
    memset(&masks, 0, sizeof masks);
    next_rasters(&next, &truth_masks);
    next_rasters(&next, &masks);
    Texts texts;
    memset(&texts, 0, sizeof texts);
    next_texts(&next, &texts);
    if (truth_masks.start)
        job.truth_masks = &truth_masks;
    if (masks.start)
        job.masks = &masks;
    if (texts.start)
        job.texts = &texts;
    if (next.failed)
        return NULL;
    if (!make_grid(&job.grid, areas, thresholds, range, threshold) || job.truths > INT32_MAX ||
        job.detections > INT32_MAX || job.datums > INT32_MAX || job.labels > INT32_MAX ||
        job.most < 1 || job.most > UINT16_MAX ||
        (job.masks && masks.masks != job.detections) || (job.texts && texts.masks != job.detections) ||
        (job.truth_masks && truth_masks.masks != job.truths) ||
        !job.truth_masks != !(job.masks || job.texts))
        return raise_fault(fault("size", 0));
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = match_boxes(&job);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    return Py_BuildValue("(LL)", (long long)job.kept, (long long)job.matches);
}
