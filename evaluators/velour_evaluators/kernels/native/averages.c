/* Average precision and recall of a stored ledger. */
#include <float.h>
#include <math.h>

#include "arguments.h"
#include "lanes.h"

typedef struct {
    /* the ledger */
    int64_t rows, matches, truths, labels, datums;
    const int32_t *label, *datum, *match, *truth_label, *truth_datum;
    const double *score;
    const uint16_t *rank;
    const uint8_t *areas, *truth_areas;
    const Lanes *hit, *ignored;
    /* the question */
    int64_t replicates; /* how many weight vectors */
    const int64_t *weights; /* (replicates, datums); NULL: each datum once */
    int64_t thresholds, all_areas, recalls, limits;
    const double *recall;  /* at which precision is read, rising */
    const int64_t *limit;  /* detections of a datum and label that count for recall, rising */
    int64_t averages, groups;
    const int64_t *area;       /* (averages,) range of each */
    const Lanes *levels;       /* (averages,) bits of the thresholds that it is over */
    const int64_t *read_at;    /* (averages,) number of the limit; -1: precision, over the recalls */
    const int32_t *group;      /* (labels,) which group's mean a label enters; -1: it is left out */
    int threads;
    /* the answer; NaN where there is nothing to find */
    double *out_labels;    /* (replicates, averages, labels) */
    double *out_groups;    /* (replicates, averages, groups) */
    int64_t *out_truths;   /* (replicates, labels, all_areas) */
    /* between the steps */
    int32_t *often;        /* (packs, datums, PACK) weights: those of a pack lie side by side */
    int64_t packs;
    int32_t mask[256][MOST_AREAS]; /* -1 for each range whose bit is set */
    int64_t *row_start, *match_start; /* where each label's rows and matches begin */
    Lanes asked;           /* lanes that some average is over */
    int lane[MOST_LANES], lanes; /* which these are */
    int range[MOST_AREAS], ranges; /* area ranges that some average is of */
    int reads_recall;              /* whether some average is of recall */
    int64_t *listed, count; /* labels that are in a group and have something to find, by group */
    int64_t *group_start;   /* (groups + 1,) where those of each group begin */
    double *precision;     /* (replicates, listed, asked lanes, recalls) */
    double *found;         /* (replicates, listed, asked lanes, limits) recalls */
    int no_room;
} Averages;

/* Replicates that go through the rows of a label together: one addition counts a row for all. */
enum { PACK = 8 };

/* More detections than this of one label, and the cross products below would overflow. */
static const int64_t MOST_COUNTED = 3000000000;

/* How far one label of one replicate has come in a lane. */
typedef struct {
    int64_t place;                 /* true positives so far */
    int64_t adjust;                /* to be added to `seen`: matches that count against the range */
    int64_t best_place, best_seen; /* the best precision at this recall */
    int64_t reach, next;           /* number of the last recall reached, -1: none; hits for the next */
} Lane;

typedef struct {
    Lane lane[MOST_LANES];         /* (lanes,) */
    double *best;                  /* (lanes, recalls) best precision between two recalls */
    int64_t *found;                /* (lanes, limits + 1) true positives by the first limit they meet */
    int64_t *needed;               /* (areas, recalls + 1) true positives that reach each recall */
} Progress;

typedef struct {
    uint32_t seen[MOST_AREAS][PACK]; /* detections inside each range so far: at most MOST_COUNTED */
    Progress of[PACK];
} Pack;

/* What a match says in the asked lanes: where it is a hit, and where `seen` is to be adjusted. */
typedef struct {
    int64_t limit; /* the first that its rank meets */
    int hits, changes;
    int8_t hit[MOST_LANES], area[MOST_LANES]; /* (hits,) lanes, and their ranges */
    int8_t change[MOST_LANES], by[MOST_LANES]; /* (changes,) lanes, and 1 or -1 for each copy */
} Match;

static double precision_of(int64_t place, int64_t seen)
{
    return (double)place / ((double)seen + DBL_EPSILON);
}

