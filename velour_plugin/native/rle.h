/* COCO's compressed run lengths. */
#ifndef VELOUR_RLE_H
#define VELOUR_RLE_H

#include "common.h"

typedef struct {
    int64_t masks, length;
    const uint8_t *text;  /* (length,) */
    const int64_t *start, *stop; /* (masks,) of each mask's run lengths in the text */
    int escaped;          /* a backslash is doubled, as JSON spells it */
    const int64_t *height, *width;
    int64_t *room;        /* (masks,) at most so many edges; written when `out_edge` is NULL */
    int64_t *out_edge;    /* (sum of room,) */
    int64_t *out_start; /* (masks + 1,) */
    int64_t *first;       /* (masks + 1,) where each mask's room begins */
    int64_t bad;          /* a mask that is not well formed, or -1 */
} Texts;


/* Decode one text: five bits a character, differences to the number two before from the third on.
 * Returns how many edges, or -1 when it is malformed or does not fill the mask. */
int64_t decode_text(const uint8_t *text, int64_t length, int escaped, int64_t size, int64_t *edges);

/* How many run lengths a text has, and so at most how many edges: each ends with a character whose
 * sixth bit is clear. */
int64_t count_runs(const uint8_t *text, int64_t length);

/* Where texts stand, and how large their masks are; `first` has room. */
Fault check_texts(Texts *job);

#endif
