/* Records of COCO files, read by several threads.
 *
 * Where a record begins is only known when everything before it was read: a brace may be part of a
 * string. So each thread begins at a comma that looks like one between records; afterwards the share
 * before must have ended its last record exactly there. Otherwise, and on any error, the list is
 * read again from its beginning by one thread, and that result counts.
 */
#include "coco.h"

enum { SMALLEST_SHARE = 1 << 19 }; /* bytes: half a millisecond, many times what a thread costs */

/* A part of a list, from its first record, or from the comma before another, to the first comma
 * between records at `stop` or behind. */
typedef struct {
    Reader reader;
    Records to;
    int64_t start, stop, row; /* its rows begin at `row` */
    int more;                 /* 1: there is such a comma; 0: the list ends before; -1: malformed */
} Share;

/* Columns and their bytes a row; those of regions come last. */
static const struct {
    size_t offset, size;
} COLUMNS[] = {
    {offsetof(Records, out_image), 8},        {offsetof(Records, out_label), 8},
    {offsetof(Records, out_box), 32},         {offsetof(Records, out_crowd), 1},
    {offsetof(Records, out_id), 8},           {offsetof(Records, out_area), 8},
    {offsetof(Records, out_score), 8},        {offsetof(Records, out_region), 1},
    {offsetof(Records, out_region_start), 8}, {offsetof(Records, out_region_stop), 8},
    {offsetof(Records, out_height), 8},       {offsetof(Records, out_width), 8},
};
enum { ALL_COLUMNS = sizeof COLUMNS / sizeof *COLUMNS, WITHOUT_REGIONS = ALL_COLUMNS - 5 };

static char **column_of(Records *records, int number)
{
    return (char **)((char *)records + COLUMNS[number].offset);
}

static int read_share(Reader *reader, Records *to, int64_t stop, int first)
{
    KeyLayout layout = {{0}, {0}, {0}, 0};
    for (;; first = 0) {
        if (!first && peek(reader) == ',' && reader->at >= stop)
            return 1;
        const int more = next_element(reader, ']', first);
        if (more <= 0)
            return more;
        if (!read_record(reader, to, &layout))
            return -1;
    }
}

static void read_one_share(void *argument, int64_t number)
{
    Share *share = (Share *)argument + number;
    share->more = read_share(&share->reader, &share->to, share->stop, number == 0);
}

static int is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The first comma from a position on that looks like one between two records; -1 for none. */
static int64_t find_comma(const Reader *reader, int64_t from)
{
    const char *text = reader->text, *end = text + reader->length, *comma = text + from;
    while ((comma = memchr(comma, ',', (size_t)(end - comma)))) {
        const char *before = comma - 1, *after = comma + 1;
        while (before > text && is_space(*before))
            before--;
        while (is_space(*after))
            after++;
        if (*before == '}' && *after == '{')
            return comma - text;
        comma++;
    }
    return -1;
}

int64_t count_braces(const char *text, int64_t length)
{
    int64_t count = 0;
    for (int64_t at = 0; at < length;) { /* in bytes, of which a processor counts many at once */
        const int64_t stop = length - at < UINT8_MAX ? length : at + UINT8_MAX;
        uint8_t some = 0;
        for (; at < stop; at++)
            some += text[at] == '{';
        count += some;
    }
    return count;
}

/* A share that begins at `start`; its rows begin after the most rows that may come before it. */
static Share share_from(const Reader *reader, const Records *to, int64_t start, int64_t row)
{
    Share share = {*reader, *to, start, INT64_MAX, row, 0};
    share.reader.at = start;
    share.to.rows = share.to.regions = 0;
    share.to.room -= share.row;
    for (int column = 0; column < ALL_COLUMNS; column++)
        if (*column_of(&share.to, column))
            *column_of(&share.to, column) += (size_t)share.row * COLUMNS[column].size;
    return share;
}

/* Divide the rest of a text into shares; returns their number. */
static int cut(const Reader *reader, const Records *to, Share *shares, int most)
{
    const int64_t step = (reader->length - reader->at) / most;
    int count = 1;
    shares[0] = share_from(reader, to, reader->at, 0);
    for (int number = 1; number < most; number++) {
        const int64_t start = find_comma(reader, reader->at + number * step);
        if (start < 0 || start == shares[count - 1].start)
            continue;
        Share *last = &shares[count - 1];
        last->stop = start;
        last->to.room = count_braces(reader->text + last->start, start - last->start);
        shares[count] = share_from(reader, to, start, last->row + last->to.room);
        count++;
    }
    return count;
}

/* Number of shares that together are the list; 0 where they do not fit together. */
static int check_shares(const Share *shares, int count)
{
    for (int number = 0; number < count; number++) {
        if (number && shares[number].start != shares[number - 1].reader.at)
            return 0;
        if (shares[number].more < 0)
            return 0;
        if (!shares[number].more)
            return number + 1;
    }
    return 0;
}

/* Concatenate the rows of shares. */
static void join(Reader *reader, Records *to, Share *shares, int count)
{
    int has_regions = 0;
    for (int number = 0; number < count; number++)
        has_regions |= shares[number].to.regions != 0;
    to->rows = 0;
    for (int number = 0; number < count; number++) {
        Records *from = &shares[number].to;
        if (has_regions && !from->regions)
            begin_regions(from, from->rows);
        for (int column = 0; column < (has_regions ? ALL_COLUMNS : WITHOUT_REGIONS); column++)
            if (*column_of(to, column))
                memmove(*column_of(to, column) + (size_t)to->rows * COLUMNS[column].size,
                        *column_of(from, column), (size_t)from->rows * COLUMNS[column].size);
        to->rows += from->rows;
        reader->high |= shares[number].reader.high;
    }
    to->regions = has_regions ? to->rows : 0;
    reader->at = shares[count - 1].reader.at;
}

/* Whether a list was read in shares; the reader is at its first record. */
static int read_in_shares(Reader *reader, Records *to)
{
    const int64_t possible = (reader->length - reader->at) / SMALLEST_SHARE;
    const int most = possible < to->threads ? (int)possible : to->threads;
    Pool pool = {{NULL}, 0, 0};
    Share *shares = most < 2 ? NULL : pool_alloc(&pool, most, sizeof *shares);
    int done = 0;
    if (shares) {
        const int count = cut(reader, to, shares, most);
        for_each(count, to->threads, read_one_share, shares);
        done = check_shares(shares, count);
        if (done)
            join(reader, to, shares, done);
    }
    pool_free(&pool);
    return done != 0;
}

int read_records(Reader *reader, Records *to)
{
    if (!accept(reader, '['))
        return expected(reader, "a list");
    if (read_in_shares(reader, to))
        return 1;
    to->rows = to->regions = 0;
    return read_share(reader, to, INT64_MAX, 1) == 0;
}