/* The smallest whole number whose share of `truths` reaches each recall. */
static void needed_for(const Averages *job, int64_t truths, int64_t *needed)
{
    const double total = (double)truths;
    for (int64_t number = 0; number < job->recalls; number++) {
        double recall = job->recall[number], product = recall * total;
        int64_t count = (int64_t)product;
        count += (double)count < product;
        count += (double)count / total < recall;
        count -= ((double)count - 1) / total >= recall;
        needed[number] = count > 0 ? count : 0;
    }
    needed[job->recalls] = INT64_MAX;
}

/* `weight` copies of a true positive of one lane, one after the other.
 *
 * Their precisions rise, so the last one stands for all. Between two recalls only the best
 * precision matters; fractions are compared by their cross products, exactly, and one division is
 * done when the next recall is reached. Of equal fractions the later one stays: only 1/1 is
 * rounded down (to 1/(1 + eps)), and it can only be the first. */
static inline void count_hit(const Averages *job, Progress *progress, int lane, int area,
                             int64_t inside, int64_t weight)
{
    Lane *at = &progress->lane[lane];
    const int64_t place = at->place += weight, seen = inside + at->adjust;
    if (place >= at->next) {
        const int64_t *needed = progress->needed + area * (job->recalls + 1);
        double *best = progress->best + lane * job->recalls;
        if (at->reach >= 0)
            best[at->reach] = precision_of(at->best_place, at->best_seen);
        while (place >= needed[at->reach + 1])
            best[++at->reach] = 0.0;
        at->next = needed[at->reach + 1];
    }
    else if (place * at->best_seen < at->best_place * seen)
        return;
    at->best_place = place;
    at->best_seen = seen;
}

static void read_match(const Averages *job, int64_t match, Match *to)
{
    const int64_t row = job->match[match];
    to->limit = to->hits = to->changes = 0;
    while (to->limit < job->limits && job->rank[row] >= job->limit[to->limit])
        to->limit++;
    for (int lane = 0; lane < job->lanes; lane++) {
        const int area = job->lane[lane] / (int)job->thresholds;
        const int hit = job->hit[match] >> job->lane[lane] & 1;
        const int ignored = job->ignored[match] >> job->lane[lane] & 1;
        const int inside = job->areas[row] >> area & 1;
        /* inside the range a match counts unless ignored; outside it counts only as a hit */
        if (inside ? ignored && !hit : hit) {
            to->by[to->changes] = inside ? -1 : 1;
            to->change[to->changes++] = (int8_t)lane;
        }
        if (hit) {
            to->area[to->hits] = (int8_t)area;
            to->hit[to->hits++] = (int8_t)lane;
        }
    }
}

/* `weight` copies of a match, one after the other, in one replicate; its row is in `seen` already. */
static inline void count_match(const Averages *job, Pack *pack, int replicate, const Match *match,
                               int64_t weight)
{
    Progress *at = &pack->of[replicate];
    for (int number = 0; number < match->changes; number++)
        at->lane[match->change[number]].adjust += match->by[number] * weight;
    for (int number = 0; number < match->hits; number++) {
        const int lane = match->hit[number], area = match->area[number];
        count_hit(job, at, lane, area, pack->seen[area][replicate], weight);
        if (job->reads_recall)
            at->found[lane * (job->limits + 1) + match->limit] += weight;
    }
}

/* Whether a datum's copies repeat two rows together: equal score and datum. */
static inline int are_tied(const Averages *job, int64_t one, int64_t other)
{
    return job->datum[one] == job->datum[other] && job->score[one] == job->score[other];
}

/* What every detection does: raise `seen`. */
static void count_seen(const Averages *job, Pack *pack, const int32_t *often, int64_t first,
                         int64_t last)
{
    for (int place = 0; place < job->ranges && first < last; place++) {
        const int area = job->range[place];
        uint32_t seen[PACK];
        memcpy(seen, pack->seen[area], sizeof seen);
        for (int64_t row = first; row < last; row++) {
            const int32_t *weight = often + (int64_t)job->datum[row] * PACK;
            const int32_t mask = job->mask[job->areas[row]][area];
            for (int replicate = 0; replicate < PACK; replicate++)
                seen[replicate] += (uint32_t)(weight[replicate] & mask);
        }
        memcpy(pack->seen[area], seen, sizeof seen);
    }
}

