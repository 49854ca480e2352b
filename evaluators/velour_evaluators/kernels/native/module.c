#include "bind.h"

#define FUNCTIONS(_)  \
    _(match_pairs)

#define OLD(_)        \
    _(match_boxes)    \
    _(find_pairs)     \
    _(averages)       \
    _(counts_at)

MODULE("Detections matched and averaged; call it through velour_evaluators.kernels.native.", FUNCTIONS, OLD)
