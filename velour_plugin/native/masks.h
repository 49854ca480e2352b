/* Masks as run edges: measured and compared. */
#ifndef VELOUR_MASKS_H
#define VELOUR_MASKS_H

#include "bind.h"

enum { MASKS_AT_ONCE = 256 };

/* Many masks: positions at which the value flips, column by column, see domain/columns/rle.py. The edges
 * may be sixty million bytes, so they are not copied: nothing is looked up by them, and what is
 * computed of them wraps around where another thread changed them after they were checked. */
#define RASTERS(_)                          \
    _(LENGTH(masks, INT64_MAX))             \
    _(LENGTH(flips, INT64_MAX))             \
    _(SHARED(int64, edges, OF(flips)))      \
    _(COLUMN(int64, start, OF(masks))) /* where the edges of each mask stand */ \
    _(COLUMN(int64, stop, OF(masks)))       \
    _(COLUMN(int64, height, OF(masks)))     \
    _(COLUMN(int64, width, OF(masks)))

typedef struct {
    RASTERS(FIELD)
    /* measured */
    double *area;
    int64_t *box; /* (masks, 4) first and last column, first and last row; 1, 0, 1, 0 without pixels */
    int64_t bad;  /* a mask whose edges do not rise or lie outside, or -1 */
} Rasters;

PART_LIST(rasters)

/* Area and box of one mask with valid edges. */
void measure_mask(const Rasters *job, int64_t mask);

/* Check all masks, then measure them; `area` and `box` have room. */
Fault measure_rasters(Rasters *job, int threads);

/* IoU of a truth's mask with a detection's; 0, without reading runs, when it cannot reach `least`. */
double iou_of_masks(const Rasters *ours, int64_t truth, const Rasters *theirs, int64_t detection,
                    int crowd, double least);

/* Add a position at which the value flips; two flips at one position cancel. */
static inline int64_t flip(int64_t *edges, int64_t count, int64_t position)
{
    if (count && edges[count - 1] == position)
        return count - 1;
    edges[count] = position;
    return count + 1;
}

/* Move the edges of all masks together, each from the start of its room; returns their number. */
int64_t close_gaps(int64_t masks, const int64_t *first, int64_t *edge, int64_t *start);

#endif
