/* Binding by table: one list makes a job's struct, the reading of its arguments and their checks.
 *
 *     #define COUNTING(_)                                             \
 *         _(LENGTH(rows, INT32_MAX))                                  \
 *         _(SIZE(labels, INT32_MAX))                                  \
 *         _(COLUMN(int32, label, OF(rows)))                           \
 *         _(OPTIONAL(float64, weight, OF(rows)))                      \
 *         _(OUT(int64, counts, OF(labels)))
 *
 *     typedef struct {
 *         COUNTING(FIELD)
 *         int64_t *between; // whatever else the job needs
 *     } Counting;
 *
 *     static Fault count(Counting *job) { ... job->rows, job->label[row], job->out_counts ... }
 *
 *     BIND(count, Counting, COUNTING, count)
 *
 * Python calls `count(labels=9, label=array, weight=None)` and gets `{"counts": array}`. The module
 * lists `count` among its FUNCTIONS.
 *
 * Items of a list:
 *
 *   LENGTH(name, most)          a size given by columns: the first one sets it, others must agree
 *   SIZE(name, most)            a size that the caller passes, 0 to most
 *   BACKED(name, first, second)    a size is at most MOST_SPARE above the sum of two others, which columns
 *                               give: no data has so many labels and so few rows of them, and a
 *                               wrong number must not take all memory
 *   TABLE(first, second)           a table of two sizes has at most MOST_CELLS cells
 *   NUMBER(name)                a whole number of 64 bits, not checked further
 *   REAL(name)                  a float64
 *   THREADS(name)               how many threads, brought into 1 to MOST_THREADS
 *   COLUMN(type, name, shape)   an array; copied before the job sees it, so no other thread can
 *                               change what was checked
 *   OPTIONAL(type, name, shape) likewise; None is NULL
 *   SHARED(type, name, shape)   an array that is not copied, for it is large (unless it stands askew in
 *                               memory): another thread may change its values at any time, so none
 *                               may be an index or decide a size, unless it is read once (READ_ONCE)
 *                               and checked as it was read; tests/sanitizer has a list of them all
 *   OPTIONAL_SHARED(...)        likewise; None is NULL
 *   BYTES(name, length)         a Python bytes: it never changes, and a NUL byte stands at its end
 *   PART(Type, name, list)      an object whose attributes the list of another struct names
 *   OPTIONAL_PART(...)          likewise; a pointer, NULL for None
 *   OUT(type, name, shape)      an array that the job fills, as job->out_name; Python gets it
 *   COUNTED(name)               a size that the job sets, for UP_TO
 *   RESULT(name)                a whole number that the job sets; Python gets it
 *   WORD(name)                  a text that the job sets; Python gets it, None for NULL
 *
 * A shape is one to three of OF(size), MORE(size, number), JUST(number); the first of an OUT may be
 * UP_TO(room, count): room for so many, of which `count` are kept.
 *
 * Every size is at least 0, every array has the size, type and layout that the list says; a caller
 * who passes anything else gets a TypeError or ValueError that names it. Values in arrays
 * must be checked by the job.
 */
#ifndef VELOUR_BIND_H
#define VELOUR_BIND_H

#define PY_SSIZE_T_CLEAN
#include <pyconfig.h>
#if !defined(Py_LIMITED_API) && !defined(Py_GIL_DISABLED)
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stddef.h>

#include "common.h"

typedef int32_t C_int32;
typedef int64_t C_int64;
typedef uint8_t C_uint8, C_bool8; /* a bool8 may be any byte: all but 0 are true */
typedef uint16_t C_uint16;
typedef uint64_t C_uint64;
typedef double C_float64;

typedef enum { T_int32, T_int64, T_uint8, T_bool8, T_uint16, T_uint64, T_float64 } Type;

typedef enum {
    END_OF_LIST,
    A_LENGTH,
    A_SIZE,
    A_NUMBER,
    A_REAL,
    A_THREADS,
    A_COLUMN,
    AN_OPTIONAL,
    A_SHARED,
    AN_OPTIONAL_SHARED,
    A_BYTES,
    A_PART,
    AN_OPTIONAL_PART,
    AN_OUT,
    A_RESULT,
    A_WORD,
    A_BACKED,
    A_TABLE
} Kind;

