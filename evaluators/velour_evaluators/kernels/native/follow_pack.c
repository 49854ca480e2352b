/* Labels followed for a pack of replicates. */
#define WIDTH PACK
#define FOLLOW_LABEL follow_label_pack
#include "follow.h"
