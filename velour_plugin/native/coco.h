/* COCO files, from bytes to columns. */
#ifndef VELOUR_COCO_H
#define VELOUR_COCO_H

#include "bind.h"
#include "json.h"

/* The form of a record's region. */
enum { NO_REGION = 0, POLYGONS = 1, COMPRESSED = 2, COUNTS = 3 };

/* Annotations in columns; a column that the format does not have is NULL. */
#define REGIONS(_)                                       \
    _(BYTES(text, length))                               \
    _(COUNTED(room))                                     \
    _(COUNTED(rows))                                     \
    _(COUNTED(regions)) /* rows, or 0 where none has a region */ \
    _(THREADS(threads))                                  \
    _(OUT(int64, image, UP_TO(room, rows)))              \
    _(OUT(int64, label, UP_TO(room, rows)))              \
    _(OUT(float64, box, UP_TO(room, rows), JUST(4)))     \
    _(OUT(bool8, crowd, UP_TO(room, rows)))              \
    _(OUT(uint8, region, UP_TO(room, regions)))             \
    _(OUT(int64, region_start, UP_TO(room, regions)))       \
    _(OUT(int64, region_stop, UP_TO(room, regions)))        \
    _(OUT(int64, height, UP_TO(room, regions)))             \
    _(OUT(int64, width, UP_TO(room, regions)))

/* Result of reading: what was expected and where (None without an error), and whether Python's json must read the file. */
#define READ_STATUS(_)         \
    _(WORD(wrong))         \
    _(RESULT(wrong_at))    \
    _(RESULT(unsupported))     \
    _(RESULT(high)) /* a string has bytes that are not ASCII */

#define RESULTS(_)                           \
    REGIONS(_)                               \
    _(OUT(float64, score, UP_TO(room, rows))) \
    READ_STATUS(_)

/* Images and categories: ids, sizes (-1 where unknown), and positions of their lists. */
#define NAMES(_)                                             \
    _(COUNTED(names_room))                                   \
    _(COUNTED(images))                                       \
    _(COUNTED(categories))                                   \
    _(RESULT(images_start))                                  \
    _(RESULT(images_stop))                                   \
    _(RESULT(categories_start))                              \
    _(RESULT(categories_stop))                               \
    _(OUT(int64, image_id, UP_TO(names_room, images)))       \
    _(OUT(int64, image_height, UP_TO(names_room, images)))   \
    _(OUT(int64, image_width, UP_TO(names_room, images)))    \
    _(OUT(int64, category_id, UP_TO(names_room, categories))) \
    _(OUT(int64, category_height, UP_TO(names_room, categories))) \
    _(OUT(int64, category_width, UP_TO(names_room, categories)))

#define TRUTH(_)                             \
    REGIONS(_)                               \
    _(OUT(int64, id, UP_TO(room, rows)))     \
    _(OUT(float64, area, UP_TO(room, rows))) \
    NAMES(_)                                 \
    READ_STATUS(_)

typedef struct {
    TRUTH(FIELD)
    double *out_score;
} Records;

/* How many braces are opened in a text: no fewer than records begin in it. */
int64_t count_braces(const char *text, int64_t length);

/* Read a list of records to the rows from 0 on, in shares where it is long; 0 where it is none. */
int read_records(Reader *reader, Records *to);

/* Positions and bytes of the keys of the record before: the next record likely has the same bytes at
 * the same positions, and then its keys need not be parsed. */
enum { MOST_KEYS = 16 };

typedef struct {
    int64_t first[MOST_KEYS], length[MOST_KEYS];
    int part[MOST_KEYS];
    int count;
} KeyLayout;

/* Read one annotation or result into the next row. An image and a label are required, and a score in
 * results. */
int read_record(Reader *reader, Records *to, KeyLayout *layout);

/* Mark the first rows as without region; from now on every record writes its region. */
void begin_regions(Records *to, int64_t rows);

/* Copy the reader's status to the job: a malformed file is no Fault. */
#define CLOSE(job, reader)                    \
    ((job)->wrong = (reader)->wrong,          \
     (job)->wrong_at = (reader)->wrong_at,    \
     (job)->unsupported = (reader)->unsupported,      \
     (job)->high = (reader)->high, FINE)

#endif
