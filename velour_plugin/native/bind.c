/* Convert between Python arguments and a job's struct: see bind.h. */
#include "bind.h"

enum { MOST_HELD = 64 };

/* References that a call holds until it ends: shared arrays, texts, and its own arrays. */
typedef struct {
    PyObject *empty; /* numpy.empty */
    Py_buffer views[MOST_HELD];
    PyObject *objects[MOST_HELD];
    int viewed, kept;
} Call;

/* Types of elements: format characters, size, and numpy's name. */
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

static int refuse(PyObject *kind, const char *name, const char *rule)
{
    PyErr_Format(kind, "%s: expected %s", name, rule);
    return 0;
}

/* ---- Arrays of our own -------------------------------------------------------------------------- */

static int rank_of(const Dimension *shape)
{
    int rank = 0;
    while (rank < MOST_DIMENSIONS && shape[rank].kind != NO_DIMENSION)
        rank++;
    return rank;
}

/* Number of elements that a dimension has room for; if `done`, number that are kept. */
static int64_t length_of(const Dimension *dimension, const char *job, int done)
{
    if (dimension->kind == FIXED)
        return dimension->more;
    if (dimension->kind == OF_ROOM && done)
        return *(const int64_t *)(job + dimension->counted);
    return *(const int64_t *)(job + dimension->size) + dimension->more;
}

static PyObject *shape_of(const Entry *entry, const char *job, int done)
{
    const int rank = rank_of(entry->shape);
    PyObject *shape = PyTuple_New(rank);
    for (int number = 0; shape && number < rank; number++) {
        PyObject *length = PyLong_FromLongLong(length_of(&entry->shape[number], job, done));
        if (!length || PyTuple_SetItem(shape, number, length) < 0)
            Py_CLEAR(shape);
    }
    return shape;
}

/* Whether an array has the size that the list says: numpy.empty may have been replaced by other code. */
static int has_room(const Entry *entry, const Py_buffer *view, const char *job)
{
    const int rank = rank_of(entry->shape);
    if (view->ndim != rank || view->itemsize != TYPES[entry->type].size)
        return refuse(PyExc_SystemError, entry->name, "an array of numpy.empty");
    for (int number = 0; number < rank; number++)
        if (view->shape[number] != length_of(&entry->shape[number], job, 0))
            return refuse(PyExc_SystemError, entry->name, "the room of numpy.empty");
    return 1;
}

/* A new private array, uninitialised, of the size that the list says. numpy makes it,
 * for numpy asks for large pages, and they spare a large array most of its page faults. */
static void *make_array(const Entry *entry, const char *job, Call *call)
{
    Py_buffer view;
    PyObject *shape = shape_of(entry, job, 0), *array = NULL;
    if (shape)
        array = PyObject_CallFunction(call->empty, "Os", shape, TYPES[entry->type].dtype);
    Py_XDECREF(shape);
    if (!array || PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) < 0) {
        Py_XDECREF(array);
        return NULL;
    }
    void *values = has_room(entry, &view, job) ? view.buf : NULL; /* stays as long as the array does */
    PyBuffer_Release(&view);
    call->objects[call->kept++] = array;
    return values;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

/* A new reference to the argument of a name: a keyword, or a part's attribute or key. */
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
        *(double *)(job + entry->offset) = real;
        return 1;
    }
    if (!read_whole(entry, value, &number))
        return 0;
    if (entry->kind == A_THREADS)
        *(int *)(job + entry->offset) = (int)(number < 1 ? 1 : number > MOST_THREADS ? MOST_THREADS : number);
    else
        *(int64_t *)(job + entry->offset) = number;
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
    *(const char **)(job + entry->offset) = text;
    *(int64_t *)(job + entry->second_offset) = length;
    return 1;
}

static int is_of_type(const Py_buffer *view, Type type)
{
    const char *format = view->format ? view->format : "B";
    format += *format == '@' || *format == '=';
    return view->itemsize == TYPES[type].size && format[0] && !format[1] &&
           strchr(TYPES[type].formats, format[0]);
}

