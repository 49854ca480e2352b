/* The tables of a ledger, checked and laid out by label. */
#include "averages.h"

BIND_PART(detections, Detections, DETECTIONS)
BIND_PART(matches, Matches, MATCHES)
BIND_PART(truths, Truths, TRUTHS)

static Fault copy_detections(const Averages *job, Rows *rows)
{
    const Detections *from = &job->detections;
    int32_t label = 0, datum = -1;
    double score = 0.0;
    rows->row_start[0] = 0;
    for (int64_t row = 0; row < from->rows; row++) {
        const int32_t row_label = READ_ONCE(int32_t, from->label[row]);
        const int32_t image = READ_ONCE(int32_t, from->datum[row]);
        const double points = from->score[row];
        if (UNLIKELY(row_label < label || row_label >= job->labels))
            return fault("label", row);
        if (UNLIKELY((uint64_t)(int64_t)image >= (uint64_t)job->datums))
            return fault("datum", row);
        rows->tied[row] = row && row_label == label && image == datum && points == score;
        while (label < row_label)
            rows->row_start[++label] = row;
        rows->datum[row] = datum = image;
        rows->areas[row] = from->areas[row];
        score = points;
    }
    while (label < job->labels)
        rows->row_start[++label] = from->rows;
    return FINE;
}

static int32_t limit_met(const Averages *job, int64_t rank)
{
    int32_t limit = 0;
    while (limit < job->limits && rank >= job->limit[limit])
        limit++;
    return limit;
}

static Fault copy_matches(const Averages *job, Rows *rows)
{
    const Matches *from = &job->matches;
    int64_t label = 0, least = 0;
    rows->match_start[0] = 0;
    for (int64_t match = 0; match < from->rows; match++) {
        const int64_t row = READ_ONCE(int32_t, from->detection[match]);
        if (UNLIKELY(row < least || row >= job->detections.rows))
            return fault("detection of match", match);
        while (row >= rows->row_start[label + 1])
            rows->match_start[++label] = match;
        rows->row[match] = (int32_t)row;
        rows->limit[match] = limit_met(job, READ_ONCE(uint16_t, job->detections.rank[row]));
        rows->hit[match] = from->hit[match];
        rows->ignored[match] = from->ignored[match];
        least = row + 1;
    }
    while (label < job->labels)
        rows->match_start[++label] = from->rows;
    return FINE;
}

/* Truths come in any order: group them by label. */
static Fault copy_truths(const Averages *job, Rows *rows, int32_t *label)
{
    const Truths *from = &job->truths;
    memcpy(label, from->label, (size_t)from->rows * sizeof *label); /* read once: now it is ours */
    const int64_t wrong = count_keys(label, from->rows, job->labels, rows->truth_start);
    if (wrong >= 0)
        return fault("truth label", wrong);
    for (int64_t row = 0; row < from->rows; row++) {
        const int32_t datum = READ_ONCE(int32_t, from->datum[row]);
        if (UNLIKELY((uint64_t)(int64_t)datum >= (uint64_t)job->datums))
            return fault("truth datum", row);
        const int64_t to = rows->truth_start[label[row]]++;
        rows->truth_datum[to] = datum;
        rows->truth_areas[to] = from->areas[row];
    }
    rewind_starts(rows->truth_start, job->labels);
    return FINE;
}

/* Labels that are in a group and have truths, group by group: others take no work. */
static void list_labels(const Averages *job, Rows *rows)
{
    memset(rows->group_start, 0, (size_t)(job->groups + 1) * sizeof *rows->group_start);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t label = 0; label < job->labels; label++) {
            const int32_t group = job->group[label];
            if (group < 0 || rows->truth_start[label] == rows->truth_start[label + 1])
                continue;
            if (pass)
                rows->listed[rows->group_start[group]++] = label;
            else
                rows->group_start[group + 1]++;
        }
        if (pass)
            rewind_starts(rows->group_start, job->groups);
        for (int64_t group = 0; !pass && group < job->groups; group++)
            rows->group_start[group + 1] += rows->group_start[group];
    }
    rows->count = rows->group_start[job->groups];
}

Fault prepare_rows(Averages *job, Pool *pool)
{
    Rows *rows = &job->rows;
    const int64_t detections = job->detections.rows, matches = job->matches.rows;
    const int64_t truths = job->truths.rows;
    rows->row_start = pool_alloc(pool, job->labels + 1, sizeof *rows->row_start);
    rows->match_start = pool_alloc(pool, job->labels + 1, sizeof *rows->match_start);
    rows->truth_start = pool_alloc(pool, job->labels + 1, sizeof *rows->truth_start);
    rows->datum = pool_alloc(pool, detections, sizeof *rows->datum);
    rows->areas = pool_alloc(pool, detections, sizeof *rows->areas);
    rows->tied = pool_alloc(pool, detections, sizeof *rows->tied);
    rows->row = pool_alloc(pool, matches, sizeof *rows->row);
    rows->limit = pool_alloc(pool, matches, sizeof *rows->limit);
    rows->hit = pool_alloc(pool, matches, sizeof *rows->hit);
    rows->ignored = pool_alloc(pool, matches, sizeof *rows->ignored);
    rows->truth_datum = pool_alloc(pool, truths, sizeof *rows->truth_datum);
    rows->truth_areas = pool_alloc(pool, truths, sizeof *rows->truth_areas);
    rows->listed = pool_alloc(pool, job->labels, sizeof *rows->listed);
    rows->group_start = pool_alloc(pool, job->groups + 1, sizeof *rows->group_start);
    int32_t *label = pool_alloc(pool, truths, sizeof *label);
    if (pool->failed)
        return NO_MEMORY;
    Fault wrong = copy_detections(job, rows);
    if (!wrong.what)
        wrong = copy_matches(job, rows);
    if (!wrong.what)
        wrong = copy_truths(job, rows, label);
    if (wrong.what)
        return wrong;
    list_labels(job, rows);
    rows->most_matches = 0;
    for (int64_t row = 0; row < job->labels; row++)
        if (rows->match_start[row + 1] - rows->match_start[row] > rows->most_matches)
            rows->most_matches = rows->match_start[row + 1] - rows->match_start[row];
    return FINE;
}
