/* Polygons rasterised by COCO's rule. */
#include "masks.h"

/* COCO traces an outline on a grid five times as fine as the pixels. */
static const int SUBPIXELS = 5;
static const double FARTHEST = 1e15; /* pixels: fine coordinates are whole numbers that a double holds */

#define OUTLINES(_)                                                                     \
    _(LENGTH(points, INT64_MAX))                                                        \
    _(LENGTH(rings, INT64_MAX))                                                         \
    _(LENGTH(parts, INT64_MAX))                                                         \
    _(LENGTH(masks, INT64_MAX))                                                         \
    _(COLUMN(float64, point, OF(points), JUST(2)))   /* as x, y in pixels */            \
    _(COLUMN(int64, ring_start, MORE(rings, 1)))     /* in points */                    \
    _(COLUMN(int64, part_start, MORE(parts, 1)))     /* in rings: an outline and its holes */ \
    _(COLUMN(int64, mask_start, MORE(masks, 1)))     /* in parts: their union */        \
    _(COLUMN(int64, height, OF(masks)))                                                 \
    _(COLUMN(int64, width, OF(masks)))                                                  \
    _(LENGTH(others, INT64_MAX))                                                        \
    _(COLUMN(int64, behind, OF(others))) /* edges to stand behind those that are drawn */ \
    _(THREADS(threads))                                                                 \
    _(COUNTED(room)) /* at most so many edges */                                        \
    _(COUNTED(count))                                                                   \
    _(OUT(int64, edges, UP_TO(room, count)))                                            \
    _(OUT(int64, start, MORE(masks, 1)))

typedef struct {
    OUTLINES(FIELD)
    /* between the steps */
    int64_t *first; /* (tasks + 1,) where the room of each task's masks begins */
    int no_room;
} Outlines;

static Fault check_starts(const char *what, const int64_t *start, int64_t count, int64_t end)
{
    if (start[0] != 0 || start[count] != end)
        return fault(what, 0);
    for (int64_t index = 0; index < count; index++)
        if (start[index] > start[index + 1])
            return fault(what, index);
    return FINE;
}

static Fault check_outlines(const Outlines *job)
{
    Fault wrong = check_starts("start of ring", job->ring_start, job->rings, job->points);
    if (!wrong.what)
        wrong = check_starts("start of part", job->part_start, job->parts, job->rings);
    if (!wrong.what)
        wrong = check_starts("start of mask", job->mask_start, job->masks, job->parts);
    for (int64_t index = 0; index < 2 * job->points && !wrong.what; index++)
        if (!(job->point[index] >= -FARTHEST && job->point[index] <= FARTHEST))
            wrong = fault("point", index / 2);
    for (int64_t mask = 0; mask < job->masks && !wrong.what; mask++)
        if (job->height[mask] < 1 || job->width[mask] < 1 || job->height[mask] > INT32_MAX ||
            job->width[mask] > INT32_MAX)
            wrong = fault("size of mask", mask);
    return wrong;
}

static inline int64_t fine(double coordinate)
{
    return (int64_t)(SUBPIXELS * coordinate + 0.5);
}

/* Tracing an outline: the last fine point, and the crossings of pixel columns so far. */
typedef struct {
    int64_t height, width;
    int64_t u, v; /* the last fine point */
    int begun;
    uint64_t *position, *spare;
    int64_t count, room;
} Walk;

/* Sort the crossings, and keep once those that occur an odd number of times. */
static void cancel_pairs(Walk *walk)
{
    const int64_t size = walk->height * walk->width, count = walk->count;
    int bits = 1;
    while (bits < 62 && size >> bits)
        bits++;
    sort_words(walk->position, walk->spare, count, 0, bits);
    walk->count = 0;
    for (int64_t index = 0; index < count; index++)
        walk->count = flip((int64_t *)walk->position, walk->count, (int64_t)walk->position[index]);
}