/* Whether an array is as long as a dimension says; a length that is not set yet is set by it. */
static int agrees(const Dimension *dimension, int64_t length, char *job)
{
    if (dimension->kind == FIXED)
        return length == dimension->more;
    int64_t *size = (int64_t *)(job + dimension->size);
    if (*size < 0)
        *size = length - dimension->more;
    return *size >= 0 && length == *size + dimension->more;
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

/* Give the job a copy of an array, or the array itself when it is shared and stands in memory where
 * its type may stand: numpy's need not. */
static int take_array(const Entry *entry, Py_buffer *view, char *job, Call *call)
{
    const void **field = (const void **)(job + entry->offset);
    const int shared = entry->kind == A_SHARED || entry->kind == AN_OPTIONAL_SHARED;
    if (shared && (uintptr_t)view->buf % (uintptr_t)TYPES[entry->type].size == 0) {
        call->views[call->viewed++] = *view;
        *field = view->buf;
        return 1;
    }
    void *copy = make_array(entry, job, call);
    if (copy)
        memcpy(copy, view->buf, (size_t)view->len);
    PyBuffer_Release(view);
    *field = copy;
    return copy != NULL;
}

static int read_array(const Entry *entry, PyObject *value, char *job, Call *call)
{
    Py_buffer view;
    const int optional = entry->kind == AN_OPTIONAL || entry->kind == AN_OPTIONAL_SHARED;
    if (optional && value == Py_None)
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
        return read_list(entry->list(), value, job + entry->offset, call);
    if (value == Py_None)
        return 1;
    *(void **)(job + entry->offset) = job + entry->second_offset;
    return read_list(entry->list(), value, job + entry->second_offset, call);
}

static int read_entry(const Entry *entry, PyObject *value, char *job, Call *call)
{
    if (call->viewed == MOST_HELD || call->kept == MOST_HELD)
        return refuse(PyExc_SystemError, entry->name, "fewer arguments");
    switch (entry->kind) {
    case A_BYTES:
        return read_bytes(entry, value, job, call);
    case A_COLUMN:
    case AN_OPTIONAL:
    case A_SHARED:
    case AN_OPTIONAL_SHARED:
        return read_array(entry, value, job, call);
    case A_PART:
    case AN_OPTIONAL_PART:
        return read_part(entry, value, job, call);
    default:
        return read_number(entry, value, job);
    }
}

static int is_made(const Entry *entry)
{
    return entry->kind == AN_OUT || entry->kind == A_RESULT || entry->kind == A_WORD;
}

static int is_argument(const Entry *entry)
{
    return entry->kind != A_LENGTH && entry->kind != A_BACKED && entry->kind != A_TABLE &&
           !is_made(entry);
}

/* Lengths that no column set are 0; none may be longer than its list says. */
static int close_lengths(const Entry *list, char *job)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (entry->kind != A_LENGTH)
            continue;
        int64_t *length = (int64_t *)(job + entry->offset);
        *length = *length < 0 ? 0 : *length;
        if (*length > entry->most) {
            PyErr_Format(PyExc_ValueError, "%lld %s: expected at most %lld", (long long)*length,
                         entry->name, (long long)entry->most);
            return 0;
        }
    }
    return 1;
}

/* No size may request memory out of proportion to the other arguments. */
static int check_sizes(const Entry *list, const char *job)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (entry->kind != A_BACKED && entry->kind != A_TABLE)
            continue;
        const int64_t first = length_of(&entry->shape[0], job, 0);
        const int64_t second = length_of(&entry->shape[1], job, 0);
        const int backed = entry->kind == A_BACKED; /* a table's sizes are of 31 bits each */
        const int64_t size = backed ? *(const int64_t *)(job + entry->offset) : first * second;
        const int64_t most = backed ? first + second + MOST_SPARE : MOST_CELLS;
        if (size <= most)
            continue;
        PyErr_Format(PyExc_ValueError, "%s %lld: expected at most %lld%s", entry->name,
                     (long long)size, (long long)most, backed ? " with what else is given" : "");
        return 0;
    }
    return 1;
}

static int read_list(const Entry *list, PyObject *source, char *job, Call *call)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++)
        if (entry->kind == A_LENGTH)
            *(int64_t *)(job + entry->offset) = -1;
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (!is_argument(entry))
            continue;
        PyObject *value = find(source, entry->name);
        const int read = value && read_entry(entry, value, job, call);
        Py_XDECREF(value);
        if (!read)
            return 0;
    }
    return close_lengths(list, job) && check_sizes(list, job);
}