enum { NO_DIMENSION, FIXED, OF_SIZE, OF_ROOM };

typedef struct {
    int kind;
    size_t size;   /* where the job keeps the size */
    int64_t more;  /* to be added to it; all there is of a fixed one */
    size_t counted; /* where the job sets how many of a room are kept */
} Dimension;

enum { MOST_DIMENSIONS = 3, MOST_SPARE = 1 << 24, MOST_CELLS = 1 << 20 };

typedef struct Entry {
    const char *name;
    Kind kind;
    Type type;
    size_t offset; /* in the job; of bytes, and of an optional part: of the pointer */
    size_t second_offset; /* of bytes: of their length; of an optional part: of the part itself */
    int64_t most;
    const struct Entry *(*list)(void); /* of a part */
    Dimension shape[MOST_DIMENSIONS];
} Entry;

/* From a list to the fields of a struct. */
#define FIELD(item) FIELD_##item
#define FIELD_LENGTH(name, most) int64_t name;
#define FIELD_SIZE(name, most) int64_t name;
#define FIELD_COUNTED(name) int64_t name;
#define FIELD_BACKED(name, first, second)
#define FIELD_TABLE(first, second)
#define FIELD_NUMBER(name) int64_t name;
#define FIELD_RESULT(name) int64_t name;
#define FIELD_REAL(name) double name;
#define FIELD_THREADS(name) int name;
#define FIELD_WORD(name) const char *name;
#define FIELD_BYTES(name, length) \
    const char *name;             \
    int64_t length;
#define FIELD_COLUMN(type, name, ...) const C_##type *name;
#define FIELD_OPTIONAL(type, name, ...) const C_##type *name;
#define FIELD_SHARED(type, name, ...) const C_##type *name;
#define FIELD_OPTIONAL_SHARED(type, name, ...) const C_##type *name;
#define FIELD_OUT(type, name, ...) C_##type *out_##name;
#define FIELD_PART(Type, name, list) Type name;
#define FIELD_OPTIONAL_PART(Type, name, list) Type *name, name##_itself;