/* A step between two fine columns counts when it crosses the centre line of a pixel column. */
static inline void cross(Walk *walk, int64_t u, int64_t low_v)
{
    if (u < SUBPIXELS / 2 || (u - SUBPIXELS / 2) % SUBPIXELS)
        return;
    const int64_t column = (u - SUBPIXELS / 2) / SUBPIXELS;
    if (column > walk->width - 1)
        return;
    double y = ((double)low_v + 0.5) / SUBPIXELS - 0.5;
    y = y < 0 ? 0 : y > (double)walk->height ? (double)walk->height : y;
    int64_t row = (int64_t)y;
    row += (double)row < y;
    if (UNLIKELY(walk->count == walk->room))
        cancel_pairs(walk);
    walk->position[walk->count++] = (uint64_t)(column * walk->height + row);
}

/* A side: fine points at whole steps along its longer direction, rounded across it. */
typedef struct {
    int64_t along, across; /* where it begins: the lower end of the longer direction */
    int64_t steps;
    double rise;
    int flat; /* wider than tall */
} Side;

static Side side_between(const int64_t *start, const int64_t *stop, int backwards, int flat)
{
    const int64_t *low = backwards ? stop : start, *high = backwards ? start : stop;
    const int along = flat ? 0 : 1;
    const int64_t steps = high[along] - low[along];
    const double rise = steps ? (double)(high[1 - along] - low[1 - along]) / (double)steps : 0.0;
    return (Side){low[along], low[1 - along], steps, rise, flat};
}

static inline int64_t across_at(const Side *side, int64_t done)
{
    return (int64_t)((double)side->across + side->rise * (double)done + 0.5);
}

/* Where the side before ended and this one begins may be a fine point apart. */
static void step_to(Walk *walk, const Side *side, int64_t done)
{
    const int64_t along = side->along + done, across = across_at(side, done);
    const int64_t u = side->flat ? along : across, v = side->flat ? across : along;
    if (walk->begun && u != walk->u)
        cross(walk, u < walk->u ? u : walk->u, v < walk->v ? v : walk->v);
}

static void stand_at(Walk *walk, const Side *side, int64_t done)
{
    const int64_t along = side->along + done, across = across_at(side, done);
    walk->begun = 1;
    walk->u = side->flat ? along : across;
    walk->v = side->flat ? across : along;
}

/* Whether a steep side has left fine column `u`, on its way to the right or to the left. */
static inline int is_beyond(const Side *side, int64_t done, int64_t u)
{
    return (across_at(side, done) > u) == (side->rise > 0);
}

