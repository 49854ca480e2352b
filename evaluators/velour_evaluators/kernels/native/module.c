/* The compiled module of detection: what Python may call. */
#include "bind.h"

#define FUNCTIONS(_) \
    _(match_boxes)   \
    _(find_pairs)    \
    _(match_pairs)   \
    _(averages)      \
    _(omissions)     \
    _(counts_at)

MODULE("Detections matched and averaged; call it through velour_evaluators.kernels.native.", FUNCTIONS)
