#include "masks.h"

BIND_PART(rasters, Rasters, RASTERS)

/* Check the starts and sizes of masks. */
static Fault check_rasters(const Rasters *job)
{
    for (int64_t mask = 0; mask < job->masks; mask++) {
        if (job->start[mask] < 0 || job->start[mask] > job->stop[mask] ||
            job->stop[mask] > job->flips)
            return fault("start of mask", mask);
        if (job->height[mask] < 1 || job->width[mask] < 1 ||
            job->width[mask] > INT64_MAX / job->height[mask])
            return fault("size of mask", mask);
    }
    return FINE;
}

/* End of the run that begins at edge `at`; an open run reaches to the end of the mask. */
static inline int64_t run_end(const Rasters *job, int64_t mask, int64_t at)
{
    return at + 1 < job->stop[mask] ? job->edges[at + 1] : job->height[mask] * job->width[mask];
}

/* Whether edges increase and lie inside, so that sums and differences cannot overflow. */
static int edges_are_sound(const Rasters *job, int64_t mask)
{
    const int64_t size = job->height[mask] * job->width[mask];
    int64_t before = -1;
    int sound = 1;
    for (int64_t at = job->start[mask]; at < job->stop[mask]; at++) {
        sound &= job->edges[at] > before;
        before = job->edges[at];
    }
    return sound && before < size;
}

/* A pixel column, and the position of its first pixel. */
typedef struct {
    uint64_t number, first;
} Column;

/* Advance to the column of a later position, and return its row; neighbours need no division. */
static inline int64_t go_to(Column *column, int64_t position, uint64_t height)
{
    uint64_t ahead = (uint64_t)position - column->first;
    if (ahead >= height) {
        const uint64_t columns = ahead - height < height ? 1 : ahead / height;
        column->number += columns;
        column->first += columns * height;
        ahead -= columns * height;
    }
    return (int64_t)ahead;
}

/* Clamp a position to [-1, end). */
static inline int64_t inside(int64_t position, int64_t end)
{
    return position < -1 ? -1 : position < end ? position : end - 1;
}

void measure_mask(const Rasters *job, int64_t mask)
{
    const int64_t height = job->height[mask], width = job->width[mask];
    int64_t left = 1, right = 0, top = height, bottom = -1;
    uint64_t area = 0;
    Column column = {0, 0};
    for (int64_t at = job->start[mask]; at < job->stop[mask]; at += 2) {
        const int64_t begin = job->edges[at], end = run_end(job, mask, at);
        const int64_t high = go_to(&column, begin, (uint64_t)height);
        const uint64_t first = column.number;
        const int64_t low = go_to(&column, (int64_t)((uint64_t)end - 1), (uint64_t)height);
        const int whole = column.number != first; /* such a run touches the top and the bottom */
        left = at == job->start[mask] ? (int64_t)first : left;
        right = (int64_t)column.number;
        top = whole ? 0 : high < top ? high : top;
        bottom = whole ? height - 1 : low > bottom ? low : bottom;
        area += (uint64_t)end - (uint64_t)begin;
    }
    const int64_t box[4] = {inside(left, width + 1), inside(right, width), area ? top : 1,
                            area ? inside(bottom, height) : 0};
    memcpy(job->box + 4 * mask, box, sizeof box);
    job->area[mask] = (double)(int64_t)area;
}

static void measure_masks(void *argument, int64_t part)
{
    Rasters *job = argument;
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t mask = part * MASKS_AT_ONCE; mask < end && mask < job->masks; mask++) {
        if (edges_are_sound(job, mask))
            measure_mask(job, mask);
        else
            note_row(&job->bad, mask);
    }
}

Fault measure_rasters(Rasters *job, int threads)
{
    Fault wrong = check_rasters(job);
    job->bad = -1;
    if (!wrong.what)
        for_each((job->masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, measure_masks, job);
    return job->bad < 0 ? wrong : fault("edges of mask", job->bad);
}

#define MEASURE(_)                                          \
    _(PART(Rasters, masks, rasters))                        \
    _(THREADS(threads))                                     \
    _(OUT(float64, area, OF(masks.masks)))                  \
    _(OUT(int64, box, OF(masks.masks), JUST(4)))

typedef struct {
    MEASURE(FIELD)
} Measure;

static Fault measure_all(Measure *job)
{
    job->masks.area = job->out_area;
    job->masks.box = job->out_box;
    return measure_rasters(&job->masks, job->threads);
}

BIND(measure_rasters, Measure, MEASURE, measure_all)

static double shared_pixels(const Rasters *ours, int64_t mine, const Rasters *theirs, int64_t other)
{
    int64_t our_edge = ours->start[mine], their_edge = theirs->start[other];
    uint64_t shared = 0;
    const int64_t last = ours->stop[mine], end = theirs->stop[other];
    while (our_edge < last && their_edge < end) {
        const int64_t begin = ours->edges[our_edge] > theirs->edges[their_edge] ? ours->edges[our_edge] : theirs->edges[their_edge];
        const int64_t stop = run_end(ours, mine, our_edge), halt = run_end(theirs, other, their_edge);
        const int64_t until = stop < halt ? stop : halt;
        shared += until > begin ? (uint64_t)until - (uint64_t)begin : 0;
        our_edge += stop <= halt ? 2 : 0;
        their_edge += halt <= stop ? 2 : 0;
    }
    return (double)(int64_t)shared;
}

static inline int64_t overlap_of(const int64_t *first, const int64_t *second)
{
    const int64_t low = first[0] > second[0] ? first[0] : second[0], high = first[1] < second[1] ? first[1] : second[1];
    return high >= low ? high - low + 1 : 0;
}

double iou_of_masks(const Rasters *ours, int64_t truth, const Rasters *theirs,
                           int64_t detection, int crowd, double least)
{
    const int64_t *box = ours->box + 4 * truth, *other = theirs->box + 4 * detection;
    const double overlap = (double)overlap_of(box, other) * (double)overlap_of(box + 2, other + 2);
    const double area = ours->area[truth], mine = theirs->area[detection];
    double most = area < mine ? area : mine;
    most = overlap < most ? overlap : most;
    if (most <= 0 || most / (crowd ? mine : area + mine - most) < least)
        return 0;
    const double shared = shared_pixels(ours, truth, theirs, detection);
    return shared > 0 ? shared / (crowd ? mine : area + mine - shared) : 0;
}

int64_t close_gaps(int64_t masks, const int64_t *first, int64_t *edge, int64_t *start)
{
    start[0] = 0;
    for (int64_t mask = 0; mask < masks; mask++) {
        const int64_t count = start[mask + 1], to = start[mask];
        memmove(edge + to, edge + first[mask], (size_t)count * sizeof *edge);
        start[mask + 1] = to + count;
    }
    return start[masks];
}
