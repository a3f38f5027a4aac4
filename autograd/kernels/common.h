/* What the kernels have in common. */

#ifndef CHAINRULE_COMMON_H
#define CHAINRULE_COMMON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    LINE = 64,                 /* bytes of a cache line */
    UNLOCKED_BYTES = 64 << 10, /* of arrays, from which other Python threads may run meanwhile */
};

/* Functions are compiled for several processors, and the best one for this one is taken. Wider vectors than those of
   AVX2 serve where much is computed; where memory is what takes time they are no gain. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define FOR_MEMORY __attribute__((target_clones("avx2", "default")))
#if __GNUC__ >= 12
#define FOR_ARITHMETIC __attribute__((target_clones("arch=x86-64-v4", "arch=haswell", "default")))
#else
#define FOR_ARITHMETIC FOR_MEMORY
#endif
#else
#define FOR_MEMORY
#define FOR_ARITHMETIC
#endif

/* Before a loop whose turns do not depend on each other; SUMMED(x), GREATEST(x) where they do in x alone, in any order. */
#if defined(__GNUC__)
#define VECTORIZED _Pragma("omp simd")
#define AS_PRAGMA(text) _Pragma(#text)
#define SUMMED(...) AS_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define GREATEST(...) AS_PRAGMA(omp simd reduction(max : __VA_ARGS__))
#else
#define VECTORIZED
#define SUMMED(...)
#define GREATEST(...)
#endif

/* Bytes of one number where the format is that of aligned real or complex numbers in single or double precision, else 0. */
static inline size_t number_bytes(const char *format)
{
    if (*format == 'Z')
        format++;
    if (format[0] == '\0' || format[1] != '\0')
        return 0;
    return *format == 'f' ? sizeof(float) : *format == 'd' ? sizeof(double) : 0;
}

int add_names(PyObject *module, const char *name, const char *const *names, Py_ssize_t count);

PyObject *fusion_run(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
int fusion_execute(PyObject *module);

PyObject *rows_run(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
int rows_execute(PyObject *module);

#endif
