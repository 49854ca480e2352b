/* Counts of a stored ledger at one score. */
#include "bind.h"
#include "lanes.h"

#define COUNTS(_)                                  \
    _(SIZE(labels, INT32_MAX))                     \
    _(SIZE(datums, INT32_MAX))                     \
    _(LENGTH(rows, INT32_MAX))                     \
    _(LENGTH(matches, INT32_MAX))                  \
    _(BACKED(labels, rows, matches))               \
    _(SHARED(int32, label, OF(rows)))              \
    _(SHARED(int32, datum, OF(rows)))              \
    _(SHARED(float64, score, OF(rows)))            \
    _(SHARED(uint8, areas, OF(rows)))              \
    _(SHARED(int32, match, OF(matches)))           \
    _(SHARED(uint64, hit, OF(matches)))            \
    _(SHARED(uint64, ignored, OF(matches)))        \
    _(OPTIONAL(int64, weights, OF(datums))) /* None: each datum once */ \
    _(NUMBER(lane)) /* of the first area range */  \
    _(REAL(least))                                 \
    _(OUT(int64, found, OF(labels)))               \
    _(OUT(int64, counted, OF(labels)))

typedef struct {
    COUNTS(FIELD)
} Counts;

static Fault count_at(const Counts *job)
{
    if (job->lane < 0 || job->lane >= MOST_LANES)
        return fault("lane", job->lane);
    for (int64_t datum = 0; job->weights && datum < job->datums; datum++)
        if (job->weights[datum] < 0 || job->weights[datum] > INT32_MAX)
            return fault("weight", datum);
    memset(job->out_found, 0, (size_t)job->labels * sizeof *job->out_found);
    memset(job->out_counted, 0, (size_t)job->labels * sizeof *job->out_counted);
    for (int64_t row = 0, match = 0; row < job->rows; row++) {
        const int matched = match < job->matches && job->match[match] == row;
        const int64_t here = match;
        match += matched;
        if (!(job->score[row] >= job->least))
            continue;
        const int64_t label = READ_ONCE(int32_t, job->label[row]);
        const int64_t datum = READ_ONCE(int32_t, job->datum[row]);
        if (UNLIKELY((uint64_t)label >= (uint64_t)job->labels))
            return fault("label", row);
        if (UNLIKELY((uint64_t)datum >= (uint64_t)job->datums))
            return fault("datum", row);
        const int64_t weight = job->weights ? job->weights[datum] : 1;
        const int hit = matched && (job->hit[here] >> job->lane & 1);
        const int ignored = matched && (job->ignored[here] >> job->lane & 1);
        job->out_found[label] += hit ? weight : 0;
        job->out_counted[label] += hit || ((job->areas[row] & 1) && !ignored) ? weight : 0;
    }
    return FINE;
}

BIND(counts_at, Counts, COUNTS, count_at)
