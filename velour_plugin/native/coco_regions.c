/* Polygons and lists of run lengths of COCO files. */
#include "coco.h"
#include "masks.h"

/* Total number of characters of several slices of a text. */
static Fault check_slices(const int64_t *start, const int64_t *stop, int64_t count, int64_t length,
                          int64_t *total)
{
    *total = 0;
    for (int64_t slice = 0; slice < count; slice++) {
        if (start[slice] < 0 || start[slice] > stop[slice] || stop[slice] > length)
            return fault("start of region", slice);
        if (stop[slice] - start[slice] > INT64_MAX / 16 - *total)
            return fault("room of regions", slice);
        *total += stop[slice] - start[slice];
    }
    return FINE;
}

/* Polygons of several records: [[x, y, x, y, ...], ...] each. */
#define POLYGONS_OF(_)                                                                  \
    _(BYTES(text, length))                                                              \
    _(LENGTH(records, INT64_MAX))                                                       \
    _(COLUMN(int64, start, OF(records)))                                                \
    _(COLUMN(int64, stop, OF(records)))                                                 \
    _(COUNTED(points_room))                                                             \
    _(COUNTED(rings_room))                                                              \
    _(COUNTED(points))                                                                  \
    _(COUNTED(rings))                                                                   \
    _(OUT(float64, point, UP_TO(points_room, points), JUST(2)))                         \
    _(OUT(int64, ring, UP_TO(rings_room, rings))) /* where the points of each begin */  \
    _(OUT(int64, record, MORE(records, 1)))       /* where the rings of each begin */   \
    READ_STATUS(_)

typedef struct {
    POLYGONS_OF(FIELD)
} Polygons;

/* The most points and rings that the slices can hold; an open ring gets one more point. */
static Fault find_room_of_polygons(Polygons *job)
{
    int64_t length;
    const Fault wrong = check_slices(job->start, job->stop, job->records, job->length, &length);
    job->rings_room = length / (int64_t)strlen("[0,0,0,0,0,0]") + 2;
    job->points_room = length / (int64_t)strlen("0,0,") + 1 + job->rings_room;
    return wrong;
}

/* Close a ring by its first point; returns its number of points, at least four. */
static int64_t close_ring(double *point, int64_t points)
{
    const double *last = point + 2 * (points - 1);
    if (point[0] == last[0] && point[1] == last[1] && points > 3)
        return points;
    memcpy(point + 2 * points, point, 2 * sizeof *point);
    return points + 1;
}

static int read_ring(Reader *reader, Polygons *to, int64_t points)
{
    int64_t numbers = 0;
    int more;
    if (!accept(reader, '['))
        return expected(reader, "a list of coordinates");
    for (int first = 1; (more = next_element(reader, ']', first)) > 0; first = 0, numbers++) {
        if (points + numbers / 2 + 1 >= to->points_room)
            return expected(reader, "fewer coordinates");
        if (!read_double(reader, &to->out_point[2 * points + numbers]))
            return 0;
    }
    if (more < 0)
        return 0;
    if (numbers < 6 || numbers % 2)
        return expected(reader, "an even number of coordinates, at least six");
    if (to->rings == to->rings_room)
        return expected(reader, "fewer polygons");
    to->out_ring[to->rings++] = points + close_ring(to->out_point + 2 * points, numbers / 2);
    return 1;
}

static int read_rings(Reader *reader, Polygons *to)
{
    int more;
    if (!accept(reader, '['))
        return expected(reader, "a list of polygons");
    for (int first = 1; (more = next_element(reader, ']', first)) > 0; first = 0)
        if (!read_ring(reader, to, to->out_ring[to->rings - 1]))
            return 0;
    return more == 0;
}

static Fault read_polygons(Polygons *job)
{
    Reader reader = {job->text, job->length, 0, NULL, 0, 0, 0};
    job->out_ring[job->rings++] = 0;
    job->out_record[0] = 0;
    for (int64_t record = 0; record < job->records; record++) {
        reader.at = job->start[record];
        if (!read_rings(&reader, job))
            break;
        job->out_record[record + 1] = job->rings - 1;
    }
    job->points = reader.wrong ? 0 : job->out_ring[job->rings - 1];
    return CLOSE(job, &reader);
}

BIND_PREPARED(read_polygons, Polygons, POLYGONS_OF, find_room_of_polygons, read_polygons)

/* Run lengths of several masks, [background, mask, background, ...] each. */
#define COUNTS_OF(_)                                                                   \
    _(BYTES(text, length))                                                             \
    _(LENGTH(records, INT64_MAX))                                                      \
    _(COLUMN(int64, start, OF(records)))                                               \
    _(COLUMN(int64, stop, OF(records)))                                                \
    _(COLUMN(int64, size, OF(records), JUST(2))) /* height and width in pixels */      \
    _(COUNTED(room))                                                                   \
    _(COUNTED(count))                                                                  \
    _(OUT(int64, edge, UP_TO(room, count)))                                            \
    _(OUT(int64, mask, MORE(records, 1))) /* where the edges of each begin */          \
    READ_STATUS(_)

typedef struct {
    COUNTS_OF(FIELD)
} Counts;

static Fault find_room_of_counts(Counts *job)
{
    int64_t length;
    const Fault wrong = check_slices(job->start, job->stop, job->records, job->length, &length);
    job->room = length / (int64_t)strlen("0,") + 1 + job->records;
    return wrong;
}

/* Pixels of a mask; 0 for an invalid size. */
static int64_t pixels_of(const int64_t *size)
{
    return size[0] < 1 || size[1] < 1 || size[1] > INT64_MAX / size[0] ? 0 : size[0] * size[1];
}

/* Read the runs of one mask as edges; returns their number, or -1 where they do not fill it. */
static int64_t read_runs(Reader *reader, int64_t pixels, int64_t *edge, int64_t room)
{
    int64_t count = 0, position = 0, run;
    int more;
    if (!accept(reader, '['))
        return expected(reader, "run lengths") - 1;
    for (int first = 1; (more = next_element(reader, ']', first)) > 0; first = 0) {
        if (count == room)
            return expected(reader, "fewer run lengths") - 1;
        if (!read_id(reader, &run))
            return -1;
        if (run < 0 || run > pixels - position)
            break;
        position += run;
        count = flip(edge, count, position);
    }
    if (more || !pixels || position != pixels)
        return expected(reader, "run lengths that fill the mask") - 1;
    return count && edge[count - 1] == pixels ? count - 1 : count;
}

static Fault read_counts(Counts *job)
{
    Reader reader = {job->text, job->length, 0, NULL, 0, 0, 0};
    job->out_mask[0] = 0;
    for (int64_t record = 0; record < job->records; record++) {
        reader.at = job->start[record];
        const int64_t count = read_runs(&reader, pixels_of(job->size + 2 * record),
                                        job->out_edge + job->count, job->room - job->count);
        if (count < 0)
            break;
        job->count += count;
        job->out_mask[record + 1] = job->count;
    }
    return CLOSE(job, &reader);
}

BIND_PREPARED(read_counts, Counts, COUNTS_OF, find_room_of_counts, read_counts)
