/* Average precision and recall of a stored ledger under many weightings of the images. */
#include <math.h>

#include "averages.h"

/* ---- The question --------------------------------------------------------------------------------- */

static Fault check_question(const Averages *job)
{
    if (job->areas < 1 || job->thresholds < 1 || job->areas * job->thresholds > MOST_LANES ||
        job->recalls < 1 || job->detailed > job->averages)
        return fault("size", 0);
    for (int64_t label = 0; label < job->labels; label++)
        if (job->group[label] < -1 || job->group[label] >= job->groups)
            return fault("group of label", label);
    for (int64_t average = 0; average < job->averages; average++) {
        if (job->area[average] < 0 || job->area[average] >= job->areas)
            return fault("area range", average);
        if (job->levels[average] & ~low_bits((int)job->thresholds))
            return fault("threshold", average);
        if (job->limit_of[average] < -1 || job->limit_of[average] >= job->limits)
            return fault("limit", average);
    }
    return FINE;
}

/* List the ranges, and the lanes of each, that some average is over: no others are followed. */
static void list_ranges(Averages *job)
{
    job->ranges = 0;
    for (int area = 0; area < job->areas; area++) {
        Range *range = &job->range[job->ranges];
        Lanes levels = 0;
        memset(range, 0, sizeof *range);
        range->area = area;
        for (int64_t average = 0; average < job->averages; average++)
            if (job->area[average] == area) {
                levels |= job->levels[average];
                range->reads_recall |= job->limit_of[average] >= 0;
            }
        for (int level = 0; level < job->thresholds; level++)
            if (levels >> level & 1)
                range->level[range->lanes++] = level;
        job->ranges += range->lanes > 0;
    }
}

static void write_undefined(const Averages *job)
{
    const int64_t labels = job->replicates * job->detailed * job->labels;
    const int64_t groups = job->replicates * job->averages * job->groups;
    for (int64_t number = 0; number < labels; number++)
        job->out_label_means[number] = NAN;
    for (int64_t number = 0; number < groups; number++)
        job->out_group_means[number] = NAN;
}

static Fault prepare(Averages *job, Pool *pool, int64_t tasks)
{
    list_ranges(job);
    write_undefined(job);
    job->wrong = take(pool, tasks, sizeof *job->wrong);
    if (pool->failed || !share_reaches(job, pool))
        return NO_MEMORY;
    for (int64_t task = 0; task < tasks; task++)
        job->wrong[task] = FINE;
    return prepare_rows(job, pool);
}

static Fault first_wrong(const Averages *job, int64_t tasks)
{
    for (int64_t task = 0; task < tasks; task++)
        if (job->wrong[task].what)
            return job->wrong[task];
    return FINE;
}

/* ---- Weights -------------------------------------------------------------------------------------- */

/* Refuse weights so large that the counters of a replicate could overflow. */
static Fault check_sums(const Pack *pack, int64_t replicate, int number)
{
    const Averages *job = pack->job;
    int64_t sum = 0;
    for (int64_t row = 0; row < job->detections.rows; row++)
        if ((sum += pack->often[(int64_t)job->rows.datum[row] * pack->width + number]) > INT32_MAX)
            return fault("weight", replicate * job->datums + job->rows.datum[row]);
    sum = 0;
    for (int64_t row = 0; row < job->truths.rows; row++)
        if ((sum += pack->often[(int64_t)job->rows.truth_datum[row] * pack->width + number]) > INT32_MAX)
            return fault("weight", replicate * job->datums + job->rows.truth_datum[row]);
    return FINE;
}

