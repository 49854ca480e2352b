#include "bind.h"

#define FUNCTIONS(_)   \
    _(label_edges)     \
    _(measure_rasters)

#define OLD(_)         \
    _(raster_ious)     \
    _(decode_texts)    \
    _(draw_outlines)   \
    _(read_results)    \
    _(read_truth)      \
    _(read_polygons)

MODULE("Masks, label images and COCO files; call it through velour_plugin.native.", FUNCTIONS, OLD)