/* One match of no tied row, in all replicates. */
static void count_alone(const Averages *job, Pack *pack, const int32_t *often, int64_t row, int64_t number)
{
    const int32_t *weight = often + (int64_t)job->datum[row] * PACK;
    int counting[PACK], count = 0;
    Match match;
    read_match(job, number, &match);
    count_seen(job, pack, often, row, row + 1);
    for (int replicate = 0; replicate < PACK; replicate++) { /* no branch: it could not be predicted */
        counting[count] = replicate;
        count += weight[replicate] != 0;
    }
    for (int place = 0; place < count; place++)
        count_match(job, pack, counting[place], &match, weight[counting[place]]);
}

/* Tied rows with the matches [number, last_number). They stand as their datum's copies would: a whole
 * copy, then the next. */
static void count_tied(const Averages *job, Pack *pack, const int32_t *often, int64_t first,
                       int64_t last, int64_t number, int64_t last_number)
{
    const int32_t *copies = often + (int64_t)job->datum[first] * PACK;
    Match match;
    for (int replicate = 0; replicate < PACK; replicate++)
        for (int32_t copy = 0; copy < copies[replicate]; copy++)
            for (int64_t row = first, next = number; row < last; row++) {
                for (int place = 0; place < job->ranges; place++)
                    pack->seen[job->range[place]][replicate] += job->areas[row] >> job->range[place] & 1;
                if (next == last_number || job->match[next] != row)
                    continue;
                read_match(job, next++, &match);
                count_match(job, pack, replicate, &match, 1);
            }
}

/* The rows of a label as often as their datums count, in all replicates of a pack. */
static void scan_rows(const Averages *job, Pack *pack, const int32_t *often, int64_t label)
{
    int64_t row = job->row_start[label], match = job->match_start[label];
    const int64_t last = job->row_start[label + 1], last_match = job->match_start[label + 1];
    while (match < last_match) {
        int64_t first = job->match[match], end = first + 1, next = match + 1;
        while (end < last && are_tied(job, first, end))
            end++;
        while (first > row && are_tied(job, first - 1, first))
            first--;
        while (next < last_match && job->match[next] < end)
            next++;
        count_seen(job, pack, often, row, first);
        if (end == first + 1)
            count_alone(job, pack, often, first, match);
        else
            count_tied(job, pack, often, first, end, match, next);
        row = end;
        match = next;
    }
    count_seen(job, pack, often, row, last);
}

/* Precision at each recall, from the best ones between recalls; what is not reached is 0. */
static void read_precision(const Averages *job, const Progress *progress, int lane, double *precision)
{
    const Lane *at = &progress->lane[lane];
    const int64_t reach = at->reach;
    const double *best = progress->best + lane * job->recalls;
    double highest = 0.0;
    for (int64_t number = job->recalls - 1; number > reach; number--)
        precision[number] = 0.0;
    if (reach >= 0)
        highest = precision_of(at->best_place, at->best_seen);
    for (int64_t number = reach; number >= 0; number--) {
        if (number < reach && best[number] > highest)
            highest = best[number];
        precision[number] = highest;
    }
}

/* Write the precisions and recalls of one listed label, lane after lane. */
static void read_label(const Averages *job, const Progress *at, int64_t replicate, int64_t place)
{
    const int64_t line = (replicate * job->count + place) * job->lanes;
    const int64_t *truths =
        job->out_truths + (replicate * job->labels + job->listed[place]) * job->all_areas;
    for (int number = 0; number < job->lanes; number++) {
        const int64_t *found = at->found + number * (job->limits + 1);
        const int64_t real = truths[job->lane[number] / job->thresholds];
        double *recall = job->found + (line + number) * job->limits;
        int64_t sum = 0;
        if (!real)
            continue; /* nobody reads it */
        for (int64_t limit = 0; limit < job->limits; limit++) {
            sum += found[limit];
            recall[limit] = (double)sum / (double)real;
        }
        read_precision(job, at, number, job->precision + (line + number) * job->recalls);
    }
}

