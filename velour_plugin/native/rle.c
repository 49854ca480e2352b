/* Masks decoded from COCO's compressed run lengths. */
#include "rle.h"

#include "masks.h"

BIND_PART(texts, Texts, TEXTS)

/* A mask that is being decoded. */
typedef struct {
    int64_t size, position, number;
    int64_t last, before; /* the run before, and the one before that */
    int64_t *edges, count;
} Mask;

static inline void add_edge(Mask *mask, int64_t run)
{
    if (UNLIKELY(!run))
        mask->count = flip(mask->edges, mask->count, mask->position);
    else
        mask->edges[mask->count++] = mask->position;
}

/* Add a number; 0 where the run does not fit. `keep`: whether edges are written. */
static inline int add_number(Mask *mask, int64_t value, const int keep)
{
    const int64_t run = value + (mask->number > 2 ? mask->before : 0);
    if (UNLIKELY((uint64_t)run > (uint64_t)(mask->size - mask->position)))
        return 0;
    mask->before = mask->last;
    mask->last = run;
    mask->position += run;
    mask->number++;
    if (keep)
        add_edge(mask, run);
    return 1;
}

/* Read a number, five bits a character; returns the position of the next, or -1 if malformed. */
static int64_t read_number(const uint8_t *text, int64_t at, int64_t length, int escaped, int64_t *number)
{
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
    *number = (int64_t)value - (code & 0x10 ? (int64_t)1 << shift : 0);
    return at;
}

#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const uint64_t EACH = UINT64_C(0x0101010101010101), HIGH = UINT64_C(0x8080808080808080);

/* The last characters of the numbers that are whole in eight characters, a bit 0x20 each; none
 * behind a character that is not of the alphabet or, as it may be doubled, a backslash. */
static inline uint64_t ends_of_numbers(uint64_t letters)
{
    const uint64_t low = ~((letters | HIGH) - 48 * EACH), above = letters + 16 * EACH;
    const uint64_t slash = letters ^ '\\' * EACH;
    const uint64_t odd = (letters | low | above | ((slash - EACH) & ~slash)) & HIGH;
    const uint64_t fine = odd ? ((odd & -odd) >> 7) - 1 : ~UINT64_C(0);
    return ~(letters - 48 * EACH) & 0x20 * EACH & fine;
}

/* Five bits of each of eight characters, side by side. */
static inline uint64_t bits_of(uint64_t letters)
{
    letters -= 48 * EACH;
    letters = (letters & UINT64_C(0x001F001F001F001F)) | (letters >> 3 & UINT64_C(0x03E003E003E003E0));
    letters = (letters & UINT64_C(0x000003FF000003FF)) | (letters >> 6 & UINT64_C(0x000FFC00000FFC00));
    return (letters & UINT64_C(0xFFFFF)) | (letters >> 12 & UINT64_C(0xFFFFF00000));
}

/* Add the numbers that end within eight characters, after the first three of all; returns how many
 * characters they have, or -1 where a run does not fit. */
static inline int64_t add_numbers(Mask *mask, const uint8_t *text, const int keep)
{
    uint64_t letters;
    memcpy(&letters, text, 8);
    uint64_t ends = ends_of_numbers(letters);
    const uint64_t bits = bits_of(letters);
    int64_t done = 0, sign = 0;
    for (; ends; ends &= ends - 1) {
        const int64_t end = 5 * (__builtin_ctzll(ends) >> 3) + 5;
        const int64_t run = mask->before + ((int64_t)(bits << (64 - end)) >> (64 - end + done));
        mask->before = mask->last;
        mask->last = run;
        mask->position += run;
        sign |= run;
        done = end;
        if (keep)
            add_edge(mask, run);
    }
    return sign < 0 || mask->position > mask->size ? -1 : done / 5;
}
#else
static inline int64_t add_numbers(Mask *mask, const uint8_t *text, const int keep)
{
    (void)mask, (void)text, (void)keep;
    return 0; /* the caller reads one number at a time */
}
#endif

