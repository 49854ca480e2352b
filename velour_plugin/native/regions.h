/* A column of regions: polygons as points, masks as compressed RLE or as run edges. */
#ifndef VELOUR_REGIONS_H
#define VELOUR_REGIONS_H

#include "bind.h"

enum { HAS_NO_REGION, HAS_POLYGON, HAS_MULTIPOLYGON, HAS_TEXT, HAS_EDGES, KINDS };

/* See velour_plugin/domain/columns/region_column.py. Points and edges are only copied, so changes by
 * another thread do no harm. */
#define REGIONS(_)                                                                         \
    _(LENGTH(rows, INT32_MAX))                                                             \
    _(LENGTH(points, INT64_MAX / 64))                                                      \
    _(LENGTH(rings, INT64_MAX / 64))                                                       \
    _(LENGTH(parts, INT64_MAX / 64))                                                       \
    _(LENGTH(flips, INT64_MAX / 64))                                                       \
    _(COLUMN(uint8, kind, OF(rows)))                                                       \
    _(COLUMN(int64, start, OF(rows)))          /* among the parts, in the text or the edges */ \
    _(COLUMN(int64, stop, OF(rows)))                                                       \
    _(COLUMN(int64, size, OF(rows), JUST(2)))  /* height and width of a mask */            \
    _(SHARED(float64, point, OF(points), JUST(2)))                                         \
    _(COLUMN(int64, ring_start, MORE(rings, 1))) /* in points */                           \
    _(COLUMN(int64, part_start, MORE(parts, 1))) /* in rings */                            \
    _(BYTES(text, length))                                                                 \
    _(SIZE(escaped, 1))                        /* a backslash is doubled, as in JSON */    \
    _(SHARED(int64, edges, OF(flips)))

typedef struct {
    REGIONS(FIELD)
} Regions;

PART_LIST(regions)

/* Check the bounds of rows, rings and parts. */
Fault check_regions(const Regions *regions);

/* A buffer that is reused for one datum after the other. */
typedef struct {
    uint8_t *bytes;
    int64_t length, room;
    int64_t *edges;
    int64_t edges_room;
} Spelling;

/* Encode the regions of some rows for their digests; the Fault names the row of a malformed mask. */
Fault spell_regions(const Regions *regions, int64_t first, int64_t last, Spelling *to);

void forget_spelling(Spelling *spelling);

#endif