/* Make ready for one label of one replicate. */
static void begin_label(const Averages *job, Progress *at, int64_t replicate, int64_t label)
{
    const int64_t *truths = job->out_truths + (replicate * job->labels + label) * job->all_areas;
    memset(at->found, 0, (size_t)(job->lanes * (job->limits + 1)) * sizeof *at->found);
    for (int place = 0; place < job->ranges; place++)
        needed_for(job, truths[job->range[place]], at->needed + job->range[place] * (job->recalls + 1));
    for (int lane = 0; lane < job->lanes; lane++) {
        at->lane[lane].reach = -1;
        at->lane[lane].next = at->needed[job->lane[lane] / job->thresholds * (job->recalls + 1)];
    }
}

/* One label of a pack of replicates. Packs of a label follow each other: its rows stay in the cache. */
static void follow_label(void *given, int64_t number)
{
    Averages *job = given;
    const int64_t first = number % job->packs * PACK, place = number / job->packs;
    const int64_t left = job->replicates - first;
    const int count = left < PACK ? (int)left : PACK; /* the weights of the others are 0 */
    Pool pool = {{NULL}, 0, 0};
    Pack *pack = take(&pool, 1, sizeof *pack);
    double *best = take(&pool, count * job->lanes * job->recalls, sizeof *best);
    int64_t *found = take(&pool, count * job->lanes * (job->limits + 1), sizeof *found);
    int64_t *needed = take(&pool, count * job->all_areas * (job->recalls + 1), sizeof *needed);
    if (pool.failed) {
        job->no_room = 1;
        give_back(&pool);
        return;
    }
    memset(pack, 0, sizeof *pack);
    for (int replicate = 0; replicate < count; replicate++) {
        Progress *at = &pack->of[replicate];
        at->best = best + replicate * job->lanes * job->recalls;
        at->found = found + replicate * job->lanes * (job->limits + 1);
        at->needed = needed + replicate * job->all_areas * (job->recalls + 1);
        begin_label(job, at, first + replicate, job->listed[place]);
    }
    scan_rows(job, pack, job->often + first * job->datums, job->listed[place]);
    for (int replicate = 0; replicate < count; replicate++)
        read_label(job, &pack->of[replicate], first + replicate, place);
    give_back(&pool);
}

/* Values whose mean is asked: of some lanes, recalls and labels, labels changing fastest. */
typedef struct {
    const double **row;      /* (labels,) where each label's values begin */
    int64_t labels, recalls, lanes;
    int64_t lane[MOST_LANES]; /* (lanes,) where a lane's values begin in those of a label */
    int64_t at_label, at_recall, at_lane; /* what comes next */
} Values;

static void next_values(Values *from, double *to, int64_t count)
{
    while (count) {
        const int64_t offset = from->lane[from->at_lane] + from->at_recall;
        const int64_t left = from->labels - from->at_label, some = count < left ? count : left;
        const double **row = from->row + from->at_label;
        for (int64_t place = 0; place < some; place++)
            *to++ = row[place][offset];
        count -= some;
        if (some < left) {
            from->at_label += some;
            return;
        }
        from->at_label = 0;
        if (++from->at_recall == from->recalls) {
            from->at_recall = 0;
            from->at_lane++;
        }
    }
}

/* The sum of the next values, in the order in which numpy adds them: pycocotools' last bit. */
static double next_sum(Values *from, int64_t count)
{
    enum { BLOCK = 128 };
    if (count > BLOCK) {
        const int64_t half = count / 2 - count / 2 % 8;
        const double sum = next_sum(from, half);
        return sum + next_sum(from, count - half);
    }
    double value[BLOCK], sum[8];
    next_values(from, value, count);
    int64_t place = 0;
    double total = 0.0;
    if (count >= 8) {
        memcpy(sum, value, sizeof sum);
        for (place = 8; place + 8 <= count; place += 8)
            for (int number = 0; number < 8; number++)
                sum[number] += value[place + number];
        total = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    }
    for (; place < count; place++)
        total += value[place];
    return total;
}

static double mean_of(Values *values, const double **row, int64_t labels)
{
    const int64_t count = values->lanes * values->recalls * labels;
    values->row = row;
    values->labels = labels;
    values->at_label = values->at_recall = values->at_lane = 0;
    return count ? next_sum(values, count) / (double)count : NAN;
}

