/* Means over recalls, lanes and labels, summed in the order in which numpy sums them.
 *
 * numpy takes the mean of a table (lanes, recalls, labels) of the labels with truths. Here that table
 * is never whole: a row of it, the precisions of all labels at one recall, differs from the row before
 * only where a label's next step begins.
 */
#include <math.h>

#include "averages.h"

enum { BLOCK = 128 }; /* values that numpy sums with eight accumulators; more are halved */

/* A table whose mean is taken, row after row. */
typedef struct {
    Means *means;
    const Range *range;
    const Source **known;
    int64_t labels, limit;   /* limit: number of the limit that recall is read at; -1: precision */
    int lane[MOST_LANES], lanes;
    int single;              /* one label, whose recalls stand side by side */
    int64_t width, rows;     /* of a lane */
    int64_t at, row, number; /* next value of the row; row of the lane; lane */
} Table;

/* Truths that count. */
static int32_t real_of(const Source *from)
{
    return from->pack->real[from->slot * from->pack->width + from->replicate];
}

static const Curve *curve_of(const Table *table, int64_t label)
{
    const Source *from = table->known[label];
    const int64_t line = from->slot * table->range->lanes + table->lane[table->number];
    return &from->pack->curve[line * from->pack->width + from->replicate];
}

static const Plateau *steps_of(const Table *table, int64_t label)
{
    return table->known[label]->pack->step + curve_of(table, label)->first;
}

/* Sort the changes of a lane by the recall at which they begin, and write its first row. */
static void begin_lane(const Table *table)
{
    const Means *means = table->means;
    const int64_t recalls = means->job->recalls;
    int64_t *start = means->start;
    memset(start, 0, (size_t)(recalls + 2) * sizeof *start);
    for (int64_t label = 0; label < table->labels; label++) {
        const Plateau *step = steps_of(table, label);
        for (int64_t left = curve_of(table, label)->count; left > 0; left--)
            start[(step++)->reach + 2]++;
    }
    for (int64_t recall = 0; recall < recalls; recall++)
        start[recall + 2] += start[recall + 1];
    for (int64_t label = 0; label < table->labels; label++) {
        const Plateau *step = steps_of(table, label);
        double after = 0.0; /* beyond the reach of a step the one before it holds */
        for (int64_t left = curve_of(table, label)->count; left > 0; left--, step++) {
            Plateau *change = &means->change[start[step->reach + 1]++];
            change->precision = after;
            change->reach = label;
            after = step->precision;
        }
        means->row[label] = after;
    }
}

/* The row of the next recall; start[recall] is where its changes begin. */
static void next_recall(const Table *table)
{
    const Means *means = table->means;
    const Plateau *last = means->change + means->start[table->row];
    for (const Plateau *next = means->change + means->start[table->row - 1]; next < last; next++)
        means->row[next->reach] = next->precision;
}

/* One label alone: its precisions at all recalls stand side by side. */
static void write_precisions(const Table *table)
{
    double *row = table->means->row;
    const Plateau *step = steps_of(table, 0);
    int64_t recall = 0;
    for (int64_t left = curve_of(table, 0)->count; left > 0; left--)
        for (; recall <= step[left - 1].reach; recall++)
            row[recall] = step[left - 1].precision;
    for (; recall < table->width; recall++)
        row[recall] = 0.0;
}

/* Recalls of a lane, label by label. */
static void write_recalls(const Table *table)
{
    const int64_t limits = table->means->job->limits;
    for (int64_t label = 0; label < table->labels; label++) {
        const Source *from = table->known[label];
        const int64_t line = from->slot * table->range->lanes + table->lane[table->number];
        const int64_t width = from->pack->width;
        const int64_t *hits = from->pack->hits + line * limits * width + from->replicate;
        int64_t sum = 0;
        for (int64_t limit = 0; limit <= table->limit; limit++)
            sum += hits[limit * width];
        table->means->row[label] = (double)sum / (double)real_of(from);
    }
}

