#include "regions.h"

#include <stdio.h>

#include "rle.h"

BIND_PART(regions, Regions, REGIONS)

enum { ROWS_AT_ONCE = 256, LONGEST_HEAD = 64, RING_HEAD = 4, PART_HEAD = 9 };

static int are_rising(const int64_t *start, int64_t count, int64_t end)
{
    if (start[0] != 0 || start[count] != end)
        return 0;
    for (int64_t at = 0; at < count; at++)
        if (start[at] > start[at + 1])
            return 0;
    return 1;
}

Fault check_regions(const Regions *regions)
{
    const int64_t ends[KINDS] = {INT64_MAX, regions->parts, regions->parts, regions->length,
                                 regions->flips};
    if (!are_rising(regions->ring_start, regions->rings, regions->points))
        return fault("start of ring", 0);
    if (!are_rising(regions->part_start, regions->parts, regions->rings))
        return fault("start of part", 0);
    for (int64_t row = 0; row < regions->rows; row++) {
        const int64_t start = regions->start[row], stop = regions->stop[row];
        const int64_t height = regions->size[2 * row], width = regions->size[2 * row + 1];
        const int kind = regions->kind[row];
        if (kind >= KINDS)
            return fault("kind of region", row);
        if (start < 0 || start > stop || stop > ends[kind])
            return fault("start of region", row);
        if (kind == HAS_TEXT && (height < 1 || width < 1 || width > INT64_MAX / height))
            return fault("size of mask", row);
    }
    return FINE;
}

static void put(Spelling *to, uint64_t value, int bytes)
{
    for (int at = 0; at < bytes; at++)
        to->bytes[to->length++] = (uint8_t)(value >> 8 * at);
}

static int make_room(Spelling *to, int64_t bytes)
{
    return grow((void **)&to->bytes, &to->room, to->length + bytes, 1);
}

static void put_coordinates(Spelling *to, const double *coordinate, int64_t count)
{
    for (int64_t at = 0; at < count; at++) {
        uint64_t bits;
        memcpy(&bits, coordinate + at, sizeof bits);
        put(to, bits, 8);
    }
}

/* Well-known binary of one polygon. */
static int spell_part(const Regions *regions, int64_t part, Spelling *to)
{
    const int64_t first = regions->part_start[part], last = regions->part_start[part + 1];
    const int64_t points = regions->ring_start[last] - regions->ring_start[first];
    if (!make_room(to, PART_HEAD + RING_HEAD * (last - first) + 16 * points))
        return 0;
    put(to, 1, 1); /* little endian */
    put(to, 3, 4); /* a polygon */
    put(to, (uint64_t)(last - first), 4);
    for (int64_t ring = first; ring < last; ring++) {
        const int64_t point = regions->ring_start[ring], end = regions->ring_start[ring + 1];
        put(to, (uint64_t)(end - point), 4);
        put_coordinates(to, regions->point + 2 * point, 2 * (end - point));
    }
    return 1;
}

static int spell_polygons(const Regions *regions, int64_t row, Spelling *to)
{
    const int64_t start = regions->start[row], stop = regions->stop[row];
    if (!make_room(to, 1 + PART_HEAD))
        return 0;
    put(to, 'P', 1);
    if (regions->kind[row] == HAS_MULTIPOLYGON) {
        put(to, 1, 1);
        put(to, 6, 4);
        put(to, (uint64_t)(stop - start), 4);
    }
    for (int64_t part = start; part < stop; part++)
        if (!spell_part(regions, part, to))
            return 0;
    return 1;
}

static int spell_edges(const Regions *regions, int64_t row, const int64_t *edges, int64_t count,
                       Spelling *to)
{
    if (!make_room(to, LONGEST_HEAD + 8 * count))
        return 0;
    to->length += snprintf((char *)to->bytes + to->length, LONGEST_HEAD, "R%lld,%lld;",
                           (long long)regions->size[2 * row], (long long)regions->size[2 * row + 1]);
    for (int64_t at = 0; at < count; at++)
        put(to, (uint64_t)edges[at], 8);
    return 1;
}

/* Decode the mask of a row into `to->edges`; returns their number, -1 when it is malformed, -2 when
 * there is no memory. */
static int64_t decode_row(const Regions *regions, int64_t row, Spelling *to)
{
    const uint8_t *text = (const uint8_t *)regions->text + regions->start[row];
    const int64_t length = regions->stop[row] - regions->start[row];
    if (!grow((void **)&to->edges, &to->edges_room, count_runs(text, length) + 1, sizeof *to->edges))
        return -2;
    return decode_text(text, length, (int)regions->escaped,
                       regions->size[2 * row] * regions->size[2 * row + 1], to->edges);
}

static Fault spell_region(const Regions *regions, int64_t row, Spelling *to)
{
    int64_t count;
    int has_room;
    switch (regions->kind[row]) {
    case HAS_NO_REGION:
        has_room = make_room(to, 1);
        if (has_room)
            put(to, 0, 1);
        break;
    case HAS_TEXT:
        count = decode_row(regions, row, to);
        if (count == -1)
            return fault("run lengths of mask", row);
        has_room = count >= 0 && spell_edges(regions, row, to->edges, count, to);
        break;
    case HAS_EDGES:
        has_room = spell_edges(regions, row, regions->edges + regions->start[row],
                               regions->stop[row] - regions->start[row], to);
        break;
    default:
        has_room = spell_polygons(regions, row, to);
    }
    return has_room ? FINE : NO_MEMORY;
}

Fault spell_regions(const Regions *regions, int64_t first, int64_t last, Spelling *to)
{
    Fault wrong = FINE;
    to->length = 0;
    for (int64_t row = first; row < last && !wrong.what; row++)
        wrong = spell_region(regions, row, to);
    return wrong;
}

void forget_spelling(Spelling *spelling)
{
    free(spelling->bytes);
    free(spelling->edges);
}

/* ---- Checking compressed masks ------------------------------------------------------------------ */

#define CHECKING(_)                       \
    _(PART(Regions, regions, regions))    \
    _(THREADS(threads))

typedef struct {
    CHECKING(FIELD)
    Fault *wrong; /* (tasks,) */
} Checking;

static void check_some_texts(void *argument, int64_t number)
{
    Checking *job = argument;
    const Regions *regions = &job->regions;
    const int64_t first = number * ROWS_AT_ONCE, last = first + ROWS_AT_ONCE;
    Fault wrong = FINE;
    for (int64_t row = first; row < last && row < regions->rows && !wrong.what; row++) {
        const uint8_t *text = (const uint8_t *)regions->text + regions->start[row];
        if (regions->kind[row] == HAS_TEXT &&
            !is_sound_text(text, regions->stop[row] - regions->start[row], (int)regions->escaped,
                           regions->size[2 * row] * regions->size[2 * row + 1]))
            wrong = fault("run lengths of mask", row);
    }
    job->wrong[number] = wrong;
}

static Fault check_texts_of(Checking *job)
{
    const int64_t tasks = (job->regions.rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    Fault wrong = check_regions(&job->regions);
    if (wrong.what)
        return wrong;
    Pool pool = {{0}, 0, 0};
    job->wrong = pool_alloc(&pool, tasks, sizeof *job->wrong);
    if (pool.failed)
        wrong = NO_MEMORY;
    else
        for_each(tasks, job->threads, check_some_texts, job);
    for (int64_t number = 0; number < tasks && !wrong.what; number++)
        wrong = job->wrong[number];
    pool_free(&pool);
    return wrong;
}

BIND(check_regions, Checking, CHECKING, check_texts_of)
