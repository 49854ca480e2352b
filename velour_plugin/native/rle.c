/* Masks decoded from COCO's compressed run lengths. */
#include "rle.h"

#include "masks.h"

BIND_PART(texts, Texts, TEXTS)

int64_t decode_text(const uint8_t *text, int64_t length, int escaped, int64_t size,
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

/* Check the texts, and tell how many edges there may be. */
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

static void decode_some(void *given, int64_t part)
{
    Decoding *job = given;
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
    job->first = take(&pool, masks + 1, sizeof *job->first);
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
    give_back(&pool);
    return wrong;
}

BIND_PREPARED(decode_texts, Decoding, DECODING, find_room, decode_all)
