/* COCO's compressed run lengths. */
#ifndef VELOUR_RLE_H
#define VELOUR_RLE_H

#include "bind.h"

/* Many masks, as slices of one text. */
#define TEXTS(_)                                                              \
    _(LENGTH(masks, INT64_MAX))                                               \
    _(BYTES(text, length))                                                    \
    _(COLUMN(int64, start, OF(masks))) /* of each mask's run lengths */       \
    _(COLUMN(int64, stop, OF(masks)))                                         \
    _(COLUMN(int64, height, OF(masks)))                                       \
    _(COLUMN(int64, width, OF(masks)))                                        \
    _(NUMBER(escaped)) /* whether a backslash is doubled, as in JSON */

typedef struct {
    TEXTS(FIELD)
} Texts;

PART_LIST(texts)

/* Check the slices and the sizes of their masks. */
Fault check_texts(const Texts *texts);

static inline const uint8_t *letters_of(const Texts *texts, int64_t mask)
{
    return (const uint8_t *)texts->text + texts->start[mask];
}

/* Number of run lengths of a text, an upper bound of its edges: each ends with a character whose
 * sixth bit is clear. */
int64_t count_runs(const uint8_t *text, int64_t length);

/* Decode one text: five bits a character, differences to the number two before from the third on.
 * Returns the number of edges, or -1 when it is malformed or does not fill the mask. */
int64_t decode_text(const uint8_t *text, int64_t length, int escaped, int64_t size, int64_t *edges);

/* Whether decode_text would accept a text. */
int is_sound_text(const uint8_t *text, int64_t length, int escaped, int64_t size);

#endif
