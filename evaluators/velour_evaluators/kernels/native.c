/* The compiled kernel: the arithmetic of matching.py, accumulate.py, overlap.py and the core's runs.py
 * (run-length masks, polygons) and a reader of COCO's JSON, with the same bits. Nothing here decides
 * what is right: numpy and Python's json do, and tests compare.
 *
 * Callers. Functions are called from native.py, native_averages.py, native_masks.py and native_coco.py
 * alone, which check types, shapes and that arrays are contiguous, and hand over addresses and
 * lengths. What stands *in* the arrays is not trusted:
 * each number that is used as an index is checked here, before it is used, and a wrong one comes
 * back as a Fault that names the column and the row.
 *
 * The same bits. Sums and products of doubles are written in numpy's order. Compile without
 * contraction (-ffp-contract=off) and without -ffast-math: a fused multiply-add rounds once where
 * numpy rounds twice.
 *
 * Threads. Work is cut into tasks that write to places of their own, so the number of threads never
 * changes a result. Threads live for one call: a pool would not survive the fork() of a server.
 *
 * The stable ABI of Python 3.10 has no buffer protocol, hence addresses.
 */
#define PY_SSIZE_T_CLEAN
#include <pyconfig.h>
#if !defined(Py_LIMITED_API) && !defined(Py_GIL_DISABLED)
#define Py_LIMITED_API 0x030A0000
#endif
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define HAVE_THREADS 1
#endif

#if defined(_MSC_VER)
#include <intrin.h>
#endif

#if defined(__GNUC__) || defined(__clang__)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define SOON(address) __builtin_prefetch(address)
#else
#define UNLIKELY(condition) (condition)
#define SOON(address) ((void)(address))
#endif

enum { AHEAD = 16 }; /* rows between asking the memory for one and needing it */

typedef uint64_t Lanes; /* one bit for each pair of area range and IoU threshold */

enum { MOST_LANES = 64, MOST_AREAS = 8, MOST_THREADS = 64 };

/* ---- Faults ----------------------------------------------------------------------------------- */

/* What is wrong, and in which row; `what` is NULL while all is well. */
typedef struct {
    const char *what;
    int64_t row;
} Fault;

static const char NO_MEMORY[] = "memory";

static Fault fault(const char *what, int64_t row)
{
    Fault wrong = {what, row};
    return wrong;
}

static const Fault FINE = {NULL, 0};

/* ---- Memory: blocks that are given back together ----------------------------------------------- */

typedef struct {
    void *blocks[24];
    int used;
    int failed;
} Pool;

/* Room for `count` things, uninitialised; NULL, and `failed` set, when there is none. */
static void *take(Pool *pool, int64_t count, size_t size)
{
    if (count < 0 || (uint64_t)count > (SIZE_MAX / 2) / size || pool->used == 24) {
        pool->failed = 1;
        return NULL;
    }
    void *block = malloc(count ? (size_t)count * size : 1);
    if (!block)
        pool->failed = 1;
    else
        pool->blocks[pool->used++] = block;
    return block;
}

static void give_back(Pool *pool)
{
    while (pool->used)
        free(pool->blocks[--pool->used]);
}

/* Grow a block to hold `wanted` things; 0 when there is no room, and the old block stays. */
static int grow(void **block, int64_t *room, int64_t wanted, size_t size)
{
    if (wanted <= *room)
        return 1;
    int64_t more = *room * 2 > wanted ? *room * 2 : wanted;
    if ((uint64_t)more > (SIZE_MAX / 2) / size)
        return 0;
    void *bigger = realloc(*block, (size_t)more * size);
    if (!bigger)
        return 0;
    *block = bigger;
    *room = more;
    return 1;
}

/* ---- Threads ----------------------------------------------------------------------------------- */

typedef void (*Task)(void *job, int64_t number);

typedef struct {
    Task task;
    void *job;
    int64_t count;
    int64_t next;
} Queue;

static void *work_off(void *given)
{
    Queue *queue = given;
    for (;;) {
#ifdef HAVE_THREADS
        int64_t number = __atomic_fetch_add(&queue->next, 1, __ATOMIC_RELAXED);
#else
        int64_t number = queue->next++;
#endif
        if (number >= queue->count)
            return NULL;
        queue->task(queue->job, number);
    }
}

/* Do the tasks 0 .. count-1, on this thread and up to threads-1 others. */
static void for_each(int64_t count, int threads, Task task, void *job)
{
    Queue queue = {task, job, count, 0};
#ifdef HAVE_THREADS
    pthread_t helpers[MOST_THREADS];
    int started = 0;
    while (started + 1 < threads && started + 1 < count && started < MOST_THREADS &&
           !pthread_create(&helpers[started], NULL, work_off, &queue))
        started++;
    work_off(&queue);
    while (started)
        pthread_join(helpers[--started], NULL);
#else
    (void)threads;
    work_off(&queue);
#endif
}

/* ---- Bits --------------------------------------------------------------------------------------- */

static inline int lowest_bit(uint64_t bits)
{
#if defined(_MSC_VER) && defined(_M_X64)
    unsigned long place;
    _BitScanForward64(&place, bits);
    return (int)place;
#elif defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(bits);
#else
    int place = 0;
    while (!(bits >> place & 1))
        place++;
    return place;
#endif
}

static inline uint64_t low_bits(int count)
{
    return count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
}

/* ---- The grid of lanes -------------------------------------------------------------------------- */

typedef struct {
    int areas, thresholds;
    const double *threshold; /* rising, the last maybe a hair below 1 */
    const double *range;     /* (areas, 2) low and high, both inclusive */
    Lanes reached[MOST_LANES + 1]; /* lanes of the first so many thresholds, in every area range */
} Grid;

static int make_grid(Grid *grid, int64_t areas, int64_t thresholds, const double *range,
                     const double *threshold)
{
    if (areas < 1 || areas > MOST_AREAS || thresholds < 1 || areas * thresholds > MOST_LANES)
        return 0;
    grid->areas = (int)areas;
    grid->thresholds = (int)thresholds;
    grid->range = range;
    grid->threshold = threshold;
    for (int level = 0; level <= grid->thresholds; level++) {
        grid->reached[level] = 0;
        for (int area = 0; area < grid->areas; area++)
            grid->reached[level] |= low_bits(level) << area * grid->thresholds;
    }
    return 1;
}

static inline uint8_t ranges_of(const Grid *grid, double area)
{
    unsigned bits = 0;
    for (int place = 0; place < grid->areas; place++)
        bits |= (unsigned)((area >= grid->range[2 * place]) & (area <= grid->range[2 * place + 1]))
                << place;
    return (uint8_t)bits;
}

static inline Lanes lanes_of_ranges(const Grid *grid, uint8_t ranges)
{
    Lanes lanes = 0;
    for (int place = 0; place < grid->areas; place++)
        if (ranges >> place & 1)
            lanes |= low_bits(grid->thresholds) << place * grid->thresholds;
    return lanes;
}

/* Lanes whose threshold an IoU reaches that reaches the first. */
static inline Lanes lanes_of_iou(const Grid *grid, double iou)
{
    int level = 1;
    while (level < grid->thresholds && iou >= grid->threshold[level])
        level++;
    return grid->reached[level];
}

/* ---- Sorting ------------------------------------------------------------------------------------ */

/* Deal words out by one digit; 0 when all are equal in it, and nothing was done. */
static int deal(const uint64_t *from, uint64_t *to, int64_t count, int shift, int digit)
{
    uint32_t start[1 << 11];
    const uint64_t mask = low_bits(digit);
    memset(start, 0, sizeof *start << digit);
    for (int64_t place = 0; place < count; place++)
        start[from[place] >> shift & mask]++;
    if (start[from[0] >> shift & mask] == count)
        return 0;
    uint32_t sum = 0;
    for (int value = 0; value < 1 << digit; value++) {
        const uint32_t here = start[value];
        start[value] = sum;
        sum += here;
    }
    for (int64_t place = 0; place < count; place++)
        to[start[from[place] >> shift & mask]++] = from[place];
    return 1;
}

/* Sort fewer than 2^32 words by their bits from `low` to `high`, stably; the result is in `words`. */
static void sort_words(uint64_t *words, uint64_t *spare, int64_t count, int low, int high)
{
    if (count < 64) {
        for (int64_t next = 1; next < count; next++) {
            uint64_t word = words[next];
            int64_t place = next;
            for (; place > 0 && words[place - 1] >> low > word >> low; place--)
                words[place] = words[place - 1];
            words[place] = word;
        }
        return;
    }
    uint64_t *from = words, *to = spare;
    const int digit = count < 1024 ? 8 : 11; /* a table of counts no larger than what is sorted */
    for (int shift = low; shift < high; shift += digit) {
        if (!deal(from, to, count, shift, digit))
            continue;
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != words)
        memcpy(words, from, (size_t)count * sizeof *words);
}

/* Where each of `keys` values begins when rows are grouped by value: start[keys] is the end.
 * Returns the first row outside [0, keys), or -1. */
static int64_t count_keys(const int32_t *key, int64_t rows, int64_t keys, int64_t *start)
{
    memset(start, 0, (size_t)(keys + 1) * sizeof *start);
    for (int64_t row = 0; row < rows; row++) {
        if (UNLIKELY((uint64_t)(int64_t)key[row] >= (uint64_t)keys))
            return row;
        start[key[row] + 1]++;
    }
    for (int64_t value = 0; value < keys; value++)
        start[value + 1] += start[value];
    return -1;
}

/* After rows were dealt out with start[value]++, each start has become the next one's: undo it. */
static void rewind_starts(int64_t *start, int64_t keys)
{
    memmove(start + 1, start, (size_t)keys * sizeof *start);
    start[0] = 0;
}

/* ---- Masks as run edges -------------------------------------------------------------------------- */

/* Many masks: positions at which the value flips, column after column, see domain/runs.py. */
typedef struct {
    int64_t masks, edges;
    const int64_t *edge;         /* (edges,) */
    const int64_t *start, *stop; /* (masks,) where the edges of each mask stand */
    const int64_t *height, *width;
    /* measured */
    double *area;
    int64_t *box; /* (masks, 4) first and last column, first and last row; 1, 0, 1, 0 without pixels */
    int64_t bad;  /* a mask whose edges do not rise or lie outside, or -1 */
} Rasters;

/* What is wrong with the starts or sizes of masks, if anything. */
static Fault check_rasters(const Rasters *job)
{
    for (int64_t mask = 0; mask < job->masks; mask++) {
        if (job->start[mask] < 0 || job->start[mask] > job->stop[mask] ||
            job->stop[mask] > job->edges)
            return fault("start of mask", mask);
        if (job->height[mask] < 1 || job->width[mask] < 1 ||
            job->width[mask] > INT64_MAX / job->height[mask])
            return fault("size of mask", mask);
    }
    return FINE;
}

/* End of the run that begins at edge `at`; an open run reaches to the end of the mask. */
static inline int64_t run_end(const Rasters *job, int64_t mask, int64_t at)
{
    return at + 1 < job->stop[mask] ? job->edge[at + 1] : job->height[mask] * job->width[mask];
}

/* Edges rise and lie inside: what follows may subtract and add them without overflow. */
static int edges_are_sound(const Rasters *job, int64_t mask)
{
    const int64_t size = job->height[mask] * job->width[mask];
    int64_t before = -1;
    int sound = 1;
    for (int64_t at = job->start[mask]; at < job->stop[mask]; at++) {
        sound &= job->edge[at] > before;
        before = job->edge[at];
    }
    return sound && before < size;
}

/* A pixel column, and the position of its first pixel. */
typedef struct {
    int64_t number, first;
} Column;

/* Go on to the column of a position further on; neighbours need no division. */
static inline void go_to(Column *column, int64_t position, int64_t height)
{
    const int64_t ahead = position - column->first;
    if (ahead < height)
        return;
    const int64_t columns = ahead - height < height ? 1 : ahead / height;
    column->number += columns;
    column->first += columns * height;
}

