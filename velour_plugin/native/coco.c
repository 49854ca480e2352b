/* COCO files, from bytes to columns. */
#include "arguments.h"
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
typedef struct {
    int64_t room, rows;
    int64_t *id, *image, *label;
    double *box, *area, *score;
    uint8_t *crowd, *region;
    int64_t *region_start, *region_stop, *height, *width;
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
            if (!read_size(reader, &to->height[row], &to->width[row]))
                return 0;
        }
        else if (IS("counts") && peek(reader) == '"') {
            if (!read_string(reader, &to->region_start[row], NULL))
                return 0;
            to->region[row] = COMPRESSED;
            to->region_stop[row] = reader->at - 1;
        }
        else if (IS("counts")) {
            to->region[row] = COUNTS;
            to->region_start[row] = reader->at;
            if (peek(reader) != '[' || !skip_value(reader, 0))
                return expected(reader, "run lengths");
            to->region_stop[row] = reader->at;
        }
        else if (!skip_value(reader, 0))
            return 0;
    }
    if (more < 0)
        return 0;
    return to->region[row] || expected(reader, "counts before the end of an RLE");
}

static int read_region(Reader *reader, Records *to, int64_t row)
{
    const char kind = peek(reader);
    to->region[row] = NO_REGION;
    to->height[row] = to->width[row] = -1;
    if (kind == 'n')
        return read_word(reader, "null");
    if (kind == '{')
        return read_rle(reader, to, row);
    if (kind != '[')
        return expected(reader, "polygons or an RLE");
    to->region[row] = POLYGONS;
    to->region_start[row] = reader->at;
    if (!skip_value(reader, 0))
        return 0;
    to->region_stop[row] = reader->at;
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
    int has = to->score ? 0 : SCORE, more;
    if (row >= to->room)
        return expected(reader, "fewer records");
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    for (int place = 0; place < 4; place++)
        to->box[4 * row + place] = Py_NAN;
    if (to->area)
        to->area[row] = Py_NAN;
    if (to->crowd)
        to->crowd[row] = 0;
    if (to->id)
        to->id[row] = -1;
    to->region[row] = NO_REGION;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        int fine_so_far;
        if (!read_key(reader, &key, &length))
            return 0;
        if (IS("image_id")) {
            has |= IMAGE;
            fine_so_far = read_id(reader, &to->image[row]);
        }
        else if (IS("category_id")) {
            has |= LABEL;
            fine_so_far = read_id(reader, &to->label[row]);
        }
        else if (IS("bbox"))
            fine_so_far = read_box(reader, &to->box[4 * row]);
        else if (IS("score") && to->score) {
            has |= SCORE;
            fine_so_far = read_double(reader, &to->score[row]);
        }
        else if (IS("area") && to->area)
            fine_so_far = read_measure(reader, &to->area[row]);
        else if (IS("iscrowd") && to->crowd)
            fine_so_far = read_crowd(reader, &to->crowd[row]);
        else if (IS("id") && to->id)
            fine_so_far = read_id(reader, &to->id[row]);
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

static int read_results(Reader *reader, Records *to)
{
    to->rows = 0;
    return read_records(reader, to) && read_end(reader);
}

/* Images or labels: their ids, the images' sizes (-1 where unknown), and where each record stands. */
typedef struct {
    int64_t room, rows;
    int64_t *id, *height, *width;
    int64_t start, stop; /* of the list, in bytes */
} Names;

static int read_names(Reader *reader, Names *to)
{
    int more, inner;
    peek(reader);
    to->start = reader->at;
    to->rows = 0;
    if (!accept(reader, '['))
        return expected(reader, "a list");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0) {
        const int64_t row = to->rows;
        int has = 0;
        if (row >= to->room)
            return expected(reader, "fewer records");
        if (!accept(reader, '{'))
            return expected(reader, "an object");
        to->height[row] = to->width[row] = -1;
        for (int one = 1; (inner = another(reader, '}', one)) > 0; one = 0) {
            const char *key;
            int64_t length;
            if (!read_key(reader, &key, &length))
                return 0;
            int64_t *value = IS("id") ? &to->id[row]
                             : IS("height") ? &to->height[row]
                             : IS("width")  ? &to->width[row]
                                            : NULL;
            has |= IS("id");
            if (value && !is_null(reader) ? !read_id(reader, value) : !skip_value(reader, 0))
                return 0;
        }
        if (inner < 0)
            return 0;
        if (!has)
            return expected(reader, "id before the end of a record");
        to->rows++;
    }
    to->stop = reader->at;
    return more == 0;
}

static int read_truth(Reader *reader, Names *images, Names *labels, Records *to)
{
    int more;
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    to->rows = images->rows = labels->rows = 0;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        if (!read_key(reader, &key, &length))
            return 0;
        int fine_so_far;
        if (IS("annotations")) {
            to->rows = 0;
            fine_so_far = read_records(reader, to);
        }
        else if (IS("images"))
            fine_so_far = read_names(reader, images);
        else if (IS("categories"))
            fine_so_far = read_names(reader, labels);
        else
            fine_so_far = skip_value(reader, 0);
        if (!fine_so_far)
            return 0;
    }
    return more == 0 && read_end(reader);
}

