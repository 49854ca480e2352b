/* COCO files, from bytes to columns. */
#ifndef VELOUR_COCO_H
#define VELOUR_COCO_H

#include "bind.h"
#include "json.h"

/* How a region is spelled. */
enum { NO_REGION = 0, POLYGONS = 1, COMPRESSED = 2, COUNTS = 3 };

/* Annotations in columns; a column that is not wanted is NULL. */
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
    _(OUT(float64, area, UP_TO(room, rows))) \
    NAMES(_)                                 \
    VERDICT(_)

typedef struct {
    TRUTH(FIELD)
    double *out_score;
} Records;

/* How many braces are opened in a text: no fewer than records begin in it. */
int64_t count_braces(const char *text, int64_t length);

/* Read a list of records to the rows from 0 on, in shares where it is long; 0 where it is none. */
int read_records(Reader *reader, Records *to);

/* How the record before spelled its keys, with what stands around them: the next one is likely to do
 * the same, and equal bytes at an equal place are equal keys. */
enum { MOST_HABITS = 16 };

typedef struct {
    int64_t first[MOST_HABITS], length[MOST_HABITS];
    int part[MOST_HABITS];
    int count;
} Habit;

/* Read one annotation or result to the row after the last. What it must have is an image, a label
 * and, where wanted, a score. */
int read_record(Reader *reader, Records *to, Habit *habit);

/* Say of the first rows that they have no region; from now on every record says what it has. */
void begin_regions(Records *to, int64_t rows);

/* What malformed is, the verdict says: it is no fault of the caller. */
#define CLOSE(job, reader)                    \
    ((job)->wrong = (reader)->wrong,          \
     (job)->wrong_at = (reader)->wrong_at,    \
     (job)->strange = (reader)->strange,      \
     (job)->high = (reader)->high, FINE)

#endif