static void measure_mask(const Rasters *job, int64_t mask)
{
    const int64_t height = job->height[mask];
    int64_t left = 1, right = 0, top = height, bottom = -1, area = 0;
    Column column = {0, 0};
    for (int64_t at = job->start[mask]; at < job->stop[mask]; at += 2) {
        const int64_t begin = job->edge[at], end = run_end(job, mask, at);
        go_to(&column, begin, height);
        const int64_t first = column.number, high = begin - column.first;
        go_to(&column, end - 1, height);
        const int64_t low = end - 1 - column.first;
        const int whole = column.number != first; /* such a run touches the top and the bottom */
        left = at == job->start[mask] ? first : left;
        right = column.number;
        top = whole ? 0 : high < top ? high : top;
        bottom = whole ? height - 1 : low > bottom ? low : bottom;
        area += end - begin;
    }
    const int64_t box[4] = {left, right, area ? top : 1, area ? bottom : 0};
    memcpy(job->box + 4 * mask, box, sizeof box);
    job->area[mask] = (double)area;
}

enum { MASKS_AT_ONCE = 256 };

static void measure_masks(void *given, int64_t part)
{
    Rasters *job = given;
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t mask = part * MASKS_AT_ONCE; mask < end && mask < job->masks; mask++) {
        if (edges_are_sound(job, mask))
            measure_mask(job, mask);
        else
            job->bad = mask;
    }
}

static Fault measure_rasters(Rasters *job, int threads)
{
    Fault wrong = check_rasters(job);
    job->bad = -1;
    if (!wrong.what)
        for_each((job->masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, measure_masks, job);
    return job->bad < 0 ? wrong : fault("edges of mask", job->bad);
}

static double shared_pixels(const Rasters *ours, int64_t mine, const Rasters *theirs, int64_t other)
{
    int64_t one = ours->start[mine], two = theirs->start[other], shared = 0;
    const int64_t last = ours->stop[mine], end = theirs->stop[other];
    while (one < last && two < end) {
        const int64_t begin = ours->edge[one] > theirs->edge[two] ? ours->edge[one] : theirs->edge[two];
        const int64_t stop = run_end(ours, mine, one), halt = run_end(theirs, other, two);
        const int64_t until = stop < halt ? stop : halt;
        shared += until > begin ? until - begin : 0;
        one += stop <= halt ? 2 : 0;
        two += halt <= stop ? 2 : 0;
    }
    return (double)shared;
}

static inline int64_t overlap_of(const int64_t *one, const int64_t *two)
{
    const int64_t low = one[0] > two[0] ? one[0] : two[0], high = one[1] < two[1] ? one[1] : two[1];
    return high >= low ? high - low + 1 : 0;
}

/* IoU of a truth's mask with a detection's; 0 without looking at runs when it cannot reach `least`. */
static double iou_of_masks(const Rasters *ours, int64_t truth, const Rasters *theirs,
                           int64_t detection, int crowd, double least)
{
    const int64_t *box = ours->box + 4 * truth, *other = theirs->box + 4 * detection;
    const double both = (double)overlap_of(box, other) * (double)overlap_of(box + 2, other + 2);
    const double area = ours->area[truth], mine = theirs->area[detection];
    double most = area < mine ? area : mine;
    most = both < most ? both : most;
    if (most <= 0 || most / (crowd ? mine : area + mine - most) < least)
        return 0;
    const double shared = shared_pixels(ours, truth, theirs, detection);
    return shared > 0 ? shared / (crowd ? mine : area + mine - shared) : 0;
}

typedef struct {
    Rasters ours, theirs;
    int64_t pairs;
    const uint8_t *crowd;
    const int64_t *truth, *detection;
    double *out_iou;
} MaskPairs;

static void compare_masks(void *given, int64_t part)
{
    const MaskPairs *job = given;
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t pair = part * MASKS_AT_ONCE; pair < end && pair < job->pairs; pair++) {
        const int64_t truth = job->truth[pair];
        job->out_iou[pair] = iou_of_masks(&job->ours, truth, &job->theirs, job->detection[pair],
                                          job->crowd[truth], 0);
    }
}

static Fault compare_rasters(MaskPairs *job, int threads)
{
    Pool pool = {{NULL}, 0, 0};
    Rasters *sides[2] = {&job->ours, &job->theirs};
    Fault wrong = FINE;
    for (int side = 0; side < 2; side++) {
        sides[side]->area = take(&pool, sides[side]->masks, sizeof(double));
        sides[side]->box = take(&pool, sides[side]->masks * 4, sizeof(int64_t));
    }
    if (pool.failed)
        wrong = fault(NO_MEMORY, 0);
    for (int side = 0; side < 2 && !wrong.what; side++)
        wrong = measure_rasters(sides[side], threads);
    for (int64_t pair = 0; pair < job->pairs && !wrong.what; pair++) {
        if ((uint64_t)job->truth[pair] >= (uint64_t)job->ours.masks)
            wrong = fault("truth of pair", pair);
        else if ((uint64_t)job->detection[pair] >= (uint64_t)job->theirs.masks)
            wrong = fault("detection of pair", pair);
    }
    if (!wrong.what)
        for_each((job->pairs + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, compare_masks, job);
    give_back(&pool);
    return wrong;
}

/* ---- COCO's compressed run lengths ------------------------------------------------------------------ */

typedef struct {
    int64_t masks, length;
    const uint8_t *text;  /* (length,) */
    const int64_t *start, *stop; /* (masks,) of each mask's run lengths in the text */
    int escaped;          /* a backslash is doubled, as JSON spells it */
    const int64_t *height, *width;
    int64_t *room;        /* (masks,) at most so many edges; written when `out_edge` is NULL */
    int64_t *out_edge;    /* (sum of room,) */
    int64_t *out_start; /* (masks + 1,) */
    int64_t *first;       /* (masks + 1,) where each mask's room begins */
    int64_t bad;          /* a mask that is not well formed, or -1 */
} Texts;

/* Add a position at which the value flips; twice at one place is not at all. */
static inline int64_t flip(int64_t *edges, int64_t count, int64_t position)
{
    if (count && edges[count - 1] == position)
        return count - 1;
    edges[count] = position;
    return count + 1;
}

/* Decode one text: five bits a character, differences to the number two before from the third on.
 * Returns how many edges, or -1 when it is malformed or does not fill the mask. */
static int64_t decode_text(const uint8_t *text, int64_t length, int escaped, int64_t size,
                           int64_t *edges)
{
    int64_t count = 0, position = 0, before[2] = {0, 0};
    int64_t number = 0;
    for (int64_t at = 0; at < length; number++) {
        uint64_t value = 0;
        unsigned code;
        int shift = 0;
        do {
            if (at == length || shift > 55)
                return -1;
            if (escaped && text[at] == '\\' && (++at == length || text[at] != '\\'))
                return -1;
            code = (unsigned)text[at++] - 48;
            if (code > 63)
                return -1;
            value |= (uint64_t)(code & 0x1F) << shift;
            shift += 5;
        } while (code & 0x20);
        int64_t run = (int64_t)value - (code & 0x10 ? (int64_t)1 << shift : 0);
        if (number > 2)
            run += before[number & 1];
        if (run < 0 || run > size - position)
            return -1;
        before[number & 1] = run;
        position += run;
        count = flip(edges, count, position);
    }
    if (!number || position != size)
        return -1;
    return count && edges[count - 1] == size ? count - 1 : count;
}

/* How many run lengths a text has, and so at most how many edges: each ends with a character whose
 * sixth bit is clear. */
static int64_t count_runs(const uint8_t *text, int64_t length)
{
    int64_t count = 0;
    for (int64_t at = 0; at < length; at++)
        count += !(((unsigned)text[at] - 48) & 0x20);
    return count;
}

static void decode_texts(void *given, int64_t part)
{
    Texts *job = given;
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t mask = part * MASKS_AT_ONCE; mask < end && mask < job->masks; mask++) {
        const int64_t at = job->start[mask], length = job->stop[mask] - at;
        if (!job->out_edge) {
            job->room[mask] = count_runs(job->text + at, length);
            continue;
        }
        int64_t count = -1;
        if (count_runs(job->text + at, length) <= job->first[mask + 1] - job->first[mask])
            count = decode_text(job->text + at, length, job->escaped,
                                job->height[mask] * job->width[mask], job->out_edge + job->first[mask]);
        if (count < 0)
            job->bad = mask;
        job->out_start[mask + 1] = count;
    }
}

static Fault check_texts(Texts *job)
{
    job->first[0] = 0;
    for (int64_t mask = 0; mask < job->masks; mask++) {
        if (job->start[mask] < 0 || job->start[mask] > job->stop[mask] ||
            job->stop[mask] > job->length)
            return fault("start of text", mask);
        if (job->height[mask] < 1 || job->width[mask] < 1 ||
            job->width[mask] > INT64_MAX / job->height[mask])
            return fault("size of mask", mask);
        job->first[mask + 1] = job->first[mask] + (job->out_edge ? job->room[mask] : 0);
        if (job->first[mask + 1] < job->first[mask])
            return fault("room of mask", mask);
    }
    return FINE;
}

/* Bring the edges of all masks together, each from where its room begins. */
static void close_gaps(int64_t masks, const int64_t *first, int64_t *edge, int64_t *start)
{
    start[0] = 0;
    for (int64_t mask = 0; mask < masks; mask++) {
        const int64_t count = start[mask + 1], to = start[mask];
        memmove(edge + to, edge + first[mask], (size_t)count * sizeof *edge);
        start[mask + 1] = to + count;
    }
}

static Fault decode_all(Texts *job, int threads)
{
    Pool pool = {{NULL}, 0, 0};
    job->first = take(&pool, job->masks + 1, sizeof *job->first);
    job->bad = -1;
    Fault wrong = pool.failed ? fault(NO_MEMORY, 0) : check_texts(job);
    if (!wrong.what) {
        for_each((job->masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, decode_texts, job);
        if (job->bad >= 0)
            wrong = fault("run lengths of mask", job->bad);
        else if (job->out_edge)
            close_gaps(job->masks, job->first, job->out_edge, job->out_start);
    }
    give_back(&pool);
    return wrong;
}

/* ---- Matching boxes ----------------------------------------------------------------------------- */

/* A detection on its way: its row as given, and its place in the order of the ledger. */
typedef struct {
    int32_t row, place;
} Slot;

typedef struct {
    /* given */
    int64_t truths, detections, datums, labels, most;
    const int32_t *truth_datum, *truth_label, *datum, *label;
    const double *truth_box, *truth_area, *box, *score, *area;
    const uint8_t *crowd;
    Rasters *truth_masks, *masks; /* compared instead of boxes; NULL: boxes */
    Texts *texts; /* the detections' masks before decoding: each is looked at once, then forgotten */
    Grid grid;
    int threads;
    /* the ledger */
    int32_t *out_label, *out_datum, *out_match;
    double *out_score;
    uint16_t *out_rank;
    uint8_t *out_areas, *out_truth_areas;
    Lanes *out_hit, *out_ignored;
    int64_t kept, matches;
    /* between the steps */
    uint64_t *words, *spare;  /* score, as an order that rises, and row */
    int shift;                /* bits of the score's order that do not fit beside the row */
    int64_t *label_start;     /* where each label's words begin */
    Slot *slots;              /* by datum, then as in the ledger */
    int64_t *slot_start;      /* where each datum's slots begin */
    int32_t *truth_rows;      /* truths by datum, then label, then as given */
    int64_t *truth_start;     /* where each datum's truths begin */
    int32_t *found;           /* for each place, where its lanes are in hit and ignored; -1: no match */
    Lanes *hit, *ignored;
    int64_t chunks;
    int failed;
    int64_t bad; /* a detection whose run lengths are malformed, or -1 */
} Boxes;

/* Scores from 1 down to 0 as whole numbers that rise: the bits of a double sort as it does. */
static inline uint64_t falling(double score)
{
    uint64_t bits;
    score += 0.0; /* -0.0 sorts as 0.0 */
    memcpy(&bits, &score, sizeof bits);
    return UINT64_C(0x3FF0000000000000) - bits;
}

static Fault check_scores(Boxes *job)
{
    uint64_t most = 0;
    for (int64_t row = 0; row < job->detections; row++) {
        if (UNLIKELY(!(job->score[row] >= 0.0 && job->score[row] <= 1.0)))
            return fault("score", row);
        uint64_t order = falling(job->score[row]);
        most = order > most ? order : most;
    }
    job->shift = 0;
    while (most >> job->shift > UINT32_MAX)
        job->shift++;
    return FINE;
}

/* Deal the detections out by label, as given inside each. */
static Fault group_by_label(Boxes *job)
{
    int64_t wrong = count_keys(job->label, job->detections, job->labels, job->label_start);
    if (wrong >= 0)
        return fault("label", wrong);
    for (int64_t row = 0; row < job->detections; row++) {
        uint64_t order = falling(job->score[row]) >> job->shift;
        job->words[job->label_start[job->label[row]]++] = order << 32 | (uint64_t)row;
    }
    rewind_starts(job->label_start, job->labels);
    return FINE;
}

static inline double score_of(const Boxes *job, uint64_t word)
{
    return job->score[(uint32_t)word];
}

/* Sort words by falling score, stably, where their first 32 bits could not tell. */
static void merge_scores(const Boxes *job, uint64_t *words, uint64_t *spare, int64_t count)
{
    uint64_t *from = words, *to = spare;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t low = 0; low < count; low += 2 * width) {
            int64_t middle = low + width < count ? low + width : count;
            int64_t high = middle + width < count ? middle + width : count;
            int64_t left = low, right = middle;
            for (int64_t place = low; place < high; place++) {
                int second = left == middle || (right < high && score_of(job, from[right]) >
                                                                    score_of(job, from[left]));
                to[place] = second ? from[right++] : from[left++];
            }
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != words)
        memcpy(words, from, (size_t)count * sizeof *words);
}

