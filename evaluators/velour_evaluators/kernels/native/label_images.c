/* Confusion of two labellings of one image: semantic.py's numbers, pixel by pixel or run by run. */
#include "bind.h"
#include "labels.h"

/* ---- Label images ------------------------------------------------------------------------------- */

#define LABEL_PAIRS(_)                                                  \
    _(LENGTH(size, INT64_MAX))                                          \
    _(LENGTH(truth_bytes, 8))                                           \
    _(LENGTH(predicted_bytes, 8))                                       \
    _(SHARED(uint8, truth, OF(size), OF(truth_bytes)))                  \
    _(SHARED(uint8, predicted, OF(size), OF(predicted_bytes)))          \
    _(NUMBER(truth_lowest))                                             \
    _(NUMBER(predicted_lowest))                                         \
    _(SIZE(truths, 65536))                                              \
    _(SIZE(predictions, 65536))                                         \
    _(TABLE(truths, predictions))                                       \
    _(OUT(int64, pixels, OF(truths), OF(predictions)))

typedef struct {
    LABEL_PAIRS(FIELD)
} LabelPairs;

/* Bits at the last pixels of runs in which neither side changes; the last of `count` pixels is one. */
static inline uint64_t ends_of_pairs(const LabelPairs *job, int64_t first, int64_t count)
{
    const uint8_t *truth = job->truth + first * job->truth_bytes;
    const uint8_t *predicted = job->predicted + first * job->predicted_bytes;
    /* the pixel after the last need not be there */
    const int64_t pairs = first + count < job->size ? count : count - 1;
    const uint64_t same =
        equal_pixels(truth, truth + job->truth_bytes, pairs, job->truth_bytes) &
        equal_pixels(predicted, predicted + job->predicted_bytes, pairs, job->predicted_bytes);
    return (~same & low_bits((int)count)) | (uint64_t)1 << (count - 1);
}

static Fault count_pairs(LabelPairs *job)
{
    if (!is_pixel_size(job->truth_bytes) || !is_pixel_size(job->predicted_bytes))
        return fault("bytes of a pixel", 0);
    memset(job->out_pixels, 0, (size_t)(job->truths * job->predictions) * sizeof *job->out_pixels);
    for (int64_t first = 0; first < job->size; first += WORD) {
        const int64_t count = job->size - first < WORD ? job->size - first : WORD;
        int begin = 0;
        for (uint64_t ends = ends_of_pairs(job, first, count); ends; ends &= ends - 1) {
            const int last = lowest_bit(ends);
            const uint64_t truth = settled(
                label_at(job->truth, first + last, job->truth_bytes, job->truth_lowest));
            const uint64_t predicted = settled(label_at(
                job->predicted, first + last, job->predicted_bytes, job->predicted_lowest));
            if (UNLIKELY(truth >= (uint64_t)job->truths || predicted >= (uint64_t)job->predictions))
                return fault("label of a pixel", first + last);
            job->out_pixels[truth * (uint64_t)job->predictions + predicted] += last + 1 - begin;
            begin = last + 1;
        }
    }
    return FINE;
}

BIND(confusion_of_labels, LabelPairs, LABEL_PAIRS, count_pairs)
