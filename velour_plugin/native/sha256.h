/* SHA-256 of a message that comes in pieces (FIPS 180-4). */
#ifndef VELOUR_SHA256_H
#define VELOUR_SHA256_H

#include "common.h"

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64, SHA256_LEAST_ROOM = 4 * SHA256_BLOCK };

typedef struct {
    uint32_t state[8];
    uint64_t length; /* of what was digested, in bytes */
    int64_t waiting; /* bytes that were gathered since */
    uint8_t *gathered;
    int64_t room; /* for gathered bytes, SHA256_LEAST_ROOM or more */
} Sha256;

/* Begin a message; pieces are gathered in `room` bytes before they are digested. */
void sha256_begin(Sha256 *sha, uint8_t *gathered, int64_t room);

/* End two messages; what is left of both is digested together, which takes little longer than one.
 * The second may be NULL. */
void sha256_end(Sha256 *first, uint8_t *digest, Sha256 *second, uint8_t *second_digest);

/* Digest the whole blocks that are waiting. */
void sha256_work(Sha256 *sha);

/* Room for so many bytes, at most SHA256_LEAST_ROOM - SHA256_BLOCK, that the caller writes next. */
static inline uint8_t *sha256_room(Sha256 *sha, int64_t bytes)
{
    if (UNLIKELY(sha->waiting + bytes > sha->room))
        sha256_work(sha);
    uint8_t *room = sha->gathered + sha->waiting;
    sha->waiting += bytes;
    return room;
}

void sha256_add(Sha256 *sha, const void *bytes, int64_t count);

#endif