/* Lay the weights of one replicate beside those of others; it is row `replicate` of all weights. */
static Fault lay_weights(Pack *pack, const int64_t *weights, int64_t replicate, int number)
{
    const Averages *job = pack->job;
    int64_t least = 1, most = 0;
    for (int64_t datum = 0; datum < job->datums; datum++) {
        const int64_t weight = READ_ONCE(int64_t, weights[datum]);
        if (UNLIKELY(weight < 0 || weight > INT32_MAX))
            return fault("weight", replicate * job->datums + datum);
        pack->often[datum * pack->width + number] = (int32_t)weight;
        least = weight < least ? weight : least;
        most = weight > most ? weight : most;
    }
    pack->once = job->replicates == 1 && least == 1 && most == 1;
    if (most <= 1 || most <= INT32_MAX / (job->detections.rows + job->truths.rows + 1))
        return FINE;
    return check_sums(pack, replicate, number);
}

/* ---- Many weightings ------------------------------------------------------------------------------ */

static void follow_labels(Pack *pack)
{
    const Rows *rows = &pack->job->rows;
    for (int64_t next = 0; next < rows->count && !pack->failed; next++)
        follow_label(pack, rows->listed[next], next);
}

/* The means of the replicates of a pack, from `first` on. */
static void write_pack(Pack *pack, int64_t first, int count)
{
    const Averages *job = pack->job;
    Means means;
    open_means(&means, job);
    Source *source = take(&means.pool, job->rows.count, sizeof *source);
    pack->failed |= means.pool.failed;
    for (int replicate = 0; replicate < count && !pack->failed; replicate++) {
        for (int64_t next = 0; next < job->rows.count; next++) {
            const Source from = {pack, next, replicate};
            source[next] = from;
        }
        take_means(&means, pack->range, source, first + replicate);
    }
    give_back(&means.pool);
}

/* One range of a pack of replicates. */
static void weigh_pack(void *work, int64_t task)
{
    Averages *job = work;
    const int64_t first = task / job->ranges * PACK, left = job->replicates - first;
    const int count = left < PACK ? (int)left : PACK;
    Fault wrong = FINE;
    Pack pack;
    open_pack(&pack, job, &job->range[task % job->ranges], job->rows.count, count == 1 ? 1 : PACK);
    if (!pack.failed)
        memset(pack.often, 0, (size_t)(job->datums * pack.width) * sizeof *pack.often);
    for (int number = 0; number < count && !pack.failed && !wrong.what; number++)
        wrong = lay_weights(&pack, job->weights + (first + number) * job->datums, first + number, number);
    if (!pack.failed && !wrong.what) {
        follow_labels(&pack);
        write_pack(&pack, first, count);
    }
    job->wrong[task] = pack.failed ? NO_MEMORY : wrong;
    close_pack(&pack);
}

static Fault take_averages(Averages *job)
{
    Pool pool = {{NULL}, 0, 0};
    const int64_t packs = (job->replicates + PACK - 1) / PACK;
    Fault wrong = prepare(job, &pool, packs * MOST_AREAS);
    if (!wrong.what) {
        for_each(packs * job->ranges, job->threads, weigh_pack, job);
        wrong = first_wrong(job, packs * job->ranges);
    }
    give_back(&pool);
    return wrong;
}

#define AVERAGES(_) LEDGER(_) QUESTION(_) WEIGHTINGS(_) MEANS(_)

BIND_PREPARED(averages, Averages, AVERAGES, check_question, take_averages)

/* ---- Each image left out ---------------------------------------------------------------------------- */

enum { CHUNK = 256 }; /* replicates whose curves are in memory together */

/* One range, and the replicates [first, last) of it. */
typedef struct {
    Averages *job;
    const Range *range;
    int64_t first, last;
    const int32_t *replicate_of; /* (datums,) the replicate that leaves an image out, or -1 */
    Pack all;                    /* with every image, as replicate 0 */
    int64_t each, tasks;         /* labels of a task */
    Pack *packs;                 /* (tasks,) labels without the images that show them */
    int32_t *copy;               /* (listed, CHUNK) where in a pack a replicate is, or -1 */
} Omitting;

