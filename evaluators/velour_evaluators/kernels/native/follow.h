/* From the rows of a label to the steps of its precision, for WIDTH replicates together.
 *
 * A template: compiled once for packs of eight and once for a single replicate, which would otherwise
 * pay for seven that nobody reads. Its includer defines WIDTH, and FOLLOW_LABEL as the name of the
 * only function that is not static.
 */
#include <float.h>

#if defined(__SSE2__) && WIDTH % 2 == 0 /* two doubles at a time */
#include <emmintrin.h>
#endif

#include "averages.h"

/* A whole number of each replicate of a pack. */
typedef struct {
    int32_t of[WIDTH];
} Counts;

/* Row `row` of an array of a pack, which is (rows, WIDTH). */
static inline Counts *counts_at(int32_t *array, int64_t row)
{
    return (Counts *)array + row;
}

/* What a match does in a lane. Inside the range it counts unless ignored, and is among the rows seen;
 * outside it counts only as a true positive. */
enum { HIT, HIT_OUTSIDE, IGNORED, TIED, KINDS };

/* ---- Laying a label out --------------------------------------------------------------------------- */

static inline void add(Counts *sum, const Counts *weight, int32_t mask)
{
    for (int number = 0; number < WIDTH; number++)
        sum->of[number] += weight->of[number] & mask;
}

/* How often an image counts; where all count once, nothing is fetched from all over the memory. */
static inline const Counts *weight_of(const Pack *pack, int32_t datum)
{
    return counts_at(pack->often, pack->once ? 0 : datum);
}

/* Count the rows [first, last) that are inside the range. */
static void count_rows(const Pack *pack, Counts *seen, int64_t first, int64_t last)
{
    const Rows *rows = &pack->job->rows;
    const int area = pack->range->area;
    Counts sum = *seen;
    for (int64_t row = first; pack->once && row < last; row++)
        sum.of[0] += rows->areas[row] >> area & 1;
    for (int64_t row = first; !pack->once && row < last; row++)
        add(&sum, counts_at(pack->often, rows->datum[row]), -(int32_t)(rows->areas[row] >> area & 1));
    *seen = sum;
}

static void add_entries(Pack *pack, Lanes lanes, int64_t match, int kind)
{
    for (int lane = 0; lanes; lane++, lanes >>= 1)
        if (lanes & 1)
            pack->entry[lane * pack->job->rows.most_matches + pack->entries[lane]++] =
                (uint32_t)(match * KINDS + kind);
}

/* The bits of a range's levels, brought together: those of its lanes. */
static Lanes lanes_of(const Pack *pack, Lanes bits)
{
    const Range *range = pack->range;
    Lanes lanes = 0;
    bits >>= range->area * pack->job->thresholds;
    if (range->lanes == pack->job->thresholds) /* each level is a lane */
        return bits & low_bits(range->lanes);
    for (int lane = 0; lane < range->lanes; lane++)
        lanes |= (bits >> range->level[lane] & 1) << lane;
    return lanes;
}

/* A match that no replicate repeats together with others; its row is in `seen`. */
static void lay_match(Pack *pack, int64_t match, int64_t laid, const Counts *seen)
{
    const Rows *rows = &pack->job->rows;
    const int64_t row = rows->row[match];
    const Lanes hit = lanes_of(pack, rows->hit[match]);
    const int inside = rows->areas[row] >> pack->range->area & 1;
    *counts_at(pack->weight, laid) = *weight_of(pack, rows->datum[row]);
    *counts_at(pack->seen, laid) = *seen;
    pack->limit[laid] = rows->limit[match];
    add_entries(pack, hit, laid, inside ? HIT : HIT_OUTSIDE);
    if (inside)
        add_entries(pack, lanes_of(pack, rows->ignored[match]) & ~hit, laid, IGNORED);
}

static void lay_tie(Pack *pack, Tie tie, int64_t laid, const Counts *seen)
{
    if (!grow((void **)&pack->tie, &pack->tie_room, pack->ties + 1, sizeof tie)) {
        pack->failed = 1;
        return;
    }
    *counts_at(pack->weight, laid) = *weight_of(pack, pack->job->rows.datum[tie.first]);
    *counts_at(pack->seen, laid) = *seen;
    pack->limit[laid] = (int32_t)pack->ties;
    pack->tie[pack->ties++] = tie;
    add_entries(pack, low_bits(pack->range->lanes), laid, TIED);
}

