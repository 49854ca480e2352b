/* Between Python and a job: see bind.h. */
#include "bind.h"

enum { MOST_HELD = 64 };

/* What a call holds until it ends: Python's objects, and copies of arrays. */
typedef struct {
    Py_buffer views[MOST_HELD];
    PyObject *objects[MOST_HELD];
    void *copies[MOST_HELD];
    int viewed, kept, copied;
} Call;

/* What an element is: a family of format characters, a size, and numpy's name. */
static const struct {
    const char *formats;
    Py_ssize_t size;
    const char *dtype;
} TYPES[] = {
    [T_int32] = {"il", 4, "int32"},      [T_int64] = {"lq", 8, "int64"},
    [T_uint8] = {"B", 1, "uint8"},       [T_bool8] = {"?B", 1, "bool"},
    [T_uint16] = {"H", 2, "uint16"},     [T_uint64] = {"LQ", 8, "uint64"},
    [T_float64] = {"d", 8, "float64"},
};

static int refuse(PyObject *kind, const char *name, const char *wanted)
{
    PyErr_Format(kind, "%s: expected %s", name, wanted);
    return 0;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

/* A new reference to what is given by a name: a keyword, or a part's attribute or key. */
static PyObject *find(PyObject *source, const char *name)
{
    if (source && !PyDict_Check(source))
        return PyObject_GetAttrString(source, name);
    PyObject *value = source ? PyMapping_GetItemString(source, name) : NULL;
    if (!value) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "missing argument: %s", name);
    }
    return value;
}

static int read_whole(const Entry *entry, PyObject *value, int64_t *number)
{
    PyObject *whole = PyNumber_Index(value);
    if (!whole)
        return refuse(PyExc_TypeError, entry->name, "a whole number");
    *number = PyLong_AsLongLong(whole);
    Py_DECREF(whole);
    if (*number == -1 && PyErr_Occurred())
        return refuse(PyExc_ValueError, entry->name, "a whole number of 64 bits");
    if (entry->kind == A_SIZE && (*number < 0 || *number > entry->most)) {
        PyErr_Format(PyExc_ValueError, "%s %lld: expected 0 to %lld", entry->name,
                     (long long)*number, (long long)entry->most);
        return 0;
    }
    return 1;
}

static int read_number(const Entry *entry, PyObject *value, char *job)
{
    int64_t number;
    if (entry->kind == A_REAL) {
        const double real = PyFloat_AsDouble(value);
        if (real == -1 && PyErr_Occurred())
            return refuse(PyExc_TypeError, entry->name, "a number");
        *(double *)(job + entry->place) = real;
        return 1;
    }
    if (!read_whole(entry, value, &number))
        return 0;
    if (entry->kind == A_THREADS)
        *(int *)(job + entry->place) = (int)(number < 1 ? 1 : number > MOST_THREADS ? MOST_THREADS : number);
    else
        *(int64_t *)(job + entry->place) = number;
    return 1;
}

static int read_bytes(const Entry *entry, PyObject *value, char *job, Call *call)
{
    char *text;
    Py_ssize_t length;
    if (!PyBytes_Check(value) || PyBytes_AsStringAndSize(value, &text, &length) < 0)
        return refuse(PyExc_TypeError, entry->name, "bytes");
    Py_INCREF(value);
    call->objects[call->kept++] = value;
    *(const char **)(job + entry->place) = text;
    *(int64_t *)(job + entry->other) = length;
    return 1;
}

static int is_of_type(const Py_buffer *view, Type type)
{
    const char *format = view->format ? view->format : "B";
    format += *format == '@' || *format == '=';
    return view->itemsize == TYPES[type].size && format[0] && !format[1] &&
           strchr(TYPES[type].formats, format[0]);
}

/* Whether an array is as long as a dimension says; a length that nobody told yet is told by it. */
static int agrees(const Dimension *dimension, int64_t length, char *job)
{
    if (dimension->kind == FIXED)
        return length == dimension->more;
    int64_t *size = (int64_t *)(job + dimension->size);
    if (*size < 0)
        *size = length - dimension->more;
    return *size >= 0 && length == *size + dimension->more;
}

static int rank_of(const Dimension *shape)
{
    int rank = 0;
    while (rank < MOST_DIMENSIONS && shape[rank].kind != NO_DIMENSION)
        rank++;
    return rank;
}

static int check_array(const Entry *entry, const Py_buffer *view, char *job)
{
    const int rank = rank_of(entry->shape);
    if (!is_of_type(view, entry->type)) {
        PyErr_Format(PyExc_TypeError, "%s of format '%s': expected %s", entry->name,
                     view->format ? view->format : "B", TYPES[entry->type].dtype);
        return 0;
    }
    if (view->ndim != rank) {
        PyErr_Format(PyExc_ValueError, "%s of %d dimensions: expected %d", entry->name, view->ndim,
                     rank);
        return 0;
    }
    for (int number = 0; number < rank; number++) {
        const Dimension *dimension = &entry->shape[number];
        if (agrees(dimension, view->shape[number], job))
            continue;
        const int64_t size = dimension->kind == FIXED ? 0 : *(int64_t *)(job + dimension->size);
        PyErr_Format(PyExc_ValueError, "%s of length %zd in dimension %d: expected %lld", entry->name,
                     view->shape[number], number, (long long)(size < 0 ? 0 : size + dimension->more));
        return 0;
    }
    return 1;
}

