/* The module autograd.kernels.compiled. */

#include "common.h"

enum { VERSION = 2 }; /* of what Python and the kernels expect of each other: native.py takes no other */

int add_names(PyObject *module, const char *name, const char *const *names, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *text = PyUnicode_FromString(names[i]);
        if (text == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, text);
    }
    int failed = tuple == NULL || PyModule_AddObjectRef(module, name, tuple) < 0;
    Py_XDECREF(tuple);
    return failed ? -1 : 0;
}

static int execute(PyObject *module)
{
    return PyModule_AddIntMacro(module, VERSION) < 0 || fusion_execute(module) < 0 || rows_execute(module) < 0 ? -1 : 0;
}

#define METHOD(name, function, text) {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL, text}

static PyMethodDef methods[] = {
    METHOD("run", fusion_run,
           "run(program, constants, columns, threads): run a program over the arrays of each row, some of which it "
           "changes.\n\nReturns False, and does nothing, where arrays that are only read have to be copied first."),
    METHOD("run_rows", rows_run,
           "run_rows(kernel, inputs, outputs, length, parameter): compute the outputs of a kernel, row by row."),
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
    .m_doc = "Loops over arrays that NumPy would need many passes for.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_compiled(void)
{
    return PyModuleDef_Init(&definition);
}
