/* COCO's compressed run lengths. */
#ifndef VELOUR_RLE_H
#define VELOUR_RLE_H

#include "bind.h"

/* Many masks, as texts that stand in a text. */
#define TEXTS(_)                                                              \
    _(LENGTH(masks, INT64_MAX))                                               \
    _(BYTES(text, length))                                                    \
    _(COLUMN(int64, start, OF(masks))) /* of each mask's run lengths */       \
    _(COLUMN(int64, stop, OF(masks)))                                         \
    _(COLUMN(int64, height, OF(masks)))                                       \
    _(COLUMN(int64, width, OF(masks)))                                        \
    _(NUMBER(escaped)) /* whether a backslash is doubled, as JSON spells it */

typedef struct {
    TEXTS(FIELD)
} Texts;

PART_LIST(texts)

/* Where texts stand, and how large their masks are. */
Fault check_texts(const Texts *texts);

static inline const uint8_t *letters_of(const Texts *texts, int64_t mask)
{
    return (const uint8_t *)texts->text + texts->start[mask];
}

/* How many run lengths a text has, and so at most how many edges: each ends with a character whose
 * sixth bit is clear. */
int64_t count_runs(const uint8_t *text, int64_t length);

/* Decode one text: five bits a character, differences to the number two before from the third on.
 * Returns how many edges, or -1 when it is malformed or does not fill the mask. */
int64_t decode_text(const uint8_t *text, int64_t length, int escaped, int64_t size, int64_t *edges);

/* Whether a text can be decoded so. */
int is_sound_text(const uint8_t *text, int64_t length, int escaped, int64_t size);

#endif