/* Where an average's lanes lie among those that are asked. */
static void choose_lanes(const Averages *job, int64_t average, Values *values)
{
    const int64_t limit = job->read_at[average];
    const int64_t step = limit < 0 ? job->recalls : job->limits;
    values->recalls = limit < 0 ? job->recalls : 1;
    values->lanes = 0;
    for (int number = 0; number < job->lanes; number++)
        if (job->lane[number] / job->thresholds == job->area[average] &&
            job->levels[average] >> job->lane[number] % job->thresholds & 1)
            values->lane[values->lanes++] = number * step + (limit < 0 ? 0 : limit);
}

/* One average of one replicate: of each label, and over the labels of each group. */
static void take_average(void *given, int64_t number)
{
    Averages *job = given;
    const int64_t replicate = number / job->averages, average = number % job->averages;
    const int64_t area = job->area[average], precise = job->read_at[average] < 0;
    const int64_t step = job->lanes * (precise ? job->recalls : job->limits);
    const double *from = (precise ? job->precision : job->found) + replicate * job->count * step;
    double *of_label = job->out_labels + number * job->labels;
    double *of_group = job->out_groups + number * job->groups;
    Pool pool = {{NULL}, 0, 0};
    const double **row = take(&pool, job->count, sizeof *row);
    if (pool.failed) {
        job->no_room = 1;
        return;
    }
    Values values;
    choose_lanes(job, average, &values);
    for (int64_t label = 0; label < job->labels; label++)
        of_label[label] = NAN;
    for (int64_t group = 0; group < job->groups; group++) {
        int64_t known = 0;
        for (int64_t place = job->group_start[group]; place < job->group_start[group + 1]; place++) {
            const int64_t label = job->listed[place];
            if (!job->out_truths[(replicate * job->labels + label) * job->all_areas + area])
                continue;
            row[known] = from + place * step;
            of_label[label] = mean_of(&values, &row[known++], 1);
        }
        of_group[group] = mean_of(&values, row, known);
    }
    give_back(&pool);
}

/* Where the rows and the matches of each label begin, in `start` and `match_start`. */
static Fault find_labels(const Averages *job)
{
    int64_t label = 0, match = 0;
    for (int64_t row = 0; row < job->matches; row++)
        if (job->match[row] < (row ? (int64_t)job->match[row - 1] + 1 : 0) ||
            job->match[row] >= job->rows)
            return fault("detection of match", row);
    job->row_start[0] = job->match_start[0] = 0;
    for (int64_t row = 0; row < job->rows; row++) {
        if (UNLIKELY(job->label[row] != label)) {
            if (job->label[row] < label || job->label[row] >= job->labels)
                return fault("label", row);
            while (match < job->matches && job->match[match] < row)
                match++;
            while (label < job->label[row]) {
                job->row_start[++label] = row;
                job->match_start[label] = match;
            }
        }
    }
    while (label < job->labels) {
        job->row_start[++label] = job->rows;
        job->match_start[label] = job->matches;
    }
    return FINE;
}

/* Lay the weights of a pack side by side, and refuse so large ones that counts would overflow. */
static Fault read_weights(Averages *job)
{
    int64_t most = 0;
    memset(job->often, 0, (size_t)(job->packs * PACK * job->datums) * sizeof *job->often);
    for (int64_t replicate = 0; replicate < job->replicates; replicate++) {
        int32_t *often = job->often + replicate / PACK * PACK * job->datums + replicate % PACK;
        for (int64_t datum = 0; datum < job->datums; datum++) {
            const int64_t place = replicate * job->datums + datum;
            const int64_t weight = job->weights ? job->weights[place] : 1;
            if (weight < 0 || weight > INT32_MAX)
                return fault("weight", place);
            often[datum * PACK] = (int32_t)weight;
            most = weight > most ? weight : most;
        }
    }
    for (int64_t row = 0; row < job->rows; row++)
        if ((uint64_t)(int64_t)job->datum[row] >= (uint64_t)job->datums)
            return fault("datum", row);
    if (most <= 1 || most <= MOST_COUNTED / (job->rows + job->truths + 1))
        return FINE;
    for (int64_t replicate = 0; replicate < job->replicates; replicate++) {
        const int64_t *often = job->weights + replicate * job->datums;
        int64_t sum = 0;
        for (int64_t row = 0; row < job->rows; row++)
            if ((sum += often[job->datum[row]]) > MOST_COUNTED)
                return fault("weight", replicate * job->datums + job->datum[row]);
    }
    return FINE;
}

