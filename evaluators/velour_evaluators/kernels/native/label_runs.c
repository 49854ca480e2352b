/* Labellings as runs: made of masks that share no pixel, and two of them compared. */
#include "label_runs.h"

BIND_PART(label_runs, LabelRuns, LABEL_RUNS)

/* ---- Masks to runs ------------------------------------------------------------------------------- */

#define MASK_RUNS(_)                         \
    _(LENGTH(masks, INT32_MAX))              \
    _(LENGTH(flips, INT32_MAX))              \
    _(SHARED(int64, edges, OF(flips)))       \
    _(COLUMN(int64, start, MORE(masks, 1)))  \
    _(COLUMN(int64, owner, OF(masks)))       \
    _(SIZE(size, MOST_PIXELS))               \
    _(RESULT(disjoint))                      \
    _(COUNTED(runs))                         \
    _(OUT(int64, starts, UP_TO(room, runs))) \
    _(OUT(int64, labels, UP_TO(room, runs)))

enum { INTERVAL = 32 }; /* bits of an interval's number, below those of where it begins */

typedef struct {
    MASK_RUNS(FIELD)
    int64_t room, intervals;
} MaskRuns;

/* A mask of n edges has (n + 1) / 2 intervals; between them is nobody. */
static Fault count_intervals(MaskRuns *job)
{
    if (job->start[0] != 0 || job->start[job->masks] != job->flips)
        return fault("start of mask", 0);
    for (int64_t mask = 0; mask < job->masks; mask++) {
        if (job->start[mask + 1] < job->start[mask] || job->start[mask + 1] > job->flips)
            return fault("start of mask", mask + 1);
        job->intervals += (job->start[mask + 1] - job->start[mask] + 1) / 2;
    }
    job->room = 2 * job->intervals + 1;
    return FINE;
}

/* Where each interval begins, above its number; where it ends; whose it is. */
static Fault read_intervals(const MaskRuns *job, uint64_t *begins, int64_t *ends, int64_t *owner)
{
    int64_t interval = 0;
    for (int64_t mask = 0; mask < job->masks; mask++) {
        int64_t before = 0;
        for (int64_t at = job->start[mask]; at < job->start[mask + 1]; at += 2) {
            const int64_t begin = READ_ONCE(int64_t, job->edges[at]);
            const int64_t end = at + 1 < job->start[mask + 1]
                                    ? READ_ONCE(int64_t, job->edges[at + 1])
                                    : job->size;
            if (UNLIKELY(begin < before || end <= begin || end > job->size))
                return fault("edges of mask", mask);
            begins[interval] = (uint64_t)begin << INTERVAL | (uint64_t)interval;
            ends[interval] = before = end;
            owner[interval++] = job->owner[mask];
        }
    }
    return FINE;
}

static void add_run(MaskRuns *job, int64_t start, int64_t label)
{
    job->out_starts[job->runs] = start;
    job->out_labels[job->runs++] = label;
}

/* Intervals in the order of their pixels, and nobody between them; 0 where two of them overlap. */
static int write_runs(MaskRuns *job, const uint64_t *begins, const int64_t *ends, const int64_t *owner)
{
    int64_t end = 0;
    for (int64_t position = 0; position < job->intervals; position++) {
        const int64_t begin = (int64_t)(begins[position] >> INTERVAL);
        const uint64_t interval = begins[position] & low_bits(INTERVAL);
        if (begin < end)
            return 0;
        if (begin > end)
            add_run(job, end, NOBODY);
        add_run(job, begin, owner[interval]);
        end = ends[interval];
    }
    if (end < job->size)
        add_run(job, end, NOBODY);
    return 1;
}

static Fault runs_of_intervals(MaskRuns *job, Pool *pool)
{
    uint64_t *begins = pool_alloc(pool, job->intervals, sizeof *begins);
    uint64_t *spare = pool_alloc(pool, job->intervals, sizeof *spare);
    int64_t *ends = pool_alloc(pool, job->intervals, sizeof *ends);
    int64_t *owner = pool_alloc(pool, job->intervals, sizeof *owner);
    if (pool->failed)
        return NO_MEMORY;
    Fault wrong = read_intervals(job, begins, ends, owner);
    if (wrong.what)
        return wrong;
    int bits = 1;
    while (job->size >> bits)
        bits++;
    sort_words(begins, spare, job->intervals, INTERVAL, INTERVAL + bits);
    job->disjoint = write_runs(job, begins, ends, owner);
    return FINE;
}

static Fault runs_of_masks(MaskRuns *job)
{
    Pool pool = {.used = 0};
    Fault wrong = runs_of_intervals(job, &pool);
    pool_free(&pool);
    return wrong;
}

BIND_PREPARED(runs_of_masks, MaskRuns, MASK_RUNS, count_intervals, runs_of_masks)

/* ---- Two labellings ------------------------------------------------------------------------------ */

#define RUN_PAIRS(_)                         \
    _(PART(LabelRuns, truth, label_runs))     \
    _(PART(LabelRuns, predicted, label_runs)) \
    _(SIZE(size, MOST_PIXELS))                \
    _(SIZE(owners, INT32_MAX))                \
    _(TABLE(owners, owners))                  \
    _(OUT(int64, pixels, OF(owners), OF(owners)))

typedef struct {
    RUN_PAIRS(FIELD)
} RunPairs;

/* Pixels of each pair of owners, of which nobody is the first: a merge of two lists of runs. */
static Fault count_run_pairs(RunPairs *job)
{
    RunReader truth = read_runs_of(&job->truth, job->size, job->owners - 2);
    RunReader predicted = read_runs_of(&job->predicted, job->size, job->owners - 2);
    memset(job->out_pixels, 0, (size_t)(job->owners * job->owners) * sizeof *job->out_pixels);
    if (!job->truth.runs || !job->predicted.runs)
        return job->size ? fault("runs of an image", 0) : FINE;
    for (int64_t done = 0; done < job->size;) {
        if (UNLIKELY(truth.end == done && !next_run(&truth)))
            return fault("true run", truth.run);
        if (UNLIKELY(predicted.end == done && !next_run(&predicted)))
            return fault("predicted run", predicted.run);
        const int64_t end = truth.end < predicted.end ? truth.end : predicted.end;
        job->out_pixels[(truth.label + 1) * job->owners + predicted.label + 1] += end - done;
        done = end;
    }
    return FINE;
}

BIND(confusion_of_runs, RunPairs, RUN_PAIRS, count_run_pairs)
