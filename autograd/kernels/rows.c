/* Functions of the rows of an array, each in one loop: rows.py says what they compute. */

/* A product and a sum may be rounded together here: no twin in NumPy is matched to the last bit. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif

#include "common.h"
#include <float.h>

enum { MOST_ARRAYS = 8, PIECE = 1024 };

typedef struct {
    Py_buffer views[MOST_ARRAYS];
    Py_ssize_t rows, length;
    double parameter;
} Job;

#define INPUT(k) ((const NUMBER *)job->views[k].buf)
#define OUTPUT(k) ((NUMBER *)job->views[k].buf)

#define NUMBER float
#define INTEGER int32_t
#define NAMED(name) name##_float
#define SQRT sqrtf
#define MANTISSA 23
#define BIAS 127
#define LEAST -104
#define MOST 89
#define LN2_HIGH 0.693359375f /* few enough bits that multiples are exact */
#define LN2_LOW -2.12194440055e-4f
#define LARGEST FLT_MAX
#include "rows_loops.h"

#define NUMBER double
#define INTEGER int64_t
#define NAMED(name) name##_double
#define SQRT sqrt
#define MANTISSA 52
#define BIAS 1023
#define LEAST -746
#define MOST 710
#define LN2_HIGH 0.693145751953125
#define LN2_LOW 1.4286068203094172321e-6
#define LARGEST DBL_MAX
#include "rows_loops.h"

typedef void Run(const Job *);

/* The arrays of each kernel, inputs before outputs: f are full, 4 have four full rows for each row, r have a number for
   each row, v for each column. */
static const struct {
    const char *name, *inputs, *outputs;
    Run *single_precision, *double_precision;
} kernels[] = {
    {"sigmoid", "f", "f", sigmoid_float, sigmoid_double},
    {"silu", "f", "f", silu_float, silu_double},
    {"silu_slope", "f", "f", silu_slope_float, silu_slope_double},
    {"gelu", "f", "f", gelu_float, NULL},
    {"gelu_slope", "ff", "f", gelu_slope_float, gelu_slope_double},
    {"softmax", "f", "f", softmax_float, softmax_double},
    {"softmax_slope", "ff", "f", softmax_slope_float, softmax_slope_double},
    {"moments", "f", "rr", moments_float, moments_double},
    {"standardize", "fvvrr", "f", standardize_float, standardize_double},
    {"standardize_slope", "ffvrr", "fvv", standardize_slope_float, standardize_slope_double},
    {"lstm_step", "4f", "4ff", lstm_step_float, lstm_step_double},
    {"lstm_step_slope", "f4ff", "f4", lstm_step_slope_float, lstm_step_slope_double},
};

enum { KERNEL_COUNT = sizeof kernels / sizeof kernels[0] };

static int open_all(Job *job, PyObject *arrays, const char *shapes, int flags, int *opened, size_t *width)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(arrays); i++) {
        Py_buffer *view = &job->views[*opened];
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(arrays, i), view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | flags) < 0)
            return -1;
        ++*opened;
        size_t bytes = number_bytes(view->format);
        if (*width == 0 && bytes) {
            *width = bytes;
            job->rows = view->len / (Py_ssize_t)bytes / job->length / (shapes[i] == '4' ? 4 : 1);
        }
        Py_ssize_t size = shapes[i] == 'r' ? job->rows : shapes[i] == 'v' ? job->length : job->rows * job->length;
        size *= shapes[i] == '4' ? 4 : 1;
        if (bytes == 0 || bytes != *width || *view->format == 'Z' || view->len != size * (Py_ssize_t)bytes) {
            PyErr_Format(PyExc_ValueError, "array %d has format '%s' and %zd bytes, which do not fit", *opened,
                         view->format, view->len);
            return -1;
        }
    }
    return 0;
}

PyObject *rows_run(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 5 || !PyTuple_Check(arguments[1]) || !PyTuple_Check(arguments[2])) {
        PyErr_SetString(PyExc_TypeError, "run_rows(kernel, inputs, outputs, length, parameter) takes tuples of arrays");
        return NULL;
    }
    Py_ssize_t kernel = PyLong_AsSsize_t(arguments[0]);
    Job job = {.length = PyLong_AsSsize_t(arguments[3]), .parameter = PyFloat_AsDouble(arguments[4])};
    if (PyErr_Occurred())
        return NULL;
    if (kernel < 0 || kernel >= KERNEL_COUNT || job.length < 1 || job.length > PY_SSIZE_T_MAX / 64 ||
        (size_t)PyTuple_GET_SIZE(arguments[1]) != strlen(kernels[kernel].inputs) ||
        (size_t)PyTuple_GET_SIZE(arguments[2]) != strlen(kernels[kernel].outputs)) {
        PyErr_SetString(PyExc_ValueError, "there is no such kernel, or it takes other arrays");
        return NULL;
    }
    int opened = 0;
    size_t width = 0;
    int failed = open_all(&job, arguments[1], kernels[kernel].inputs, 0, &opened, &width) < 0 ||
                 open_all(&job, arguments[2], kernels[kernel].outputs, PyBUF_WRITABLE, &opened, &width) < 0;
    Run *run = width == sizeof(float) ? kernels[kernel].single_precision : kernels[kernel].double_precision;
    if (!failed && run == NULL) {
        PyErr_Format(PyExc_ValueError, "%s has no kernel for this dtype", kernels[kernel].name);
        failed = 1;
    }
    if (!failed) {
        PyThreadState *state = job.views[0].len < UNLOCKED_BYTES ? NULL : PyEval_SaveThread();
        run(&job);
        if (state != NULL)
            PyEval_RestoreThread(state);
    }
    while (opened)
        PyBuffer_Release(&job.views[--opened]);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

int rows_execute(PyObject *module)
{
    const char *names[KERNEL_COUNT], *inputs[KERNEL_COUNT], *outputs[KERNEL_COUNT], *dtypes[KERNEL_COUNT];
    for (int i = 0; i < KERNEL_COUNT; i++) {
        names[i] = kernels[i].name;
        inputs[i] = kernels[i].inputs;
        outputs[i] = kernels[i].outputs;
        dtypes[i] = kernels[i].double_precision == NULL ? "f" : "fd";
    }
    return add_names(module, "kernels", names, KERNEL_COUNT) < 0 ||
                   add_names(module, "kernel_inputs", inputs, KERNEL_COUNT) < 0 ||
                   add_names(module, "kernel_outputs", outputs, KERNEL_COUNT) < 0 ||
                   add_names(module, "kernel_dtypes", dtypes, KERNEL_COUNT) < 0
               ? -1
               : 0;
}