/* The first step of a steep side beyond fine column `u`: computed, searched where that was inexact. */
static int64_t first_beyond(const Side *side, int64_t u)
{
    int64_t low = 0, high = side->steps; /* beyond at `high`, not yet at `low` */
    const double guess = ((double)(u - side->across) + 0.5) / side->rise;
    for (int64_t step = (int64_t)guess - 1; step <= (int64_t)guess + 2; step++)
        if (step > low && step < high) {
            if (is_beyond(side, step, u))
                high = step;
            else
                low = step;
        }
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (is_beyond(side, middle, u))
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* Cross fine column `u` where the side does, between two of its steps. */
static inline void cross_side(Walk *walk, const Side *side, int64_t u)
{
    if (side->flat) {
        const int64_t here = across_at(side, u - side->along), next = across_at(side, u + 1 - side->along);
        cross(walk, u, here < next ? here : next);
        return;
    }
    const int64_t beyond = first_beyond(side, u);
    if (across_at(side, beyond - (side->rise > 0)) == u)
        cross(walk, u, side->along + beyond - 1);
}

/* Only fine columns that may count are looked at: the centre lines of the image's pixel columns. */
static void walk_side(Walk *walk, const int64_t *start, const int64_t *stop)
{
    const int64_t wide = llabs(stop[0] - start[0]), tall = llabs(stop[1] - start[1]);
    const int flat = wide >= tall, along = flat ? 0 : 1;
    const int backwards = start[along] > stop[along];
    const Side side = side_between(start, stop, backwards, flat);
    step_to(walk, &side, backwards ? side.steps : 0);
    const int64_t begin = flat ? side.along : across_at(&side, 0);
    const int64_t end = flat ? side.along + side.steps : across_at(&side, side.steps);
    const int64_t farthest = walk->width * SUBPIXELS;
    int64_t first = begin < end ? begin : end, last = begin < end ? end : begin;
    first = first > 0 ? first : 0;
    last = last < farthest ? last : farthest;
    first += (SUBPIXELS + SUBPIXELS / 2 - first % SUBPIXELS) % SUBPIXELS;
    for (int64_t u = first; u < last; u += SUBPIXELS)
        cross_side(walk, &side, u);
    stand_at(walk, &side, backwards ? 0 : side.steps);
}

static void walk_ring(Walk *walk, const double *point, int64_t points)
{
    walk->begun = 0;
    for (int64_t number = 0; number < points; number++) {
        const double *from = point + 2 * number;
        const double *to = point + 2 * (number + 1 < points ? number + 1 : 0);
        const int64_t start[2] = {fine(from[0]), fine(from[1])}, stop[2] = {fine(to[0]), fine(to[1])};
        walk_side(walk, start, stop);
    }
}

/* Upper bound of a ring's crossings: each pixel column that a side may cross, and its ends. */
static int64_t room_of_ring(const double *point, int64_t points, int64_t width)
{
    int64_t room = 0;
    for (int64_t number = 0; number < points; number++) {
        const double *to = point + 2 * (number + 1 < points ? number + 1 : 0);
        const int64_t columns = llabs(fine(to[0]) - fine(point[2 * number])) / SUBPIXELS + 3;
        room += columns < width + 3 ? columns : width + 3;
    }
    return room;
}

/* Upper bound of a mask's edges. Crossings cancel in pairs, so that as many again have room. */
static int64_t room_of_mask(const Outlines *job, int64_t mask)
{
    const int64_t most = 2 * (job->height[mask] + 1) * job->width[mask] + 64;
    const int64_t last = job->part_start[job->mask_start[mask + 1]];
    int64_t room = 0;
    for (int64_t ring = job->part_start[job->mask_start[mask]]; ring < last; ring++) {
        const int64_t first = job->ring_start[ring];
        room += room_of_ring(job->point + 2 * first, job->ring_start[ring + 1] - first,
                             job->width[mask]);
    }
    return room < most ? room : most;
}

/* Check the outlines, and compute an upper bound of the number of edges. */
static Fault find_room(Outlines *job)
{
    Fault wrong = check_outlines(job);
    for (int64_t mask = 0; mask < job->masks && !wrong.what; mask++)
        job->room += room_of_mask(job, mask);
    job->room += job->others;
    return wrong;
}

typedef struct {
    uint64_t *position, *spare, *steps;
    int64_t *edges;
    int64_t room;
} RasterScratch;

/* Rasterise one part of a mask: its sorted crossings that occur an odd number of times. */
static int64_t draw_part(const Outlines *job, RasterScratch *scratch, int64_t mask, int64_t part, int64_t *edges)
{
    Walk walk = {.height = job->height[mask], .width = job->width[mask],
                 .position = scratch->position, .spare = scratch->spare, .room = scratch->room};
    for (int64_t ring = job->part_start[part]; ring < job->part_start[part + 1]; ring++) {
        const int64_t first = job->ring_start[ring];
        walk_ring(&walk, job->point + 2 * first, job->ring_start[ring + 1] - first);
    }
    cancel_pairs(&walk);
    memcpy(edges, walk.position, (size_t)walk.count * sizeof *edges);
    return walk.count && edges[walk.count - 1] == walk.height * walk.width ? walk.count - 1 : walk.count;
}

/* Steps into a part (even) and out of it (odd), in any order, as the edges of the parts' union. */
static int64_t unite(RasterScratch *scratch, int64_t count, int64_t size, int64_t *edges)
{
    int64_t depth = 0, flips = 0;
    int bits = 2;
    while (bits < 63 && size >> (bits - 1))
        bits++;
    sort_words(scratch->steps, scratch->spare, count, 0, bits);
    for (int64_t index = 0; index < count; index++) { /* in before out, where parts touch */
        const uint64_t step = scratch->steps[index];
        const int64_t before = depth;
        depth += step & 1 ? -1 : 1;
        if ((before == 0) != (depth == 0))
            flips = flip(edges, flips, (int64_t)(step >> 1));
    }
    return flips && edges[flips - 1] == size ? flips - 1 : flips;
}

/* Add the steps into and out of what lies between edges; the last one may be left open. */
static int64_t add_steps(RasterScratch *scratch, int64_t count, const int64_t *edges, int64_t flips, int64_t size)
{
    for (int64_t index = 0; index < flips; index++)
        scratch->steps[count++] = (uint64_t)edges[index] << 1 | (uint64_t)(index & 1);
    if (flips & 1)
        scratch->steps[count++] = (uint64_t)size << 1 | 1;
    return count;
}

/* Rasterise a mask; returns the number of edges. */
static int64_t draw_mask(const Outlines *job, RasterScratch *scratch, int64_t mask, int64_t *edges)
{
    const int64_t size = job->height[mask] * job->width[mask];
    const int64_t first = job->mask_start[mask], last = job->mask_start[mask + 1];
    int64_t count = 0;
    if (last - first == 1) /* nearly always */
        return draw_part(job, scratch, mask, first, edges);
    for (int64_t part = first; part < last; part++) {
        const int64_t flips = draw_part(job, scratch, mask, part, scratch->edges);
        if (count + flips + 1 > scratch->room) { /* never more stay than there are pixels */
            const int64_t united = unite(scratch, count, size, edges);
            count = add_steps(scratch, 0, edges, united, size);
        }
        count = add_steps(scratch, count, scratch->edges, flips, size);
    }
    return unite(scratch, count, size, edges);
}

static void draw_masks(void *argument, int64_t part)
{
    Outlines *job = argument;
    const int64_t first = part * MASKS_AT_ONCE;
    const int64_t last = first + MASKS_AT_ONCE < job->masks ? first + MASKS_AT_ONCE : job->masks;
    int64_t most = 0, *edges = job->out_edges + job->first[part];
    for (int64_t mask = first; mask < last; mask++) {
        const int64_t room = room_of_mask(job, mask);
        most = room > most ? room : most;
    }
    Pool pool = {{NULL}, 0, 0};
    RasterScratch scratch = {pool_alloc(&pool, most, sizeof(uint64_t)), pool_alloc(&pool, most, sizeof(uint64_t)),
                 pool_alloc(&pool, most, sizeof(uint64_t)), pool_alloc(&pool, most, sizeof(int64_t)), most};
    if (pool.failed)
        raise_flag(&job->no_room);
    else
        for (int64_t mask = first; mask < last; mask++) {
            job->out_start[mask + 1] = draw_mask(job, &scratch, mask, edges);
            edges += job->out_start[mask + 1];
        }
    pool_free(&pool);
}

/* Move the edges of all tasks together, and append the other edges. */
static void join_parts(Outlines *job)
{
    job->count = 0;
    for (int64_t mask = 0; mask < job->masks; mask += MASKS_AT_ONCE) {
        int64_t *edges = job->out_edges + job->count;
        const int64_t end = mask + MASKS_AT_ONCE < job->masks ? mask + MASKS_AT_ONCE : job->masks;
        const int64_t before = job->count;
        for (int64_t drawn = mask; drawn < end; drawn++) {
            job->count += job->out_start[drawn + 1];
            job->out_start[drawn + 1] = job->count;
        }
        memmove(edges, job->out_edges + job->first[mask / MASKS_AT_ONCE],
                (size_t)(job->count - before) * sizeof *edges);
    }
    memcpy(job->out_edges + job->count, job->behind, (size_t)job->others * sizeof *job->behind);
    job->count += job->others;
}

static Fault draw_outlines(Outlines *job)
{
    const int64_t parts = (job->masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE;
    Pool pool = {{NULL}, 0, 0};
    job->first = pool_alloc(&pool, parts + 1, sizeof *job->first);
    if (pool.failed)
        return NO_MEMORY;
    job->out_start[0] = 0;
    for (int64_t mask = 0, room = 0; mask < job->masks; mask++) {
        if (mask % MASKS_AT_ONCE == 0)
            job->first[mask / MASKS_AT_ONCE] = room;
        room += room_of_mask(job, mask);
    }
    for_each(parts, job->threads, draw_masks, job);
    if (!job->no_room)
        join_parts(job);
    pool_free(&pool);
    return job->no_room ? NO_MEMORY : FINE;
}

BIND_PREPARED(draw_outlines, Outlines, OUTLINES, find_room, draw_outlines)
