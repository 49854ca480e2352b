/* Shared by all C files: faults, memory, threads, bits and sorting.
 *
 * Same bits as numpy. Sums and products of doubles are written in numpy's order. Compile without
 * contraction (-ffp-contract=off) and without -ffast-math: a fused multiply-add rounds once where
 * numpy rounds twice.
 *
 * Values in arrays are checked in the file that uses them, before they are an index; a
 * wrong value comes back as a Fault that names the column and the row.
 *
 * Threads: work is divided into tasks that write to separate memory, so the number of threads never
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
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define UNLIKELY(condition) (condition)
#define PREFETCH(address) ((void)(address))
#endif

/* Read a value that another thread may change, exactly once. */
#define READ_ONCE(type, value) (*(const volatile type *)&(value))

/* Keep a value that was read from shared memory: the compiler may not read it again. */
static inline uint64_t settled(uint64_t value)
{
#if defined(__GNUC__) || defined(__clang__)
    __asm__("" : "+r"(value)); /* the compiler must assume that the value was changed here */
    return value;
#else
    volatile uint64_t kept = value;
    return kept;
#endif
}

enum { AHEAD = 16 }; /* rows between a prefetch and the use of its data */

/* ---- Faults ----------------------------------------------------------------------------------- */

/* An invalid value: its name and row; `what` is NULL where there is none. */
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

/* ---- Memory: blocks that are freed together ---------------------------------------------------- */

enum { MOST_BLOCKS = 24 };

typedef struct {
    void *blocks[MOST_BLOCKS];
    int used;
    int failed;
} Pool;

/* Allocate `count` elements, uninitialised; NULL, and `failed` set, when there is no memory. */
void *pool_alloc(Pool *pool, int64_t count, size_t size);

void pool_free(Pool *pool);

/* Grow a block to hold `count` elements; 0 when there is no memory, and the old block stays. */
int grow(void **block, int64_t *room, int64_t count, size_t size);

/* ---- Threads ----------------------------------------------------------------------------------- */

enum { MOST_THREADS = 64 };

typedef void (*Task)(void *job, int64_t number);

/* Run the tasks 0 .. count-1, on this thread and up to threads-1 others. */
void for_each(int64_t count, int threads, Task task, void *job);

/* Increment a counter of several threads; returns the value before. */
static inline int64_t count_up(int64_t *counter)
{
#if defined(__GNUC__) || defined(__clang__)
    return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
#else
    return (*counter)++; /* one thread: see threads.c */
#endif
}

/* Note the smallest row with an invalid value, from several threads; -1 while there is none. */
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

/* Set a flag from several threads. */
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

/* Sort fewer than 2^32 words by their bits from `low` to `high`, stably, in place. */
void sort_words(uint64_t *words, uint64_t *spare, int64_t count, int low, int high);

/* Where each of `keys` values begins when rows are grouped by value: start[keys] is the end.
 * Returns the first row outside [0, keys), or -1. */
int64_t count_keys(const int32_t *key, int64_t rows, int64_t keys, int64_t *start);

/* Undo start[value]++ for each row: then each start has become the next one. */
void rewind_starts(int64_t *start, int64_t keys);

#endif