static void write_row(const Table *table)
{
    if (table->limit >= 0)
        write_recalls(table);
    else if (table->single)
        write_precisions(table);
    else if (table->row == 0)
        begin_lane(table);
    else
        next_recall(table);
}

static void next_values(Table *table, double *to, int64_t count)
{
    while (count) {
        if (table->at == 0)
            write_row(table);
        const int64_t left = table->width - table->at, some = count < left ? count : left;
        memcpy(to, table->means->row + table->at, (size_t)some * sizeof *to);
        to += some;
        count -= some;
        table->at += some;
        if (table->at < table->width)
            return;
        table->at = 0;
        if (++table->row == table->rows) {
            table->row = 0;
            table->number++;
        }
    }
}

static double next_sum(Table *table, int64_t count)
{
    if (count > BLOCK) {
        const int64_t half = count / 2 - count / 2 % 8;
        const double sum = next_sum(table, half);
        return sum + next_sum(table, count - half);
    }
    double value[BLOCK], sum[8];
    next_values(table, value, count);
    int64_t next = 0;
    double total = 0.0;
    if (count >= 8) {
        memcpy(sum, value, sizeof sum);
        for (next = 8; next + 8 <= count; next += 8)
            for (int number = 0; number < 8; number++)
                sum[number] += value[next + number];
        total = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    }
    for (; next < count; next++)
        total += value[next];
    return total;
}

/* Mean of an average over some labels, of one or of all of a group. */
static double mean_of(Table *table, const Source **known, int64_t labels, int single)
{
    const int64_t recalls = table->limit < 0 ? table->means->job->recalls : 1;
    const int64_t count = table->lanes * recalls * labels;
    table->known = known;
    table->labels = labels;
    table->single = single;
    table->width = single ? recalls : labels;
    table->rows = single ? 1 : recalls;
    table->at = table->row = table->number = 0;
    return count ? next_sum(table, count) / (double)count : NAN;
}

/* One average of one replicate: over the labels of each group, and maybe of each label. */
static void take_mean(Table *table, int64_t average, const Source *source, int64_t replicate)
{
    const Averages *job = table->means->job;
    const Rows *rows = &job->rows;
    const Source **known = table->means->known;
    const int detailed = average < job->detailed;
    double *of_label = job->out_label_means + (replicate * job->detailed + average) * job->labels;
    double *of_group = job->out_group_means + (replicate * job->averages + average) * job->groups;
    for (int64_t group = 0; group < job->groups; group++) {
        int64_t count = 0;
        for (int64_t next = rows->group_start[group]; next < rows->group_start[group + 1]; next++) {
            const Source *from = &source[next];
            if (!real_of(from))
                continue;
            known[count++] = from;
            if (detailed)
                of_label[rows->listed[next]] = mean_of(table, &known[count - 1], 1, 1);
        }
        of_group[group] = mean_of(table, known, count, 0);
    }
}

void take_means(Means *means, const Range *range, const Source *source, int64_t replicate)
{
    const Averages *job = means->job;
    Table table;
    table.means = means;
    table.range = range;
    for (int64_t average = 0; average < job->averages; average++) {
        if (job->area[average] != range->area)
            continue;
        table.limit = job->limit_of[average];
        table.lanes = 0;
        for (int lane = 0; lane < range->lanes; lane++)
            if (job->levels[average] >> range->level[lane] & 1)
                table.lane[table.lanes++] = lane;
        take_mean(&table, average, source, replicate);
    }
}

void open_means(Means *means, const Averages *job)
{
    const int64_t count = job->rows.count;
    memset(means, 0, sizeof *means);
    means->job = job;
    means->row = take(&means->pool, count > job->recalls ? count : job->recalls, sizeof *means->row);
    means->change = take(&means->pool, count * job->recalls, sizeof *means->change);
    means->start = take(&means->pool, job->recalls + 2, sizeof *means->start);
    means->known = take(&means->pool, count, sizeof *means->known);
}
