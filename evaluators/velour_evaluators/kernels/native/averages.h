/* Averages of precision and recall under many weightings of the images.
 *
 * A pack of replicates goes through the rows of a label together (follow.h): the rows raise counters,
 * eight at a time, and the true positives of a lane are then walked from the last to the first, where
 * the best precision so far is the envelope. What is left of a label, lane and replicate are its
 * steps. Their mean over recalls, lanes and labels is summed in numpy's order (means.c).
 */
#ifndef VELOUR_AVERAGES_H
#define VELOUR_AVERAGES_H

#include "bind.h"
#include "lanes.h"

#define PACK 8 /* replicates that go through the rows together; the preprocessor reads it */

enum { MOST_TABLED = 1 << 14 }; /* truths of a label whose recalls are looked up, not divided */

enum { MOST_SHARED = 127 }; /* truths whose tables all labels and replicates share */

/* The tables of a ledger; each value is read once, when they are prepared. */
#define DETECTIONS(_)                        \
    _(LENGTH(rows, INT32_MAX))               \
    _(SHARED(int32, label, OF(rows)))        \
    _(SHARED(int32, datum, OF(rows)))        \
    _(SHARED(float64, score, OF(rows)))      \
    _(SHARED(uint16, rank, OF(rows)))        \
    _(SHARED(uint8, areas, OF(rows)))

#define MATCHES(_)                           \
    _(LENGTH(rows, INT32_MAX / 4))           \
    _(SHARED(int32, detection, OF(rows)))    \
    _(SHARED(uint64, hit, OF(rows)))         \
    _(SHARED(uint64, ignored, OF(rows)))

#define TRUTHS(_)                            \
    _(LENGTH(rows, INT32_MAX))               \
    _(SHARED(int32, label, OF(rows)))        \
    _(SHARED(int32, datum, OF(rows)))        \
    _(SHARED(uint8, areas, OF(rows)))

typedef struct { DETECTIONS(FIELD) } Detections;
typedef struct { MATCHES(FIELD) } Matches;
typedef struct { TRUTHS(FIELD) } Truths;

PART_LIST(detections)
PART_LIST(matches)
PART_LIST(truths)

#define LEDGER(_)                                          \
    _(SIZE(labels, INT32_MAX))                             \
    _(SIZE(datums, INT32_MAX))                             \
    _(SIZE(areas, MOST_AREAS))                             \
    _(SIZE(thresholds, MOST_LANES))                        \
    _(PART(Detections, detections, detections))            \
    _(PART(Matches, matches, matches))                     \
    _(PART(Truths, truths, truths))

/* Averages by range, bits of the thresholds that they are over, and number of the limit that recall
 * is read at (-1: precision, over the recalls); a mean is told of the labels of each group, and of the
 * first `detailed` averages of each label; group -1 leaves a label out. */
#define QUESTION(_)                                                             \
    _(LENGTH(recalls, INT16_MAX))                                               \
    _(COLUMN(float64, recall, OF(recalls)))                                     \
    _(LENGTH(limits, INT16_MAX))                                                \
    _(COLUMN(int64, limit, OF(limits)))                                         \
    _(LENGTH(averages, INT32_MAX))                                              \
    _(COLUMN(int64, area, OF(averages)))                                        \
    _(COLUMN(uint64, levels, OF(averages)))                                     \
    _(COLUMN(int64, limit_of, OF(averages)))                                    \
    _(SIZE(detailed, INT32_MAX))                                                \
    _(SIZE(groups, INT32_MAX))                                                  \
    _(BACKED(groups, labels, averages))                                         \
    _(COLUMN(int32, group, OF(labels)))                                         \
    _(THREADS(threads))                                                         \
    _(LENGTH(replicates, INT32_MAX))                                            \
    _(BACKED(replicates, datums, averages)) /* without datums they take no memory */

#define MEANS(_)                                                                \
    _(OUT(float64, label_means, OF(replicates), OF(detailed), OF(labels)))      \
    _(OUT(float64, group_means, OF(replicates), OF(averages), OF(groups)))

/* How often each image counts in each replicate. */
#define WEIGHTINGS(_) _(SHARED(int64, weights, OF(replicates), OF(datums)))

/* How often each image counts, and which one of them does not count in each replicate, rising. */
#define OMISSIONS(_)                             \
    _(COLUMN(int64, weight, OF(datums)))         \
    _(COLUMN(int32, omitted, OF(replicates)))

/* The tables as they are followed: by label, and checked. */
typedef struct {
    int64_t *row_start, *match_start, *truth_start; /* (labels + 1,) */
    int32_t *datum;                    /* (rows,) */
    uint8_t *areas, *tied;             /* (rows,) tied: of the label, image and score of the row before */
    int32_t *row, *limit;              /* (matches,) limit: number of the first that the rank meets */
    Lanes *hit, *ignored;              /* (matches,) */
    int32_t *truth_datum;              /* (truths,) */
    uint8_t *truth_areas;              /* (truths,) */
    int64_t most_matches;              /* of one label */
    int64_t *listed, count;            /* labels that are in a group and have truths, by group */
    int64_t *group_start;              /* (groups + 1,) where those of each group begin */
    int16_t *reach;                    /* tables of so many truths: one of 0, two of 1, ... */
} Rows;