/* One label: from the order as given to that of falling scores. */
static void sort_label(void *given, int64_t label)
{
    Boxes *job = given;
    int64_t first = job->label_start[label], last = job->label_start[label + 1];
    uint64_t *words = job->words, *spare = job->spare;
    sort_words(words + first, spare + first, last - first, 32, 64);
    if (!job->shift)
        return;
    for (int64_t place = first; place < last;) {
        int64_t end = place + 1;
        int sorted = 1;
        while (end < last && words[end] >> 32 == words[place] >> 32) {
            sorted &= score_of(job, words[end - 1]) >= score_of(job, words[end]);
            end++;
        }
        if (!sorted)
            merge_scores(job, words + place, spare + place, end - place);
        place = end;
    }
}

/* Write what of the ledger is known when the order is, and deal its places out by datum. */
static Fault group_by_datum(Boxes *job)
{
    int64_t wrong = count_keys(job->datum, job->detections, job->datums, job->slot_start);
    if (wrong >= 0)
        return fault("datum", wrong);
    for (int64_t label = 0; label < job->labels; label++) {
        for (int64_t place = job->label_start[label]; place < job->label_start[label + 1]; place++) {
            if (place + AHEAD < job->detections) {
                const uint32_t later = (uint32_t)job->words[place + AHEAD];
                SOON(&job->datum[later]);
                SOON(&job->score[later]);
            }
            int32_t row = (int32_t)(uint32_t)job->words[place];
            int32_t datum = job->datum[row];
            Slot slot = {row, (int32_t)place};
            job->slots[job->slot_start[datum]++] = slot;
            job->out_label[place] = (int32_t)label;
            job->out_datum[place] = datum;
            job->out_score[place] = job->score[row];
        }
    }
    rewind_starts(job->slot_start, job->datums);
    return FINE;
}

/* The area that was given, or else that of the region. */
static inline double area_of(const double *area, const double *box, const Rasters *masks, int64_t row)
{
    if (area[row] == area[row])
        return area[row];
    return masks ? masks->area[row] : box[4 * row + 2] * box[4 * row + 3];
}

static Fault group_truths(Boxes *job, Pool *pool)
{
    int32_t *by_label = take(pool, job->truths, sizeof *by_label);
    int64_t *start = take(pool, job->labels + 1, sizeof *start);
    if (pool->failed)
        return fault(NO_MEMORY, 0);
    int64_t wrong = count_keys(job->truth_label, job->truths, job->labels, start);
    if (wrong >= 0)
        return fault("truth label", wrong);
    for (int64_t row = 0; row < job->truths; row++)
        by_label[start[job->truth_label[row]]++] = (int32_t)row;
    wrong = count_keys(job->truth_datum, job->truths, job->datums, job->truth_start);
    if (wrong >= 0)
        return fault("truth datum", wrong);
    for (int64_t place = 0; place < job->truths; place++) {
        int32_t row = by_label[place];
        job->truth_rows[job->truth_start[job->truth_datum[row]]++] = row;
    }
    rewind_starts(job->truth_start, job->datums);
    for (int64_t row = 0; row < job->truths; row++) {
        const double area = area_of(job->truth_area, job->truth_box, job->truth_masks, row);
        job->out_truth_areas[row] = job->crowd[row] ? 0 : ranges_of(&job->grid, area);
    }
    return FINE;
}

/* A truth of the cell at hand, with what has happened to it. */
typedef struct {
    double left, top, right, bottom, area;
    int64_t row;
    Lanes ignored; /* lanes in which it is out of range or a crowd */
    Lanes taken;
    Lanes held;    /* all lanes where taking it bars others; none for a crowd */
} Target;

typedef struct {
    double iou;
    int32_t target;
    Lanes lanes;
} Candidate;

/* Where one cell is matched; one for each thread, used for many. */
typedef struct {
    Target *targets;
    Candidate *candidates;
    int64_t room;
    Rasters mask; /* of the detection at hand, when it comes as text */
    int64_t *edges, edges_room, start, stop, box[4];
    double area;
} Cell;

/* Falling IoU; of equals the later truth first, as COCO's loop leaves it. */
static int by_preference(const void *a, const void *b)
{
    const Candidate *one = a, *other = b;
    if (one->iou != other->iou)
        return one->iou > other->iou ? -1 : 1;
    return (one->target < other->target) - (one->target > other->target);
}

static void sort_candidates(Candidate *candidates, int64_t count)
{
    if (count > 24) {
        qsort(candidates, (size_t)count, sizeof *candidates, by_preference);
        return;
    }
    for (int64_t next = 1; next < count; next++) {
        Candidate one = candidates[next];
        int64_t place = next;
        for (; place > 0 && by_preference(&one, &candidates[place - 1]) < 0; place--)
            candidates[place] = candidates[place - 1];
        candidates[place] = one;
    }
}

/* One detection takes its truths: first those that count, then those that make it ignored. */
static void take_targets(Target *targets, const Candidate *candidates, int64_t count, Lanes *hit,
                         Lanes *ignored)
{
    Lanes found = 0, beside = 0;
    for (int64_t place = 0; place < count; place++) {
        Target *target = &targets[candidates[place].target];
        Lanes free = candidates[place].lanes & ~target->ignored & ~target->taken & ~found;
        found |= free;
        target->taken |= free & target->held;
    }
    for (int64_t place = 0; place < count; place++) {
        Target *target = &targets[candidates[place].target];
        Lanes free = candidates[place].lanes & target->ignored & ~target->taken & ~(found | beside);
        beside |= free;
        target->taken |= free & target->held;
    }
    *hit = found;
    *ignored = beside;
}

static int enter_cell(const Boxes *job, Cell *cell, const int32_t *rows, int64_t count)
{
    if (count > cell->room) {
        int64_t room = cell->room;
        if (!grow((void **)&cell->targets, &room, count, sizeof *cell->targets))
            return 0;
        room = cell->room;
        if (!grow((void **)&cell->candidates, &room, count, sizeof *cell->candidates))
            return 0;
        cell->room = room;
    }
    for (int64_t number = 0; number < count; number++) {
        const double *box = job->truth_box + 4 * (int64_t)rows[number];
        Target *target = &cell->targets[number];
        target->row = rows[number];
        target->left = box[0];
        target->top = box[1];
        target->right = box[0] + box[2];
        target->bottom = box[1] + box[3];
        target->area = box[2] * box[3];
        target->ignored = ~lanes_of_ranges(&job->grid, job->out_truth_areas[rows[number]]);
        target->taken = 0;
        target->held = job->crowd[rows[number]] ? 0 : ~(Lanes)0;
    }
    return 1;
}

/* The truths of the cell that a box overlaps enough to matter. */
static int64_t find_candidates(const Boxes *job, Cell *cell, int64_t targets, const double *box)
{
    const double left = box[0], top = box[1], right = box[0] + box[2], bottom = box[1] + box[3];
    const double area = box[2] * box[3], least = job->grid.threshold[0];
    const double bar = least * (1 - 1e-6); /* spares the division; never refuses what reaches least */
    int64_t count = 0;
    for (int64_t number = 0; number < targets; number++) {
        const Target *target = &cell->targets[number];
        double across = (target->right < right ? target->right : right) -
                        (target->left > left ? target->left : left);
        double down = (target->bottom < bottom ? target->bottom : bottom) -
                      (target->top > top ? target->top : top);
        double shared = across * down;
        double all = target->held ? target->area + area - shared : area;
        if (UNLIKELY((across > 0) & (down > 0) & (shared >= bar * all) & (shared > 0))) {
            double iou = shared / all;
            if (iou >= least) {
                Candidate one = {iou, (int32_t)number, lanes_of_iou(&job->grid, iou)};
                cell->candidates[count++] = one;
            }
        }
    }
    if (count > 1)
        sort_candidates(cell->candidates, count);
    return count;
}

/* Decode the mask of a detection into its cell; 0 when it is malformed, -1 when there is no room. */
static int decode_mask(const Boxes *job, Cell *cell, int64_t row)
{
    const Texts *texts = job->texts;
    const uint8_t *text = texts->text + texts->start[row];
    const int64_t length = texts->stop[row] - texts->start[row];
    if (!grow((void **)&cell->edges, &cell->edges_room, count_runs(text, length) + 1,
              sizeof *cell->edges))
        return -1;
    cell->start = 0;
    cell->stop = decode_text(text, length, texts->escaped, texts->height[row] * texts->width[row],
                             cell->edges);
    if (cell->stop < 0)
        return 0;
    const Rasters mask = {1,          cell->stop,           cell->edges,         &cell->start,
                          &cell->stop, &texts->height[row], &texts->width[row], &cell->area,
                          cell->box,  -1};
    cell->mask = mask;
    measure_mask(&cell->mask, 0);
    return 1;
}

/* The truths of the cell that a mask overlaps enough to matter. */
static int64_t find_masks(const Boxes *job, Cell *cell, int64_t targets, const Rasters *masks,
                          int64_t row)
{
    const double least = job->grid.threshold[0];
    int64_t count = 0;
    for (int64_t number = 0; number < targets; number++) {
        const Target *target = &cell->targets[number];
        const double iou =
            iou_of_masks(job->truth_masks, target->row, masks, row, !target->held, least);
        if (iou >= least && iou > 0) {
            Candidate one = {iou, (int32_t)number, lanes_of_iou(&job->grid, iou)};
            cell->candidates[count++] = one;
        }
    }
    if (count > 1)
        sort_candidates(cell->candidates, count);
    return count;
}

