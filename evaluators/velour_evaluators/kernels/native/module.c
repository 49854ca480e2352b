#include "bind.h"

#define FUNCTIONS(_)  \
    _(decide_by_scores) \
    _(match_pairs)     \
    _(rank_scores)

#define OLD(_)        \
    _(match_boxes)    \
    _(find_pairs)     \
    _(averages)       \
    _(counts_at)

MODULE("Detections matched and averaged; call it through velour_evaluators.kernels.native.", FUNCTIONS, OLD)
