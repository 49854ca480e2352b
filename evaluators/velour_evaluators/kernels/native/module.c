/* What Python may call. */
#include "bind.h"

#define FUNCTIONS(_)       \
    _(averages)            \
    _(boundary_counts)     \
    _(confusion_of_labels) \
    _(confusion_of_runs)   \
    _(counts_at)           \
    _(decide_by_scores)    \
    _(find_pairs)          \
    _(match_boxes)         \
    _(match_pairs)         \
    _(merge_runs)          \
    _(omissions)           \
    _(rank_scores)         \
    _(runs_of_masks)

MODULE("Arithmetic of evaluators; call it through velour_evaluators.kernels.native.", FUNCTIONS)
