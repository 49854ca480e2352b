/* A JSON reader that steps through a text without building a tree. */
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
    int unsupported;   /* maybe well-formed, but not supported here: Python's json must read it */
    int high;          /* a string has bytes that are not ASCII */
} Reader;

/* Note what was expected at the current position, if it is the first error; returns 0. */
int expected(Reader *reader, const char *what);

/* Stop without an error: Python's json must decide. Returns 0. */
int unsupported(Reader *reader);

static inline char peek(Reader *reader)
{
    const char *text = reader->text + reader->at;
    while (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')
        text++;
    reader->at = text - reader->text;
    return *text;
}

static inline int accept(Reader *reader, char letter)
{
    if (peek(reader) != letter)
        return 0;
    reader->at++;
    return 1;
}

static inline int is_null(Reader *reader)
{
    return peek(reader) == 'n';
}

int read_word(Reader *reader, const char *word);

/* ---- Strings ------------------------------------------------------------------------------------ */

/* Skip characters of a string without quotes, escapes and non-ASCII, eight at a time. */
static inline void step_over_letters(Reader *reader)
{
    const uint64_t each = UINT64_C(0x0101010101010101), high = 0x80 * each;
    while (reader->at + 8 <= reader->length) {
        uint64_t letters;
        memcpy(&letters, reader->text + reader->at, 8);
        const uint64_t quote = letters ^ ('"' * each), slash = letters ^ ('\\' * each);
        if ((letters | (letters - 0x20 * each) | (quote - each) | (slash - each)) & high)
            return;
        reader->at += 8;
    }
}

/* Read the rest of a string and its closing quote; `escaped` is set where there is an escape. */
int read_rest_of_string(Reader *reader, int *escaped);

/* Read a string; what is between its quotes is [*first, reader->at - 1). `escaped` may be NULL. */
static inline int read_string(Reader *reader, int64_t *first, int *escaped)
{
    int has_escape = 0;
    if (!accept(reader, '"'))
        return expected(reader, "a string");
    *first = reader->at;
    if (!read_rest_of_string(reader, &has_escape))
        return 0;
    if (escaped)
        *escaped = has_escape;
    return 1;
}

/* ---- Numbers ------------------------------------------------------------------------------------ */

/* The digits of a number in the text. */
typedef struct {
    int64_t first, end;
    uint64_t digits; /* all of them as one number, while they fit */
    int64_t places;  /* how many of them stand behind the point */
    int negative, whole, plain; /* whole: no point; plain: `digits` holds them all, no exponent */
} Number;

static inline int is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline int read_number(Reader *reader, Number *number)
{
    peek(reader);
    const char *text = reader->text + reader->at, *begin = text;
    memset(number, 0, sizeof *number);
    number->first = reader->at;
    number->negative = *text == '-';
    text += number->negative;
    if (!is_digit(*text) || (*text == '0' && is_digit(text[1])))
        return expected(reader, "a number");
    const char *digits = text;
    uint64_t sum = 0;
    for (; is_digit(*text); text++)
        sum = sum * 10 + (uint64_t)(*text - '0');
    int64_t count = text - digits;
    number->whole = 1;
    if (*text == '.') {
        const char *point = ++text;
        for (; is_digit(*text); text++)
            sum = sum * 10 + (uint64_t)(*text - '0');
        number->places = text - point;
        number->whole = 0;
        count += number->places;
        if (!number->places) {
            reader->at = text - reader->text;
            return expected(reader, "a digit");
        }
    }
    number->digits = sum;
    number->plain = count <= 19;
    if ((*text | 32) == 'e') {
        text++;
        text += *text == '+' || *text == '-';
        if (!is_digit(*text)) {
            reader->at = text - reader->text;
            return expected(reader, "a digit");
        }
        while (is_digit(*text))
            text++;
        number->whole = number->plain = 0;
    }
    number->end = number->first + (text - begin);
    reader->at = number->end;
    return 1;
}

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The double nearest to a number whose digits or power of ten no double holds. */
double value_of_many_digits(const Reader *reader, const Number *number);

/* The double nearest to a number, of two equally near the even one: what Python's float() gives. */
static inline double value_of(const Reader *reader, const Number *number)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (UNLIKELY(!number->plain || number->digits >> 53 || number->places > 22))
        return value_of_many_digits(reader, number);
    const double value = (double)number->digits / tens[number->places]; /* both exact: rounded once */
    return number->negative && !(number->whole && !number->digits) ? -value : value;
}

static inline int read_double(Reader *reader, double *value)
{
    Number number;
    if (!read_number(reader, &number))
        return 0;
    *value = value_of(reader, &number);
    if (UNLIKELY(*value - *value != 0)) {
        reader->at = number.first;
        return expected(reader, "a finite number");
    }
    return 1;
}

/* Read an id. Python also accepts text and fractions as ids: these are left to it. */
int read_id(Reader *reader, int64_t *value);

/* Skip any value, checking that it is well-formed. */
int skip_value(Reader *reader, int depth);

/* Read a key and its colon. A key with an escaped letter (\u0069d) could be a known one: it is left
 * to Python. Other escapes stand for no letter that a known key has. */
int read_key(Reader *reader, const char **key, int64_t *length);

/* Whether the current key equals a word. */
#define IS(word) (length == (int64_t)sizeof(word) - 1 && !memcmp(key, word, sizeof(word) - 1))

/* Step to the next element of a list or object: 1 if there is one, 0 at the end, -1 on an error. */
static inline int next_element(Reader *reader, char end, int first)
{
    const char next = peek(reader);
    if (next == end) {
        reader->at++;
        return 0;
    }
    if (!first && next != ',') {
        expected(reader, end == ']' ? "',' or ']'" : "',' or '}'");
        return -1;
    }
    reader->at += !first;
    return 1;
}

#endif
