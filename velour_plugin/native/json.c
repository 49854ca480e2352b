#include "json.h"

#include "bind.h"

enum { DEEPEST = 150 }; /* what lies deeper is for parse_json to read or refuse */

int expected(Reader *reader, const char *what)
{
    if (!reader->wrong) {
        reader->wrong = what;
        reader->wrong_at = reader->at;
    }
    return 0;
}

int unsupported(Reader *reader)
{
    reader->unsupported = 1;
    return expected(reader, "a value that this reader knows");
}

int read_word(Reader *reader, const char *word)
{
    const size_t length = strlen(word);
    if (strncmp(reader->text + reader->at, word, length))
        return expected(reader, "a JSON value");
    reader->at += (int64_t)length;
    return 1;
}

/* An escape, after its backslash; 0 where it is none. */
static int read_escape(Reader *reader)
{
    const unsigned char *text = (const unsigned char *)reader->text + reader->at;
    if (*text && strchr("\"\\/bfnrt", *text)) {
        reader->at++;
        return 1;
    }
    if (*text != 'u')
        return expected(reader, "an escape");
    for (int digit = 1; digit <= 4; digit++) {
        const unsigned char hex = text[digit];
        if (!((hex >= '0' && hex <= '9') || ((hex | 32) >= 'a' && (hex | 32) <= 'f')))
            return expected(reader, "four hexadecimal digits");
    }
    reader->at += 5;
    return 1;
}

int read_rest_of_string(Reader *reader, int *escaped)
{
    for (;;) {
        step_over_letters(reader);
        const unsigned char byte = (unsigned char)reader->text[reader->at];
        if (byte == '"') {
            reader->at++;
            return 1;
        }
        if (byte < 0x20)
            return expected(reader, "the end of a string");
        reader->at++;
        if (byte >= 0x80)
            reader->high = 1;
        if (byte != '\\')
            continue;
        *escaped = 1;
        if (!read_escape(reader))
            return 0;
    }
}

/* Let Python convert a number; needs the GIL, so this is for rare cases. */
static double rounded_by_python(const Reader *reader, const Number *number)
{
    char short_text[64], *room = short_text;
    const size_t length = (size_t)(number->end - number->first);
    if (length >= sizeof short_text && !(room = malloc(length + 1)))
        return Py_HUGE_VAL;
    memcpy(room, reader->text + number->first, length);
    room[length] = 0;
    PyGILState_STATE state = PyGILState_Ensure();
    double value = PyOS_string_to_double(room, NULL, NULL);
    PyErr_Clear();
    PyGILState_Release(state);
    if (room != short_text)
        free(room);
    return value;
}

#if defined(__SIZEOF_INT128__)
/* A number of digits that a double cannot hold, at most 19 of them behind the point. */
static double rounded_by_division(const Number *number)
{
    static const uint64_t TENS[] = {
        1ULL,
        10ULL,
        100ULL,
        1000ULL,
        10000ULL,
        100000ULL,
        1000000ULL,
        10000000ULL,
        100000000ULL,
        1000000000ULL,
        10000000000ULL,
        100000000000ULL,
        1000000000000ULL,
        10000000000000ULL,
        100000000000000ULL,
        1000000000000000ULL,
        10000000000000000ULL,
        100000000000000000ULL,
        1000000000000000000ULL,
        10000000000000000000ULL,
    };
    const uint64_t ten = TENS[number->places];
    const int empty = __builtin_clzll(number->digits), shift = 63 + empty;
    /* 127 bits by at most 64 give at least 63: more than enough to see which way to round */
    const unsigned __int128 top = (unsigned __int128)(number->digits << empty) << 63;
    const unsigned __int128 quotient = top / ten;
    const uint64_t high = (uint64_t)(quotient >> 64), low = (uint64_t)quotient;
    const int drop = (high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll(low)) - 54;
    const int sticky = quotient * ten != top || (quotient & (((unsigned __int128)1 << drop) - 1));
    uint64_t kept = (uint64_t)(quotient >> drop);
    const int half = (int)(kept & 1);
    kept >>= 1;
    kept += (uint64_t)(half && (sticky || (kept & 1)));
    /* times a power of two, exactly: far from the smallest and the largest numbers */
    const uint64_t power = (uint64_t)(1023 + drop + 1 - shift) << 52;
    double power_of_two;
    memcpy(&power_of_two, &power, sizeof power_of_two);
    return (double)kept * power_of_two;
}
#endif

double value_of_many_digits(const Reader *reader, const Number *number)
{
#if defined(__SIZEOF_INT128__)
    if (number->plain && number->places <= 19) {
        const double value = rounded_by_division(number);
        return number->negative ? -value : value;
    }
#endif
    return rounded_by_python(reader, number);
}

int read_id(Reader *reader, int64_t *value)
{
    const char byte = peek(reader);
    if (byte == '"')
        return unsupported(reader);
    Number number;
    const int64_t first = reader->at;
    if (!read_number(reader, &number)) {
        return 0;
    }
    if (!number.whole || !number.plain || number.digits > INT64_MAX) {
        reader->at = first;
        return unsupported(reader);
    }
    *value = number.negative ? -(int64_t)number.digits : (int64_t)number.digits;
    return 1;
}

int skip_value(Reader *reader, int depth)
{
    int64_t first;
    Number number;
    switch (peek(reader)) {
    case '"':
        return read_string(reader, &first, NULL);
    case 't':
        return read_word(reader, "true");
    case 'f':
        return read_word(reader, "false");
    case 'n':
        return read_word(reader, "null");
    case '[':
    case '{':
        break;
    case 'N':
    case 'I':
        return unsupported(reader);
    default:
        return peek(reader) == '-' || is_digit(peek(reader)) ? read_number(reader, &number)
                                                             : expected(reader, "a JSON value");
    }
    if (depth >= DEEPEST)
        return unsupported(reader);
    const int object = reader->text[reader->at++] == '{';
    if (accept(reader, object ? '}' : ']'))
        return 1;
    do {
        if (object && (!read_string(reader, &first, NULL) || !(accept(reader, ':') || expected(reader, "':'"))))
            return 0;
        if (!skip_value(reader, depth + 1))
            return 0;
    } while (accept(reader, ','));
    return accept(reader, object ? '}' : ']') || expected(reader, object ? "',' or '}'" : "',' or ']'");
}

int read_key(Reader *reader, const char **key, int64_t *length)
{
    int64_t first;
    int escaped;
    if (!read_string(reader, &first, &escaped))
        return 0;
    *key = reader->text + first;
    *length = reader->at - 1 - first;
    for (int64_t at = 0; escaped && at + 4 < *length; at++)
        if (!memcmp(*key + at, "\\u00", 4) && (*key)[at + 4] < '8')
            return unsupported(reader);
    return accept(reader, ':') || expected(reader, "':'");
}
