/* A reader of JSON that steps through a text and keeps nothing. */
#ifndef VELOUR_JSON_H
#define VELOUR_JSON_H

#include "common.h"

/* Text that is being read. It ends with a NUL byte, as Python's bytes do, so that one byte may always
 * be looked at; a NUL inside is no JSON. */
typedef struct {
    const char *text;
    int64_t length, at;
    const char *wrong; /* what was expected, where the text has something else */
    int64_t wrong_at;
    int strange;       /* well formed maybe, but not for this reader: let Python's json read it */
    int high;          /* a string has bytes that are not ASCII */
} Reader;

/* Note what was expected where the reader stands, unless something was missed before; returns 0. */
int expected(Reader *reader, const char *what);

/* Not an error yet: Python's json decides. */
int strange(Reader *reader);

static inline char peek(Reader *reader)
{
    const char *text = reader->text + reader->at;
    while (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')
        text++;
    reader->at = text - reader->text;
    return *text;
}

static inline int accept(Reader *reader, char wanted)
{
    if (peek(reader) != wanted)
        return 0;
    reader->at++;
    return 1;
}

static inline int is_null(Reader *reader)
{
    return peek(reader) == 'n';
}

int read_word(Reader *reader, const char *word);

/* Read a string; what is between its quotes is [*first, reader->at - 1). `escaped` may be NULL. */
int read_string(Reader *reader, int64_t *first, int *escaped);

int read_double(Reader *reader, double *value);

/* Read an id. Text and numbers that are not whole are ids to Python: it shall read them. */
int read_id(Reader *reader, int64_t *value);

/* Step over any value, checking that it is one. */
int skip_value(Reader *reader, int depth);

/* Read a key and its colon. A key of which a letter is spelled as a number (\u0069d) might be one
 * that matters: Python shall read it. Other escapes stand for no letter that a known key has. */
int read_key(Reader *reader, const char **key, int64_t *length);

/* Whether the key at hand is a word. */
#define IS(word) (length == (int64_t)sizeof(word) - 1 && !memcmp(key, word, sizeof(word) - 1))

/* Where a list or object goes on: 1 for another element, 0 for the end, -1 for neither. */
int another(Reader *reader, char end, int first);

#endif