/* The datums of one chunk: rank, areas and matches of their detections, cell by cell. */
static void match_chunk(void *given, int64_t chunk)
{
    Boxes *job = given;
    Cell cell;
    memset(&cell, 0, sizeof cell);
    int64_t first_datum = chunk * job->datums / job->chunks;
    int64_t last_datum = (chunk + 1) * job->datums / job->chunks;
    int64_t found = job->slot_start[first_datum];
    for (int64_t datum = first_datum; datum < last_datum; datum++) {
        int64_t at = job->slot_start[datum], end = job->slot_start[datum + 1];
        int64_t truth = job->truth_start[datum], last_truth = job->truth_start[datum + 1];
        for (int64_t rank = 0, targets = 0; at < end; at++) {
            if (at + AHEAD < job->detections) {
                const Slot later = job->slots[at + AHEAD];
                SOON(&job->box[4 * (int64_t)later.row]);
                SOON(&job->area[later.row]);
                SOON(&job->out_areas[later.place]);
                SOON(&job->out_rank[later.place]);
                SOON(&job->found[later.place]);
            }
            const Slot slot = job->slots[at];
            const int32_t label = job->label[slot.row];
            if (rank == 0) { /* a new cell */
                while (truth < last_truth && job->truth_label[job->truth_rows[truth]] < label)
                    truth++;
                targets = 0;
                while (truth + targets < last_truth &&
                       job->truth_label[job->truth_rows[truth + targets]] == label)
                    targets++;
                if (targets && !enter_cell(job, &cell, job->truth_rows + truth, targets)) {
                    job->failed = 1;
                    goto out;
                }
            }
            const double *box = job->box + 4 * (int64_t)slot.row;
            const Rasters *masks = job->masks;
            int64_t mask = slot.row;
            if (job->texts) {
                const int decoded = decode_mask(job, &cell, slot.row);
                if (decoded <= 0) {
                    job->bad = decoded ? job->bad : slot.row;
                    job->failed |= decoded < 0;
                    goto out;
                }
                masks = &cell.mask;
                mask = 0;
            }
            const double given_area = job->area[slot.row];
            const double area = given_area == given_area ? given_area
                                : masks                  ? masks->area[mask]
                                                         : box[2] * box[3];
            job->out_areas[slot.place] = ranges_of(&job->grid, area);
            job->out_rank[slot.place] = (uint16_t)(rank < UINT16_MAX ? rank : UINT16_MAX);
            int32_t match = -1;
            if (targets && rank < job->most) {
                int64_t count = masks ? find_masks(job, &cell, targets, masks, mask)
                                      : find_candidates(job, &cell, targets, box);
                if (count) {
                    take_targets(cell.targets, cell.candidates, count, &job->hit[found],
                                 &job->ignored[found]);
                    if (job->hit[found] | job->ignored[found])
                        match = (int32_t)found++;
                }
            }
            job->found[slot.place] = match;
            rank = at + 1 < end && job->label[job->slots[at + 1].row] == label ? rank + 1 : 0;
        }
    }
out:
    free(cell.edges);
    free(cell.targets);
    free(cell.candidates);
}

/* Drop what lies beyond the most detections, and list the matches in order. */
static void close_ledger(Boxes *job)
{
    int64_t kept = 0, matches = 0;
    for (int64_t place = 0; place < job->detections; place++) {
        if (UNLIKELY(job->out_rank[place] >= job->most))
            continue;
        if (kept != place) {
            job->out_label[kept] = job->out_label[place];
            job->out_datum[kept] = job->out_datum[place];
            job->out_score[kept] = job->out_score[place];
            job->out_rank[kept] = job->out_rank[place];
            job->out_areas[kept] = job->out_areas[place];
        }
        int32_t found = job->found[place];
        if (found >= 0) {
            job->out_match[matches] = (int32_t)kept;
            job->out_hit[matches] = job->hit[found];
            job->out_ignored[matches++] = job->ignored[found];
        }
        kept++;
    }
    job->kept = kept;
    job->matches = matches;
}

static Fault match_boxes(Boxes *job)
{
    Pool pool = {{NULL}, 0, 0};
    Rasters *sides[2] = {job->truth_masks, job->masks};
    Fault wrong = FINE;
    for (int side = 0; side < 2; side++) {
        if (!sides[side])
            continue;
        sides[side]->area = take(&pool, sides[side]->masks, sizeof(double));
        sides[side]->box = take(&pool, sides[side]->masks * 4, sizeof(int64_t));
        if (!pool.failed && !wrong.what)
            wrong = measure_rasters(sides[side], job->threads);
    }
    job->words = take(&pool, job->detections, sizeof *job->words);
    job->spare = take(&pool, job->detections, sizeof *job->spare);
    job->label_start = take(&pool, job->labels + 1, sizeof *job->label_start);
    job->slot_start = take(&pool, job->datums + 1, sizeof *job->slot_start);
    job->truth_start = take(&pool, job->datums + 1, sizeof *job->truth_start);
    job->truth_rows = take(&pool, job->truths, sizeof *job->truth_rows);
    job->slots = take(&pool, job->detections, sizeof *job->slots);
    job->found = take(&pool, job->detections, sizeof *job->found);
    job->hit = take(&pool, job->detections, sizeof *job->hit);
    job->ignored = take(&pool, job->detections, sizeof *job->ignored);
    if (job->texts) {
        job->texts->first = take(&pool, job->texts->masks + 1, sizeof(int64_t));
        if (!pool.failed && !wrong.what)
            wrong = check_texts(job->texts);
    }
    if (pool.failed)
        wrong = fault(NO_MEMORY, 0);
    if (!wrong.what)
        wrong = check_scores(job);
    if (!wrong.what)
        wrong = group_by_label(job);
    if (!wrong.what)
        wrong = group_truths(job, &pool);
    if (!wrong.what) {
        for_each(job->labels, job->threads, sort_label, job);
        wrong = group_by_datum(job);
    }
    if (!wrong.what) {
        job->chunks = job->threads > 1 ? 8 * job->threads : 1;
        job->failed = 0;
        job->bad = -1;
        for_each(job->chunks, job->threads, match_chunk, job);
        if (job->failed)
            wrong = fault(NO_MEMORY, 0);
        else if (job->bad >= 0)
            wrong = fault("run lengths of mask", job->bad);
        else
            close_ledger(job);
    }
    give_back(&pool);
    return wrong;
}

/* ---- Finding pairs ------------------------------------------------------------------------------ */

typedef struct {
    int64_t truths, detections, rows, listed;
    const int64_t *row;              /* (rows,) detections to look at */
    const int64_t *cell_truth;       /* (listed,) truths, those of a cell together */
    const int64_t *first, *count;    /* (detections,) where each one's cell is listed, and how long */
    const double *truth_box, *box;
    const uint8_t *crowd;
    Rasters *truth_masks, *masks;    /* compared instead of boxes; NULL: boxes */
    double least;
    int64_t *start;                  /* (rows + 1,) where each row's room begins */
    int64_t *found;                  /* (rows,) how many pairs it has */
    int64_t *out_detection, *out_truth; /* (sum of the rows' counts,) */
    double *out_iou;
    int64_t bad;
} Meetings;

static inline double iou_of_boxes(const double *truth, const double *box, int crowd, double bar)
{
    const double right = truth[0] + truth[2], bottom = truth[1] + truth[3];
    const double end = box[0] + box[2], low = box[1] + box[3];
    const double across = (right < end ? right : end) - (truth[0] > box[0] ? truth[0] : box[0]);
    const double down = (bottom < low ? bottom : low) - (truth[1] > box[1] ? truth[1] : box[1]);
    if (!((across > 0) & (down > 0)))
        return 0;
    const double shared = across * down, area = box[2] * box[3];
    const double all = crowd ? area : truth[2] * truth[3] + area - shared;
    return (shared > 0) & (shared >= bar * all) ? shared / all : 0;
}

static void meet_rows(void *given, int64_t part)
{
    Meetings *job = given;
    const double bar = job->least * (1 - 1e-6);
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t place = part * MASKS_AT_ONCE; place < end && place < job->rows; place++) {
        const int64_t row = job->row[place], *truths = job->cell_truth + job->first[row];
        int64_t to = job->start[place];
        for (int64_t number = 0; number < job->count[row]; number++) {
            const int64_t truth = truths[number];
            if (UNLIKELY((uint64_t)truth >= (uint64_t)job->truths)) {
                job->bad = job->first[row] + number;
                break;
            }
            const double iou =
                job->masks ? iou_of_masks(job->truth_masks, truth, job->masks, row,
                                          job->crowd[truth], job->least)
                           : iou_of_boxes(job->truth_box + 4 * truth, job->box + 4 * row,
                                          job->crowd[truth], bar);
            if (iou >= job->least && iou > 0) {
                job->out_detection[to] = row;
                job->out_truth[to] = truth;
                job->out_iou[to++] = iou;
            }
        }
        job->found[place] = to - job->start[place];
    }
}

static Fault check_meetings(Meetings *job, int64_t room)
{
    job->start[0] = 0;
    for (int64_t place = 0; place < job->rows; place++) {
        const int64_t row = job->row[place];
        if ((uint64_t)row >= (uint64_t)job->detections)
            return fault("detection to look at", place);
        if (job->first[row] < 0 || job->count[row] < 0 || job->first[row] > job->listed ||
            job->count[row] > job->listed - job->first[row])
            return fault("cell of detection", row);
        if (job->count[row] > room - job->start[place])
            return fault("room of row", place);
        job->start[place + 1] = job->start[place] + job->count[row];
    }
    return FINE;
}

/* Write the pairs that overlap enough, row after row; `*pairs` is how many. */
static Fault find_pairs(Meetings *job, int64_t room, int threads, int64_t *pairs)
{
    Pool pool = {{NULL}, 0, 0};
    Rasters *sides[2] = {job->truth_masks, job->masks};
    Fault wrong = FINE;
    job->start = take(&pool, job->rows + 1, sizeof *job->start);
    job->found = take(&pool, job->rows, sizeof *job->found);
    job->bad = -1;
    for (int side = 0; side < 2 && job->masks; side++) {
        sides[side]->area = take(&pool, sides[side]->masks, sizeof(double));
        sides[side]->box = take(&pool, sides[side]->masks * 4, sizeof(int64_t));
        if (!pool.failed && !wrong.what)
            wrong = measure_rasters(sides[side], threads);
    }
    if (pool.failed)
        wrong = fault(NO_MEMORY, 0);
    if (!wrong.what)
        wrong = check_meetings(job, room);
    if (!wrong.what) {
        for_each((job->rows + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, meet_rows, job);
        if (job->bad >= 0)
            wrong = fault("truth of cell", job->bad);
    }
    *pairs = 0;
    for (int64_t place = 0; place < job->rows && !wrong.what; place++) {
        const int64_t from = job->start[place], count = job->found[place];
        memmove(job->out_detection + *pairs, job->out_detection + from, (size_t)count * 8);
        memmove(job->out_truth + *pairs, job->out_truth + from, (size_t)count * 8);
        memmove(job->out_iou + *pairs, job->out_iou + from, (size_t)count * 8);
        *pairs += count;
    }
    give_back(&pool);
    return wrong;
}

/* ---- Matching pairs ----------------------------------------------------------------------------- */

typedef struct {
    int64_t pairs, detections, truths;
    const int64_t *rank, *detection, *truth;
    const double *iou;
    const Lanes *lanes, *ignored_in;
    const uint8_t *crowd;
    int64_t *out_detection;
    Lanes *out_hit, *out_ignored;
    int64_t matches;
} Pairs;

/* A pair, waiting to be tried; the number keeps equal ones as given. */
typedef struct {
    double iou;
    int64_t truth, number;
} Wish;

static int by_wish(const void *a, const void *b)
{
    const Wish *one = a, *other = b;
    if (one->iou != other->iou)
        return one->iou > other->iou ? -1 : 1;
    if (one->truth != other->truth)
        return one->truth > other->truth ? -1 : 1;
    return one->number < other->number ? -1 : 1;
}

static Fault check_pairs(const Pairs *job)
{
    for (int64_t row = 0; row < job->detections; row++)
        if (job->rank[row] < 0 || job->rank[row] > INT32_MAX)
            return fault("rank", row);
    for (int64_t row = 0; row < job->pairs; row++) {
        if ((uint64_t)job->detection[row] >= (uint64_t)job->detections)
            return fault("detection of pair", row);
        if ((uint64_t)job->truth[row] >= (uint64_t)job->truths)
            return fault("truth of pair", row);
        if (job->iou[row] != job->iou[row])
            return fault("IoU of pair", row);
    }
    return FINE;
}

/* Lanes in which one detection finds something among the pairs of `wishes`. */
static void grant(const Pairs *job, Lanes *taken, const Wish *wishes, int64_t count, Lanes *hit,
                  Lanes *ignored)
{
    Lanes found[2] = {0, 0}; /* what counts, then what does not */
    for (int beside = 0; beside < 2; beside++) {
        for (int64_t place = 0; place < count; place++) {
            int64_t truth = wishes[place].truth;
            Lanes wanted = beside ? job->ignored_in[truth] : ~job->ignored_in[truth];
            Lanes busy = job->crowd[truth] ? 0 : taken[truth];
            Lanes free = job->lanes[wishes[place].number] & wanted & ~busy & ~(found[0] | found[1]);
            found[beside] |= free;
            taken[truth] |= free;
        }
    }
    *hit = found[0];
    *ignored = found[1];
}

static Fault match_pairs(Pairs *job)
{
    Fault wrong = check_pairs(job);
    if (wrong.what)
        return wrong;
    Pool pool = {{NULL}, 0, 0};
    int64_t *start = take(&pool, job->detections + 1, sizeof *start);
    Wish *wishes = take(&pool, job->pairs, sizeof *wishes);
    Lanes *taken = take(&pool, job->truths, sizeof *taken);
    uint64_t *turns = take(&pool, job->detections, sizeof *turns);
    uint64_t *spare = take(&pool, job->detections, sizeof *spare);
    Lanes *hit = take(&pool, job->detections, sizeof *hit);
    Lanes *ignored = take(&pool, job->detections, sizeof *ignored);
    if (pool.failed) {
        give_back(&pool);
        return fault(NO_MEMORY, 0);
    }
    memset(start, 0, (size_t)(job->detections + 1) * sizeof *start);
    memset(taken, 0, (size_t)job->truths * sizeof *taken);
    for (int64_t row = 0; row < job->pairs; row++)
        start[job->detection[row] + 1]++;
    for (int64_t row = 0; row < job->detections; row++)
        start[row + 1] += start[row];
    for (int64_t row = 0; row < job->pairs; row++) {
        Wish wish = {job->iou[row], job->truth[row], row};
        wishes[start[job->detection[row]]++] = wish;
    }
    rewind_starts(start, job->detections);

    /* those of lower rank choose first; of one rank no two want the same truth */
    int64_t asking = 0;
    for (int64_t row = 0; row < job->detections; row++)
        if (start[row + 1] > start[row])
            turns[asking++] = (uint64_t)job->rank[row] << 32 | (uint64_t)row;
    sort_words(turns, spare, asking, 32, 64);
    for (int64_t turn = 0; turn < asking; turn++) {
        int64_t row = (int64_t)(turns[turn] & UINT32_MAX), count = start[row + 1] - start[row];
        if (count > 1)
            qsort(wishes + start[row], (size_t)count, sizeof *wishes, by_wish);
        grant(job, taken, wishes + start[row], count, &hit[row], &ignored[row]);
    }
    job->matches = 0;
    for (int64_t row = 0; row < job->detections; row++) {
        if (start[row + 1] == start[row] || !(hit[row] | ignored[row]))
            continue;
        job->out_detection[job->matches] = row;
        job->out_hit[job->matches] = hit[row];
        job->out_ignored[job->matches++] = ignored[row];
    }
    give_back(&pool);
    return FINE;
}

/* ---- Averages ----------------------------------------------------------------------------------- */

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
        return fault(NO_MEMORY, 0);
    for_each(job->count * job->packs, job->threads, follow_label, job);
    if (!job->no_room)
        for_each(job->replicates * job->averages, job->threads, take_average, job);
    return job->no_room ? fault(NO_MEMORY, 0) : FINE;
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
    wrong = pool.failed ? fault(NO_MEMORY, 0) : find_labels(job);
    if (!wrong.what)
        wrong = read_weights(job);
    if (!wrong.what)
        wrong = check_truths(job);
    if (!wrong.what)
        for_each(job->packs, job->threads, count_truths, job);
    if (!wrong.what)
        wrong = job->no_room ? fault(NO_MEMORY, 0) : follow_labels(job, &pool);
    give_back(&pool);
    return wrong;
}

