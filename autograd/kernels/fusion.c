/* Runs elementwise programs over arrays, a block at a time: all operations of a block are done while it lies in the
   processor's cache, so that every array crosses memory once. fusion.py writes the programs.

   Results are those of NumPy bit for bit: each operation is rounded as IEEE 754 says, none is contracted or reordered. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define HAS_THREADS
#endif

#define OPERATIONS(X)                                                                                                 \
    X(add) X(subtract) X(multiply) X(divide) X(maximum) X(minimum) X(greater) X(less) X(where)                         \
    X(negative) X(square) X(sqrt) X(absolute) X(sign) X(positive)

#define AS_ENUM(name) op_##name,
enum { OPERATIONS(AS_ENUM) OPERATION_COUNT, op_multiply_add = OPERATION_COUNT, op_multiply_subtract, op_subtract_product };

/* An instruction is five bytes: operation, result, three operands, of which those before "where" use two and those after
   it one. An operand below SCRATCH is an array, below CONSTANT a block to work in, else a number. */
enum { SCRATCH = 64, CONSTANT = 128, WIDTH = 5 };

enum { LINE = 64, CACHE = 8 << 10, LARGE = 64 << 10, SHARE = 8 << 20, MOST_THREADS = 64 }; /* all but the last in bytes */

typedef struct {
    uint8_t *code, *end;
    int columns, scratch;
    Py_ssize_t constants;
} Program;

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

#if defined(__GNUC__)
#define VECTORIZED _Pragma("omp simd")
#else
#define VECTORIZED
#endif

#define NUMBER float
#define RUN run_float
#define SQRT sqrtf
#define ABSOLUTE fabsf
#include "fusion_loops.h"

#define NUMBER double
#define RUN run_double
#define SQRT sqrt
#define ABSOLUTE fabs
#include "fusion_loops.h"

static int is_valid(const Program *program, const uint8_t *at)
{
    int arrays = (at[2] < CONSTANT) + (at[0] < op_where && at[3] < CONSTANT);
    int valid = at[0] < OPERATION_COUNT && at[1] < CONSTANT && (arrays || at[0] > op_where);
    for (int i = 1; valid && i < WIDTH; i++)
        valid = at[i] < SCRATCH    ? at[i] < program->columns
                : at[i] < CONSTANT ? at[i] - SCRATCH < program->scratch
                                   : at[i] - CONSTANT < program->constants;
    return valid;
}

static int is_written(const Program *program, int column)
{
    for (const uint8_t *at = program->code; at < program->end; at += WIDTH)
        if (at[1] == column)
            return 1;
    return 0;
}

static int is_read_after(const Program *program, const uint8_t *at, int place)
{
    if (at[1] == place)
        return 0;
    for (at += WIDTH; at < program->end; at += WIDTH) {
        if (at[2] == place || at[3] == place || at[4] == place)
            return 1;
        if (at[1] == place)
            return 0;
    }
    return place < SCRATCH;
}

/* A product that nothing but the next sum or difference reads is made together with it, and rounded all the same. */
static void join_products(Program *program)
{
    for (uint8_t *at = program->code; at + WIDTH < program->end; at += WIDTH) {
        uint8_t *next = at + WIDTH, product = at[1];
        int first = next[2] == product, second = next[3] == product;
        if (at[0] != op_multiply || (next[0] != op_add && next[0] != op_subtract) || first == second ||
            is_read_after(program, next, product))
            continue;
        next[0] = next[0] == op_add ? op_multiply_add : first ? op_multiply_subtract : op_subtract_product;
        next[4] = first ? next[3] : next[2];
        next[2] = at[2] < CONSTANT ? at[2] : at[3];
        next[3] = at[2] < CONSTANT ? at[3] : at[2];
        program->end -= WIDTH;
        memmove(at, next, (size_t)(program->end - at));
    }
}