/* Give the job a copy of an array, or the array itself when it is shared. */
static int take_array(const Entry *entry, Py_buffer *view, char *job, Call *call)
{
    const void **place = (const void **)(job + entry->place);
    if (entry->kind == A_SHARED) {
        call->views[call->viewed++] = *view;
        *place = view->buf;
        return 1;
    }
    void *copy = malloc(view->len ? (size_t)view->len : 1);
    if (copy)
        memcpy(copy, view->buf, (size_t)view->len);
    else
        PyErr_NoMemory();
    PyBuffer_Release(view);
    *place = call->copies[call->copied] = copy;
    call->copied += copy != NULL;
    return copy != NULL;
}

static int read_array(const Entry *entry, PyObject *value, char *job, Call *call)
{
    Py_buffer view;
    if (entry->kind == AN_OPTIONAL && value == Py_None)
        return 1;
    if (PyObject_GetBuffer(value, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        const int strided = PyErr_ExceptionMatches(PyExc_BufferError);
        return strided ? refuse(PyExc_ValueError, entry->name, "values without gaps, rows first")
                       : refuse(PyExc_TypeError, entry->name, "an array");
    }
    if (check_array(entry, &view, job))
        return take_array(entry, &view, job, call);
    PyBuffer_Release(&view);
    return 0;
}

static int read_list(const Entry *list, PyObject *source, char *job, Call *call);

static int read_part(const Entry *entry, PyObject *value, char *job, Call *call)
{
    if (entry->kind == A_PART)
        return read_list(entry->list(), value, job + entry->place, call);
    if (value == Py_None)
        return 1;
    *(void **)(job + entry->place) = job + entry->other;
    return read_list(entry->list(), value, job + entry->other, call);
}

static int read_entry(const Entry *entry, PyObject *value, char *job, Call *call)
{
    if (call->viewed == MOST_HELD || call->kept == MOST_HELD || call->copied == MOST_HELD)
        return refuse(PyExc_SystemError, entry->name, "fewer arguments");
    switch (entry->kind) {
    case A_BYTES:
        return read_bytes(entry, value, job, call);
    case A_COLUMN:
    case AN_OPTIONAL:
    case A_SHARED:
        return read_array(entry, value, job, call);
    case A_PART:
    case AN_OPTIONAL_PART:
        return read_part(entry, value, job, call);
    default:
        return read_number(entry, value, job);
    }
}

static int is_given(const Entry *entry)
{
    return entry->kind != A_LENGTH && entry->kind != AN_OUT && entry->kind != AN_ANSWER &&
           entry->kind != A_WORD;
}

/* Lengths that no column told are 0; none is longer than its list says. */
static int close_lengths(const Entry *list, char *job)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (entry->kind != A_LENGTH)
            continue;
        int64_t *length = (int64_t *)(job + entry->place);
        *length = *length < 0 ? 0 : *length;
        if (*length > entry->most) {
            PyErr_Format(PyExc_ValueError, "%lld %s: expected at most %lld", (long long)*length,
                         entry->name, (long long)entry->most);
            return 0;
        }
    }
    return 1;
}

static int read_list(const Entry *list, PyObject *source, char *job, Call *call)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++)
        if (entry->kind == A_LENGTH)
            *(int64_t *)(job + entry->place) = -1;
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (!is_given(entry))
            continue;
        PyObject *value = find(source, entry->name);
        const int read = value && read_entry(entry, value, job, call);
        Py_XDECREF(value);
        if (!read)
            return 0;
    }
    return close_lengths(list, job);
}

/* Nothing may be given that the list does not name. */
static int check_names(const Entry *list, PyObject *args, PyObject *keywords)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    if (PyTuple_Size(args))
        return refuse(PyExc_TypeError, "arguments", "keywords only");
    while (keywords && PyDict_Next(keywords, &position, &key, &value)) {
        const Entry *entry = list;
        while (entry->kind != END_OF_LIST &&
               !(is_given(entry) && PyUnicode_CompareWithASCIIString(key, entry->name) == 0))
            entry++;
        if (entry->kind == END_OF_LIST) {
            PyErr_Format(PyExc_TypeError, "unknown argument: %S", key);
            return 0;
        }
    }
    return 1;
}

/* ---- Writing ------------------------------------------------------------------------------------ */

/* How many elements a dimension has room for; after the job, how many are kept. */
static int64_t length_of(const Dimension *dimension, const char *job, int done)
{
    if (dimension->kind == FIXED)
        return dimension->more;
    if (dimension->kind == OF_ROOM && done)
        return *(const int64_t *)(job + dimension->counted);
    return *(const int64_t *)(job + dimension->size) + dimension->more;
}