/* ---- Counts at one score ------------------------------------------------------------------------ */

typedef struct {
    int64_t rows, matches, labels, datums;
    const int32_t *label, *datum, *match;
    const double *score;
    const uint8_t *areas;
    const Lanes *hit, *ignored;
    const int64_t *weights; /* (datums,); NULL: each datum once */
    int64_t lane;           /* of the first area range */
    double least;
    int64_t *out_found, *out_counted; /* (labels,) */
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
        const int64_t label = job->label[row], datum = job->datum[row];
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

/* ---- Polygons ------------------------------------------------------------------------------------- */

/* COCO walks an outline on a grid five times as fine as the pixels. */
static const int SUBPIXELS = 5;
static const double FARTHEST = 1e7; /* pixels; beyond, walking would take minutes */

typedef struct {
    int64_t masks, parts, rings, points;
    const double *point;        /* (points, 2) as x, y in pixels */
    const int64_t *ring_start;  /* (rings + 1,) in points */
    const int64_t *part_start;  /* (parts + 1,) in rings: an outline and its holes */
    const int64_t *mask_start;  /* (masks + 1,) in parts: their union */
    const int64_t *height, *width;
    int64_t *room;      /* (masks,) at most so many edges; written when `out_edge` is NULL */
    int64_t *out_edge;  /* (sum of room,) */
    int64_t *out_start; /* (masks + 1,) */
    int64_t *first;     /* (masks + 1,) where each mask's room begins */
    int no_room;
} Outlines;

static Fault check_starts(const char *what, const int64_t *start, int64_t count, int64_t end)
{
    if (start[0] != 0 || start[count] != end)
        return fault(what, 0);
    for (int64_t place = 0; place < count; place++)
        if (start[place] > start[place + 1])
            return fault(what, place);
    return FINE;
}

static Fault check_outlines(const Outlines *job)
{
    Fault wrong = check_starts("start of ring", job->ring_start, job->rings, job->points);
    if (!wrong.what)
        wrong = check_starts("start of part", job->part_start, job->parts, job->rings);
    if (!wrong.what)
        wrong = check_starts("start of mask", job->mask_start, job->masks, job->parts);
    for (int64_t place = 0; place < 2 * job->points && !wrong.what; place++)
        if (!(job->point[place] >= -FARTHEST && job->point[place] <= FARTHEST))
            wrong = fault("point", place / 2);
    for (int64_t mask = 0; mask < job->masks && !wrong.what; mask++)
        if (job->height[mask] < 1 || job->width[mask] < 1 || job->height[mask] > INT32_MAX ||
            job->width[mask] > INT32_MAX)
            wrong = fault("size of mask", mask);
    return wrong;
}

static inline int64_t fine(double coordinate)
{
    return (int64_t)(SUBPIXELS * coordinate + 0.5);
}

/* A walk along an outline: where it is, and the pixel columns that it has crossed. */
typedef struct {
    int64_t height, width;
    int64_t u, v; /* the last fine point */
    int begun;
    uint64_t *position;
    int64_t count;
} Walk;

/* A step between two fine columns counts when it crosses the centre line of a pixel column. */
static inline void cross(Walk *walk, int64_t u, int64_t low_v)
{
    if (u < SUBPIXELS / 2 || (u - SUBPIXELS / 2) % SUBPIXELS)
        return;
    const int64_t column = (u - SUBPIXELS / 2) / SUBPIXELS;
    if (column > walk->width - 1)
        return;
    double y = ((double)low_v + 0.5) / SUBPIXELS - 0.5;
    y = y < 0 ? 0 : y > (double)walk->height ? (double)walk->height : y;
    int64_t row = (int64_t)y;
    row += (double)row < y;
    walk->position[walk->count++] = (uint64_t)(column * walk->height + row);
}

static inline void step_to(Walk *walk, int64_t u, int64_t v)
{
    if (walk->begun && u != walk->u)
        cross(walk, u < walk->u ? u : walk->u, v < walk->v ? v : walk->v);
    walk->begun = 1;
    walk->u = u;
    walk->v = v;
}

/* The fine coordinate across a side, `done` steps along it. */
static inline int64_t across_at(int64_t low, double rise, int64_t done)
{
    return (int64_t)((double)low + rise * (double)done + 0.5);
}

/* A side that is wider than tall: every fine column is a step, and every fifth may count. */
static void walk_flat(Walk *walk, const int64_t *low, double rise, int64_t steps, int backwards)
{
    const int64_t end = across_at(low[1], rise, steps), begin = across_at(low[1], rise, 0);
    step_to(walk, backwards ? low[0] + steps : low[0], backwards ? end : begin);
    int64_t first = low[0] > 0 ? low[0] : 0, last = low[0] + steps - 1;
    const int64_t farthest = walk->width * SUBPIXELS;
    first += (SUBPIXELS + SUBPIXELS / 2 - first % SUBPIXELS) % SUBPIXELS;
    last = last < farthest ? last : farthest;
    for (int64_t u = first; u <= last; u += SUBPIXELS) {
        const int64_t one = across_at(low[1], rise, u - low[0]);
        const int64_t two = across_at(low[1], rise, u + 1 - low[0]);
        cross(walk, u, one < two ? one : two);
    }
    walk->u = backwards ? low[0] : low[0] + steps;
    walk->v = backwards ? begin : end;
}

/* A side that is taller than wide. */
static void walk_steep(Walk *walk, const int64_t *low, double rise, int64_t steps, int backwards)
{
    for (int64_t number = 0; number <= steps; number++) {
        const int64_t done = backwards ? steps - number : number;
        step_to(walk, across_at(low[0], rise, done), low[1] + done);
    }
}

static void walk_side(Walk *walk, const int64_t *start, const int64_t *stop)
{
    const int64_t wide = llabs(stop[0] - start[0]), tall = llabs(stop[1] - start[1]);
    const int flat = wide >= tall, along = flat ? 0 : 1;
    const int backwards = start[along] > stop[along];
    const int64_t *low = backwards ? stop : start, *high = backwards ? start : stop;
    const int64_t steps = flat ? wide : tall;
    const double rise = steps ? (double)(high[1 - along] - low[1 - along]) / (double)steps : 0.0;
    if (flat)
        walk_flat(walk, low, rise, steps, backwards);
    else
        walk_steep(walk, low, rise, steps, backwards);
}

static void walk_ring(Walk *walk, const double *point, int64_t points)
{
    walk->begun = 0;
    for (int64_t number = 0; number < points; number++) {
        const double *one = point + 2 * number;
        const double *two = point + 2 * (number + 1 < points ? number + 1 : 0);
        const int64_t start[2] = {fine(one[0]), fine(one[1])}, stop[2] = {fine(two[0]), fine(two[1])};
        walk_side(walk, start, stop);
    }
}

/* At most so many steps of a ring count: one for each pixel column a side may cross, and its ends. */
static int64_t room_of_ring(const double *point, int64_t points, int64_t width)
{
    int64_t room = 0;
    for (int64_t number = 0; number < points; number++) {
        const double *two = point + 2 * (number + 1 < points ? number + 1 : 0);
        const int64_t columns = llabs(fine(two[0]) - fine(point[2 * number])) / SUBPIXELS + 3;
        room += columns < width + 3 ? columns : width + 3;
    }
    return room;
}

static void find_room(const Outlines *job)
{
    for (int64_t mask = 0; mask < job->masks; mask++) {
        const int64_t last = job->part_start[job->mask_start[mask + 1]];
        job->room[mask] = 0;
        for (int64_t ring = job->part_start[job->mask_start[mask]]; ring < last; ring++) {
            const int64_t first = job->ring_start[ring];
            job->room[mask] += room_of_ring(job->point + 2 * first, job->ring_start[ring + 1] - first,
                                            job->width[mask]);
        }
    }
}

/* Edges of the union of two masks of one size; the last edge may be left open. */
static int64_t unite(const int64_t *one, int64_t ones, const int64_t *two, int64_t twos, int64_t *to)
{
    int64_t left = 0, right = 0, count = 0;
    int inside = 0;
    while (left < ones || right < twos) {
        const int first = right == twos || (left < ones && one[left] <= two[right]);
        const int64_t position = first ? one[left] : two[right];
        left += left < ones && one[left] == position;
        right += right < twos && two[right] == position;
        if (((left | right) & 1) != inside) {
            inside = !inside;
            to[count++] = position;
        }
    }
    return count;
}

typedef struct {
    uint64_t *position, *spare;
    int64_t *edges, *both;
} Desk;

/* Rasterise one part of a mask: its crossings in order, those that occur an odd number of times. */
static int64_t draw_part(const Outlines *job, Desk *desk, int64_t mask, int64_t part, int64_t *edges)
{
    Walk walk = {job->height[mask], job->width[mask], 0, 0, 0, desk->position, 0};
    for (int64_t ring = job->part_start[part]; ring < job->part_start[part + 1]; ring++) {
        const int64_t first = job->ring_start[ring];
        walk_ring(&walk, job->point + 2 * first, job->ring_start[ring + 1] - first);
    }
    const int64_t size = walk.height * walk.width;
    int bits = 1;
    while (bits < 62 && size >> bits)
        bits++;
    sort_words(desk->position, desk->spare, walk.count, 0, bits);
    int64_t count = 0;
    for (int64_t place = 0; place < walk.count; place++)
        count = flip(edges, count, (int64_t)desk->position[place]);
    return count && edges[count - 1] == size ? count - 1 : count;
}

static void draw_mask(const Outlines *job, Desk *desk, int64_t mask)
{
    int64_t count = 0, *edges = job->out_edge + job->first[mask];
    for (int64_t part = job->mask_start[mask]; part < job->mask_start[mask + 1]; part++) {
        const int64_t more = draw_part(job, desk, mask, part, desk->edges);
        const int64_t all = unite(edges, count, desk->edges, more, desk->both);
        memcpy(edges, desk->both, (size_t)all * sizeof *edges);
        count = all;
    }
    job->out_start[mask + 1] = count;
}

static void draw_masks(void *given, int64_t part)
{
    Outlines *job = given;
    const int64_t first = part * MASKS_AT_ONCE;
    const int64_t last = first + MASKS_AT_ONCE < job->masks ? first + MASKS_AT_ONCE : job->masks;
    int64_t most = 0;
    for (int64_t mask = first; mask < last; mask++)
        if (job->first[mask + 1] - job->first[mask] > most)
            most = job->first[mask + 1] - job->first[mask];
    Pool pool = {{NULL}, 0, 0};
    Desk desk = {take(&pool, most, sizeof(uint64_t)), take(&pool, most, sizeof(uint64_t)),
                 take(&pool, most, sizeof(int64_t)), take(&pool, most, sizeof(int64_t))};
    if (pool.failed)
        job->no_room = 1;
    else
        for (int64_t mask = first; mask < last; mask++)
            draw_mask(job, &desk, mask);
    give_back(&pool);
}

static Fault draw_outlines(Outlines *job, int threads)
{
    Fault wrong = check_outlines(job);
    if (wrong.what)
        return wrong;
    if (!job->out_edge) {
        find_room(job);
        return FINE;
    }
    Pool pool = {{NULL}, 0, 0};
    job->first = take(&pool, job->masks + 1, sizeof *job->first);
    int64_t *room = take(&pool, job->masks, sizeof *room);
    if (pool.failed) {
        give_back(&pool);
        return fault(NO_MEMORY, 0);
    }
    const int64_t *promised = job->room;
    job->room = room;
    find_room(job);
    job->first[0] = job->out_start[0] = job->no_room = 0;
    for (int64_t mask = 0; mask < job->masks && !wrong.what; mask++) {
        if (promised[mask] != room[mask])
            wrong = fault("room of mask", mask);
        job->first[mask + 1] = job->first[mask] + room[mask];
    }
    if (!wrong.what) {
        for_each((job->masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, draw_masks, job);
        if (job->no_room)
            wrong = fault(NO_MEMORY, 0);
    }
    if (!wrong.what)
        close_gaps(job->masks, job->first, job->out_edge, job->out_start);
    give_back(&pool);
    return wrong;
}

/* ---- COCO files ----------------------------------------------------------------------------------- */

/* Text that is being read. It ends with a NUL byte, as Python's bytes do, so that one byte may always
 * be looked at; a NUL inside is no JSON. */
typedef struct {
    const char *text;
    int64_t length, at;
    const char *wrong; /* what was expected, where the text has something else */
    int64_t wrong_at;
    int strange;       /* well formed maybe, but not for this reader: let Python's json read it */
    int high;          /* a string has bytes that are not ASCII */
} Reader;

enum { DEEPEST = 500 };

static int expected(Reader *reader, const char *what)
{
    if (!reader->wrong) {
        reader->wrong = what;
        reader->wrong_at = reader->at;
    }
    return 0;
}

/* Not an error yet: Python's json decides. */
static int strange(Reader *reader)
{
    reader->strange = 1;
    return expected(reader, "a value that this reader knows");
}

static inline char peek(Reader *reader)
{
    const char *text = reader->text + reader->at;
    while (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')
        text++;
    reader->at = text - reader->text;
    return *text;
}

static inline int accept(Reader *reader, char wanted)
{
    if (peek(reader) != wanted)
        return 0;
    reader->at++;
    return 1;
}

static int read_word(Reader *reader, const char *word)
{
    const size_t length = strlen(word);
    if (strncmp(reader->text + reader->at, word, length))
        return expected(reader, "a JSON value");
    reader->at += (int64_t)length;
    return 1;
}

/* Read a string; what is between its quotes is [*first, reader->at - 1). `escaped` may be NULL. */
static int read_string(Reader *reader, int64_t *first, int *escaped)
{
    if (!accept(reader, '"'))
        return expected(reader, "a string");
    *first = reader->at;
    if (escaped)
        *escaped = 0;
    const unsigned char *text = (const unsigned char *)reader->text;
    int64_t at = reader->at;
    for (;;) {
        const unsigned char byte = text[at];
        if (byte == '"')
            break;
        if (byte < 0x20) {
            reader->at = at;
            return expected(reader, "the end of a string");
        }
        reader->high |= byte >= 0x80;
        at++;
        if (byte != '\\')
            continue;
        if (escaped)
            *escaped = 1;
        const unsigned char kind = text[at];
        if (kind == 'u') {
            for (int digit = 1; digit <= 4; digit++) {
                const unsigned char hex = text[at + digit];
                if (!((hex >= '0' && hex <= '9') || ((hex | 32) >= 'a' && (hex | 32) <= 'f'))) {
                    reader->at = at;
                    return expected(reader, "four hexadecimal digits");
                }
            }
            at += 5;
        }
        else if (kind && strchr("\"\\/bfnrt", kind))
            at++;
        else {
            reader->at = at;
            return expected(reader, "an escape");
        }
    }
    reader->at = at + 1;
    return 1;
}

/* A number as it is spelled. */
typedef struct {
    int64_t first, end;
    uint64_t digits; /* all of them as one number, while they fit */
    int64_t places;  /* how many of them stand behind the point */
    int negative, whole, plain; /* whole: no point; plain: `digits` holds them all, no exponent */
} Number;

static inline int is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static int read_number(Reader *reader, Number *number)
{
    peek(reader);
    const char *text = reader->text + reader->at, *begin = text;
    memset(number, 0, sizeof *number);
    number->first = reader->at;
    number->negative = *text == '-';
    text += number->negative;
    if (!is_digit(*text) || (*text == '0' && is_digit(text[1])))
        return expected(reader, "a number");
    const char *digits = text;
    uint64_t sum = 0;
    for (; is_digit(*text); text++)
        sum = sum * 10 + (uint64_t)(*text - '0');
    int64_t count = text - digits;
    number->whole = 1;
    if (*text == '.') {
        const char *point = ++text;
        for (; is_digit(*text); text++)
            sum = sum * 10 + (uint64_t)(*text - '0');
        number->places = text - point;
        number->whole = 0;
        count += number->places;
        if (!number->places) {
            reader->at = text - reader->text;
            return expected(reader, "a digit");
        }
    }
    number->digits = sum;
    number->plain = count <= 19;
    if ((*text | 32) == 'e') {
        text++;
        text += *text == '+' || *text == '-';
        if (!is_digit(*text)) {
            reader->at = text - reader->text;
            return expected(reader, "a digit");
        }
        while (is_digit(*text))
            text++;
        number->whole = number->plain = 0;
    }
    number->end = number->first + (text - begin);
    reader->at = number->end;
    return 1;
}

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Let Python round a number, as it would itself; needs the GIL, so this is for rare ones. */
static double rounded_by_python(const Reader *reader, const Number *number)
{
    char spelled[64], *room = spelled;
    const size_t length = (size_t)(number->end - number->first);
    if (length >= sizeof spelled && !(room = malloc(length + 1)))
        return Py_HUGE_VAL;
    memcpy(room, reader->text + number->first, length);
    room[length] = 0;
    PyGILState_STATE state = PyGILState_Ensure();
    double value = PyOS_string_to_double(room, NULL, NULL);
    PyErr_Clear();
    PyGILState_Release(state);
    if (room != spelled)
        free(room);
    return value;
}

/* The double nearest to a number, of two equally near the even one: what Python's float() gives. */
static double value_of(const Reader *reader, const Number *number)
{
    double value;
    if (number->plain && number->digits < (uint64_t)1 << 53 && number->places <= 22)
        value = (double)number->digits / TENS[number->places]; /* both exact: rounded once */
#if defined(__SIZEOF_INT128__)
    else if (number->plain && number->places <= 19) {
        uint64_t ten = 1, digits = number->digits;
        for (int64_t place = 0; place < number->places; place++)
            ten *= 10;
        int shift = 63;
        for (; !(digits >> 63); digits <<= 1)
            shift++;
        /* 127 bits by at most 64 give at least 63: more than enough to see which way to round */
        const unsigned __int128 top = (unsigned __int128)digits << 63;
        unsigned __int128 quotient = top / ten;
        const int rest = top % ten != 0;
        int drop = 0;
        while (quotient >> drop >> 54)
            drop++;
        const int sticky = rest || (quotient & (((unsigned __int128)1 << drop) - 1));
        uint64_t kept = (uint64_t)(quotient >> drop);
        const int half = (int)(kept & 1);
        kept >>= 1;
        kept += (uint64_t)(half && (sticky || (kept & 1)));
        /* times a power of two, exactly: far from the smallest and the largest numbers */
        const uint64_t power = (uint64_t)(1023 + drop + 1 - shift) << 52;
        double two;
        memcpy(&two, &power, sizeof two);
        value = (double)kept * two;
    }
#endif
    else
        return rounded_by_python(reader, number);
    return number->negative && !(number->whole && !number->digits) ? -value : value;
}

static int read_double(Reader *reader, double *value)
{
    Number number;
    if (!read_number(reader, &number))
        return 0;
    *value = value_of(reader, &number);
    if (*value - *value != 0) {
        reader->at = number.first;
        return expected(reader, "a finite number");
    }
    return 1;
}

/* Read an id. Text and numbers that are not whole are ids to Python: it shall read them. */
static int read_id(Reader *reader, int64_t *value)
{
    const char byte = peek(reader);
    if (byte == '"')
        return strange(reader);
    Number number;
    const int64_t first = reader->at;
    if (!read_number(reader, &number)) {
        return 0;
    }
    if (!number.whole || !number.plain || number.digits > INT64_MAX) {
        reader->at = first;
        return strange(reader);
    }
    *value = number.negative ? -(int64_t)number.digits : (int64_t)number.digits;
    return 1;
}

/* Step over any value, checking that it is one. */
static int skip_value(Reader *reader, int depth)
{
    int64_t first;
    Number number;
    switch (peek(reader)) {
    case '"':
        return read_string(reader, &first, NULL);
    case 't':
        return read_word(reader, "true");
    case 'f':
        return read_word(reader, "false");
    case 'n':
        return read_word(reader, "null");
    case '[':
    case '{':
        break;
    case 'N':
    case 'I':
        return strange(reader);
    default:
        return peek(reader) == '-' || is_digit(peek(reader)) ? read_number(reader, &number)
                                                             : expected(reader, "a JSON value");
    }
    if (depth >= DEEPEST)
        return strange(reader);
    const int object = reader->text[reader->at++] == '{';
    if (accept(reader, object ? '}' : ']'))
        return 1;
    do {
        if (object && (!read_string(reader, &first, NULL) || !(accept(reader, ':') || expected(reader, "':'"))))
            return 0;
        if (!skip_value(reader, depth + 1))
            return 0;
    } while (accept(reader, ','));
    return accept(reader, object ? '}' : ']') || expected(reader, object ? "',' or '}'" : "',' or ']'");
}

/* Read a key and its colon. A key of which a letter is spelled as a number (\u0069d) might be one
 * that matters: Python shall read it. Other escapes stand for no letter that a known key has. */
static int read_key(Reader *reader, const char **key, int64_t *length)
{
    int64_t first;
    int escaped;
    if (!read_string(reader, &first, &escaped))
        return 0;
    *key = reader->text + first;
    *length = reader->at - 1 - first;
    for (int64_t at = 0; escaped && at + 4 < *length; at++)
        if (!memcmp(*key + at, "\\u00", 4) && (*key)[at + 4] < '8')
            return strange(reader);
    return accept(reader, ':') || expected(reader, "':'");
}

#define IS(word) (length == (int64_t)sizeof(word) - 1 && !memcmp(key, word, sizeof(word) - 1))

/* Where a list or object goes on: 1 for another element, 0 for the end, -1 for neither. */
static int another(Reader *reader, char end, int first)
{
    if (accept(reader, end))
        return 0;
    if (!first && !accept(reader, ',')) {
        expected(reader, end == ']' ? "',' or ']'" : "',' or '}'");
        return -1;
    }
    return 1;
}

static int is_null(Reader *reader)
{
    return peek(reader) == 'n';
}

static int read_box(Reader *reader, double *box)
{
    if (is_null(reader))
        return read_word(reader, "null");
    if (!accept(reader, '['))
        return expected(reader, "a list of four numbers");
    for (int place = 0; place < 4; place++) {
        if (place && !accept(reader, ','))
            return expected(reader, "four numbers");
        if (!read_double(reader, &box[place]))
            return 0;
    }
    return accept(reader, ']') || expected(reader, "the end of four numbers");
}

/* How a region is spelled. */
enum { NO_REGION = 0, POLYGONS = 1, COMPRESSED = 2, COUNTS = 3 };

/* Annotations in columns; a column that is not wanted is NULL. */
typedef struct {
    int64_t room, rows;
    int64_t *id, *image, *label;
    double *box, *area, *score;
    uint8_t *crowd, *region;
    int64_t *region_start, *region_stop, *height, *width;
} Records;

static int read_size(Reader *reader, int64_t *height, int64_t *width)
{
    return (accept(reader, '[') || expected(reader, "[height, width]")) && read_id(reader, height) &&
           (accept(reader, ',') || expected(reader, "[height, width]")) && read_id(reader, width) &&
           (accept(reader, ']') || expected(reader, "[height, width]"));
}

/* {"size": [height, width], "counts": text or list} */
static int read_rle(Reader *reader, Records *to, int64_t row)
{
    int more;
    reader->at++;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        if (!read_key(reader, &key, &length))
            return 0;
        if (IS("size")) {
            if (!read_size(reader, &to->height[row], &to->width[row]))
                return 0;
        }
        else if (IS("counts") && peek(reader) == '"') {
            if (!read_string(reader, &to->region_start[row], NULL))
                return 0;
            to->region[row] = COMPRESSED;
            to->region_stop[row] = reader->at - 1;
        }
        else if (IS("counts")) {
            to->region[row] = COUNTS;
            to->region_start[row] = reader->at;
            if (peek(reader) != '[' || !skip_value(reader, 0))
                return expected(reader, "run lengths");
            to->region_stop[row] = reader->at;
        }
        else if (!skip_value(reader, 0))
            return 0;
    }
    if (more < 0)
        return 0;
    return to->region[row] || expected(reader, "counts before the end of an RLE");
}

static int read_region(Reader *reader, Records *to, int64_t row)
{
    const char kind = peek(reader);
    to->region[row] = NO_REGION;
    to->height[row] = to->width[row] = -1;
    if (kind == 'n')
        return read_word(reader, "null");
    if (kind == '{')
        return read_rle(reader, to, row);
    if (kind != '[')
        return expected(reader, "polygons or an RLE");
    to->region[row] = POLYGONS;
    to->region_start[row] = reader->at;
    if (!skip_value(reader, 0))
        return 0;
    to->region_stop[row] = reader->at;
    return 1;
}

static int read_crowd(Reader *reader, uint8_t *crowd)
{
    const char kind = peek(reader);
    double value = 0;
    if (kind == 't' || kind == 'f') {
        *crowd = kind == 't';
        return read_word(reader, kind == 't' ? "true" : "false");
    }
    if (kind == 'n')
        return read_word(reader, "null");
    if (!read_double(reader, &value))
        return 0;
    *crowd = value != 0;
    return 1;
}

static int read_measure(Reader *reader, double *value)
{
    return is_null(reader) ? read_word(reader, "null") : read_double(reader, value);
}

/* One annotation or result; what it must have is an image, a label and, where wanted, a score. */
static int read_record(Reader *reader, Records *to)
{
    enum { IMAGE = 1, LABEL = 2, SCORE = 4 };
    const int64_t row = to->rows;
    int has = to->score ? 0 : SCORE, more;
    if (row >= to->room)
        return expected(reader, "fewer records");
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    for (int place = 0; place < 4; place++)
        to->box[4 * row + place] = Py_NAN;
    if (to->area)
        to->area[row] = Py_NAN;
    if (to->crowd)
        to->crowd[row] = 0;
    if (to->id)
        to->id[row] = -1;
    to->region[row] = NO_REGION;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        int fine_so_far;
        if (!read_key(reader, &key, &length))
            return 0;
        if (IS("image_id")) {
            has |= IMAGE;
            fine_so_far = read_id(reader, &to->image[row]);
        }
        else if (IS("category_id")) {
            has |= LABEL;
            fine_so_far = read_id(reader, &to->label[row]);
        }
        else if (IS("bbox"))
            fine_so_far = read_box(reader, &to->box[4 * row]);
        else if (IS("score") && to->score) {
            has |= SCORE;
            fine_so_far = read_double(reader, &to->score[row]);
        }
        else if (IS("area") && to->area)
            fine_so_far = read_measure(reader, &to->area[row]);
        else if (IS("iscrowd") && to->crowd)
            fine_so_far = read_crowd(reader, &to->crowd[row]);
        else if (IS("id") && to->id)
            fine_so_far = read_id(reader, &to->id[row]);
        else if (IS("segmentation"))
            fine_so_far = read_region(reader, to, row);
        else
            fine_so_far = skip_value(reader, 0);
        if (!fine_so_far)
            return 0;
    }
    if (more < 0)
        return 0;
    to->rows++;
    if (has != (IMAGE | LABEL | SCORE))
        return expected(reader, !(has & IMAGE)   ? "image_id before the end of a record"
                                : !(has & LABEL) ? "category_id before the end of a record"
                                                 : "score before the end of a record");
    return 1;
}

static int read_records(Reader *reader, Records *to)
{
    int more;
    if (!accept(reader, '['))
        return expected(reader, "a list");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0)
        if (!read_record(reader, to))
            return 0;
    return more == 0;
}

