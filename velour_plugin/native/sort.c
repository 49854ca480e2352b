/* Sorting words, and grouping rows by key. */
#include "common.h"

/* One pass of a radix sort, by one digit; 0 when all words are equal in it, and nothing was done. */
static int radix_pass(const uint64_t *from, uint64_t *to, int64_t count, int shift, int digit)
{
    uint32_t start[1 << 11];
    const uint64_t mask = low_bits(digit);
    memset(start, 0, sizeof *start << digit);
    for (int64_t index = 0; index < count; index++)
        start[from[index] >> shift & mask]++;
    if (start[from[0] >> shift & mask] == count)
        return 0;
    uint32_t sum = 0;
    for (int value = 0; value < 1 << digit; value++) {
        const uint32_t here = start[value];
        start[value] = sum;
        sum += here;
    }
    for (int64_t index = 0; index < count; index++)
        to[start[from[index] >> shift & mask]++] = from[index];
    return 1;
}

void sort_words(uint64_t *words, uint64_t *spare, int64_t count, int low, int high)
{
    if (count < 64) {
        for (int64_t next = 1; next < count; next++) {
            uint64_t word = words[next];
            int64_t index = next;
            for (; index > 0 && words[index - 1] >> low > word >> low; index--)
                words[index] = words[index - 1];
            words[index] = word;
        }
        return;
    }
    uint64_t *from = words, *to = spare;
    const int digit = count < 1024 ? 8 : 11; /* a table of counts no larger than what is sorted */
    for (int shift = low; shift < high; shift += digit) {
        if (!radix_pass(from, to, count, shift, digit))
            continue;
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != words)
        memcpy(words, from, (size_t)count * sizeof *words);
}

int64_t count_keys(const int32_t *key, int64_t rows, int64_t keys, int64_t *start)
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

void rewind_starts(int64_t *start, int64_t keys)
{
    memmove(start + 1, start, (size_t)keys * sizeof *start);
    start[0] = 0;
}