/* Whether some replicate has more than one copy of an image. */
static int repeats(const Counts *weight)
{
    int more = 0;
    for (int number = 0; number < WIDTH; number++)
        more |= weight->of[number] > 1;
    return more;
}

/* Lay out the matches of a label, with the rows that were seen before each. */
static void lay_out(Pack *pack, int64_t label)
{
    const Rows *rows = &pack->job->rows;
    const int64_t last_row = rows->row_start[label + 1], last_match = rows->match_start[label + 1];
    int64_t row = rows->row_start[label], laid = 0;
    Counts seen = {{0}};
    memset(pack->entries, 0, sizeof pack->entries);
    pack->ties = 0;
    for (int64_t match = rows->match_start[label]; match < last_match; match++) {
        const int64_t here = rows->row[match];
        Tie tie = {here, here + 1, match, match + 1};
        while (rows->tied[tie.first]) /* never at the first row of a label */
            tie.first--;
        while (tie.last < last_row && rows->tied[tie.last])
            tie.last++;
        if (tie.last == tie.first + 1 || !repeats(weight_of(pack, rows->datum[here]))) {
            count_rows(pack, &seen, row, here + 1);
            lay_match(pack, match, laid++, &seen);
            row = here + 1;
            continue;
        }
        while (tie.last_match < last_match && rows->row[tie.last_match] < tie.last)
            tie.last_match++;
        count_rows(pack, &seen, row, tie.last);
        lay_tie(pack, tie, laid++, &seen);
        row = tie.last;
        match = tie.last_match - 1;
    }
}

/* ---- Steps -------------------------------------------------------------------------------------- */

/* Find the table of each replicate; one of many truths serves all lanes, and the next label whose
 * truths are as many. */
static void find_tables(Pack *pack, const Counts *real)
{
    for (int number = 0; number < WIDTH; number++) {
        const int32_t total = real->of[number];
        int16_t *own = pack->table + (int64_t)number * (MOST_TABLED + 1);
        if (total > MOST_SHARED && total <= MOST_TABLED && total != pack->tabled[number]) {
            table_reach(pack->job, total, own);
            pack->tabled[number] = total;
        }
        pack->reach[number] = total > MOST_TABLED   ? NULL
                              : total > MOST_SHARED ? own
                                                    : pack->job->rows.reach + shared_table(total);
    }
}

/* Note a precision that is better than all at more true positives. */
static inline void draft_step(Pack *pack, int replicate, double precision, int32_t hits, int32_t real)
{
    Plateau *draft = pack->draft + replicate * pack->job->recalls;
    const int16_t *table = pack->reach[replicate];
    const int64_t reach = table && hits <= real ? table[hits] : reach_of(pack->job, hits, real);
    int64_t *drafted = &pack->drafted[replicate];
    if (reach < 0)
        return;
    *drafted += !(*drafted && draft[*drafted - 1].reach == reach);
    draft[*drafted - 1].reach = reach;
    draft[*drafted - 1].precision = precision;
}

/* How far a lane has come, from the last match to the first. */
typedef struct {
    Counts hits;   /* true positives up to here */
    Counts adjust; /* to be added to the rows seen */
    double best[WIDTH];
} Lane;

/* Raise the best precisions to those at a true positive: a bit for each replicate that has a better one.
 *
 * A weight of 0 repeats an earlier true positive with more rows seen, so that it is never better. */
#if defined(__SSE2__) && WIDTH % 2 == 0
static inline unsigned raise_best(Lane *lane, const Counts *seen)
{
    const __m128d epsilon = _mm_set1_pd(DBL_EPSILON);
    unsigned better = 0;
    for (int number = 0; number < WIDTH; number += 2) {
        const __m128i hits = _mm_loadl_epi64((const __m128i *)&lane->hits.of[number]);
        const __m128i rows = _mm_add_epi32(_mm_loadl_epi64((const __m128i *)&seen->of[number]),
                                           _mm_loadl_epi64((const __m128i *)&lane->adjust.of[number]));
        const __m128d precision =
            _mm_div_pd(_mm_cvtepi32_pd(hits), _mm_add_pd(_mm_cvtepi32_pd(rows), epsilon));
        const __m128d best = _mm_loadu_pd(&lane->best[number]);
        better |= (unsigned)_mm_movemask_pd(_mm_cmpgt_pd(precision, best)) << number;
        _mm_storeu_pd(&lane->best[number], _mm_max_pd(precision, best));
    }
    return better;
}
#else
static inline unsigned raise_best(Lane *lane, const Counts *seen)
{
    unsigned better = 0;
    for (int number = 0; number < WIDTH; number++) {
        const double precision =
            (double)lane->hits.of[number] /
            ((double)(seen->of[number] + lane->adjust.of[number]) + DBL_EPSILON);
        if (precision > lane->best[number]) {
            lane->best[number] = precision;
            better |= 1u << number;
        }
    }
    return better;
}
#endif