static int read_end(Reader *reader)
{
    peek(reader);
    return reader->at == reader->length || expected(reader, "the end of the file");
}

static int read_results(Reader *reader, Records *to)
{
    to->rows = 0;
    return read_records(reader, to) && read_end(reader);
}

/* Images or labels: their ids, the images' sizes (-1 where unknown), and where each record stands. */
typedef struct {
    int64_t room, rows;
    int64_t *id, *height, *width;
    int64_t start, stop; /* of the list, in bytes */
} Names;

static int read_names(Reader *reader, Names *to)
{
    int more, inner;
    peek(reader);
    to->start = reader->at;
    to->rows = 0;
    if (!accept(reader, '['))
        return expected(reader, "a list");
    for (int first = 1; (more = another(reader, ']', first)) > 0; first = 0) {
        const int64_t row = to->rows;
        int has = 0;
        if (row >= to->room)
            return expected(reader, "fewer records");
        if (!accept(reader, '{'))
            return expected(reader, "an object");
        to->height[row] = to->width[row] = -1;
        for (int one = 1; (inner = another(reader, '}', one)) > 0; one = 0) {
            const char *key;
            int64_t length;
            if (!read_key(reader, &key, &length))
                return 0;
            int64_t *value = IS("id") ? &to->id[row]
                             : IS("height") ? &to->height[row]
                             : IS("width")  ? &to->width[row]
                                            : NULL;
            has |= IS("id");
            if (value && !is_null(reader) ? !read_id(reader, value) : !skip_value(reader, 0))
                return 0;
        }
        if (inner < 0)
            return 0;
        if (!has)
            return expected(reader, "id before the end of a record");
        to->rows++;
    }
    to->stop = reader->at;
    return more == 0;
}

