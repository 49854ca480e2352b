/* Label images: a whole number of 1, 2, 4 or 8 bytes a pixel, compared 64 pixels at a time. */
#ifndef VELOUR_LABELS_H
#define VELOUR_LABELS_H

#include "common.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { WORD = 64 };

static inline int lowest_bit(uint64_t bits)
{
#if defined(_MSC_VER) && defined(_M_X64)
    unsigned long index;
    _BitScanForward64(&index, bits);
    return (int)index;
#else
    return __builtin_ctzll(bits);
#endif
}

static inline int highest_bit(uint64_t bits)
{
#if defined(_MSC_VER) && defined(_M_X64)
    unsigned long index;
    _BitScanReverse64(&index, bits);
    return (int)index;
#else
    return WORD - 1 - __builtin_clzll(bits);
#endif
}

static inline int count_bits(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)(bits * 0x0101010101010101u >> 56);
}

static inline int is_pixel_size(int64_t bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

/* The number of one pixel; the sign of a negative one is cut off. */
static inline uint64_t number_at(const uint8_t *image, int64_t pixel, int64_t bytes)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    image += pixel * bytes;
    switch (bytes) {
    case 1:
        return *image;
    case 2:
        memcpy(&two, image, sizeof two);
        return two;
    case 4:
        memcpy(&four, image, sizeof four);
        return four;
    default:
        memcpy(&eight, image, sizeof eight);
        return eight;
    }
}

/* How far a number of a pixel lies above the lowest, which may be negative. */
static inline uint64_t label_at(const uint8_t *image, int64_t pixel, int64_t bytes, int64_t lowest)
{
    const uint64_t above = number_at(image, pixel, bytes) - (uint64_t)lowest;
    return bytes == 8 ? above : above & (((uint64_t)1 << 8 * bytes) - 1);
}

#if defined(__SSE2__) /* every x86-64 has it */

static inline __m128i sixteen(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* Which of 16 pixels of 1 or 2 bytes equal those at another position. */
static inline uint64_t equal_sixteen(const uint8_t *first, const uint8_t *second, int64_t bytes)
{
    if (bytes == 1)
        return (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(sixteen(first), sixteen(second)));
    return (uint64_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_cmpeq_epi16(sixteen(first), sixteen(second)),
                                                       _mm_cmpeq_epi16(sixteen(first + 16), sixteen(second + 16))));
}

/* Which of 64 pixels of 1 or 2 bytes equal those at another position. */
static inline uint64_t equal_word(const uint8_t *first, const uint8_t *second, int64_t bytes)
{
    uint64_t bits = 0;
    for (int index = 0; index < WORD; index += 16)
        bits |= equal_sixteen(first + index * bytes, second + index * bytes, bytes) << index;
    return bits;
}

#endif

/* Eight bytes, each 0 or 1, as eight bits: the first in the lowest. */
static inline uint64_t bits_of_bytes(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int index = 0; index < 8; index++)
        word |= (uint64_t)bytes[index] << 8 * index;
    return word * 0x0102040810204080u >> 56;
}

#define COMPARE_PIXELS(type)                                      \
    for (int pixel = 0; pixel < WORD; pixel++) {                  \
        type left, right;                                         \
        memcpy(&left, first + pixel * sizeof left, sizeof left);    \
        memcpy(&right, second + pixel * sizeof right, sizeof right); \
        same[pixel] = left == right;                              \
    }

/* Which of up to 64 pixels equal those at another position: the first in the lowest bit, 0 beyond. */
static inline uint64_t equal_pixels(const uint8_t *first, const uint8_t *second, int64_t count, int64_t bytes)
{
    uint8_t same[WORD];
    uint64_t bits = 0;
    if (count < WORD) {
        for (int64_t pixel = 0; pixel < count; pixel++)
            bits |= (uint64_t)(number_at(first, pixel, bytes) == number_at(second, pixel, bytes)) << pixel;
        return bits;
    }
#if defined(__SSE2__)
    if (bytes <= 2)
        return equal_word(first, second, bytes);
#endif
    switch (bytes) {
    case 1:
        COMPARE_PIXELS(uint8_t)
        break;
    case 2:
        COMPARE_PIXELS(uint16_t)
        break;
    case 4:
        COMPARE_PIXELS(uint32_t)
        break;
    default:
        COMPARE_PIXELS(uint64_t)
    }
    for (int byte = 0; byte < 8; byte++)
        bits |= bits_of_bytes(same + 8 * byte) << 8 * byte;
    return bits;
}

#endif
