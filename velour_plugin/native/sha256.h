/* SHA-256 of a message that comes in pieces (FIPS 180-4). */
#ifndef VELOUR_SHA256_H
#define VELOUR_SHA256_H

#include "common.h"

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64, SHA256_GATHERED = 64 * SHA256_BLOCK };

typedef struct {
    uint32_t state[8];
    uint64_t length;                   /* of what was digested, in bytes */
    int64_t waiting;                   /* bytes that were gathered since */
    uint8_t gathered[SHA256_GATHERED]; /* small pieces, until they are worth digesting */
} Sha256;

void sha256_begin(Sha256 *sha);
void sha256_end(Sha256 *sha, uint8_t digest[SHA256_BYTES]);

/* Digest the whole blocks that are waiting. */
void sha256_work(Sha256 *sha);

/* Room for so many bytes, fewer than SHA256_GATHERED - SHA256_BLOCK, that the caller writes next. */
static inline uint8_t *sha256_room(Sha256 *sha, int64_t bytes)
{
    if (sha->waiting + bytes > SHA256_GATHERED)
        sha256_work(sha);
    uint8_t *room = sha->gathered + sha->waiting;
    sha->waiting += bytes;
    return room;
}

void sha256_add(Sha256 *sha, const void *bytes, int64_t count);

#endif
