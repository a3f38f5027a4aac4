/* Runs elementwise programs over arrays, a block at a time: all operations of a block are done while it lies in the
   processor's cache, so that every array crosses memory once. fusion.py writes the programs.

   Results are those of NumPy bit for bit: each operation is rounded as IEEE 754 says, none is contracted or reordered. */

#include "common.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define HAS_THREADS
#endif

#define BINARY_OPERATIONS(X) X(add) X(subtract) X(multiply) X(divide) X(maximum) X(minimum) X(greater) X(less)
#define UNARY_OPERATIONS(X) X(negative) X(square) X(sqrt) X(absolute) X(sign) X(positive)
#define OPERATIONS(X) BINARY_OPERATIONS(X) X(where) UNARY_OPERATIONS(X)

#define AS_ENUM(name) op_##name,
enum {
    OPERATIONS(AS_ENUM) OPERATION_COUNT,
    op_multiply_add = OPERATION_COUNT, /* these three are made of two operations by join_products */
    op_multiply_subtract,
    op_subtract_product,
};

/* An instruction is five bytes: operation, result, three operands, the last of which only "where" needs all. An operand
   below SCRATCH is an array, below CONSTANT a block to work in, else a number. */
enum { SCRATCH = 64, CONSTANT = 128, WIDTH = 5 };

enum {
    BLOCK_BYTES = 8 << 10,     /* of all arrays' and scratch blocks together: half of a small cache */
    THREAD_BYTES = 8 << 20,    /* of all arrays for each further thread */
    MOST_THREADS = 64,
};

typedef struct {
    uint8_t *code, *end;
    int columns, scratch;
    Py_ssize_t constants;
    uint8_t is_written[SCRATCH]; /* which columns it changes */
} Program;

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

/* ---- programs ---- */

static int operand_count(int operation)
{
    return operation < op_where ? 2 : operation == op_where ? 3 : 1;
}

/* Whether an instruction exists, reads what is there, and reads an array where its loop needs one. */
static int is_valid(const Program *program, const uint8_t *at, const uint8_t *known)
{
    if (at[0] >= OPERATION_COUNT || at[1] >= CONSTANT || (at[1] < SCRATCH && at[1] >= program->columns))
        return 0;
    int count = operand_count(at[0]), arrays = 0;
    for (int i = 2; i < WIDTH; i++) {
        if (at[i] >= CONSTANT ? at[i] - CONSTANT >= program->constants : !known[at[i]])
            return 0;
        arrays += i < 2 + count && at[i] < CONSTANT;
    }
    return count == 2 ? arrays > 0 : at[2] < CONSTANT || at[0] == op_positive;
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
    size_t length = (size_t)PyBytes_GET_SIZE(code);
    program->code = PyMem_Malloc(length + 1);
    if (program->code == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(program->code, PyBytes_AS_STRING(code), length);
    program->end = program->code + length;
    program->columns = (int)columns;
    program->constants = PyTuple_GET_SIZE(constants);
    program->scratch = 0;
    memset(program->is_written, 0, SCRATCH);
    uint8_t known[CONSTANT] = {0};
    memset(known, 1, (size_t)columns);
    for (const uint8_t *at = program->code; at < program->end; at += WIDTH) {
        if (!is_valid(program, at, known)) {
            PyErr_SetString(PyExc_ValueError, "the program has an instruction that does not exist");
            PyMem_Free(program->code);
            return -1;
        }
        known[at[1]] = 1;
        if (at[1] < SCRATCH)
            program->is_written[at[1]] = 1;
        else if (at[1] - SCRATCH >= program->scratch)
            program->scratch = at[1] - SCRATCH + 1;
    }
    join_products(program);
    return 0;
}

/* ---- arrays ---- */

static int overlap(const Py_buffer *a, const Py_buffer *b)
{
    const char *first = a->buf, *second = b->buf;
    return first < second + b->len && second < first + a->len;
}

/* What opening the arrays found: all as they should be; some to be copied first, since they are only read and lie
   scattered, unaligned, or where others are written; or an error. */
typedef enum { FIT, TO_BE_COPIED, FAILED } Fit;

typedef struct {
    Py_buffer *views; /* rows times columns, row by row */
    Py_ssize_t rows, opened, bytes;
    size_t width; /* bytes of a number */
} Arrays;

static Fit misfit(const Program *program, const Py_buffer *view, int column, Py_ssize_t row)
{
    if (!program->is_written[column] && view->format[0] == '=')
        return TO_BE_COPIED;
    PyErr_Format(PyExc_ValueError,
                 "arrays of one dtype, float32, float64 or their complex kin, and of equal sizes are expected; "
                 "array %d of row %zd has format '%s' and %zd bytes",
                 column, row, view->format, view->len);
    return FAILED;
}

static Fit open_row(const Program *program, PyObject *const *columns, Py_ssize_t row, Arrays *arrays)
{
    Py_buffer *first = &arrays->views[row * program->columns];
    for (int column = 0; column < program->columns; column++) {
        Py_buffer *view = &first[column];
        int written = program->is_written[column];
        int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (written ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(columns[column], row), view, flags) < 0) {
            if (written || !PyErr_ExceptionMatches(PyExc_ValueError))
                return FAILED;
            PyErr_Clear();
            return TO_BE_COPIED;
        }
        arrays->opened++;
        arrays->bytes += view->len;
        if (arrays->width == 0)
            arrays->width = number_bytes(view->format);
        if (arrays->width == 0 || number_bytes(view->format) != arrays->width || view->len != first->len)
            return misfit(program, view, column, row);
        for (int other = 0; other < column; other++) {
            int written_too = program->is_written[other];
            if ((!written && !written_too) || !overlap(&first[other], view))
                continue;
            if (!written || !written_too)
                return TO_BE_COPIED;
            PyErr_Format(PyExc_ValueError, "arrays %d and %d of row %zd overlap in memory", other, column, row);
            return FAILED;
        }
    }
    return FIT;
}

