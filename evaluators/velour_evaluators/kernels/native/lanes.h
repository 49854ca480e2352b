/* Lanes: pairs of an area range and an IoU threshold, all matched at once. */
#ifndef VELOUR_LANES_H
#define VELOUR_LANES_H

#include "common.h"

typedef uint64_t Lanes; /* one bit for each pair of area range and IoU threshold */

enum { MOST_LANES = 64, MOST_AREAS = 8 };

typedef struct {
    int areas, thresholds;
    const double *threshold; /* rising, the last maybe a hair below 1 */
    const double *range;     /* (areas, 2) low and high, both inclusive */
    Lanes reached[MOST_LANES + 1]; /* lanes of the first so many thresholds, in every area range */
} Grid;

/* 0 when there are too many lanes, or none. */
static inline int make_grid(Grid *grid, int64_t areas, int64_t thresholds, const double *range,
                     const double *threshold)
{
    if (areas < 1 || areas > MOST_AREAS || thresholds < 1 || areas * thresholds > MOST_LANES)
        return 0;
    grid->areas = (int)areas;
    grid->thresholds = (int)thresholds;
    grid->range = range;
    grid->threshold = threshold;
    for (int level = 0; level <= grid->thresholds; level++) {
        grid->reached[level] = 0;
        for (int area = 0; area < grid->areas; area++)
            grid->reached[level] |= low_bits(level) << area * grid->thresholds;
    }
    return 1;
}

/* One bit for each area range that an area lies in. */
static inline uint8_t ranges_of(const Grid *grid, double area)
{
    unsigned bits = 0;
    for (int number = 0; number < grid->areas; number++)
        bits |= (unsigned)((area >= grid->range[2 * number]) & (area <= grid->range[2 * number + 1]))
                << number;
    return (uint8_t)bits;
}

/* All lanes of the area ranges whose bit is set. */
static inline Lanes lanes_of_ranges(const Grid *grid, uint8_t ranges)
{
    Lanes lanes = 0;
    for (int number = 0; number < grid->areas; number++)
        if (ranges >> number & 1)
            lanes |= low_bits(grid->thresholds) << number * grid->thresholds;
    return lanes;
}

/* Lanes whose threshold an IoU reaches; it reaches at least the first. */
static inline Lanes lanes_of_iou(const Grid *grid, double iou)
{
    int level = 1;
    while (level < grid->thresholds && iou >= grid->threshold[level])
        level++;
    return grid->reached[level];
}

#endif
