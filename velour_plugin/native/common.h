/* What every room of the compiled kernel uses: faults, memory, threads, bits and sorting.
 *
 * The same bits. Sums and products of doubles are written in numpy's order. Compile without
 * contraction (-ffp-contract=off) and without -ffast-math: a fused multiply-add rounds once where
 * numpy rounds twice.
 *
 * No trust. What stands in arrays is checked in the room that uses it, before it is an index; a
 * wrong value comes back as a Fault that names the column and the row.
 *
 * Threads. Work is cut into tasks that write to places of their own, so the number of threads never
 * changes a result. Threads live for one call: a pool would not survive the fork() of a server.
 */
#ifndef VELOUR_COMMON_H
#define VELOUR_COMMON_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* A value that another thread may change, read now and not again. */
#define READ_ONCE(type, place) (*(const volatile type *)&(place))

/* Likewise a value at hand, which came from where it stands at no address of its type. */
static inline uint64_t settled(uint64_t value)
{
#if defined(__GNUC__) || defined(__clang__)
    __asm__("" : "+r"(value)); /* who knows what this did: the value cannot be read again instead */
    return value;
#else
    volatile uint64_t kept = value;
    return kept;
#endif
}

enum { AHEAD = 16 }; /* rows between asking the memory for one and needing it */

/* ---- Faults ----------------------------------------------------------------------------------- */

/* What is wrong, and in which row; `what` is NULL while all is well. */
typedef struct {
    const char *what;
    int64_t row;
} Fault;

extern const Fault FINE, NO_MEMORY;

static inline Fault fault(const char *what, int64_t row)
{
    Fault wrong = {what, row};
    return wrong;
}

/* ---- Memory: blocks that are given back together ----------------------------------------------- */

enum { MOST_BLOCKS = 24 };

typedef struct {
    void *blocks[MOST_BLOCKS];
    int used;
    int failed;
} Pool;

/* Room for `count` things, uninitialised; NULL, and `failed` set, when there is none. */
void *take(Pool *pool, int64_t count, size_t size);

void give_back(Pool *pool);

/* Grow a block to hold `wanted` things; 0 when there is no room, and the old block stays. */
int grow(void **block, int64_t *room, int64_t wanted, size_t size);

/* ---- Threads ----------------------------------------------------------------------------------- */

enum { MOST_THREADS = 64 };

typedef void (*Task)(void *job, int64_t number);

/* Do the tasks 0 .. count-1, on this thread and up to threads-1 others. */
void for_each(int64_t count, int threads, Task task, void *job);

/* What a counter of several threads counted to before; it goes one up. */
static inline int64_t count_up(int64_t *counter)
{
#if defined(__GNUC__) || defined(__clang__)
    return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
#else
    return (*counter)++; /* one thread: see threads.c */
#endif
}

/* Note the first of the rows in which tasks find something wrong; -1 while there is none. */
static inline void note_row(int64_t *first, int64_t row)
{
#if defined(__GNUC__) || defined(__clang__)
    int64_t known = __atomic_load_n(first, __ATOMIC_RELAXED);
    while ((known < 0 || row < known) &&
           !__atomic_compare_exchange_n(first, &known, row, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
#else
    *first = *first < 0 || row < *first ? row : *first;
#endif
}

/* Say for all tasks that something failed. */
static inline void raise_flag(int *flag)
{
#if defined(__GNUC__) || defined(__clang__)
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
#else
    *flag = 1;
#endif
}

/* ---- Bits --------------------------------------------------------------------------------------- */

static inline uint64_t low_bits(int count)
{
    return count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
}

/* ---- Sorting ------------------------------------------------------------------------------------ */

/* Sort fewer than 2^32 words by their bits from `low` to `high`, stably; the result is in `words`. */
void sort_words(uint64_t *words, uint64_t *spare, int64_t count, int low, int high);

/* Where each of `keys` values begins when rows are grouped by value: start[keys] is the end.
 * Returns the first row outside [0, keys), or -1. */
int64_t count_keys(const int32_t *key, int64_t rows, int64_t keys, int64_t *start);

/* After rows were dealt out with start[value]++, each start has become the next one's: undo it. */
void rewind_starts(int64_t *start, int64_t keys);

#endif