/* How many bytes an array takes, or -1 when nothing has so many. */
static Py_ssize_t bytes_of(const Entry *entry, const char *job, int done)
{
    Py_ssize_t bytes = TYPES[entry->type].size;
    int empty = 0;
    for (int number = 0; number < rank_of(entry->shape); number++) {
        const int64_t length = length_of(&entry->shape[number], job, done);
        empty |= length == 0;
        if (length < 0 || (length && bytes > PY_SSIZE_T_MAX / 2 / length))
            bytes = -1;
        if (bytes < 0)
            break;
        bytes *= length ? length : 1;
    }
    return bytes < 0 ? -1 : empty ? 0 : bytes;
}

/* Room for what the job makes: bytearrays that nobody else knows. */
static int make_room(const Entry *list, char *job, Call *call)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (entry->kind != AN_OUT)
            continue;
        if (call->kept == MOST_HELD)
            return refuse(PyExc_SystemError, entry->name, "fewer results");
        const Py_ssize_t bytes = bytes_of(entry, job, 0);
        PyObject *room = bytes < 0 ? PyErr_NoMemory() : PyByteArray_FromStringAndSize(NULL, bytes);
        if (!room)
            return 0;
        call->objects[call->kept++] = room;
        *(void **)(job + entry->place) = PyByteArray_AsString(room);
    }
    return 1;
}

/* numpy.ndarray(shape, dtype, room), after the room was cut to what is kept. */
static PyObject *array_of(const Entry *entry, const char *job, PyObject *room, PyObject *ndarray)
{
    const int rank = rank_of(entry->shape);
    const Py_ssize_t bytes = bytes_of(entry, job, 1);
    if (bytes < 0 || bytes > PyByteArray_Size(room)) {
        refuse(PyExc_SystemError, entry->name, "no more than there was room for");
        return NULL;
    }
    if (bytes < PyByteArray_Size(room) && PyByteArray_Resize(room, bytes) < 0)
        return NULL;
    PyObject *shape = PyTuple_New(rank), *array = NULL;
    for (int number = 0; shape && number < rank; number++) {
        PyObject *length = PyLong_FromLongLong(length_of(&entry->shape[number], job, 1));
        if (!length || PyTuple_SetItem(shape, number, length) < 0)
            Py_CLEAR(shape);
    }
    if (shape)
        array = PyObject_CallFunction(ndarray, "OsO", shape, TYPES[entry->type].dtype, room);
    Py_XDECREF(shape);
    return array;
}

static PyObject *answer_of(const Entry *entry, const char *job)
{
    if (entry->kind == AN_ANSWER)
        return PyLong_FromLongLong(*(const int64_t *)(job + entry->place));
    return Py_BuildValue("z", *(const char *const *)(job + entry->place));
}

/* What the job made, by name; `rooms` are those of make_room. */
static PyObject *results_of(const Entry *list, const char *job, PyObject *const *rooms)
{
    PyObject *numpy = PyImport_ImportModule("numpy");
    PyObject *ndarray = numpy ? PyObject_GetAttrString(numpy, "ndarray") : NULL;
    PyObject *results = ndarray ? PyDict_New() : NULL;
    for (const Entry *entry = list; results && entry->kind != END_OF_LIST; entry++) {
        if (is_given(entry) || entry->kind == A_LENGTH)
            continue;
        PyObject *value = entry->kind == AN_OUT ? array_of(entry, job, *rooms++, ndarray)
                                                : answer_of(entry, job);
        if (!value || PyDict_SetItemString(results, entry->name, value) < 0)
            Py_CLEAR(results);
        Py_XDECREF(value);
    }
    Py_XDECREF(ndarray);
    Py_XDECREF(numpy);
    return results;
}

/* ---- A call ------------------------------------------------------------------------------------- */

/* Do a step without the GIL; 0 with an exception where something is wrong. */
static int do_step(Step step, void *job)
{
    Fault wrong = FINE;
    Py_BEGIN_ALLOW_THREADS
    if (step)
        wrong = step(job);
    Py_END_ALLOW_THREADS
    if (wrong.what == NO_MEMORY.what && wrong.what)
        PyErr_NoMemory();
    else if (wrong.what)
        PyErr_Format(PyExc_ValueError, "%s at row %lld is out of bounds", wrong.what,
                     (long long)wrong.row);
    return !wrong.what;
}

static void let_go(Call *call)
{
    while (call->viewed)
        PyBuffer_Release(&call->views[--call->viewed]);
    while (call->kept)
        Py_DECREF(call->objects[--call->kept]);
    while (call->copied)
        free(call->copies[--call->copied]);
}

PyObject *run_job(const Entry *list, void *job, const Step steps[2], PyObject *args,
                  PyObject *keywords)
{
    Call call;
    PyObject *results = NULL;
    call.viewed = call.kept = call.copied = 0;
    if (check_names(list, args, keywords) && read_list(list, keywords, job, &call) &&
        do_step(steps[0], job)) {
        PyObject *const *rooms = call.objects + call.kept;
        if (make_room(list, job, &call) && do_step(steps[1], job))
            results = results_of(list, job, rooms);
    }
    let_go(&call);
    return results;
}