static int read_truth(Reader *reader, Names *images, Names *labels, Records *to)
{
    int more;
    if (!accept(reader, '{'))
        return expected(reader, "an object");
    to->rows = images->rows = labels->rows = 0;
    for (int first = 1; (more = another(reader, '}', first)) > 0; first = 0) {
        const char *key;
        int64_t length;
        if (!read_key(reader, &key, &length))
            return 0;
        int fine_so_far;
        if (IS("annotations")) {
            to->rows = 0;
            fine_so_far = read_records(reader, to);
        }
        else if (IS("images"))
            fine_so_far = read_names(reader, images);
        else if (IS("categories"))
            fine_so_far = read_names(reader, labels);
        else
            fine_so_far = skip_value(reader, 0);
        if (!fine_so_far)
            return 0;
    }
    return more == 0 && read_end(reader);
}

/* Polygons of several records: [[x, y, x, y, ...], ...] each. */
typedef struct {
    int64_t records, points_room, rings_room;
    const int64_t *start, *stop; /* (records,) in the text */
    double *out_point;           /* (points_room, 2) */
    int64_t *out_ring;           /* (rings_room + 1,) where each ring's points begin */
    int64_t *out_record;         /* (records + 1,) where each record's rings begin */
} Polygons;

static int read_polygons(Reader *reader, Polygons *to)
{
    int64_t points = 0, rings = 0;
    to->out_ring[0] = to->out_record[0] = 0;
    for (int64_t record = 0; record < to->records; record++) {
        if (to->start[record] < 0 || to->start[record] > reader->length)
            return expected(reader, "polygons inside the file");
        reader->at = to->start[record];
        int outer, inner;
        if (!accept(reader, '['))
            return expected(reader, "a list of polygons");
        for (int first = 1; (outer = another(reader, ']', first)) > 0; first = 0) {
            int64_t numbers = 0;
            if (!accept(reader, '['))
                return expected(reader, "a list of coordinates");
            for (int one = 1; (inner = another(reader, ']', one)) > 0; one = 0, numbers++) {
                if (points + numbers / 2 >= to->points_room)
                    return expected(reader, "fewer coordinates");
                if (!read_double(reader, &to->out_point[2 * points + numbers]))
                    return 0;
            }
            if (inner < 0)
                return 0;
            if (numbers < 6 || numbers % 2)
                return expected(reader, "an even number of coordinates, at least six");
            if (rings >= to->rings_room)
                return expected(reader, "fewer polygons");
            points += numbers / 2;
            to->out_ring[++rings] = points;
        }
        if (outer < 0)
            return 0;
        to->out_record[record + 1] = rings;
    }
    return 1;
}

/* ---- Python ------------------------------------------------------------------------------------- */

/* Numbers of a call, read one after the other; `failed` when one is no number. */
typedef struct {
    PyObject *const *given;
    int failed;
} Arguments;

static int64_t next_number(Arguments *arguments)
{
    if (arguments->failed)
        return 0;
    int64_t number = PyLong_AsLongLong(*arguments->given++);
    arguments->failed = number == -1 && PyErr_Occurred() != NULL;
    return number;
}

static double next_double(Arguments *arguments)
{
    if (arguments->failed)
        return 0;
    double number = PyFloat_AsDouble(*arguments->given++);
    arguments->failed = number == -1 && PyErr_Occurred() != NULL;
    return number;
}

static void *next_address(Arguments *arguments)
{
    return (void *)(uintptr_t)next_number(arguments);
}

static int next_threads(Arguments *arguments)
{
    int64_t threads = next_number(arguments);
    return (int)(threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads);
}