/* Refuse arguments that the list does not name. */
static int check_names(const Entry *list, PyObject *args, PyObject *keywords)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    if (PyTuple_Size(args))
        return refuse(PyExc_TypeError, "arguments", "keywords only");
    while (keywords && PyDict_Next(keywords, &position, &key, &value)) {
        const Entry *entry = list;
        if (!PyUnicode_Check(key)) /* f(**{b"x": 1}) comes as far as here */
            return refuse(PyExc_TypeError, "arguments", "names that are text");
        while (entry->kind != END_OF_LIST &&
               !(is_argument(entry) && PyUnicode_CompareWithASCIIString(key, entry->name) == 0))
            entry++;
        if (entry->kind == END_OF_LIST) {
            PyErr_Format(PyExc_TypeError, "unknown argument: %S", key);
            return 0;
        }
    }
    return 1;
}

/* ---- Writing ------------------------------------------------------------------------------------ */

/* Allocate the outputs of the job. */
static int make_room(const Entry *list, char *job, Call *call)
{
    for (const Entry *entry = list; entry->kind != END_OF_LIST; entry++) {
        if (entry->kind != AN_OUT)
            continue;
        if (call->kept == MOST_HELD)
            return refuse(PyExc_SystemError, entry->name, "fewer results");
        void *room = make_array(entry, job, call);
        if (!room)
            return 0;
        *(void **)(job + entry->offset) = room;
    }
    return 1;
}

/* array.resize(shape, refcheck=False) */
static int resize(PyObject *array, PyObject *shape)
{
    PyObject *method = PyObject_GetAttrString(array, "resize");
    PyObject *args = shape ? PyTuple_Pack(1, shape) : NULL, *done = NULL;
    PyObject *keywords = Py_BuildValue("{sO}", "refcheck", Py_False);
    if (method && args && keywords)
        done = PyObject_Call(method, args, keywords);
    Py_XDECREF(method);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    Py_XDECREF(done);
    return done != NULL;
}

/* A new reference to an output array, trimmed to the elements that are kept. */
static PyObject *array_of(const Entry *entry, const char *job, PyObject *array)
{
    const int64_t room = length_of(&entry->shape[0], job, 0);
    const int64_t kept = length_of(&entry->shape[0], job, 1);
    if (kept < 0 || kept > room) {
        refuse(PyExc_SystemError, entry->name, "no more than there was room for");
        return NULL;
    }
    if (kept < room) {
        PyObject *shape = shape_of(entry, job, 1);
        const int cut = resize(array, shape);
        Py_XDECREF(shape);
        if (!cut)
            return NULL;
    }
    Py_INCREF(array);
    return array;
}

static PyObject *value_of_result(const Entry *entry, const char *job)
{
    if (entry->kind == A_RESULT)
        return PyLong_FromLongLong(*(const int64_t *)(job + entry->offset));
    return Py_BuildValue("z", *(const char *const *)(job + entry->offset));
}

/* The results of the job, by name; `arrays` are those of make_room. */
static PyObject *results_of(const Entry *list, const char *job, PyObject *const *arrays)
{
    PyObject *results = PyDict_New();
    for (const Entry *entry = list; results && entry->kind != END_OF_LIST; entry++) {
        if (!is_made(entry))
            continue;
        PyObject *value = entry->kind == AN_OUT ? array_of(entry, job, *arrays++)
                                                : value_of_result(entry, job);
        if (!value || PyDict_SetItemString(results, entry->name, value) < 0)
            Py_CLEAR(results);
        Py_XDECREF(value);
    }
    return results;
}

/* ---- A call ------------------------------------------------------------------------------------- */

/* Run a step without the GIL; 0 with an exception on a Fault. */
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

static int begin(Call *call)
{
    PyObject *numpy = PyImport_ImportModule("numpy");
    call->empty = numpy ? PyObject_GetAttrString(numpy, "empty") : NULL;
    call->viewed = call->kept = 0;
    Py_XDECREF(numpy);
    return call->empty != NULL;
}

static void end(Call *call)
{
    while (call->viewed)
        PyBuffer_Release(&call->views[--call->viewed]);
    while (call->kept)
        Py_DECREF(call->objects[--call->kept]);
    Py_XDECREF(call->empty);
}

PyObject *run_job(const Entry *list, void *job, const Step steps[2], PyObject *args,
                  PyObject *keywords)
{
    Call call;
    PyObject *results = NULL;
    if (begin(&call) && check_names(list, args, keywords) &&
        read_list(list, keywords, job, &call) && do_step(steps[0], job)) {
        PyObject *const *arrays = call.objects + call.kept;
        if (make_room(list, job, &call) && do_step(steps[1], job))
            results = results_of(list, job, arrays);
    }
    end(&call);
    return results;
}
