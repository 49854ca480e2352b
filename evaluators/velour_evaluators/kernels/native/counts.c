/* Counts of a stored ledger at one score. */
#include "arguments.h"
#include "lanes.h"

typedef struct {
    int64_t rows, matches, labels, datums;
    const int32_t *label, *datum, *match;
    const double *score;
    const uint8_t *areas;
    const Lanes *hit, *ignored;
    const int64_t *weights; /* (datums,); NULL: each datum once */
    int64_t lane;           /* of the first area range */
    double least;
    int64_t *out_found, *out_counted; /* (labels,) */
} Counts;

static Fault count_at(const Counts *job)
{
    if (job->lane < 0 || job->lane >= MOST_LANES)
        return fault("lane", job->lane);
    for (int64_t datum = 0; job->weights && datum < job->datums; datum++)
        if (job->weights[datum] < 0 || job->weights[datum] > INT32_MAX)
            return fault("weight", datum);
    memset(job->out_found, 0, (size_t)job->labels * sizeof *job->out_found);
    memset(job->out_counted, 0, (size_t)job->labels * sizeof *job->out_counted);
    for (int64_t row = 0, match = 0; row < job->rows; row++) {
        const int matched = match < job->matches && job->match[match] == row;
        const int64_t here = match;
        match += matched;
        if (!(job->score[row] >= job->least))
            continue;
        const int64_t label = job->label[row], datum = job->datum[row];
        if (UNLIKELY((uint64_t)label >= (uint64_t)job->labels))
            return fault("label", row);
        if (UNLIKELY((uint64_t)datum >= (uint64_t)job->datums))
            return fault("datum", row);
        const int64_t weight = job->weights ? job->weights[datum] : 1;
        const int hit = matched && (job->hit[here] >> job->lane & 1);
        const int ignored = matched && (job->ignored[here] >> job->lane & 1);
        job->out_found[label] += hit ? weight : 0;
        job->out_counted[label] += hit || ((job->areas[row] & 1) && !ignored) ? weight : 0;
    }
    return FINE;
}

PyObject *py_counts_at(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *py_counts_at(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    if (!expects(count, 16))
        return NULL;
    Arguments next = {given, 0};
    Counts job;
    memset(&job, 0, sizeof job);
    job.rows = next_number(&next);
    job.matches = next_number(&next);
    job.labels = next_number(&next);
    job.datums = next_number(&next);
    job.label = next_address(&next);
    job.datum = next_address(&next);
    job.score = next_address(&next);
    job.areas = next_address(&next);
    job.match = next_address(&next);
    job.hit = next_address(&next);
    job.ignored = next_address(&next);
    job.weights = next_address(&next);
    job.lane = next_number(&next);
    job.least = next_double(&next);
    job.out_found = next_address(&next);
    job.out_counted = next_address(&next);
    if (next.failed)
        return NULL;
    Fault wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = count_at(&job);
    Py_END_ALLOW_THREADS
    if (wrong.what)
        return raise_fault(wrong);
    Py_RETURN_NONE;
}
