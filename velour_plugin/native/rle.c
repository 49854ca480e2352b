#include "rle.h"

#include "arguments.h"

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

static void decode_texts(void *given, int64_t part)
{
    Texts *job = given;
    const int64_t end = (part + 1) * MASKS_AT_ONCE;
    for (int64_t mask = part * MASKS_AT_ONCE; mask < end && mask < job->masks; mask++) {
        const int64_t at = job->start[mask], length = job->stop[mask] - at;
        if (!job->out_edge) {
            job->room[mask] = count_runs(job->text + at, length);
            continue;
        }
        int64_t count = -1;
        if (count_runs(job->text + at, length) <= job->first[mask + 1] - job->first[mask])
            count = decode_text(job->text + at, length, job->escaped,
                                job->height[mask] * job->width[mask], job->out_edge + job->first[mask]);
        if (count < 0)
            job->bad = mask;
        job->out_start[mask + 1] = count;
    }
}

Fault check_texts(Texts *job)
{
    job->first[0] = 0;
    for (int64_t mask = 0; mask < job->masks; mask++) {
        if (job->start[mask] < 0 || job->start[mask] > job->stop[mask] ||
            job->stop[mask] > job->length)
            return fault("start of text", mask);
        if (job->height[mask] < 1 || job->width[mask] < 1 ||
            job->width[mask] > INT64_MAX / job->height[mask])
            return fault("size of mask", mask);
        job->first[mask + 1] = job->first[mask] + (job->out_edge ? job->room[mask] : 0);
        if (job->first[mask + 1] < job->first[mask])
            return fault("room of mask", mask);
    }
    return FINE;
}

static Fault decode_all(Texts *job, int threads)
{
    Pool pool = {{NULL}, 0, 0};
    job->first = take(&pool, job->masks + 1, sizeof *job->first);
    job->bad = -1;
    Fault wrong = pool.failed ? NO_MEMORY : check_texts(job);
    if (!wrong.what) {
        for_each((job->masks + MASKS_AT_ONCE - 1) / MASKS_AT_ONCE, threads, decode_texts, job);
        if (job->bad >= 0)
            wrong = fault("run lengths of mask", job->bad);
        else if (job->out_edge)
            close_gaps(job->masks, job->first, job->out_edge, job->out_start);
    }
    give_back(&pool);
    return wrong;
}

PyObject *py_decode_texts(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_decode_texts(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 12))
        return NULL;
    Arguments next = {given, 0};
    Texts job;
    memset(&job, 0, sizeof job);
    next_texts(&next, &job);
    int threads = next_threads(&next);
    job.room = next_address(&next);
    job.out_edge = next_address(&next);
    job.out_start = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = decode_all(&job, threads);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}
