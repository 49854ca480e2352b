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
    pack->often = take(&pack->scratch, job->datums * width, sizeof *pack->often);
    pack->weight = take(&pack->scratch, most * width, sizeof *pack->weight);
    pack->seen = take(&pack->scratch, most * width, sizeof *pack->seen);
    pack->limit = take(&pack->scratch, most, sizeof *pack->limit);
    pack->entry = take(&pack->scratch, most * range->lanes, sizeof *pack->entry);
    pack->draft = take(&pack->scratch, width * job->recalls, sizeof *pack->draft);
    pack->table = take(&pack->scratch, (int64_t)width * (MOST_TABLED + 1), sizeof *pack->table);
    pack->curve = take(&pack->kept, lines, sizeof *pack->curve);
    pack->real = take(&pack->kept, slots * width, sizeof *pack->real);
    pack->hits = take(&pack->kept, range->reads_recall ? lines * job->limits : 0, sizeof *pack->hits);
    pack->failed = pack->scratch.failed || pack->kept.failed ||
                   !grow((void **)&pack->step, &pack->step_room, 64, sizeof *pack->step);
}

void close_scratch(Pack *pack)
{
    free(pack->tie);
    pack->tie = NULL;
    give_back(&pack->scratch);
}

void close_pack(Pack *pack)
{
    close_scratch(pack);
    free(pack->step);
    give_back(&pack->kept);
}

void follow_label(Pack *pack, int64_t label, int64_t slot)
{
    if (pack->width == 1)
        follow_label_single(pack, label, slot);
    else
        follow_label_pack(pack, label, slot);
}
