/* Another thread that writes at the worst moment: between two readings of one number.
 *
 * A real thread meets that moment seldom. The compiler calls a function of AddressSanitizer before
 * each load (with asan-instrumentation-with-call-threshold=0), and the linker puts these in its place
 * (--wrap): the first reading of an element finds what stands there, the next ones by turns that or
 * something hostile. A number that is checked and then read again is an index out of bounds at once.
 */
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *at;         /* an array that another thread might change */
    const uint8_t *good; /* what is in it */
    uint8_t *seen;       /* whether each element was read */
    int64_t bytes, size; /* of all, of an element */
} Target;

static const uint64_t HOSTILE[] = {
    (uint64_t)-1, 0,     1,          2,          3,           5,           7,
    64,           100,   255,        256,        1000,        65535,       65536,
    INT32_MAX,    1u << 31, (uint64_t)1 << 32, (uint64_t)1 << 62, INT64_MAX, (uint64_t)1 << 63,
    0x7FF8000000000000u /* NaN */,
};
enum { KINDS = sizeof HOSTILE / sizeof *HOSTILE, MOST_TARGETS = 64 };

static Target targets[MOST_TARGETS];
static int64_t armed;
static uint64_t state, turns;

static uint64_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* From now on change some arrays, one in `often` readings; none from when `count` is 0. */
__attribute__((visibility("default"))) void scribble(const Target *given, int64_t count,
                                                     uint64_t seed, uint64_t often)
{
    armed = 0;
    memcpy(targets, given, (size_t)count * sizeof *given);
    state = seed;
    turns = often;
    armed = count;
}

static void change(const Target *target, int64_t element)
{
    const int64_t place = element * target->size;
    const uint64_t hostile = HOSTILE[any() % KINDS];
    const int spoil = target->seen[element] && any() % turns == 0;
    memcpy(target->at + place, spoil ? (const uint8_t *)&hostile : target->good + place,
           (size_t)target->size);
    target->seen[element] = 1;
}

static void before_reading(uintptr_t place, uintptr_t bytes)
{
    for (int64_t number = 0; number < armed; number++) {
        const Target *target = &targets[number];
        const uintptr_t from = (uintptr_t)target->at, end = from + (uintptr_t)target->bytes;
        for (uintptr_t at = place > from ? place : from; at < place + bytes && at < end;) {
            const int64_t element = (int64_t)(at - from) / target->size;
            change(target, element);
            at = from + (uintptr_t)((element + 1) * target->size);
        }
    }
}

#define LOAD(bytes)                                       \
    void __real___asan_load##bytes(uintptr_t at);         \
    void __wrap___asan_load##bytes(uintptr_t at);         \
    void __wrap___asan_load##bytes(uintptr_t at)          \
    {                                                     \
        before_reading(at, bytes);                        \
        __real___asan_load##bytes(at);                    \
    }

LOAD(1)
LOAD(2)
LOAD(4)
LOAD(8)
LOAD(16)

void __real___asan_loadN(uintptr_t at, uintptr_t bytes);
void __wrap___asan_loadN(uintptr_t at, uintptr_t bytes);
void __wrap___asan_loadN(uintptr_t at, uintptr_t bytes)
{
    before_reading(at, bytes);
    __real___asan_loadN(at, bytes);
}
