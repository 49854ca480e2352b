/* Another thread at the speed of C: it puts hostile values into arrays, and what stood there back.
 *
 * What was good is good again after some nanoseconds, so that most checks pass: a number that is
 * read a second time, after it was checked, is then and again another one.
 */
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *at;
    int64_t count, size; /* elements, bytes of each */
} Target;

static void put(uint8_t *at, uint64_t value, int64_t size)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(volatile uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)at = value;
    }
}

static uint64_t next_of(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Until told to stop, one element after the other. */
void scribble(const Target *targets, int64_t count, const uint64_t *hostile, int64_t kinds,
              uint64_t seed, volatile int *running, volatile int *stop)
{
    *running = 1;
    while (!*stop) {
        const Target *target = &targets[next_of(&seed) % (uint64_t)count];
        uint8_t *at = target->at + next_of(&seed) % (uint64_t)target->count * (uint64_t)target->size;
        const uint64_t chosen = next_of(&seed);
        uint64_t good = 0;
        memcpy(&good, at, (size_t)target->size);
        put(at, hostile[chosen % (uint64_t)kinds], target->size);
        for (volatile uint64_t wait = chosen >> 32 & 63; wait; wait--)
            ;
        put(at, good, target->size);
    }
}
