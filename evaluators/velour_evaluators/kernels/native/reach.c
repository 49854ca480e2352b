/* The last recall that a number of true positives reaches, computed or looked up. */
#include "averages.h"

int64_t reach_of(const Averages *job, int32_t hits, int32_t real)
{
    const double share = (double)hits / (double)real;
    const int64_t last = job->recalls - 1;
    int64_t reach = share < 1.0 ? (int64_t)(share * (double)last) : last;
    while (reach < last && job->recall[reach + 1] <= share)
        reach++;
    while (reach >= 0 && job->recall[reach] > share)
        reach--;
    return reach;
}

/* The fewest true positives, `least` or more, whose share reaches a recall; more than all for none. */
static int32_t fewest_of(double recall, int32_t least, int32_t total)
{
    if (!(recall <= 1.0))
        return total + 1;
    int32_t hits = recall > 0.0 ? (int32_t)(recall * (double)total) - 1 : 0;
    hits = hits < least ? least : hits;
    while (hits <= total && !(recall <= (double)hits / (double)total))
        hits++;
    return hits;
}

void table_reach(const Averages *job, int32_t total, int16_t *reach)
{
    int32_t hits = 0;
    for (int64_t recall = 0; recall < job->recalls && hits <= total; recall++)
        for (const int32_t fewest = fewest_of(job->recall[recall], hits, total); hits < fewest; hits++)
            reach[hits] = (int16_t)(recall - 1);
    for (; hits <= total; hits++)
        reach[hits] = (int16_t)(job->recalls - 1);
}

int share_reaches(Averages *job, Pool *pool)
{
    job->rows.reach = take(pool, shared_table(MOST_SHARED + 1), sizeof *job->rows.reach);
    for (int32_t total = 1; total <= MOST_SHARED && !pool->failed; total++)
        table_reach(job, total, job->rows.reach + shared_table(total));
    return !pool->failed;
}
