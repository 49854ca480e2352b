/* The compiled module of the core: what Python may call. */
#include "bind.h"

#define FUNCTIONS(_)   \
    _(digest_annotations) \
    _(digest_pairs)  \
    _(digest_texts)  \
    _(measure_rasters) \
    _(raster_ious)     \
    _(decode_texts)    \
    _(draw_outlines)   \
    _(read_results)    \
    _(read_truth)      \
    _(read_polygons)

MODULE("Masks and COCO files; call it through velour_plugin.native.", FUNCTIONS)
