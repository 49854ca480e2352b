/* Rows of ledgers that are put together: of sorted runs, the order of all of their rows.
 *
 * A tree of losers: the winner of a game between two runs goes on, the loser stays in the node. The
 * next row of the winning run plays against the losers on its way up and nobody else, so that a row
 * of k runs costs log2(k) games.
 */
#include "bind.h"

#define MERGING(_)                                                                    \
    _(LENGTH(rows, INT32_MAX))                                                        \
    _(LENGTH(runs, INT32_MAX))                                                        \
    _(LENGTH(groups, INT32_MAX))                                                      \
    _(COLUMN(int64, group, MORE(groups, 1))) /* where the runs of each group begin */ \
    _(COLUMN(int64, begin, OF(runs)))                                                 \
    _(COLUMN(int64, end, OF(runs)))                                                   \
    _(SHARED(float64, score, OF(rows)))                                               \
    _(SHARED(int32, datum, OF(rows)))                                                 \
    _(THREADS(threads))                                                               \
    _(OUT(int64, order, OF(rows)))

/* The next row of a run: the smaller one wins. */
typedef struct {
    uint64_t key; /* falls as the score rises */
    uint64_t tie; /* the datum, then the number of the run in its group */
} Player;

typedef struct {
    MERGING(FIELD)
    int64_t *next;   /* row of each run */
    int64_t *to;     /* where the rows of each group go to */
    Player *players; /* nodes of the trees: a group has one fewer than runs */
} Merging;

/* Loses against every row: no key has the highest bit. */
static const Player NOBODY = {UINT64_MAX, UINT64_MAX};

static inline Player player_of(const Merging *job, int64_t first, int64_t number)
{
    const int64_t row = job->next[first + number];
    if (row == job->end[first + number])
        return NOBODY;
    uint64_t bits;
    memcpy(&bits, &job->score[row], sizeof bits);
    const uint64_t datum = (uint32_t)READ_ONCE(int32_t, job->datum[row]);
    return (Player){~bits & INT64_MAX, datum << 32 | (uint64_t)number}; /* -0.0 is as 0.0 */
}

/* The winner goes on, the loser stays; without a branch, which would be mispredicted half the time. */
static inline Player play(Player *node, Player comes)
{
    const Player stays = *node;
    const int wins = (stays.key < comes.key) | ((stays.key == comes.key) & (stays.tie < comes.tie));
    const uint64_t swap = (uint64_t)0 - (uint64_t)wins;
    const uint64_t key = (stays.key ^ comes.key) & swap, tie = (stays.tie ^ comes.tie) & swap;
    *node = (Player){stays.key ^ key, stays.tie ^ tie};
    return (Player){comes.key ^ key, comes.tie ^ tie};
}

/* Play the first games below a node; those of runs stand behind the others, from number `runs`. */
static Player first_winner(const Merging *job, int64_t first, int64_t runs, int64_t node)
{
    if (node >= runs)
        return player_of(job, first, node - runs);
    const Player left = first_winner(job, first, runs, 2 * node);
    job->players[first + node] = first_winner(job, first, runs, 2 * node + 1);
    return play(&job->players[first + node], left);
}

static void merge_group(void *work, int64_t group)
{
    const Merging *job = work;
    const int64_t first = job->group[group], runs = job->group[group + 1] - first;
    if (!runs)
        return;
    Player *nodes = job->players + first, winner = first_winner(job, first, runs, 1);
    for (int64_t position = job->to[group]; position < job->to[group + 1]; position++) {
        const int64_t number = (int64_t)(winner.tie & UINT32_MAX);
        job->out_order[position] = job->next[first + number]++;
        winner = player_of(job, first, number);
        for (int64_t node = (number + runs) / 2; node; node /= 2)
            winner = play(&nodes[node], winner);
    }
}

/* Runs lie within the rows, and together they are as many; so every position is written once. */
static Fault find_places(Merging *job)
{
    int64_t rows = 0, run = 0;
    for (int64_t group = 0; group < job->groups; group++) {
        const int64_t stop = job->group[group + 1];
        if (job->group[group] != run || stop < run || stop > job->runs)
            return fault("group", group);
        job->to[group] = rows;
        for (; run < stop; run++) {
            if (job->begin[run] < 0 || job->end[run] < job->begin[run] || job->end[run] > job->rows)
                return fault("run", run);
            job->next[run] = job->begin[run];
            rows += job->end[run] - job->begin[run];
            if (rows > job->rows)
                return fault("run", run);
        }
    }
    job->to[job->groups] = rows;
    return run < job->runs || rows < job->rows ? fault("run", run) : FINE;
}

static Fault merge(Merging *job)
{
    Pool pool = {{0}, 0, 0};
    job->next = pool_alloc(&pool, job->runs, sizeof *job->next);
    job->to = pool_alloc(&pool, job->groups + 1, sizeof *job->to);
    job->players = pool_alloc(&pool, job->runs, sizeof *job->players);
    const Fault wrong = pool.failed ? NO_MEMORY : find_places(job);
    if (!wrong.what)
        for_each(job->groups, job->threads, merge_group, job);
    pool_free(&pool);
    return wrong;
}

BIND(merge_runs, Merging, MERGING, merge)
