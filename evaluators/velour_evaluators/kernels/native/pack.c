/* The memory of a pack of replicates, and the code for its width. */
#include "averages.h"

void open_pack(Pack *pack, const Averages *job, const Range *range, int64_t slots,
               int width)
{
    const int64_t most = job->rows.most_matches, lines = slots * range->lanes * width;
    memset(pack, 0, sizeof *pack);
    pack->job = job;
    pack->range = range;
    pack->width = width;
    pack->often = pool_alloc(&pack->scratch, job->datums * width, sizeof *pack->often);
    pack->weight = pool_alloc(&pack->scratch, most * width, sizeof *pack->weight);
    pack->seen = pool_alloc(&pack->scratch, most * width, sizeof *pack->seen);
    pack->limit = pool_alloc(&pack->scratch, most, sizeof *pack->limit);
    pack->entry = pool_alloc(&pack->scratch, most * range->lanes, sizeof *pack->entry);
    pack->draft = pool_alloc(&pack->scratch, width * job->recalls, sizeof *pack->draft);
    pack->table = pool_alloc(&pack->scratch, (int64_t)width * (MOST_TABLED + 1), sizeof *pack->table);
    pack->curve = pool_alloc(&pack->kept, lines, sizeof *pack->curve);
    pack->real = pool_alloc(&pack->kept, slots * width, sizeof *pack->real);
    pack->hits = pool_alloc(&pack->kept, range->reads_recall ? lines * job->limits : 0, sizeof *pack->hits);
    pack->failed = pack->scratch.failed || pack->kept.failed ||
                   !grow((void **)&pack->step, &pack->step_room, 64, sizeof *pack->step);
}

void close_scratch(Pack *pack)
{
    free(pack->tie);
    pack->tie = NULL;
    pool_free(&pack->scratch);
}

void close_pack(Pack *pack)
{
    close_scratch(pack);
    free(pack->step);
    pool_free(&pack->kept);
}

void follow_label(Pack *pack, int64_t label, int64_t slot)
{
    if (pack->width == 1)
        follow_label_single(pack, label, slot);
    else
        follow_label_pack(pack, label, slot);
}