static Fault check_truths(const Averages *job)
{
    for (int64_t row = 0; row < job->truths; row++) {
        if (UNLIKELY((uint64_t)(int64_t)job->truth_label[row] >= (uint64_t)job->labels))
            return fault("truth label", row);
        if (UNLIKELY((uint64_t)(int64_t)job->truth_datum[row] >= (uint64_t)job->datums))
            return fault("truth datum", row);
    }
    return FINE;
}

/* How many truths count, in all replicates of a pack. */
static void count_truths(void *given, int64_t number)
{
    Averages *job = given;
    const int64_t first = number * PACK, left = job->replicates - first;
    const int64_t cells = job->labels * job->all_areas;
    const int32_t *often = job->often + first * job->datums;
    Pool pool = {{NULL}, 0, 0};
    int64_t(*sum)[PACK] = take(&pool, cells, sizeof *sum);
    if (pool.failed) {
        job->no_room = 1;
        return;
    }
    memset(sum, 0, (size_t)cells * sizeof *sum);
    for (int64_t row = 0; row < job->truths; row++) {
        const int32_t *weight = often + (int64_t)job->truth_datum[row] * PACK;
        int64_t(*of_label)[PACK] = sum + job->truth_label[row] * job->all_areas;
        for (int area = 0; area < (int)job->all_areas; area++)
            if (job->truth_areas[row] >> area & 1)
                for (int replicate = 0; replicate < PACK; replicate++)
                    of_label[area][replicate] += weight[replicate];
    }
    for (int64_t replicate = 0; replicate < PACK && replicate < left; replicate++)
        for (int64_t cell = 0; cell < cells; cell++)
            job->out_truths[(first + replicate) * cells + cell] = sum[cell][replicate];
    give_back(&pool);
}

static Fault check_question(Averages *job)
{
    if (job->all_areas < 1 || job->all_areas > MOST_AREAS || job->thresholds < 1 ||
        job->all_areas * job->thresholds > MOST_LANES || job->replicates < 1 || job->recalls < 1 ||
        job->limits < 0 || job->averages < 0 || job->groups < 0)
        return fault("size", 0);
    for (int64_t label = 0; label < job->labels; label++)
        if (job->group[label] < -1 || job->group[label] >= job->groups)
            return fault("group of label", label);
    job->asked = 0;
    job->reads_recall = 0;
    for (int64_t average = 0; average < job->averages; average++) {
        if (job->area[average] < 0 || job->area[average] >= job->all_areas)
            return fault("area range", average);
        if (job->levels[average] & ~low_bits((int)job->thresholds))
            return fault("threshold", average);
        if (job->read_at[average] < -1 || job->read_at[average] >= job->limits)
            return fault("limit", average);
        job->reads_recall |= job->read_at[average] >= 0;
        job->asked |= job->levels[average] << job->area[average] * job->thresholds;
    }
    return FINE;
}

/* List the lanes and area ranges that are asked for: no others are followed. */
static void list_lanes(Averages *job)
{
    job->lanes = job->ranges = 0;
    for (int lane = 0; lane < MOST_LANES; lane++) {
        if (!(job->asked >> lane & 1))
            continue;
        const int area = lane / (int)job->thresholds;
        if (!job->ranges || job->range[job->ranges - 1] != area)
            job->range[job->ranges++] = area;
        job->lane[job->lanes++] = lane;
    }
}

/* Whether a label is asked for and has something to find in some replicate: others take no work. */
static int is_listed(const Averages *job, int64_t label)
{
    int64_t real = 0;
    for (int64_t replicate = 0; replicate < job->replicates && !real; replicate++)
        for (int64_t area = 0; area < job->all_areas; area++)
            real |= job->out_truths[(replicate * job->labels + label) * job->all_areas + area];
    return real && job->group[label] >= 0;
}