static inline int lowest_bit(unsigned bits)
{
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctz(bits);
#else
    int number = 0;
    while (!(bits >> number & 1))
        number++;
    return number;
#endif
}

static inline void visit_hit(Pack *pack, Lane *lane, const Counts *seen, const Counts *real)
{
    for (unsigned better = raise_best(lane, seen); better; better &= better - 1) {
        const int number = lowest_bit(better);
        draft_step(pack, number, lane->best[number], lane->hits.of[number], real->of[number]);
    }
}

/* What a match of a tie does: 1 where it is a true positive, and whether it counts. */
static void read_tied(const Pack *pack, int64_t match, int level, int *hit, int *counts)
{
    const Rows *rows = &pack->job->rows;
    const int64_t bit = pack->range->area * pack->job->thresholds + level;
    const int inside = rows->areas[rows->row[match]] >> pack->range->area & 1;
    *hit = rows->hit[match] >> bit & 1;
    *counts = *hit || (inside && !(rows->ignored[match] >> bit & 1));
}

/* True positives of one copy of tied rows, and how many more of them count than are inside. */
static void sum_tie(const Pack *pack, const Tie *tie, int level, int32_t *hits, int32_t *adjust)
{
    const Rows *rows = &pack->job->rows;
    *hits = *adjust = 0;
    for (int64_t match = tie->match; match < tie->last_match; match++) {
        int hit, counts;
        read_tied(pack, match, level, &hit, &counts);
        *hits += hit;
        *adjust += counts - (rows->areas[rows->row[match]] >> pack->range->area & 1);
    }
}

/* Tied rows stand as their image's copies would: a whole copy, then the next. */
static void visit_tie(Pack *pack, Lane *lane, const Tie *tie, int level, int number, int32_t copies,
                      int32_t seen, int32_t real)
{
    const Rows *rows = &pack->job->rows;
    int32_t hits = lane->hits.of[number];
    int64_t counted = (int64_t)seen + lane->adjust.of[number];
    for (; copies > 0; copies--) {
        int64_t match = tie->last_match;
        for (int64_t row = tie->last - 1; row >= tie->first; row--) {
            int hit = 0, counts = rows->areas[row] >> pack->range->area & 1;
            if (match > tie->match && rows->row[match - 1] == row)
                read_tied(pack, --match, level, &hit, &counts);
            const double precision = (double)hits / ((double)counted + DBL_EPSILON);
            if (hit && precision > lane->best[number]) {
                lane->best[number] = precision;
                draft_step(pack, number, precision, hits, real);
            }
            hits -= hit;
            counted -= counts;
        }
    }
}

static inline void add_times(Counts *sum, const Counts *weight, int32_t times)
{
    for (int number = 0; number < WIDTH; number++)
        sum->of[number] += weight->of[number] * times;
}

/* Count what an entry does `sign` times, 1 or -1. Masks are cheaper than guessing its kind wrong. */
static inline void count_entry(const Pack *pack, Lane *lane, uint32_t entry, int level, int32_t sign)
{
    const uint32_t match = entry / KINDS, kind = entry % KINDS;
    const Counts *weight = counts_at(pack->weight, match);
    if (UNLIKELY(kind == TIED)) {
        int32_t hits, adjust;
        sum_tie(pack, &pack->tie[pack->limit[match]], level, &hits, &adjust);
        add_times(&lane->hits, weight, hits * sign);
        add_times(&lane->adjust, weight, adjust * sign);
        return;
    }
    const int32_t hit = -(kind != IGNORED), outside = -(kind == HIT_OUTSIDE), ignored = -(kind == IGNORED);
    for (int number = 0; number < WIDTH; number++) {
        const int32_t often = weight->of[number] * sign;
        lane->hits.of[number] += often & hit;
        lane->adjust.of[number] += (often & outside) - (often & ignored);
    }
}

