/* SHA-256: by the processor's own instructions where it has them, in plain C elsewhere. */
#include "sha256.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#include <immintrin.h>
#define HAVE_SHA_INSTRUCTIONS 1
#endif

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t turned(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static void compress_plainly(uint32_t state[8], const uint8_t *block, int64_t blocks)
{
    for (; blocks; blocks--, block += SHA256_BLOCK) {
        uint32_t word[64];
        for (int at = 0; at < 16; at++)
            word[at] = (uint32_t)block[4 * at] << 24 | (uint32_t)block[4 * at + 1] << 16 |
                       (uint32_t)block[4 * at + 2] << 8 | block[4 * at + 3];
        for (int at = 16; at < 64; at++) {
            const uint32_t far = word[at - 15], near = word[at - 2];
            word[at] = word[at - 16] + (turned(far, 7) ^ turned(far, 18) ^ far >> 3) +
                       word[at - 7] + (turned(near, 17) ^ turned(near, 19) ^ near >> 10);
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int at = 0; at < 64; at++) {
            const uint32_t first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) +
                                   ((e & f) ^ (~e & g)) + ROUND[at] + word[at];
            const uint32_t second =
                (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + first;
            d = c, c = b, b = a, a = first + second;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#ifdef HAVE_SHA_INSTRUCTIONS
#define BY_INSTRUCTIONS __attribute__((target("sha,sse4.1,ssse3")))

/* A message in registers: the instructions want the state as (a, b, e, f) and (c, d, g, h). */
typedef struct {
    __m128i abef, cdgh;
    __m128i abef_before, cdgh_before;
    __m128i words[4];
} Lane;

BY_INSTRUCTIONS static inline __attribute__((always_inline)) void load_state(Lane *lane,
                                                                             const uint32_t *state)
{
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    lane->abef = _mm_alignr_epi8(low, high, 8);
    lane->cdgh = _mm_blend_epi16(high, low, 0xF0);
}

BY_INSTRUCTIONS static inline __attribute__((always_inline)) void store_state(const Lane *lane,
                                                                              uint32_t *state)
{
    const __m128i feba = _mm_shuffle_epi32(lane->abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(lane->cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

BY_INSTRUCTIONS static inline __attribute__((always_inline)) void load_block(Lane *lane,
                                                                             const uint8_t *block)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    for (int four = 0; four < 4; four++)
        lane->words[four] = _mm_shuffle_epi8(
            _mm_loadu_si128((const __m128i *)(block + 16 * four)), big_endian);
    lane->abef_before = lane->abef;
    lane->cdgh_before = lane->cdgh;
}

/* Four rounds take one vector of words; the schedule of later words is made meanwhile. */
BY_INSTRUCTIONS static inline __attribute__((always_inline)) void four_rounds(Lane *lane, int four)
{
    const __m128i now = lane->words[four % 4], before = lane->words[(four + 3) % 4];
    const __m128i mixed = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(ROUND + 4 * four)));
    lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, mixed);
    lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(mixed, 0x0E));
    if (four < 12) {
        const __m128i next = lane->words[(four + 1) % 4], after = lane->words[(four + 2) % 4];
        const __m128i part = _mm_add_epi32(_mm_sha256msg1_epu32(now, next),
                                           _mm_alignr_epi8(before, after, 4));
        lane->words[four % 4] = _mm_sha256msg2_epu32(part, before);
    }
}

BY_INSTRUCTIONS static inline __attribute__((always_inline)) void add_before(Lane *lane)
{
    lane->abef = _mm_add_epi32(lane->abef, lane->abef_before);
    lane->cdgh = _mm_add_epi32(lane->cdgh, lane->cdgh_before);
}

BY_INSTRUCTIONS static void compress_by_instructions(uint32_t state[8], const uint8_t *block,
                                                     int64_t blocks)
{
    Lane lane;
    load_state(&lane, state);
    for (; blocks; blocks--, block += SHA256_BLOCK) {
        load_block(&lane, block);
#pragma GCC unroll 16
        for (int four = 0; four < 16; four++)
            four_rounds(&lane, four);
        add_before(&lane);
    }
    store_state(&lane, state);
}

/* Two messages at once: one's rounds fill the time that the other's take to answer. */
BY_INSTRUCTIONS static void compress_two(uint32_t *state, const uint8_t *block,
                                         uint32_t *second_state, const uint8_t *second_block,
                                         int64_t blocks)
{
    Lane first, second;
    load_state(&first, state);
    load_state(&second, second_state);
    for (int64_t at = 0; at < blocks * SHA256_BLOCK; at += SHA256_BLOCK) {
        load_block(&first, block + at);
        load_block(&second, second_block + at);
#pragma GCC unroll 16
        for (int four = 0; four < 16; four++) {
            four_rounds(&first, four);
            four_rounds(&second, four);
        }
        add_before(&first);
        add_before(&second);
    }
    store_state(&first, state);
    store_state(&second, second_state);
}

static int asks_processor(void)
{
    unsigned int a, b, c, d, basic;
    if (!__get_cpuid(1, &a, &b, &basic, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    const int ssse3 = basic >> 9 & 1, sse41 = basic >> 19 & 1, sha = b >> 29 & 1;
    return ssse3 && sse41 && sha;
}

/* The result is cached: every thread would get the same. */
static int has_instructions(void)
{
    static int known; /* 0 until it was determined, then 1 or 2 */
    int here = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!here) {
        here = 1 + asks_processor();
        __atomic_store_n(&known, here, __ATOMIC_RELAXED);
    }
    return here == 2;
}
#endif

static void compress(uint32_t state[8], const uint8_t *block, int64_t blocks)
{
#ifdef HAVE_SHA_INSTRUCTIONS
    if (has_instructions()) {
        compress_by_instructions(state, block, blocks);
        return;
    }
#endif
    compress_plainly(state, block, blocks);
}

void sha256_begin(Sha256 *sha, uint8_t *gathered, int64_t room)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, first, sizeof first);
    sha->length = 0;
    sha->waiting = 0;
    sha->gathered = gathered;
    sha->room = room;
}

void sha256_work(Sha256 *sha)
{
    const int64_t blocks = sha->waiting / SHA256_BLOCK, done = blocks * SHA256_BLOCK;
    compress(sha->state, sha->gathered, blocks);
    sha->length += (uint64_t)done;
    sha->waiting -= done;
    memmove(sha->gathered, sha->gathered + done, (size_t)sha->waiting);
}

void sha256_add(Sha256 *sha, const void *bytes, int64_t count)
{
    enum { MOST = SHA256_LEAST_ROOM - SHA256_BLOCK };
    const uint8_t *next = bytes;
    for (; count > MOST; next += MOST, count -= MOST)
        memcpy(sha256_room(sha, MOST), next, MOST);
    memcpy(sha256_room(sha, count), next, (size_t)count);
}

/* A one, zeros, and the length in bits at the end of a block: now whole blocks are waiting. */
static int64_t pad(Sha256 *sha)
{
    const uint64_t bits = (sha->length + (uint64_t)sha->waiting) * 8;
    const int64_t zeros = SHA256_BLOCK - 1 - (sha->waiting + 8) % SHA256_BLOCK;
    uint8_t *end = sha256_room(sha, 1 + zeros + 8);
    *end++ = 0x80;
    memset(end, 0, (size_t)zeros);
    for (int at = 0; at < 8; at++)
        end[zeros + at] = (uint8_t)(bits >> (56 - 8 * at));
    return sha->waiting / SHA256_BLOCK;
}

static void write_digest(const Sha256 *sha, uint8_t *digest)
{
    for (int at = 0; at < SHA256_BYTES; at++)
        digest[at] = (uint8_t)(sha->state[at / 4] >> (24 - 8 * (at % 4)));
}

void sha256_end(Sha256 *first, uint8_t *digest, Sha256 *second, uint8_t *second_digest)
{
    const int64_t blocks = pad(first), others = second ? pad(second) : 0;
    int64_t shared = 0;
#ifdef HAVE_SHA_INSTRUCTIONS
    if (has_instructions())
        shared = blocks < others ? blocks : others;
    if (shared)
        compress_two(first->state, first->gathered, second->state, second->gathered, shared);
#endif
    compress(first->state, first->gathered + shared * SHA256_BLOCK, blocks - shared);
    write_digest(first, digest);
    if (!second)
        return;
    compress(second->state, second->gathered + shared * SHA256_BLOCK, others - shared);
    write_digest(second, second_digest);
}
