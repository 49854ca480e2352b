/* COCO files, from bytes to columns. */
#include "bind.h"
#include "json.h"

static int read_box(Reader *reader, double *box)
{
    if (is_null(reader))
        return read_word(reader, "null");
    if (!accept(reader, '['))
        return expected(reader, "a list of four numbers");
    for (int place = 0; place < 4; place++) {
        if (place && !accept(reader, ','))
            return expected(reader, "four numbers");
        if (!read_double(reader, &box[place]))
            return 0;
    }
    return accept(reader, ']') || expected(reader, "the end of four numbers");
}

/* How a region is spelled. */
enum { NO_REGION = 0, POLYGONS = 1, COMPRESSED = 2, COUNTS = 3 };

/* Annotations in columns; a column that is not wanted is NULL. */
#define REGIONS(_)                                       \
    _(BYTES(text, length))                               \
    _(COUNTED(room))                                     \
    _(COUNTED(rows))                                     \
    _(OUT(int64, image, UP_TO(room, rows)))              \
    _(OUT(int64, label, UP_TO(room, rows)))              \
    _(OUT(float64, box, UP_TO(room, rows), JUST(4)))     \
    _(OUT(float64, area, UP_TO(room, rows)))             \
    _(OUT(uint8, region, UP_TO(room, rows)))             \
    _(OUT(int64, region_start, UP_TO(room, rows)))       \
    _(OUT(int64, region_stop, UP_TO(room, rows)))        \
    _(OUT(int64, height, UP_TO(room, rows)))             \
    _(OUT(int64, width, UP_TO(room, rows)))

/* What was expected, where, and whether Python's json shall decide; None where all is well. */
#define VERDICT(_)         \
    _(WORD(wrong))         \
    _(ANSWER(wrong_at))    \
    _(ANSWER(strange))     \
    _(ANSWER(high)) /* a string has bytes that are not ASCII */

#define RESULTS(_)                           \
    REGIONS(_)                               \
    _(OUT(float64, score, UP_TO(room, rows))) \
    VERDICT(_)

/* Images and categories: their ids, the sizes (-1 where unknown), and where their lists stand. */
#define NAMES(_)                                             \
    _(COUNTED(names_room))                                   \
    _(COUNTED(images))                                       \
    _(COUNTED(categories))                                   \
    _(ANSWER(images_start))                                  \
    _(ANSWER(images_stop))                                   \
    _(ANSWER(categories_start))                              \
    _(ANSWER(categories_stop))                               \
    _(OUT(int64, image_id, UP_TO(names_room, images)))       \
    _(OUT(int64, image_height, UP_TO(names_room, images)))   \
    _(OUT(int64, image_width, UP_TO(names_room, images)))    \
    _(OUT(int64, category_id, UP_TO(names_room, categories))) \
    _(OUT(int64, category_height, UP_TO(names_room, categories))) \
    _(OUT(int64, category_width, UP_TO(names_room, categories)))

#define TRUTH(_)                             \
    REGIONS(_)                               \
    _(OUT(int64, id, UP_TO(room, rows)))     \
    _(OUT(bool8, crowd, UP_TO(room, rows)))  \
    NAMES(_)                                 \
    VERDICT(_)
typedef struct {
    TRUTH(FIELD)
    double *out_score;
} Records;

static int read_size(Reader *reader, int64_t *height, int64_t *width)
{
    return (accept(reader, '[') || expected(reader, "[height, width]")) && read_id(reader, height) &&
           (accept(reader, ',') || expected(reader, "[height, width]")) && read_id(reader, width) &&
           (accept(reader, ']') || expected(reader, "[height, width]"));
}

