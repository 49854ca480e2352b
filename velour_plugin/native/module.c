/* The functions of the module for Python. */
#include "bind.h"

#define FUNCTIONS(_)      \
    _(check_regions)      \
    _(decode_texts)       \
    _(digest_annotations) \
    _(digest_pairs)       \
    _(digest_texts)       \
    _(draw_outlines)      \
    _(label_edges)        \
    _(measure_rasters)    \
    _(measured_digits)    \
    _(read_counts)        \
    _(read_polygons)      \
    _(read_results)       \
    _(read_truth)

MODULE("Content as columns: masks, files, digests; call it through velour_plugin.native.", FUNCTIONS)