/* From a list to the entries of a table; `Job` is the struct. */
#define ENTRY(item) ENTRY_##item
#define AT(field) offsetof(Job, field)
#define ENTRY_LENGTH(name, most) {#name, A_LENGTH, 0, AT(name), 0, most, NULL, {{0}}},
#define ENTRY_SIZE(name, most) {#name, A_SIZE, 0, AT(name), 0, most, NULL, {{0}}},
#define ENTRY_BACKED(name, first, second) {#name, A_BACKED, 0, AT(name), 0, 0, NULL, {OF(first), OF(second)}},
#define ENTRY_TABLE(first, second) \
    {#first " times " #second, A_TABLE, 0, 0, 0, 0, NULL, {OF(first), OF(second)}},
#define ENTRY_COUNTED(name)
#define ENTRY_NUMBER(name) {#name, A_NUMBER, 0, AT(name), 0, 0, NULL, {{0}}},
#define ENTRY_RESULT(name) {#name, A_RESULT, 0, AT(name), 0, 0, NULL, {{0}}},
#define ENTRY_REAL(name) {#name, A_REAL, 0, AT(name), 0, 0, NULL, {{0}}},
#define ENTRY_THREADS(name) {#name, A_THREADS, 0, AT(name), 0, 0, NULL, {{0}}},
#define ENTRY_WORD(name) {#name, A_WORD, 0, AT(name), 0, 0, NULL, {{0}}},
#define ENTRY_BYTES(name, length) {#name, A_BYTES, 0, AT(name), AT(length), 0, NULL, {{0}}},
#define ENTRY_COLUMN(type, name, ...) \
    {#name, A_COLUMN, T_##type, AT(name), 0, 0, NULL, {__VA_ARGS__}},
#define ENTRY_OPTIONAL(type, name, ...) \
    {#name, AN_OPTIONAL, T_##type, AT(name), 0, 0, NULL, {__VA_ARGS__}},
#define ENTRY_SHARED(type, name, ...) \
    {#name, A_SHARED, T_##type, AT(name), 0, 0, NULL, {__VA_ARGS__}},
#define ENTRY_OPTIONAL_SHARED(type, name, ...) \
    {#name, AN_OPTIONAL_SHARED, T_##type, AT(name), 0, 0, NULL, {__VA_ARGS__}},
#define ENTRY_OUT(type, name, ...) \
    {#name, AN_OUT, T_##type, AT(out_##name), 0, 0, NULL, {__VA_ARGS__}},
#define ENTRY_PART(Type, name, list) {#name, A_PART, 0, AT(name), 0, 0, list, {{0}}},
#define ENTRY_OPTIONAL_PART(Type, name, list) \
    {#name, AN_OPTIONAL_PART, 0, AT(name), AT(name##_itself), 0, list, {{0}}},
#define ENTRIES_END {NULL, END_OF_LIST, 0, 0, 0, 0, NULL, {{0}}}

#define OF(size) {OF_SIZE, AT(size), 0, 0}
#define MORE(size, number) {OF_SIZE, AT(size), number, 0}
#define JUST(number) {FIXED, 0, number, 0}
#define UP_TO(room, count) {OF_ROOM, AT(room), 0, AT(count)}

typedef Fault (*Step)(void *job);

/* Read the arguments into the job, run its steps without the GIL, and return its results. */
PyObject *run_job(const Entry *list, void *job, const Step steps[2], PyObject *args,
                  PyObject *keywords);

#define PROTOTYPE(name) PyObject *py_##name(PyObject *module, PyObject *args, PyObject *keywords);

#define BIND_STEPS(name, Type, LIST, first, second)                             \
    PROTOTYPE(name)                                                             \
    PyObject *py_##name(PyObject *module, PyObject *args, PyObject *keywords)   \
    {                                                                           \
        typedef Type Job;                                                       \
        static const Entry list[] = {LIST(ENTRY) ENTRIES_END};                  \
        static const Step steps[2] = {first, second};                           \
        Type job;                                                               \
        (void)module;                                                           \
        memset(&job, 0, sizeof job);                                            \
        return run_job(list, &job, steps, args, keywords);                      \
    }

/* Define a Python function: its name, the struct of its job, the list, and the C function. */
#define BIND(name, Type, LIST, run)                 \
    static Fault run_##name(void *job)              \
    {                                               \
        return run(job);                            \
    }                                               \
    BIND_STEPS(name, Type, LIST, NULL, run_##name)

/* Likewise, where `prepare` sets the sizes of the outputs before they are allocated. */
#define BIND_PREPARED(name, Type, LIST, prepare, run) \
    static Fault prepare_##name(void *job)            \
    {                                                 \
        return prepare(job);                          \
    }                                                 \
    static Fault run_##name(void *job)                \
    {                                                 \
        return run(job);                              \
    }                                                 \
    BIND_STEPS(name, Type, LIST, prepare_##name, run_##name)

/* The list of a struct that is a PART of jobs, by a name that a header declares by PART_LIST. */
#define PART_LIST(name) const Entry *name(void);
#define BIND_PART(name, Type, LIST)                            \
    const Entry *name(void)                                    \
    {                                                          \
        typedef Type Job;                                      \
        static const Entry list[] = {LIST(ENTRY) ENTRIES_END}; \
        return list;                                           \
    }

/* A module `_native` of the functions in a list, as in `#define FUNCTIONS(_) _(count) _(sum)`. */
#define METHOD(name) {#name, (PyCFunction)(void (*)(void))py_##name, METH_VARARGS | METH_KEYWORDS, NULL},

#ifdef Py_GIL_DISABLED
#define NEEDS_NO_GIL {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#else
#define NEEDS_NO_GIL
#endif

#define MODULE(text, FUNCTIONS)                                                          \
    FUNCTIONS(PROTOTYPE)                                                                 \
    static PyMethodDef functions[] = {FUNCTIONS(METHOD){NULL, NULL, 0, NULL}};           \
    static PyModuleDef_Slot slots[] = {NEEDS_NO_GIL{0, NULL}};                           \
    static struct PyModuleDef definition = {                                             \
        PyModuleDef_HEAD_INIT, "_native", text, 0, functions, slots, NULL, NULL, NULL};  \
    PyMODINIT_FUNC PyInit__native(void);                                                 \
    PyMODINIT_FUNC PyInit__native(void)                                                  \
    {                                                                                    \
        return PyModuleDef_Init(&definition);                                            \
    }

#endif