/* {"size": [height, width], "counts": text or list} */
static int read_rle(Reader *reader, Records *to, int64_t row)
{
    int more;
    reader->at++;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        if (!read_key(reader, &key, &length))
            return 0;
        if (IS("size")) {
            if (!read_size(reader, &to->out_height[row], &to->out_width[row]))
                return 0;
        }
        else if (IS("counts") && peek(reader) == '"') {
            if (!read_string(reader, &to->out_region_start[row], NULL))
                return 0;
            to->out_region[row] = COMPRESSED;
            to->out_region_stop[row] = reader->at - 1;
        }
        else if (IS("counts")) {
            to->out_region[row] = COUNTS;
            to->out_region_start[row] = reader->at;
            if (peek(reader) != '[' || !skip_value(reader, 0))
                return expected(reader, "run lengths");
            to->out_region_stop[row] = reader->at;
        }
        else if (!skip_value(reader, 0))
            return 0;
    }
    if (more < 0)
        return 0;
    return to->out_region[row] || expected(reader, "counts before the end of an RLE");
}

static int read_region(Reader *reader, Records *to, int64_t row)
{
    const char kind = peek(reader);
    if (kind == 'n')
        return read_word(reader, "null");
    if (kind == '{')
        return read_rle(reader, to, row);
    if (kind != '[')
        return expected(reader, "polygons or an RLE");
    to->out_region[row] = POLYGONS;
    to->out_region_start[row] = reader->at;
    if (!skip_value(reader, 0))
        return 0;
    to->out_region_stop[row] = reader->at;
    return 1;
}

static int read_crowd(Reader *reader, uint8_t *crowd)
{
    const char kind = peek(reader);
    double value = 0;
    if (kind == 't' || kind == 'f') {
        *crowd = kind == 't';
        return read_word(reader, kind == 't' ? "true" : "false");
    }
    if (kind == 'n')
        return read_word(reader, "null");
    if (!read_double(reader, &value))
        return 0;
    *crowd = value != 0;
    return 1;
}

static int read_measure(Reader *reader, double *value)
{
    return is_null(reader) ? read_word(reader, "null") : read_double(reader, value);
}

/* One annotation or result; what it must have is an image, a label and, where wanted, a score. */
static int read_record(Reader *reader, Records *to)
{
    enum { IMAGE = 1, LABEL = 2, SCORE = 4 };
    const int64_t row = to->rows;
    int has = to->out_score ? 0 : SCORE, more;
    if (row >= to->room)
        return expected(reader, "fewer records");
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    for (int place = 0; place < 4; place++)
        to->out_box[4 * row + place] = Py_NAN;
    if (to->out_area)
        to->out_area[row] = Py_NAN;
    if (to->out_crowd)
        to->out_crowd[row] = 0;
    if (to->out_id)
        to->out_id[row] = -1;
    to->out_region[row] = NO_REGION;
    to->out_region_start[row] = to->out_region_stop[row] = 0;
    to->out_height[row] = to->out_width[row] = -1;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        int fine_so_far;
        if (!read_key(reader, &key, &length))
            return 0;
        if (IS("image_id")) {
            has |= IMAGE;
            fine_so_far = read_id(reader, &to->out_image[row]);
        }
        else if (IS("category_id")) {
            has |= LABEL;
            fine_so_far = read_id(reader, &to->out_label[row]);
        }
        else if (IS("bbox"))
            fine_so_far = read_box(reader, &to->out_box[4 * row]);
        else if (IS("score") && to->out_score) {
            has |= SCORE;
            fine_so_far = read_double(reader, &to->out_score[row]);
        }
        else if (IS("area") && to->out_area)
            fine_so_far = read_measure(reader, &to->out_area[row]);
        else if (IS("iscrowd") && to->out_crowd)
            fine_so_far = read_crowd(reader, &to->out_crowd[row]);
        else if (IS("id") && to->out_id)
            fine_so_far = read_id(reader, &to->out_id[row]);
        else if (IS("segmentation"))
            fine_so_far = read_region(reader, to, row);
        else
            fine_so_far = skip_value(reader, 0);
        if (!fine_so_far)
            return 0;
    }
    if (more < 0)
        return 0;
    to->rows++;
    if (has != (IMAGE | LABEL | SCORE))
        return expected(reader, !(has & IMAGE)   ? "image_id before the end of a record"
                                : !(has & LABEL) ? "category_id before the end of a record"
                                                 : "score before the end of a record");
    return 1;
}

