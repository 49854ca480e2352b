/* Arguments as numbers and addresses: for functions that bind.h does not bind yet. */
#ifndef VELOUR_ARGUMENTS_H
#define VELOUR_ARGUMENTS_H

#include "bind.h"
#include "masks.h"
#include "rle.h"

/* Numbers of a call, read one after the other; `failed` when one is no number. */
typedef struct {
    PyObject *const *given;
    int failed;
} Arguments;

static inline int64_t next_number(Arguments *arguments)
{
    if (arguments->failed)
        return 0;
    int64_t number = PyLong_AsLongLong(*arguments->given++);
    arguments->failed = number == -1 && PyErr_Occurred() != NULL;
    return number;
}

static inline double next_double(Arguments *arguments)
{
    if (arguments->failed)
        return 0;
    double number = PyFloat_AsDouble(*arguments->given++);
    arguments->failed = number == -1 && PyErr_Occurred() != NULL;
    return number;
}

static inline void *next_address(Arguments *arguments)
{
    return (void *)(uintptr_t)next_number(arguments);
}

static inline int next_threads(Arguments *arguments)
{
    int64_t threads = next_number(arguments);
    return (int)(threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads);
}

static inline int expects(Py_ssize_t count, Py_ssize_t wanted)
{
    if (count == wanted)
        return 1;
    PyErr_Format(PyExc_TypeError, "expected %zd numbers, got %zd", wanted, count);
    return 0;
}

static inline PyObject *raise_fault(Fault wrong)
{
    if (wrong.what == NO_MEMORY.what)
        return PyErr_NoMemory();
    PyErr_Format(PyExc_ValueError, "%s at row %lld is out of bounds", wrong.what,
                 (long long)wrong.row);
    return NULL;
}


static inline void next_rasters(Arguments *next, Rasters *masks)
{
    masks->masks = next_number(next);
    masks->flips = next_number(next);
    masks->edges = next_address(next);
    masks->start = next_address(next);
    masks->stop = next_address(next);
    masks->height = next_address(next);
    masks->width = next_address(next);
}

static inline void next_texts(Arguments *next, Texts *texts)
{
    texts->masks = next_number(next);
    texts->length = next_number(next);
    texts->text = next_address(next);
    texts->start = next_address(next);
    texts->stop = next_address(next);
    texts->escaped = (int)next_number(next);
    texts->height = next_address(next);
    texts->width = next_address(next);
}

#endif