/* An area range, and its lanes that some average is over. */
typedef struct {
    int area, lanes, reads_recall;
    int level[MOST_LANES]; /* (lanes,) */
} Range;

typedef struct {
    LEDGER(FIELD)
    QUESTION(FIELD)
    MEANS(FIELD)
    WEIGHTINGS(FIELD)
    OMISSIONS(FIELD)
    Rows rows;
    Range range[MOST_AREAS];
    int ranges;
    Fault *wrong; /* (tasks,) */
} Averages;

/* The precision at all recalls up to `reach` that no later step of its curve reaches. */
typedef struct {
    double precision;
    int64_t reach;
} Plateau;

/* The steps of one label, lane and replicate: reach falls, precision rises. */
typedef struct {
    int64_t first, count;
} Curve;

/* Tied rows [first, last) with the matches [match, last_match), in a pack that repeats them. */
typedef struct {
    int64_t first, last, match, last_match;
} Tie;

/* A pack of replicates, followed through the lanes of one range; a slot is a label, or one of many
 * packs of one label. */
typedef struct {
    const Averages *job;
    const Range *range;
    int width;              /* replicates: 1 or PACK; see follow.h */
    int32_t *often;         /* (datums, width) weights */
    int once;               /* each image counts once, in the only replicate */
    int32_t *weight, *seen; /* (most_matches, width) of the label: weights; rows inside the range so far */
    int32_t *limit;        /* (most_matches,) or the number of a tie */
    uint32_t *entry;       /* (lanes, most_matches) matches that matter in a lane */
    int64_t entries[MOST_LANES];
    Tie *tie;
    int64_t ties, tie_room;
    const int16_t *reach[PACK]; /* last recall that so many true positives reach; NULL: not tabled */
    int16_t *table;        /* (width, MOST_TABLED + 1) tables of many truths */
    int32_t tabled[PACK];  /* truths of which each row of it is; 0: none */
    Plateau *draft;           /* (width, recalls) steps of a lane */
    int64_t drafted[PACK];
    Plateau *step;            /* of all slots */
    int64_t steps, step_room;
    Curve *curve;          /* (slots, lanes, width) */
    int32_t *real;         /* (slots, width) truths that count */
    int64_t *hits;         /* (slots, lanes, limits, width) true positives by the first limit they meet */
    int failed;            /* there was no memory */
    Pool scratch, kept;    /* kept: the steps, and what leads to them */
} Pack;

/* The last recall that so many true positives reach, -1 for none. */
int64_t reach_of(const Averages *job, int32_t hits, int32_t real);

/* The reach of 0 to all true positives: the same as `reach_of` each, with few divisions. */
void table_reach(const Averages *job, int32_t total, int16_t *reach);

/* Where in the shared tables the one of so many truths begins. */
static inline int64_t shared_table(int32_t total)
{
    return (int64_t)total * (total + 1) / 2;
}

/* Tables of the recalls that true positives reach, for up to MOST_SHARED truths; 0 without memory. */
int share_reaches(Averages *job, Pool *pool);

/* Check and order the tables; list labels. */
Fault prepare_rows(Averages *job, Pool *pool);

/* Room for a pack of 1 or PACK replicates; `failed` is set when there is none. */
void open_pack(Pack *pack, const Averages *job, const Range *range, int64_t slots, int width);

/* Give back what is not needed once all labels were followed; then the rest. */
void close_scratch(Pack *pack);
void close_pack(Pack *pack);

/* Follow one label with the weights in `often`: either, by the width of the pack. */
void follow_label(Pack *pack, int64_t label, int64_t slot);
void follow_label_single(Pack *pack, int64_t label, int64_t slot);
void follow_label_pack(Pack *pack, int64_t label, int64_t slot);

/* Where the curves of a label and replicate are; `real` of its truths count. */
typedef struct {
    const Pack *pack;
    int64_t slot;
    int replicate;
} Source;

/* Room to take means in. */
typedef struct {
    const Averages *job;
    double *row;           /* values that stand side by side */
    Plateau *change;          /* of a lane: new values, and the label whose they are, by recall */
    int64_t *start;        /* (recalls + 2,) where the changes at each recall begin */
    const Source **known;  /* labels with truths */
    Pool pool;
} Means;

void open_means(Means *means, const Averages *job);

/* Write the averages of one range and replicate; `source` has all listed labels. */
void take_means(Means *means, const Range *range, const Source *source, int64_t replicate);

#endif