/* Opens all arrays before any is changed. */
static Fit open_arrays(const Program *program, PyObject *const *columns, Arrays *arrays)
{
    Fit fit = FIT;
    for (Py_ssize_t row = 0; fit == FIT && row < arrays->rows; row++)
        fit = open_row(program, columns, row, arrays);
    return fit;
}

static void close_arrays(Arrays *arrays)
{
    while (arrays->opened)
        PyBuffer_Release(&arrays->views[--arrays->opened]);
    PyMem_Free(arrays->views);
}

/* ---- threads ---- */

/* One thread's share of the work: the same part of every row. */
typedef struct {
    const Program *program;
    const Arrays *arrays;
    char *scratch; /* and after it the program's numbers */
    Py_ssize_t block;
    int index, count;
} Share;

static void *run_share(void *argument)
{
    const Share *share = argument;
    const Py_ssize_t width = (Py_ssize_t)share->arrays->width;
    for (Py_ssize_t row = 0; row < share->arrays->rows; row++) {
        const Py_buffer *views = share->arrays->views + row * share->program->columns;
        Py_ssize_t lines = views->len / LINE, last = share->index + 1 == share->count;
        Py_ssize_t start = lines * share->index / share->count * LINE / width;
        Py_ssize_t end = (last ? views->len : lines * (share->index + 1) / share->count * LINE) / width;
        if (width == sizeof(float))
            run_float(share->program, views, (float *)share->scratch, share->block, start, end);
        else
            run_double(share->program, views, (double *)share->scratch, share->block, start, end);
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

static int read_numbers(PyObject *constants, size_t width, void *numbers)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++) {
        double value = PyFloat_AsDouble(PyTuple_GET_ITEM(constants, i));
        if (value == -1.0 && PyErr_Occurred())
            return -1;
        if (width == sizeof(float))
            ((float *)numbers)[i] = (float)value;
        else
            ((double *)numbers)[i] = value;
    }
    return 0;
}

static int run_rows(const Program *program, PyObject *constants, const Arrays *arrays, int threads)
{
    double numbers[256 - CONSTANT];
    if (read_numbers(constants, arrays->width, numbers) < 0)
        return -1;
    Py_ssize_t width = (Py_ssize_t)arrays->width, count = arrays->bytes / THREAD_BYTES + 1;
    count = count < threads ? count : threads;
    Py_ssize_t block = BLOCK_BYTES / (width * (program->columns + program->scratch)) / 16 * 16;
    block = block < 16 ? 16 : block;
    Py_ssize_t scratch = program->scratch * block * width;
    Py_ssize_t length = ((scratch + program->constants * width) / LINE + 1) * LINE;
    char *memory = PyMem_Malloc((size_t)(length * count + LINE));
    if (memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Share shares[MOST_THREADS];
    for (int i = 0; i < count; i++) {
        char *own = memory + (LINE - (uintptr_t)memory % LINE) + i * length;
        memcpy(own + scratch, numbers, (size_t)(program->constants * width));
        shares[i] = (Share){program, arrays, own, block, i, (int)count};
    }
    PyThreadState *state = arrays->bytes < UNLOCKED_BYTES ? NULL : PyEval_SaveThread();
    run_shares(shares);
    if (state != NULL)
        PyEval_RestoreThread(state);
    PyMem_Free(memory);
    return 0;
}

/* ---- what Python calls ---- */

static Fit run_columns(const Program *program, PyObject *constants, PyObject *const *columns, Py_ssize_t rows, int threads)
{
    Arrays arrays = {PyMem_Calloc((size_t)(rows * program->columns) + 1, sizeof(Py_buffer)), rows, 0, 0, 0};
    if (arrays.views == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
    Fit fit = open_arrays(program, columns, &arrays);
    if (fit == FIT && rows && run_rows(program, constants, &arrays, threads) < 0)
        fit = FAILED;
    close_arrays(&arrays);
    return fit;
}

PyObject *fusion_run(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4 || !PyTuple_Check(arguments[2]) || PyTuple_GET_SIZE(arguments[2]) == 0) {
        PyErr_SetString(PyExc_TypeError, "run(program, constants, columns, threads) takes a tuple of tuples of arrays");
        return NULL;
    }
    long threads = PyLong_AsLong(arguments[3]);
    if (threads == -1 && PyErr_Occurred())
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
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    Fit fit = run_columns(&program, arguments[1], columns, PyTuple_GET_SIZE(columns[0]), (int)threads);
    PyMem_Free(program.code);
    return fit == FAILED ? NULL : PyBool_FromLong(fit == FIT);
}

int fusion_execute(PyObject *module)
{
#define AS_NAME(name) #name,
    static const char *const names[] = {OPERATIONS(AS_NAME)};
    return add_names(module, "operations", names, OPERATION_COUNT) < 0 || PyModule_AddIntMacro(module, SCRATCH) < 0 ||
                   PyModule_AddIntMacro(module, CONSTANT) < 0
               ? -1
               : 0;
}