static void mark_replicates(const Omitting *omitting, const int32_t *datum, int64_t count, int32_t *copy)
{
    for (int64_t row = 0; row < count; row++) {
        const int64_t replicate = omitting->replicate_of[datum[row]];
        if (replicate >= omitting->first && replicate < omitting->last)
            copy[replicate - omitting->first] = 0;
    }
}

/* Number the replicates whose image shows a label, or has a detection of it, from `number` on. */
static int64_t list_copies(const Omitting *omitting, int64_t label, int64_t number, int32_t *copy)
{
    const Rows *rows = &omitting->job->rows;
    const int64_t row = rows->row_start[label], truth = rows->truth_start[label];
    for (int replicate = 0; replicate < CHUNK; replicate++)
        copy[replicate] = -1;
    mark_replicates(omitting, rows->datum + row, rows->row_start[label + 1] - row, copy);
    mark_replicates(omitting, rows->truth_datum + truth, rows->truth_start[label + 1] - truth, copy);
    for (int replicate = 0; replicate < CHUNK; replicate++)
        if (copy[replicate] == 0)
            copy[replicate] = (int32_t)number++;
    return number;
}

/* Let the images of the copies of one slot count, or not. Returns the replicate after them. */
static int64_t weigh_copies(Omitting *omitting, Pack *pack, const int32_t *copy, int64_t from,
                            int64_t slot, int counting)
{
    for (; from < CHUNK && copy[from] / PACK <= slot; from++)
        if (copy[from] >= 0) {
            const int32_t datum = omitting->job->omitted[omitting->first + from];
            pack->often[(int64_t)datum * PACK + copy[from] % PACK] = counting ? omitting->all.often[datum] : 0;
        }
    return from;
}

/* Follow one label without each image that shows it. */
static void omit_from_label(Omitting *omitting, Pack *pack, int64_t next, int64_t slot, int64_t end)
{
    const int32_t *copy = omitting->copy + next * CHUNK;
    for (int64_t from = 0; slot < end && !pack->failed; slot++) {
        const int64_t to = weigh_copies(omitting, pack, copy, from, slot, 0);
        follow_label(pack, omitting->job->rows.listed[next], slot);
        weigh_copies(omitting, pack, copy, from, slot, 1);
        from = to;
    }
}

/* Follow some labels without each image that shows them. */
static void omit_from_labels(void *work, int64_t task)
{
    Omitting *omitting = work;
    const Averages *job = omitting->job;
    Pack *pack = &omitting->packs[task];
    const int64_t begin = task * omitting->each, left = job->rows.count - begin;
    const int64_t stop = begin + (left < omitting->each ? left : omitting->each);
    int64_t slots = 0;
    for (int64_t next = begin; next < stop; next++) {
        int32_t *copy = omitting->copy + next * CHUNK;
        slots = (list_copies(omitting, job->rows.listed[next], slots * PACK, copy) + PACK - 1) / PACK;
    }
    open_pack(pack, job, omitting->range, slots, PACK);
    for (int64_t datum = 0; datum < job->datums && !pack->failed; datum++)
        for (int number = 0; number < PACK; number++)
            pack->often[datum * PACK + number] = omitting->all.often[datum];
    int64_t slot = 0;
    for (int64_t next = begin; next < stop; next++) {
        int32_t last = -1;
        for (int64_t replicate = 0; replicate < CHUNK; replicate++)
            if (omitting->copy[next * CHUNK + replicate] > last)
                last = omitting->copy[next * CHUNK + replicate];
        const int64_t after = last < 0 ? slot : last / PACK + 1;
        omit_from_label(omitting, pack, next, slot, after);
        slot = after;
    }
    close_scratch(pack);
}

