/* Labels followed for a single replicate. */
#define WIDTH 1
#define FOLLOW_LABEL follow_label_single
#include "follow.h"
