/* Blocks of memory that are freed together. */
#include "common.h"

static const char MEMORY[] = "memory";
const Fault FINE = {NULL, 0}, NO_MEMORY = {MEMORY, 0};

void *pool_alloc(Pool *pool, int64_t count, size_t size)
{
    if (count < 0 || (uint64_t)count > (SIZE_MAX / 2) / size || pool->used == MOST_BLOCKS) {
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

void pool_free(Pool *pool)
{
    while (pool->used)
        free(pool->blocks[--pool->used]);
}

int grow(void **block, int64_t *room, int64_t count, size_t size)
{
    if (count <= *room)
        return 1;
    int64_t more = *room * 2 > count ? *room * 2 : count;
    if ((uint64_t)more > (SIZE_MAX / 2) / size)
        return 0;
    void *bigger = realloc(*block, (size_t)more * size);
    if (!bigger)
        return 0;
    *block = bigger;
    *room = more;
    return 1;
}