/* The means without one image: its labels from their packs, the others as they are with all. */
static void take_omission(void *work, int64_t number)
{
    const Omitting *omitting = work;
    Averages *job = omitting->job;
    Means means;
    open_means(&means, job);
    Source *source = take(&means.pool, job->rows.count, sizeof *source);
    job->wrong[number] = means.pool.failed ? NO_MEMORY : FINE;
    for (int64_t next = 0; next < job->rows.count && !means.pool.failed; next++) {
        const int32_t copy = omitting->copy[next * CHUNK + number];
        const Source with = {&omitting->all, next, 0};
        const Source without = {&omitting->packs[next / omitting->each], copy / PACK, copy % PACK};
        source[next] = copy < 0 ? with : without;
    }
    if (!means.pool.failed)
        take_means(&means, omitting->range, source, omitting->first + number);
    give_back(&means.pool);
}

static Fault omit_chunk(Omitting *omitting)
{
    Averages *job = omitting->job;
    const int64_t count = omitting->last - omitting->first;
    int failed = 0;
    for_each(omitting->tasks, job->threads, omit_from_labels, omitting);
    for (int64_t task = 0; task < omitting->tasks; task++)
        failed |= omitting->packs[task].failed;
    if (!failed)
        for_each(count, job->threads, take_omission, omitting);
    for (int64_t task = 0; task < omitting->tasks; task++)
        close_pack(&omitting->packs[task]);
    return failed ? NO_MEMORY : first_wrong(job, count);
}

static Fault omit_in_range(Omitting *omitting)
{
    Averages *job = omitting->job;
    Pack *all = &omitting->all;
    Fault wrong = FINE;
    open_pack(all, job, omitting->range, job->rows.count, 1);
    if (!all->failed) {
        memset(all->often, 0, (size_t)job->datums * sizeof *all->often);
        wrong = lay_weights(all, job->weight, 0, 0);
    }
    if (!all->failed && !wrong.what)
        follow_labels(all);
    if (all->failed)
        wrong = NO_MEMORY;
    for (omitting->first = 0; omitting->first < job->replicates && !wrong.what;
         omitting->first = omitting->last) {
        const int64_t end = omitting->first + CHUNK;
        omitting->last = end < job->replicates ? end : job->replicates;
        wrong = omit_chunk(omitting);
    }
    close_pack(all);
    return wrong;
}

/* Which replicate leaves out which image. */
static Fault list_omissions(const Averages *job, int32_t *replicate_of)
{
    for (int64_t datum = 0; datum < job->datums; datum++)
        replicate_of[datum] = -1;
    for (int64_t replicate = 0; replicate < job->replicates; replicate++) {
        const int64_t least = replicate ? (int64_t)job->omitted[replicate - 1] + 1 : 0;
        if (job->omitted[replicate] < least || job->omitted[replicate] >= job->datums)
            return fault("omitted", replicate);
        replicate_of[job->omitted[replicate]] = (int32_t)replicate;
    }
    return FINE;
}

static Fault take_omissions(Averages *job)
{
    Pool pool = {{NULL}, 0, 0};
    Omitting omitting;
    memset(&omitting, 0, sizeof omitting);
    omitting.job = job;
    Fault wrong = prepare(job, &pool, CHUNK);
    int32_t *replicate_of = take(&pool, job->datums, sizeof *replicate_of);
    omitting.replicate_of = replicate_of;
    omitting.each = 1 + job->rows.count / (16 * job->threads); /* small tasks, but not one a label */
    omitting.tasks = (job->rows.count + omitting.each - 1) / omitting.each;
    omitting.packs = take(&pool, omitting.tasks, sizeof *omitting.packs);
    omitting.copy = take(&pool, job->rows.count * CHUNK, sizeof *omitting.copy);
    if (!wrong.what && pool.failed)
        wrong = NO_MEMORY;
    if (!wrong.what)
        wrong = list_omissions(job, replicate_of);
    for (int number = 0; number < job->ranges && !wrong.what; number++) {
        omitting.range = &job->range[number];
        wrong = omit_in_range(&omitting);
    }
    give_back(&pool);
    return wrong;
}

#define OMITTING(_) LEDGER(_) QUESTION(_) OMISSIONS(_) MEANS(_)

BIND_PREPARED(omissions, Averages, OMITTING, check_question, take_omissions)