static int read_program(Program *program, PyObject *code, PyObject *constants, Py_ssize_t columns)
{
    if (!PyBytes_Check(code) || !PyTuple_Check(constants) || PyBytes_GET_SIZE(code) % WIDTH || columns > SCRATCH) {
        PyErr_SetString(PyExc_TypeError, "a program is bytes, five an instruction, and its constants are a tuple");
        return -1;
    }
    program->code = PyMem_Malloc((size_t)PyBytes_GET_SIZE(code) + 1);
    if (program->code == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(program->code, PyBytes_AS_STRING(code), (size_t)PyBytes_GET_SIZE(code));
    program->end = program->code + PyBytes_GET_SIZE(code);
    program->columns = (int)columns;
    program->constants = PyTuple_GET_SIZE(constants);
    program->scratch = 0;
    for (const uint8_t *at = program->code; at < program->end; at += WIDTH)
        if (SCRATCH <= at[1] && at[1] < CONSTANT && at[1] - SCRATCH >= program->scratch)
            program->scratch = at[1] - SCRATCH + 1;
    for (const uint8_t *at = program->code; at < program->end; at += WIDTH)
        if (!is_valid(program, at)) {
            PyErr_SetString(PyExc_ValueError, "the program has an instruction that does not exist");
            PyMem_Free(program->code);
            return -1;
        }
    join_products(program);
    return 0;
}

/* The size of one number where the format is that of real or complex numbers in single or double precision, else 0. */
static size_t number_size(const char *format)
{
    if (*format == 'Z')
        format++;
    if (format[0] == '\0' || format[1] != '\0')
        return 0;
    return *format == 'f' ? sizeof(float) : *format == 'd' ? sizeof(double) : 0;
}

static int overlap(const Py_buffer *a, const Py_buffer *b)
{
    const char *first = a->buf, *second = b->buf;
    return first != second && first < second + b->len && second < first + a->len;
}

/* Opens all arrays before any is changed; returns how many are open, and with an exception set where one does not fit. */
static Py_ssize_t open_arrays(const Program *program, PyObject *const *columns, Py_ssize_t rows, Py_buffer *views,
                              size_t *size)
{
    Py_ssize_t opened = 0;
    *size = 0;
    for (Py_ssize_t row = 0; row < rows; row++)
        for (int column = 0; column < program->columns; column++) {
            int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (is_written(program, column) ? PyBUF_WRITABLE : 0);
            Py_buffer *view = &views[opened], *first = &views[row * program->columns];
            if (PyObject_GetBuffer(PyTuple_GET_ITEM(columns[column], row), view, flags) < 0)
                return opened;
            opened++;
            if (*size == 0)
                *size = number_size(view->format);
            if (*size == 0 || number_size(view->format) != *size || view->len != first->len) {
                PyErr_Format(PyExc_ValueError,
                             "arrays of one dtype, float32, float64 or their complex kin, and of equal sizes are "
                             "expected; array %d of row %zd has format '%s' and %zd bytes",
                             column, row, view->format, view->len);
                return opened;
            }
            for (Py_buffer *other = first; other < view; other++)
                if (overlap(other, view)) {
                    PyErr_Format(PyExc_ValueError, "the arrays of row %zd overlap in memory", row);
                    return opened;
                }
        }
    return opened;
}

/* One thread's share of the work: the same part of every row. */
typedef struct {
    const Program *program;
    const Py_buffer *views;
    Py_ssize_t rows, block;
    size_t size;
    char *scratch;
    int number, count;
} Share;

static void *run_share(void *argument)
{
    const Share *share = argument;
    for (Py_ssize_t row = 0; row < share->rows; row++) {
        const Py_buffer *views = share->views + row * share->program->columns;
        Py_ssize_t lines = views->len / LINE, start = lines * share->number / share->count * LINE;
        Py_ssize_t next = share->number + 1, end = next == share->count ? views->len : lines * next / share->count * LINE;
        Py_ssize_t size = (Py_ssize_t)share->size;
        if (size == sizeof(float))
            run_float(share->program, views, (float *)share->scratch, share->block, start / size, end / size);
        else
            run_double(share->program, views, (double *)share->scratch, share->block, start / size, end / size);
    }
    return NULL;
}

#ifdef HAS_THREADS
/* Threads are made anew each time: that costs little beside a share's work, and none lie in wait when there is none. */
static void run_shares(Share *shares)
{
    pthread_t threads[MOST_THREADS];
    int count = shares->count, started = 1;
    while (started < count && pthread_create(&threads[started], NULL, run_share, &shares[started]) == 0)
        started++;
    run_share(&shares[0]);
    for (int i = started; i < count; i++)
        run_share(&shares[i]);
    while (started > 1)
        pthread_join(threads[--started], NULL);
}
#else
static void run_shares(Share *shares)
{
    for (int i = 0; i < shares->count; i++)
        run_share(&shares[i]);
}
#endif

static int run_rows(const Program *program, PyObject *constants, const Py_buffer *views, Py_ssize_t rows, size_t size,
                    int threads)
{
    Py_ssize_t total = 0;
    for (Py_ssize_t row = 0; row < rows; row++)
        total += views[row * program->columns].len * program->columns;
    Py_ssize_t most = threads < MOST_THREADS ? threads : MOST_THREADS, count = total / SHARE;
    count = count < 1 ? 1 : count > most ? most : count;

    Py_ssize_t block = CACHE / (Py_ssize_t)(size * (size_t)(program->columns + program->scratch)) / 16 * 16;
    Py_ssize_t before = program->scratch * block;
    Py_ssize_t length = ((before + program->constants) * (Py_ssize_t)size / LINE + 1) * LINE;
    char *memory = PyMem_Malloc((size_t)(length * count + LINE));
    if (memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Share shares[MOST_THREADS];
    for (int i = 0; i < count; i++) {
        char *scratch = memory + (LINE - (uintptr_t)memory % LINE) + i * length;
        shares[i] = (Share){program, views, rows, block, size, scratch, i, (int)count};
        for (Py_ssize_t j = 0; j < program->constants; j++) {
            double value = PyFloat_AsDouble(PyTuple_GET_ITEM(constants, j));
            if (size == sizeof(float))
                ((float *)scratch)[before + j] = (float)value;
            else
                ((double *)scratch)[before + j] = value;
        }
    }
    if (!PyErr_Occurred()) {
        PyThreadState *state = total < LARGE ? NULL : PyEval_SaveThread();
        run_shares(shares);
        if (state != NULL)
            PyEval_RestoreThread(state);
    }
    PyMem_Free(memory);
    return PyErr_Occurred() ? -1 : 0;
}

static int run_columns(const Program *program, PyObject *constants, PyObject *const *columns, Py_ssize_t rows,
                       int threads)
{
    Py_buffer *views = PyMem_Calloc((size_t)(rows * program->columns) + 1, sizeof(Py_buffer));
    if (views == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    size_t size;
    int failed = 0;
    Py_ssize_t opened = open_arrays(program, columns, rows, views, &size);
    if (opened < rows * program->columns || PyErr_Occurred())
        failed = -1;
    else if (rows)
        failed = run_rows(program, constants, views, rows, size, threads);
    while (opened)
        PyBuffer_Release(&views[--opened]);
    PyMem_Free(views);
    return failed;
}

static PyObject *run(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4 || !PyTuple_Check(arguments[2]) || PyTuple_GET_SIZE(arguments[2]) == 0) {
        PyErr_SetString(PyExc_TypeError, "run(program, constants, columns, threads) takes a tuple of tuples of arrays");
        return NULL;
    }
    long threads = PyLong_AsLong(arguments[3]);
    if (PyErr_Occurred())
        return NULL;
    PyObject *const *columns = &PyTuple_GET_ITEM(arguments[2], 0);
    Py_ssize_t width = PyTuple_GET_SIZE(arguments[2]);
    for (Py_ssize_t i = 0; i < width; i++)
        if (!PyTuple_Check(columns[i]) || PyTuple_GET_SIZE(columns[i]) != PyTuple_GET_SIZE(columns[0])) {
            PyErr_SetString(PyExc_TypeError, "columns are tuples of equal lengths");
            return NULL;
        }
    Program program;
    if (read_program(&program, arguments[0], arguments[1], width) < 0)
        return NULL;
    int failed = run_columns(&program, arguments[1], columns, PyTuple_GET_SIZE(columns[0]),
                             (int)(threads < MOST_THREADS ? threads : MOST_THREADS));
    PyMem_Free(program.code);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static int execute(PyObject *module)
{
#define AS_NAME(name) #name,
    static const char *const names[] = {OPERATIONS(AS_NAME)};
    PyObject *operations = PyTuple_New(OPERATION_COUNT);
    for (int i = 0; operations != NULL && i < OPERATION_COUNT; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (name == NULL)
            Py_CLEAR(operations);
        else
            PyTuple_SET_ITEM(operations, i, name);
    }
    int failed = operations == NULL || PyModule_AddObjectRef(module, "operations", operations) < 0;
    Py_XDECREF(operations);
    return failed || PyModule_AddIntConstant(module, "SCRATCH", SCRATCH) < 0 ||
                   PyModule_AddIntConstant(module, "CONSTANT", CONSTANT) < 0
               ? -1
               : 0;
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL,
     "run(program, constants, columns, threads): run a program over the arrays of each row, which it changes in place."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "autograd.kernels.compiled",
    .m_doc = "Elementwise programs over arrays, in one pass over memory.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_compiled(void)
{
    return PyModuleDef_Init(&definition);
}
