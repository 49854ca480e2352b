#include "bind.h"

#define FUNCTIONS(_)       \
    _(boundary_counts)     \
    _(confusion_of_labels) \
    _(confusion_of_runs)   \
    _(match_pairs)         \
    _(runs_of_masks)

#define OLD(_)        \
    _(match_boxes)    \
    _(find_pairs)     \
    _(averages)       \
    _(counts_at)

MODULE("Detections matched and averaged, label images compared; call it through velour_evaluators.kernels.native.", FUNCTIONS, OLD)
