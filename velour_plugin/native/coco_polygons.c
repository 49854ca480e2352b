/* Polygons of COCO files. */
#include "coco.h"

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
    VERDICT(_)

typedef struct {
    POLYGONS_OF(FIELD)
} Polygons;

/* As many points and rings as fit between the starts and stops. */
static Fault find_room_of_polygons(Polygons *job)
{
    int64_t length = 0;
    for (int64_t record = 0; record < job->records; record++) {
        if (job->start[record] < 0 || job->start[record] > job->stop[record] ||
            job->stop[record] > job->length)
            return fault("start of polygons", record);
        if (job->stop[record] - job->start[record] > INT64_MAX / 16 - length)
            return fault("room of polygons", record);
        length += job->stop[record] - job->start[record];
    }
    job->points_room = length / (int64_t)strlen("0,0,") + 1;
    job->rings_room = length / (int64_t)strlen("[0,0,0,0,0,0]") + 2;
    return FINE;
}

static int read_ring(Reader *reader, Polygons *to, int64_t points)
{
    int64_t numbers = 0;
    int more;
    if (!accept(reader, '['))
        return expected(reader, "a list of coordinates");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0, numbers++) {
        if (points + numbers / 2 >= to->points_room)
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
    to->out_ring[to->rings++] = points + numbers / 2;
    return 1;
}

static int read_rings(Reader *reader, Polygons *to)
{
    int more;
    if (!accept(reader, '['))
        return expected(reader, "a list of polygons");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0)
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