/* Keep the steps that were drafted for a lane. */
static void keep_steps(Pack *pack, int64_t slot, int number)
{
    Curve *curve = pack->curve + (slot * pack->range->lanes + number) * WIDTH;
    int64_t count = 0;
    for (int replicate = 0; replicate < WIDTH; replicate++)
        count += pack->drafted[replicate];
    if (!grow((void **)&pack->step, &pack->step_room, pack->steps + count, sizeof *pack->step)) {
        pack->failed = 1;
        return;
    }
    for (int replicate = 0; replicate < WIDTH; replicate++) {
        curve[replicate].first = pack->steps;
        curve[replicate].count = pack->drafted[replicate];
        memcpy(pack->step + pack->steps, pack->draft + replicate * pack->job->recalls,
               (size_t)pack->drafted[replicate] * sizeof *pack->step);
        pack->steps += pack->drafted[replicate];
    }
}

static void follow_lane(Pack *pack, int64_t slot, int number)
{
    const uint32_t *entry = pack->entry + number * pack->job->rows.most_matches;
    const int level = pack->range->level[number];
    const Counts *real = counts_at(pack->real, slot);
    Lane lane;
    memset(&lane, 0, sizeof lane);
    memset(pack->drafted, 0, sizeof pack->drafted);
    for (int64_t next = 0; next < pack->entries[number]; next++)
        count_entry(pack, &lane, entry[next], level, 1);
    for (int64_t next = pack->entries[number] - 1; next >= 0; next--) {
        const uint32_t match = entry[next] / KINDS, kind = entry[next] % KINDS;
        if (kind == HIT || kind == HIT_OUTSIDE)
            visit_hit(pack, &lane, counts_at(pack->seen, match), real);
        else if (kind == TIED)
            for (int copy = 0; copy < WIDTH; copy++)
                visit_tie(pack, &lane, &pack->tie[pack->limit[match]], level, copy,
                          pack->weight[match * WIDTH + copy], pack->seen[match * WIDTH + copy], real->of[copy]);
        count_entry(pack, &lane, entry[next], level, -1);
    }
    keep_steps(pack, slot, number);
}

/* ---- A label --------------------------------------------------------------------------------------- */

static inline void add_hits(int64_t *hits, int64_t limit, const int32_t *weight)
{
    for (int copy = 0; copy < WIDTH; copy++)
        hits[limit * WIDTH + copy] += weight[copy];
}

/* The true positives among tied rows: each copy of their image has them all. */
static void count_tied_hits(const Pack *pack, const Tie *tie, int level, const int32_t *weight,
                            int64_t *hits)
{
    const int32_t *limit = pack->job->rows.limit;
    for (int64_t match = tie->match; match < tie->last_match; match++) {
        int hit, counts;
        read_tied(pack, match, level, &hit, &counts);
        if (hit && limit[match] < pack->job->limits)
            add_hits(hits, limit[match], weight);
    }
}

/* Count true positives by the first limit that their rank meets. */
static void count_hits(Pack *pack, int64_t slot, int number)
{
    const int64_t limits = pack->job->limits;
    const uint32_t *entry = pack->entry + number * pack->job->rows.most_matches;
    int64_t *hits = pack->hits + (slot * pack->range->lanes + number) * limits * WIDTH;
    memset(hits, 0, (size_t)(limits * WIDTH) * sizeof *hits);
    for (int64_t next = 0; next < pack->entries[number]; next++) {
        const uint32_t laid = entry[next] / KINDS, kind = entry[next] % KINDS;
        const int32_t *weight = pack->weight + (int64_t)laid * WIDTH, limit = pack->limit[laid];
        if (kind == TIED)
            count_tied_hits(pack, &pack->tie[limit], pack->range->level[number], weight, hits);
        else if (kind != IGNORED && limit < limits)
            add_hits(hits, limit, weight);
    }
}

static int count_truths(Pack *pack, int64_t label, Counts *real)
{
    const Rows *rows = &pack->job->rows;
    Counts sum = {{0}};
    int any = 0;
    for (int64_t row = rows->truth_start[label]; row < rows->truth_start[label + 1]; row++)
        add(&sum, weight_of(pack, rows->truth_datum[row]),
            -(int32_t)(rows->truth_areas[row] >> pack->range->area & 1));
    for (int number = 0; number < WIDTH; number++)
        any |= sum.of[number];
    *real = sum;
    return any;
}

void FOLLOW_LABEL(Pack *pack, int64_t label, int64_t slot)
{
    Counts *real = counts_at(pack->real, slot);
    if (!count_truths(pack, label, real))
        return; /* nobody reads its curves */
    lay_out(pack, label);
    find_tables(pack, real);
    for (int number = 0; number < pack->range->lanes && !pack->failed; number++) {
        follow_lane(pack, slot, number);
        if (pack->range->reads_recall)
            count_hits(pack, slot, number);
    }
}

