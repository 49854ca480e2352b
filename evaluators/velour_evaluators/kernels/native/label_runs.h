/* A labelling of an image as runs down its columns: what semantic.py calls LabelRuns. */
#ifndef VELOUR_LABEL_RUNS_H
#define VELOUR_LABEL_RUNS_H

#include "bind.h"

#define MOST_PIXELS ((int64_t)1 << 31)

enum { NOBODY = -1 };

/* Runs may change while they are read: each number is looked at once. */
#define LABEL_RUNS(_)                \
    _(LENGTH(runs, MOST_PIXELS))     \
    _(SHARED(int64, starts, OF(runs))) \
    _(SHARED(int64, labels, OF(runs)))

typedef struct {
    LABEL_RUNS(FIELD)
} LabelRuns;

PART_LIST(label_runs)

/* One run after the other. */
typedef struct {
    const LabelRuns *of;
    int64_t size, most; /* pixels of the image; the highest label */
    int64_t run, begin, end, label;
} RunReader;

/* Go to the run after this one, which begins where this one ends; 0 where it breaks a rule. */
static inline int next_run(RunReader *reader)
{
    reader->begin = reader->end;
    reader->run++;
    reader->end = reader->run + 1 < reader->of->runs
                      ? READ_ONCE(int64_t, reader->of->starts[reader->run + 1])
                      : reader->size;
    reader->label = READ_ONCE(int64_t, reader->of->labels[reader->run]);
    return reader->end > reader->begin && reader->end <= reader->size && reader->label >= NOBODY &&
           reader->label <= reader->most;
}

/* Read runs from the first pixel on; the caller has seen that there are some. */
static inline RunReader read_runs_of(const LabelRuns *runs, int64_t size, int64_t most)
{
    const RunReader reader = {runs, size, most, -1, 0, 0, NOBODY};
    return reader;
}

#endif
