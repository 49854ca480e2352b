/* One annotation or result of a COCO file. */
#include "coco.h"

static int read_box(Reader *reader, double *box)
{
    if (is_null(reader))
        return read_word(reader, "null");
    if (!accept(reader, '['))
        return expected(reader, "a list of four numbers");
    for (int side = 0; side < 4; side++) {
        if (side && !accept(reader, ','))
            return expected(reader, "four numbers");
        if (!read_double(reader, &box[side]))
            return 0;
    }
    return accept(reader, ']') || expected(reader, "the end of four numbers");
}

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
    for (int first = 1; (more = next_element(reader, '}', first)) > 0; first = 0) {
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
    if (!to->regions)
        begin_regions(to, row + 1);
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
    *crowd = value == 1;
    return value == 0 || value == 1 || unsupported(reader);
}

/* Parts of a record, a bit each. */
enum { IMAGE = 1, LABEL = 2, SCORE = 4, BOX = 8, AREA = 16, CROWD = 32, ID = 64, REGION = 128 };

static void no_region(Records *to, int64_t row)
{
    to->out_region[row] = NO_REGION;
    to->out_region_start[row] = to->out_region_stop[row] = 0;
    to->out_height[row] = to->out_width[row] = -1;
}

void begin_regions(Records *to, int64_t rows)
{
    for (int64_t row = 0; row < rows; row++)
        no_region(to, row);
    to->regions = rows;
}

/* Fill a row with the values of a record without optional keys. */
static void begin_row(Records *to, int64_t row)
{
    for (int side = 0; side < 4; side++)
        to->out_box[4 * row + side] = Py_NAN;
    to->out_crowd[row] = 0;
    if (to->out_area)
        to->out_area[row] = Py_NAN;
    if (to->out_id)
        to->out_id[row] = -1;
    if (to->regions)
        no_region(to, to->regions++);
}

static int part_of(const Records *to, const char *key, int64_t length)
{
    return IS("image_id")                     ? IMAGE
           : IS("category_id")                ? LABEL
           : IS("bbox")                       ? BOX
           : IS("score") && to->out_score     ? SCORE
           : IS("area") && to->out_area       ? AREA
           : IS("iscrowd")                    ? CROWD
           : IS("id") && to->out_id           ? ID
           : IS("segmentation")               ? REGION
                                              : 0;
}

/* Read a record's next key: returns its part, -1 at the end, -2 where it is malformed. */
static int next_part(Reader *reader, const Records *to, KeyLayout *layout, int number)
{
    const int64_t at = reader->at;
    if (number < layout->count && layout->length[number] <= reader->length - at &&
        !memcmp(reader->text + at, reader->text + layout->first[number], (size_t)layout->length[number])) {
        reader->at += layout->length[number];
        return layout->part[number];
    }
    const int more = next_element(reader, '}', number == 0);
    const char *key;
    int64_t length;
    if (more <= 0)
        return more - 1;
    if (!read_key(reader, &key, &length))
        return -2;
    const int part = part_of(to, key, length);
    if (number < MOST_KEYS) {
        layout->first[number] = at;
        layout->length[number] = reader->at - at;
        layout->part[number] = part;
        layout->count = number + 1;
    }
    return part;
}

static int read_part(Reader *reader, Records *to, int64_t row, int part)
{
    switch (part) {
    case IMAGE:
        return read_id(reader, &to->out_image[row]);
    case LABEL:
        return read_id(reader, &to->out_label[row]);
    case BOX:
        return read_box(reader, &to->out_box[4 * row]);
    case SCORE:
        return read_double(reader, &to->out_score[row]);
    case AREA:
        return is_null(reader) ? read_word(reader, "null") : read_double(reader, &to->out_area[row]);
    case CROWD:
        return read_crowd(reader, &to->out_crowd[row]);
    case ID: /* -1 stands for none here */
        return read_id(reader, &to->out_id[row]) && (to->out_id[row] != -1 || unsupported(reader));
    case REGION:
        return read_region(reader, to, row);
    default:
        return skip_value(reader, 0);
    }
}

int read_record(Reader *reader, Records *to, KeyLayout *layout)
{
    const int64_t row = to->rows;
    const int required = IMAGE | LABEL | (to->out_score ? SCORE : 0);
    int has = 0, part;
    if (row >= to->room)
        return expected(reader, "fewer records");
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    begin_row(to, row);
    for (int number = 0; (part = next_part(reader, to, layout, number)) >= 0; number++) {
        if (has & part) /* of two values the last one counts, even where it is null */
            return unsupported(reader);
        has |= part;
        if (!read_part(reader, to, row, part))
            return 0;
    }
    if (part == -2)
        return 0;
    to->rows++;
    if ((has & required) != required)
        return expected(reader, !(has & IMAGE)   ? "image_id before the end of a record"
                                : !(has & LABEL) ? "category_id before the end of a record"
                                                 : "score before the end of a record");
    return 1;
}