static int read_records(Reader *reader, Records *to)
{
    int more;
    if (!accept(reader, '['))
        return expected(reader, "a list");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0)
        if (!read_record(reader, to))
            return 0;
    return more == 0;
}

static int read_end(Reader *reader)
{
    peek(reader);
    return reader->at == reader->length || expected(reader, "the end of the file");
}

/* Where images or categories are written to. */
typedef struct {
    int64_t *id, *height, *width;
    int64_t room, *rows, *start, *stop;
} Names;

static int read_name(Reader *reader, Names *to, int64_t row)
{
    int has = 0, more;
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    to->height[row] = to->width[row] = -1;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        if (!read_key(reader, &key, &length))
            return 0;
        int64_t *value = IS("id") ? &to->id[row]
                         : IS("height") ? &to->height[row]
                         : IS("width")  ? &to->width[row]
                                        : NULL;
        has |= IS("id");
        if (IS("id") && is_null(reader))
            return strange(reader);
        if (value && !is_null(reader) ? !read_id(reader, value) : !skip_value(reader, 0))
            return 0;
    }
    return more == 0 && (has || expected(reader, "id before the end of a record"));
}

static int read_names(Reader *reader, Names *to)
{
    int more;
    peek(reader);
    *to->start = reader->at;
    *to->rows = 0;
    if (!accept(reader, '['))
        return expected(reader, "a list");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0) {
        if (*to->rows >= to->room)
            return expected(reader, "fewer records");
        if (!read_name(reader, to, *to->rows))
            return 0;
        ++*to->rows;
    }
    *to->stop = reader->at;
    return more == 0;
}

static int read_all(Reader *reader, Names *images, Names *categories, Records *to)
{
    int more;
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        int fine_so_far;
        if (!read_key(reader, &key, &length))
            return 0;
        if (IS("annotations")) {
            to->rows = 0;
            fine_so_far = read_records(reader, to);
        }
        else if (IS("images"))
            fine_so_far = read_names(reader, images);
        else if (IS("categories"))
            fine_so_far = read_names(reader, categories);
        else
            fine_so_far = skip_value(reader, 0);
        if (!fine_so_far)
            return 0;
    }
    return more == 0 && read_end(reader);
}

/* What malformed is, the verdict says: it is no fault of the caller. */
#define CLOSE(job, reader)                    \
    ((job)->wrong = (reader)->wrong,          \
     (job)->wrong_at = (reader)->wrong_at,    \
     (job)->strange = (reader)->strange,      \
     (job)->high = (reader)->high, FINE)

/* Room for as many records as a text may have; what is not written costs no memory. */
static Fault find_room(Records *job)
{
    job->room = job->length / (int64_t)strlen("{\"image_id\":0,\"category_id\":0},") + 1;
    job->names_room = job->length / (int64_t)strlen("{\"id\":0},") + 1;
    return FINE;
}

static Fault read_results(Records *job)
{
    Reader reader = {job->text, job->length, 0, NULL, 0, 0, 0};
    if (read_records(&reader, job))
        read_end(&reader);
    return CLOSE(job, &reader);
}

static Fault read_truth(Records *job)
{
    Reader reader = {job->text, job->length, 0, NULL, 0, 0, 0};
    Names images = {job->out_image_id,     job->out_image_height, job->out_image_width,
                    job->names_room,       &job->images,          &job->images_start,
                    &job->images_stop};
    Names categories = {job->out_category_id, job->out_category_height, job->out_category_width,
                        job->names_room,      &job->categories,         &job->categories_start,
                        &job->categories_stop};
    read_all(&reader, &images, &categories, job);
    return CLOSE(job, &reader);
}

BIND_PREPARED(read_results, Records, RESULTS, find_room, read_results)
BIND_PREPARED(read_truth, Records, TRUTH, find_room, read_truth)

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
