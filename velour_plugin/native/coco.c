/* COCO files: images, categories, and the object around the records. */
#include "coco.h"

static int read_end(Reader *reader)
{
    peek(reader);
    return reader->at == reader->length || expected(reader, "the end of the file");
}

/* Output columns of images or categories. */
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
    for (int first = 1; (more = next_element(reader, '}', first)) > 0; first = 0) {
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
            return unsupported(reader);
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
    for (int first = 1; (more = next_element(reader, ']', first)) > 0; first = 0) {
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
    int more, seen = 0;
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    for (int first = 1; (more = next_element(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        int fine_so_far;
        if (!read_key(reader, &key, &length))
            return 0;
        const int list = IS("annotations") ? 1 : IS("images") ? 2 : IS("categories") ? 4 : 0;
        if (seen & list) /* which of them counts is for Python to say */
            return unsupported(reader);
        seen |= list;
        if (IS("annotations"))
            fine_so_far = read_records(reader, to);
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

/* Room for as many records as a text may have; memory that is not written is not used. */
static Fault find_room(Records *job)
{
    job->room = job->names_room = count_braces(job->text, job->length) + 1; /* for what is none */
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
