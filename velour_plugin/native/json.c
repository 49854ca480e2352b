#include "json.h"

#include "bind.h"

enum { DEEPEST = 500 };

int expected(Reader *reader, const char *what)
{
    if (!reader->wrong) {
        reader->wrong = what;
        reader->wrong_at = reader->at;
    }
    return 0;
}

int strange(Reader *reader)
{
    reader->strange = 1;
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

int read_string(Reader *reader, int64_t *first, int *escaped)
{
    if (!accept(reader, '"'))
        return expected(reader, "a string");
    *first = reader->at;
    if (escaped)
        *escaped = 0;
    const unsigned char *text = (const unsigned char *)reader->text;
    int64_t at = reader->at;
    for (;;) {
        const unsigned char byte = text[at];
        if (byte == '"')
            break;
        if (byte < 0x20) {
            reader->at = at;
            return expected(reader, "the end of a string");
        }
        reader->high |= byte >= 0x80;
        at++;
        if (byte != '\\')
            continue;
        if (escaped)
            *escaped = 1;
        const unsigned char kind = text[at];
        if (kind == 'u') {
            for (int digit = 1; digit <= 4; digit++) {
                const unsigned char hex = text[at + digit];
                if (!((hex >= '0' && hex <= '9') || ((hex | 32) >= 'a' && (hex | 32) <= 'f'))) {
                    reader->at = at;
                    return expected(reader, "four hexadecimal digits");
                }
            }
            at += 5;
        }
        else if (kind && strchr("\"\\/bfnrt", kind))
            at++;
        else {
            reader->at = at;
            return expected(reader, "an escape");
        }
    }
    reader->at = at + 1;
    return 1;
}

/* A number as it is spelled. */
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

static int read_number(Reader *reader, Number *number)
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

/* Let Python round a number, as it would itself; needs the GIL, so this is for rare ones. */
static double rounded_by_python(const Reader *reader, const Number *number)
{
    char spelled[64], *room = spelled;
    const size_t length = (size_t)(number->end - number->first);
    if (length >= sizeof spelled && !(room = malloc(length + 1)))
        return Py_HUGE_VAL;
    memcpy(room, reader->text + number->first, length);
    room[length] = 0;
    PyGILState_STATE state = PyGILState_Ensure();
    double value = PyOS_string_to_double(room, NULL, NULL);
    PyErr_Clear();
    PyGILState_Release(state);
    if (room != spelled)
        free(room);
    return value;
}

/* The double nearest to a number, of two equally near the even one: what Python's float() gives. */
static double value_of(const Reader *reader, const Number *number)
{
    double value;
    if (number->plain && number->digits < (uint64_t)1 << 53 && number->places <= 22)
        value = (double)number->digits / TENS[number->places]; /* both exact: rounded once */
#if defined(__SIZEOF_INT128__)
    else if (number->plain && number->places <= 19) {
        uint64_t ten = 1, digits = number->digits;
        for (int64_t place = 0; place < number->places; place++)
            ten *= 10;
        int shift = 63;
        for (; !(digits >> 63); digits <<= 1)
            shift++;
        /* 127 bits by at most 64 give at least 63: more than enough to see which way to round */
        const unsigned __int128 top = (unsigned __int128)digits << 63;
        unsigned __int128 quotient = top / ten;
        const int rest = top % ten != 0;
        int drop = 0;
        while (quotient >> drop >> 54)
            drop++;
        const int sticky = rest || (quotient & (((unsigned __int128)1 << drop) - 1));
        uint64_t kept = (uint64_t)(quotient >> drop);
        const int half = (int)(kept & 1);
        kept >>= 1;
        kept += (uint64_t)(half && (sticky || (kept & 1)));
        /* times a power of two, exactly: far from the smallest and the largest numbers */
        const uint64_t power = (uint64_t)(1023 + drop + 1 - shift) << 52;
        double two;
        memcpy(&two, &power, sizeof two);
        value = (double)kept * two;
    }
#endif
    else
        return rounded_by_python(reader, number);
    return number->negative && !(number->whole && !number->digits) ? -value : value;
}

int read_double(Reader *reader, double *value)
{
    Number number;
    if (!read_number(reader, &number))
        return 0;
    *value = value_of(reader, &number);
    if (*value - *value != 0) {
        reader->at = number.first;
        return expected(reader, "a finite number");
    }
    return 1;
}

int read_id(Reader *reader, int64_t *value)
{
    const char byte = peek(reader);
    if (byte == '"')
        return strange(reader);
    Number number;
    const int64_t first = reader->at;
    if (!read_number(reader, &number)) {
        return 0;
    }
    if (!number.whole || !number.plain || number.digits > INT64_MAX) {
        reader->at = first;
        return strange(reader);
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
        return strange(reader);
    default:
        return peek(reader) == '-' || is_digit(peek(reader)) ? read_number(reader, &number)
                                                             : expected(reader, "a JSON value");
    }
    if (depth >= DEEPEST)
        return strange(reader);
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
            return strange(reader);
    return accept(reader, ':') || expected(reader, "':'");
}

int another(Reader *reader, char end, int first)
{
    if (accept(reader, end))
        return 0;
    if (!first && !accept(reader, ',')) {
        expected(reader, end == ']' ? "',' or ']'" : "',' or '}'");
        return -1;
    }
    return 1;
}