static void list_labels(Averages *job)
{
    memset(job->group_start, 0, (size_t)(job->groups + 1) * sizeof *job->group_start);
    for (int64_t label = 0; label < job->labels; label++)
        if (is_listed(job, label))
            job->group_start[job->group[label] + 1]++;
    for (int64_t group = 0; group < job->groups; group++)
        job->group_start[group + 1] += job->group_start[group];
    job->count = job->group_start[job->groups];
    for (int64_t label = 0; label < job->labels; label++)
        if (is_listed(job, label))
            job->listed[job->group_start[job->group[label]]++] = label;
    rewind_starts(job->group_start, job->groups);
}

static Fault follow_labels(Averages *job, Pool *pool)
{
    list_lanes(job);
    list_labels(job);
    const int64_t lines = job->replicates * job->count * job->lanes;
    job->precision = take(pool, lines * job->recalls, sizeof *job->precision);
    job->found = take(pool, lines * job->limits, sizeof *job->found);
    if (pool->failed)
        return NO_MEMORY;
    for_each(job->count * job->packs, job->threads, follow_label, job);
    if (!job->no_room)
        for_each(job->replicates * job->averages, job->threads, take_average, job);
    return job->no_room ? NO_MEMORY : FINE;
}

static Fault take_averages(Averages *job)
{
    Fault wrong = check_question(job);
    if (wrong.what)
        return wrong;
    Pool pool = {{NULL}, 0, 0};
    job->row_start = take(&pool, job->labels + 1, sizeof *job->row_start);
    job->match_start = take(&pool, job->labels + 1, sizeof *job->match_start);
    job->listed = take(&pool, job->labels, sizeof *job->listed);
    job->group_start = take(&pool, job->groups + 1, sizeof *job->group_start);
    job->no_room = 0;
    job->packs = (job->replicates + PACK - 1) / PACK;
    job->often = take(&pool, job->packs * PACK * job->datums, sizeof *job->often);
    for (int bits = 0; bits < 256; bits++)
        for (int area = 0; area < MOST_AREAS; area++)
            job->mask[bits][area] = -(bits >> area & 1);
    wrong = pool.failed ? NO_MEMORY : find_labels(job);
    if (!wrong.what)
        wrong = read_weights(job);
    if (!wrong.what)
        wrong = check_truths(job);
    if (!wrong.what)
        for_each(job->packs, job->threads, count_truths, job);
    if (!wrong.what)
        wrong = job->no_room ? NO_MEMORY : follow_labels(job, &pool);
    give_back(&pool);
    return wrong;
}

PyObject *py_averages(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_averages(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 34))
        return NULL;
    Arguments next = {given, 0};
    Averages job;
    memset(&job, 0, sizeof job);
    job.rows = next_number(&next);
    job.matches = next_number(&next);
    job.truths = next_number(&next);
    job.labels = next_number(&next);
    job.datums = next_number(&next);
    job.label = next_address(&next);
    job.datum = next_address(&next);
    job.score = next_address(&next);
    job.rank = next_address(&next);
    job.areas = next_address(&next);
    job.match = next_address(&next);
    job.hit = next_address(&next);
    job.ignored = next_address(&next);
    job.truth_label = next_address(&next);
    job.truth_datum = next_address(&next);
    job.truth_areas = next_address(&next);
    job.replicates = next_number(&next);
    job.weights = next_address(&next);
    job.thresholds = next_number(&next);
    job.all_areas = next_number(&next);
    job.recalls = next_number(&next);
    job.recall = next_address(&next);
    job.limits = next_number(&next);
    job.limit = next_address(&next);
    job.averages = next_number(&next);
    job.area = next_address(&next);
    job.levels = next_address(&next);
    job.read_at = next_address(&next);
    job.groups = next_number(&next);
    job.group = next_address(&next);
    job.threads = next_threads(&next);
    job.out_labels = next_address(&next);
    job.out_groups = next_address(&next);
    job.out_truths = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = take_averages(&job);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}