/* Polygons of several records: [[x, y, x, y, ...], ...] each. */
typedef struct {
    int64_t records, points_room, rings_room;
    const int64_t *start, *stop; /* (records,) in the text */
    double *out_point;           /* (points_room, 2) */
    int64_t *out_ring;           /* (rings_room + 1,) where each ring's points begin */
    int64_t *out_record;         /* (records + 1,) where each record's rings begin */
} Polygons;

static int read_polygons(Reader *reader, Polygons *to)
{
    int64_t points = 0, rings = 0;
    to->out_ring[0] = to->out_record[0] = 0;
    for (int64_t record = 0; record < to->records; record++) {
        if (to->start[record] < 0 || to->start[record] > reader->length)
            return expected(reader, "polygons inside the file");
        reader->at = to->start[record];
        int outer, inner;
        if (!accept(reader, '['))
            return expected(reader, "a list of polygons");
        for (int first = 1; (outer = another(reader, ']', first)) > 0; first = 0) {
            int64_t numbers = 0;
            if (!accept(reader, '['))
                return expected(reader, "a list of coordinates");
            for (int one = 1; (inner = another(reader, ']', one)) > 0; one = 0, numbers++) {
                if (points + numbers / 2 >= to->points_room)
                    return expected(reader, "fewer coordinates");
                if (!read_double(reader, &to->out_point[2 * points + numbers]))
                    return 0;
            }
            if (inner < 0)
                return 0;
            if (numbers < 6 || numbers % 2)
                return expected(reader, "an even number of coordinates, at least six");
            if (rings >= to->rings_room)
                return expected(reader, "fewer polygons");
            points += numbers / 2;
            to->out_ring[++rings] = points;
        }
        if (outer < 0)
            return 0;
        to->out_record[record + 1] = rings;
    }
    return 1;
}

static void next_records(Arguments *next, Records *to)
{
    to->room = next_number(next);
    to->id = next_address(next);
    to->image = next_address(next);
    to->label = next_address(next);
    to->box = next_address(next);
    to->area = next_address(next);
    to->score = next_address(next);
    to->crowd = next_address(next);
    to->region = next_address(next);
    to->region_start = next_address(next);
    to->region_stop = next_address(next);
    to->height = next_address(next);
    to->width = next_address(next);
}

static void next_names(Arguments *next, Names *to)
{
    to->room = next_number(next);
    to->id = next_address(next);
    to->height = next_address(next);
    to->width = next_address(next);
}

static PyObject *verdict(const Reader *reader)
{
    if (reader->wrong)
        return Py_BuildValue("(sLi)", reader->wrong, (long long)reader->wrong_at, reader->strange);
    Py_RETURN_NONE;
}

PyObject *py_read_results(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_read_results(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 15))
        return NULL;
    Arguments next = {given, 0};
    Reader reader;
    Records records;
    memset(&reader, 0, sizeof reader);
    memset(&records, 0, sizeof records);
    reader.text = next_address(&next);
    reader.length = next_number(&next);
    next_records(&next, &records);
    if (next.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_results(&reader, &records);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(NLi)", verdict(&reader), (long long)records.rows, reader.high);
}

PyObject *py_read_truth(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_read_truth(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 23))
        return NULL;
    Arguments next = {given, 0};
    Reader reader;
    Records records;
    Names images, labels;
    memset(&reader, 0, sizeof reader);
    memset(&records, 0, sizeof records);
    memset(&images, 0, sizeof images);
    memset(&labels, 0, sizeof labels);
    reader.text = next_address(&next);
    reader.length = next_number(&next);
    next_names(&next, &images);
    next_names(&next, &labels);
    next_records(&next, &records);
    if (next.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_truth(&reader, &images, &labels, &records);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(NLi(LLL)(LLL))", verdict(&reader), (long long)records.rows, reader.high,
                         (long long)images.rows, (long long)images.start, (long long)images.stop,
                         (long long)labels.rows, (long long)labels.start, (long long)labels.stop);
}

PyObject *py_read_polygons(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_read_polygons(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 10))
        return NULL;
    Arguments next = {given, 0};
    Reader reader;
    Polygons job;
    memset(&reader, 0, sizeof reader);
    memset(&job, 0, sizeof job);
    reader.text = next_address(&next);
    reader.length = next_number(&next);
    job.records = next_number(&next);
    job.start = next_address(&next);
    job.stop = next_address(&next);
    job.points_room = next_number(&next);
    job.rings_room = next_number(&next);
    job.out_point = next_address(&next);
    job.out_ring = next_address(&next);
    job.out_record = next_address(&next);
    if (next.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_polygons(&reader, &job);
    Py_END_ALLOW_THREADS
    return verdict(&reader);
}
