/* What Python may call. */
#include "bind.h"

#define FUNCTIONS(_) \
    _(decide_by_scores) \
    _(rank_scores)   \
    _(match_boxes)   \
    _(find_pairs)    \
    _(match_pairs)   \
    _(averages)      \
    _(counts_at)

MODULE("Arithmetic of evaluators; call it through velour_evaluators.kernels.native.", FUNCTIONS)