static int expects(Py_ssize_t count, Py_ssize_t wanted)
{
    if (count == wanted)
        return 1;
    PyErr_Format(PyExc_TypeError, "expected %zd numbers, got %zd", wanted, count);
    return 0;
}

static PyObject *raise_fault(Fault wrong)
{
    if (wrong.what == NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_Format(PyExc_ValueError, "%s at row %lld is out of bounds", wrong.what,
                 (long long)wrong.row);
    return NULL;
}

static void next_rasters(Arguments *next, Rasters *masks)
{
    masks->masks = next_number(next);
    masks->edges = next_number(next);
    masks->edge = next_address(next);
    masks->start = next_address(next);
    masks->stop = next_address(next);
    masks->height = next_address(next);
    masks->width = next_address(next);
}

static void next_texts(Arguments *next, Texts *texts)
{
    texts->masks = next_number(next);
    texts->length = next_number(next);
    texts->text = next_address(next);
    texts->start = next_address(next);
    texts->stop = next_address(next);
    texts->escaped = (int)next_number(next);
    texts->height = next_address(next);
    texts->width = next_address(next);
}

static PyObject *py_match_boxes(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 51))
        return NULL;
    Arguments next = {given, 0};
    Boxes job;
    memset(&job, 0, sizeof job);
    job.truths = next_number(&next);
    job.detections = next_number(&next);
    job.datums = next_number(&next);
    job.labels = next_number(&next);
    job.most = next_number(&next);
    job.truth_datum = next_address(&next);
    job.truth_label = next_address(&next);
    job.truth_box = next_address(&next);
    job.truth_area = next_address(&next);
    job.crowd = next_address(&next);
    job.datum = next_address(&next);
    job.label = next_address(&next);
    job.box = next_address(&next);
    job.score = next_address(&next);
    job.area = next_address(&next);
    int64_t areas = next_number(&next), thresholds = next_number(&next);
    const double *range = next_address(&next), *threshold = next_address(&next);
    job.threads = next_threads(&next);
    job.out_label = next_address(&next);
    job.out_datum = next_address(&next);
    job.out_score = next_address(&next);
    job.out_rank = next_address(&next);
    job.out_areas = next_address(&next);
    job.out_match = next_address(&next);
    job.out_hit = next_address(&next);
    job.out_ignored = next_address(&next);
    job.out_truth_areas = next_address(&next);
    Rasters truth_masks, masks; /* without starts: there are none */
    memset(&truth_masks, 0, sizeof truth_masks);
    memset(&masks, 0, sizeof masks);
    next_rasters(&next, &truth_masks);
    next_rasters(&next, &masks);
    Texts texts;
    memset(&texts, 0, sizeof texts);
    next_texts(&next, &texts);
    if (truth_masks.start)
        job.truth_masks = &truth_masks;
    if (masks.start)
        job.masks = &masks;
    if (texts.start)
        job.texts = &texts;
    if (next.failed)
        return NULL;
    if (!make_grid(&job.grid, areas, thresholds, range, threshold) || job.truths > INT32_MAX ||
        job.detections > INT32_MAX || job.datums > INT32_MAX || job.labels > INT32_MAX ||
        job.most < 1 || job.most > UINT16_MAX ||
        (job.masks && masks.masks != job.detections) || (job.texts && texts.masks != job.detections) ||
        (job.truth_masks && truth_masks.masks != job.truths) ||
        !job.truth_masks != !(job.masks || job.texts))
        return raise_fault(fault("size", 0));
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = match_boxes(&job);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    return Py_BuildValue("(LL)", (long long)job.kept, (long long)job.matches);
}

static PyObject *py_find_pairs(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 31))
        return NULL;
    Arguments next = {given, 0};
    Meetings job;
    Rasters truth_masks, masks;
    memset(&job, 0, sizeof job);
    memset(&truth_masks, 0, sizeof truth_masks);
    memset(&masks, 0, sizeof masks);
    job.truths = next_number(&next);
    job.detections = next_number(&next);
    job.rows = next_number(&next);
    job.listed = next_number(&next);
    job.row = next_address(&next);
    job.cell_truth = next_address(&next);
    job.first = next_address(&next);
    job.count = next_address(&next);
    job.truth_box = next_address(&next);
    job.box = next_address(&next);
    job.crowd = next_address(&next);
    next_rasters(&next, &truth_masks);
    next_rasters(&next, &masks);
    job.least = next_double(&next);
    int64_t room = next_number(&next), pairs = 0;
    int threads = next_threads(&next);
    job.out_detection = next_address(&next);
    job.out_truth = next_address(&next);
    job.out_iou = next_address(&next);
    if (next.failed)
        return NULL;
    if (masks.start) {
        job.truth_masks = &truth_masks;
        job.masks = &masks;
        if (masks.masks != job.detections || truth_masks.masks != job.truths)
            return raise_fault(fault("size", 0));
    }
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = find_pairs(&job, room, threads, &pairs);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    return PyLong_FromLongLong(pairs);
}

static PyObject *py_match_pairs(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 13))
        return NULL;
    Arguments next = {given, 0};
    Pairs job;
    memset(&job, 0, sizeof job);
    job.pairs = next_number(&next);
    job.detections = next_number(&next);
    job.truths = next_number(&next);
    job.rank = next_address(&next);
    job.detection = next_address(&next);
    job.truth = next_address(&next);
    job.iou = next_address(&next);
    job.lanes = next_address(&next);
    job.ignored_in = next_address(&next);
    job.crowd = next_address(&next);
    job.out_detection = next_address(&next);
    job.out_hit = next_address(&next);
    job.out_ignored = next_address(&next);
    if (next.failed)
        return NULL;
    if (job.detections > INT32_MAX)
        return raise_fault(fault("size", 0));
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = match_pairs(&job);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    return PyLong_FromLongLong(job.matches);
}

static PyObject *py_averages(PyObject *module, PyObject *const *given, Py_ssize_t count)
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

static PyObject *py_counts_at(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 16))
        return NULL;
    Arguments next = {given, 0};
    Counts job;
    memset(&job, 0, sizeof job);
    job.rows = next_number(&next);
    job.matches = next_number(&next);
    job.labels = next_number(&next);
    job.datums = next_number(&next);
    job.label = next_address(&next);
    job.datum = next_address(&next);
    job.score = next_address(&next);
    job.areas = next_address(&next);
    job.match = next_address(&next);
    job.hit = next_address(&next);
    job.ignored = next_address(&next);
    job.weights = next_address(&next);
    job.lane = next_number(&next);
    job.least = next_double(&next);
    job.out_found = next_address(&next);
    job.out_counted = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = count_at(&job);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}

static PyObject *py_raster_ious(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 20))
        return NULL;
    Arguments next = {given, 0};
    MaskPairs job;
    memset(&job, 0, sizeof job);
    next_rasters(&next, &job.ours);
    next_rasters(&next, &job.theirs);
    job.pairs = next_number(&next);
    job.crowd = next_address(&next);
    job.truth = next_address(&next);
    job.detection = next_address(&next);
    int threads = next_threads(&next);
    job.out_iou = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = compare_rasters(&job, threads);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}

static PyObject *py_measure_rasters(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 10))
        return NULL;
    Arguments next = {given, 0};
    Rasters job;
    memset(&job, 0, sizeof job);
    next_rasters(&next, &job);
    int threads = next_threads(&next);
    job.area = next_address(&next);
    job.box = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = measure_rasters(&job, threads);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}

static PyObject *py_decode_texts(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 12))
        return NULL;
    Arguments next = {given, 0};
    Texts job;
    memset(&job, 0, sizeof job);
    next_texts(&next, &job);
    int threads = next_threads(&next);
    job.room = next_address(&next);
    job.out_edge = next_address(&next);
    job.out_start = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = decode_all(&job, threads);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}

static PyObject *py_draw_outlines(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 14))
        return NULL;
    Arguments next = {given, 0};
    Outlines job;
    memset(&job, 0, sizeof job);
    job.masks = next_number(&next);
    job.parts = next_number(&next);
    job.rings = next_number(&next);
    job.points = next_number(&next);
    job.point = next_address(&next);
    job.ring_start = next_address(&next);
    job.part_start = next_address(&next);
    job.mask_start = next_address(&next);
    job.height = next_address(&next);
    job.width = next_address(&next);
    int threads = next_threads(&next);
    job.room = next_address(&next);
    job.out_edge = next_address(&next);
    job.out_start = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = draw_outlines(&job, threads);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}

static void next_records(Arguments *next, Records *to)
{
    to->room = next_number(next);
    to->id = next_address(next);
    to->image = next_address(next);
    to->label = next_address(next);
    to->box = next_address(next);
    to->area = next_address(next);
    to->score = next_address(next);
    to->crowd = next_address(next);
    to->region = next_address(next);
    to->region_start = next_address(next);
    to->region_stop = next_address(next);
    to->height = next_address(next);
    to->width = next_address(next);
}

static void next_names(Arguments *next, Names *to)
{
    to->room = next_number(next);
    to->id = next_address(next);
    to->height = next_address(next);
    to->width = next_address(next);
}

/* (expected, offset, strange) where the text is not as it should be; None where it is. */
static PyObject *verdict(const Reader *reader)
{
    if (reader->wrong)
        return Py_BuildValue("(sLi)", reader->wrong, (long long)reader->wrong_at, reader->strange);
    Py_RETURN_NONE;
}

static PyObject *py_read_results(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 15))
        return NULL;
    Arguments next = {given, 0};
    Reader reader;
    Records records;
    memset(&reader, 0, sizeof reader);
    memset(&records, 0, sizeof records);
    reader.text = next_address(&next);
    reader.length = next_number(&next);
    next_records(&next, &records);
    if (next.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_results(&reader, &records);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(NLi)", verdict(&reader), (long long)records.rows, reader.high);
}

static PyObject *py_read_truth(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 23))
        return NULL;
    Arguments next = {given, 0};
    Reader reader;
    Records records;
    Names images, labels;
    memset(&reader, 0, sizeof reader);
    memset(&records, 0, sizeof records);
    memset(&images, 0, sizeof images);
    memset(&labels, 0, sizeof labels);
    reader.text = next_address(&next);
    reader.length = next_number(&next);
    next_names(&next, &images);
    next_names(&next, &labels);
    next_records(&next, &records);
    if (next.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_truth(&reader, &images, &labels, &records);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(NLi(LLL)(LLL))", verdict(&reader), (long long)records.rows, reader.high,
                         (long long)images.rows, (long long)images.start, (long long)images.stop,
                         (long long)labels.rows, (long long)labels.start, (long long)labels.stop);
}

static PyObject *py_read_polygons(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 10))
        return NULL;
    Arguments next = {given, 0};
    Reader reader;
    Polygons job;
    memset(&reader, 0, sizeof reader);
    memset(&job, 0, sizeof job);
    reader.text = next_address(&next);
    reader.length = next_number(&next);
    job.records = next_number(&next);
    job.start = next_address(&next);
    job.stop = next_address(&next);
    job.points_room = next_number(&next);
    job.rings_room = next_number(&next);
    job.out_point = next_address(&next);
    job.out_ring = next_address(&next);
    job.out_record = next_address(&next);
    if (next.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_polygons(&reader, &job);
    Py_END_ALLOW_THREADS
    return verdict(&reader);
}

#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))py_##name, METH_FASTCALL, NULL}

static PyMethodDef functions[] = {
    FUNCTION(match_boxes),
    FUNCTION(find_pairs),
    FUNCTION(match_pairs),
    FUNCTION(averages),
    FUNCTION(counts_at),
    FUNCTION(raster_ious),
    FUNCTION(measure_rasters),
    FUNCTION(decode_texts),
    FUNCTION(draw_outlines),
    FUNCTION(read_results),
    FUNCTION(read_truth),
    FUNCTION(read_polygons),
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module)
{
#ifdef HAVE_THREADS
    return PyModule_AddIntConstant(module, "MOST_THREADS", MOST_THREADS);
#else
    return PyModule_AddIntConstant(module, "MOST_THREADS", 1);
#endif
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)fill_module},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_native",
    "Compiled arithmetic; call it through velour_evaluators.kernels.native.",
    0,
    functions,
    slots,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