static inline int64_t decode(const uint8_t *text, int64_t length, int escaped, Mask mask, const int keep)
{
    const int is_huge = mask.size >> 56 != 0; /* sums of eight numbers could overflow */
    for (int64_t at = 0; at < length;) {
        const int single = is_huge || mask.number < 3 || length - at < 8;
        const int64_t step = single ? 0 : add_numbers(&mask, text + at, keep);
        int64_t value;
        if (step < 0)
            return -1;
        at += step;
        if (step)
            continue;
        at = read_number(text, at, length, escaped, &value);
        if (at < 0 || !add_number(&mask, value, keep))
            return -1;
    }
    if (!mask.number || mask.position != mask.size)
        return -1;
    return mask.count && mask.edges[mask.count - 1] == mask.size ? mask.count - 1 : mask.count;
}

int64_t decode_text(const uint8_t *text, int64_t length, int escaped, int64_t size, int64_t *edges)
{
    return decode(text, length, escaped, (Mask){size, 0, 0, 0, 0, edges, 0}, 1);
}

int is_sound_text(const uint8_t *text, int64_t length, int escaped, int64_t size)
{
    return decode(text, length, escaped, (Mask){size, 0, 0, 0, 0, NULL, 0}, 0) >= 0;
}

int64_t count_runs(const uint8_t *text, int64_t length)
{
    int64_t count = 0;
    for (int64_t at = 0; at < length; at++)
        count += !(((unsigned)text[at] - 48) & 0x20);
    return count;
}

Fault check_texts(const Texts *texts)
{
    for (int64_t mask = 0; mask < texts->masks; mask++) {
        if (texts->start[mask] < 0 || texts->start[mask] > texts->stop[mask] ||
            texts->stop[mask] > texts->length)
            return fault("start of text", mask);
        if (texts->height[mask] < 1 || texts->width[mask] < 1 ||
            texts->width[mask] > INT64_MAX / texts->height[mask])
            return fault("size of mask", mask);
    }
    return FINE;
}

#define DECODING(_)                              \
    _(PART(Texts, texts, texts))                 \
    _(THREADS(threads))                          \
    _(COUNTED(room))                             \
    _(COUNTED(count))                            \
    _(OUT(int64, edges, UP_TO(room, count)))     \
    _(OUT(int64, start, MORE(texts.masks, 1)))

typedef struct {
    DECODING(FIELD)
    /* between the steps */
    int64_t *first; /* (masks + 1,) where each mask's room begins */
    int64_t bad;    /* a mask that is not well formed, or -1 */
} Decoding;

static int64_t room_of_text(const Texts *texts, int64_t mask)
{
    return count_runs(letters_of(texts, mask), texts->stop[mask] - texts->start[mask]);
}

/* Check the texts, and compute an upper bound of the number of edges. */
static Fault find_room(Decoding *job)
{
    Fault wrong = check_texts(&job->texts);
    for (int64_t mask = 0; mask < job->texts.masks && !wrong.what; mask++) {
        const int64_t more = room_of_text(&job->texts, mask);
        if (more > INT64_MAX / 16 - job->room)
            wrong = fault("room of mask", mask);
        else
            job->room += more;
    }
    return wrong;
}

static void decode_some(void *argument, int64_t part)
{
    Decoding *job = argument;
    const Texts *texts = &job->texts;
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t mask = part * MASKS_AT_ONCE; mask < end && mask < texts->masks; mask++) {
        const int64_t length = texts->stop[mask] - texts->start[mask];
        const int64_t size = texts->height[mask] * texts->width[mask];
        const int64_t count = decode_text(letters_of(texts, mask), length, texts->escaped != 0, size,
                                          job->out_edges + job->first[mask]);
        if (count < 0)
            note_row(&job->bad, mask);
        job->out_start[mask + 1] = count;
    }
}

static Fault decode_all(Decoding *job)
{
    const int64_t masks = job->texts.masks;
    Pool pool = {{NULL}, 0, 0};
    Fault wrong = FINE;
    job->first = pool_alloc(&pool, masks + 1, sizeof *job->first);
    job->bad = -1;
    if (pool.failed)
        return NO_MEMORY;
    job->first[0] = 0;
    for (int64_t mask = 0; mask < masks; mask++)
        job->first[mask + 1] = job->first[mask] + room_of_text(&job->texts, mask);
    for_each((masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, job->threads, decode_some, job);
    if (job->bad >= 0)
        wrong = fault("run lengths of mask", job->bad);
    else
        job->count = close_gaps(masks, job->first, job->out_edges, job->out_start);
    pool_free(&pool);
    return wrong;
}

BIND_PREPARED(decode_texts, Decoding, DECODING, find_room, decode_all)
