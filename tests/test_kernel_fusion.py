"""Fused rules give NumPy's numbers bit for bit, refuse what they cannot do, and change nothing when they refuse."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import optim
from autograd import Tensor
from autograd.kernels import apply_elementwise, fusable, fusion, is_fusable, native

pytestmark = pytest.mark.skipif(native.compiled is None, reason="the kernels are not compiled")

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, -1e-310, 3e38, 1e300, np.pi]


def ternary(combine: Any) -> Any:
    def operation(x: Any, y: Any, z: Any, out: Any) -> None:
        out[...] = combine(x, y, z)

    return operation


CHOICES = [
    ternary(lambda x, y, z: np.where(x > 0, y, z)),
    ternary(lambda x, y, z: np.where(-x < -0.5, y, z)),
    ternary(lambda x, y, z: np.where(x < z, y, z)),
    ternary(lambda x, y, z: np.where(x, y, z)),
]
UNARY = [np.negative, np.square, np.sqrt, np.absolute, np.sign, np.positive]
BINARY = [np.add, np.subtract, np.multiply, np.divide]
ORDERED = [np.maximum, np.minimum]  # which of two zeros they choose is the processor's affair
TERNARY = [
    ternary(lambda x, y, z: x * y + z),
    ternary(lambda x, y, z: z + y * x),
    ternary(lambda x, y, z: x * y - z),
    ternary(lambda x, y, z: z - y * x),
    ternary(lambda x, y, z: x * y - x * y),
    ternary(lambda x, y, z: (x * y) / (x * y + z)),
]


def applied(operation: Any, operands: Any) -> Any:
    """A rule that applies the operation to some of its arrays, given by number, and to numbers, given as floats."""

    def rule(*arrays: Any) -> None:
        *inputs, out = (arrays[each] if type(each) is int else each for each in operands)
        operation(*inputs, out=out)

    return rule


def sampled(rng: Any, size: int, dtype: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.where(rng.random(size) < 0.4, rng.choice(SPECIAL, size), rng.normal(size=size)).astype(dtype)


def assert_same_bits(rule: Any, columns: list[list[Any]]) -> None:
    copies = [[array.copy() for array in column] for column in columns]
    with np.errstate(all="ignore"):
        apply_elementwise(rule, columns, fuse=True)
        apply_elementwise(rule, copies, fuse=False)
    for column, copy in zip(columns, copies, strict=True):
        for a, b in zip(column, copy, strict=True):
            a, b = a.view(a.real.dtype), b.view(b.real.dtype)
            numbers = ~np.isnan(a)
            assert np.array_equal(a, b, equal_nan=True)
            assert np.array_equal(np.signbit(a[numbers]), np.signbit(b[numbers]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("out", [0, 3])
@pytest.mark.parametrize(
    ("operation", "operands"),
    [
        *((operation, each) for operation in UNARY for each in [(0,), (1,)]),
        *((operation, each) for operation in BINARY + ORDERED for each in [(0, 1), (0, 0), (0, 0.1), (-0.1, 0)]),
        *((operation, each) for operation in CHOICES for each in [(0, 1, 2), (0, 1, 0.1), (0, -0.1, 1)]),
        *((operation, each) for operation in TERNARY for each in [(0, 1, 2), (0, 1, 0.1), (0, -0.1, 1), (0, 2.0, 0.1)]),
        (ternary(lambda x, y, z: y), (0, 0.1, 0)),
    ],
)
def test_every_operation_gives_the_same_bits(operation, operands, out, dtype, rng):
    columns = [[sampled(rng, size, dtype) for size in (0, 1, 7, 2049)] for _ in range(4)]
    if operation in ORDERED:
        columns = [[np.where(array == 0, 1, array).astype(dtype) for array in column] for column in columns]
    assert_same_bits(applied(operation, (*operands, out)), columns)


def product_kept(x: Any, y: Any, z: Any) -> None:
    np.multiply(x, y, out=z)
    x += z


def product_read_later(x: Any, y: Any, z: Any) -> None:
    product = x * y
    x += product
    z *= 2.0
    z -= product


def product_replaced(x: Any, y: Any, z: Any) -> None:
    z *= x
    np.subtract(y, z, out=z)


@pytest.mark.parametrize("rule", [product_kept, product_read_later, product_replaced])
def test_a_product_is_there_for_all_who_read_it(rule, rng):
    assert_same_bits(rule, [[rng.normal(size=100)] for _ in range(3)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("seed", range(40))
def test_any_rule_gives_the_same_bits(seed, dtype):
    rng = np.random.default_rng(seed)
    kinds = [(UNARY, 1), (BINARY, 2), (TERNARY + CHOICES, 3)]
    steps = []
    for _ in range(rng.integers(2, 12)):
        operations, count = kinds[rng.integers(3)]
        operands = [int(each) for each in rng.integers(0, 4, count + 1)]
        if count > 1 and rng.random() < 0.5:
            operands[1] = float(rng.normal())
        steps.append(applied(operations[rng.integers(len(operations))], operands))

    def rule(*arrays: Any) -> None:
        scratch = arrays[0] * 1.0
        for step in steps:
            step(*arrays, scratch)
        arrays[0][...] = scratch

    columns = [[sampled(rng, size, dtype) for size in (0, 1, 7, 1500)] for _ in range(3)]
    assert_same_bits(rule, columns)


def test_a_rule_is_fused():
    seen = []
    apply_elementwise(lambda x: seen.append(type(x)), [[np.zeros(3)]], fuse=True)
    apply_elementwise(lambda x: seen.append(type(x)), [[np.zeros(3)]], fuse=False)
    apply_elementwise(lambda x: seen.append(type(x)), [[np.zeros(3, np.longdouble)]], fuse=True)
    apply_elementwise(lambda x: seen.append(type(x)), [[np.zeros(3, ">f8")]], fuse=True)
    assert seen == [fusion.Operand, np.ndarray, np.ndarray, np.ndarray]


@pytest.mark.parametrize("threads", [2, 3, 1000])
def test_threads_share_the_work(threads, monkeypatch, rng):
    monkeypatch.setattr(fusion, "THREADS", threads)
    sizes = [0, 1, 15, 1000, 2_500_003]
    columns = [[rng.normal(size=size).astype(np.float32) for size in sizes] for _ in range(3)]

    def rule(w: Any, g: Any, v: Any) -> None:
        v *= 0.9
        v += g
        w -= 0.1 * np.sqrt(np.absolute(v))

    assert_same_bits(rule, columns)


@pytest.mark.parametrize(("setting", "count"), [("3", 3), ("2,1", 2), ("9" * 20, 64)])
def test_threads_are_counted_as_numpy_counts_them(setting, count, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert fusion._thread_count() == count


@pytest.mark.parametrize("setting", ["", "0", "many", "²"])
def test_all_processors_are_used_where_nobody_says_less(setting, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert 1 <= fusion._thread_count() <= os.cpu_count()


def test_no_rows_and_no_elements():
    def rule(x: Any) -> None:
        x += 1.0

    apply_elementwise(rule, [[]], fuse=True)
    apply_elementwise(rule, [[np.zeros((0, 3)), np.zeros(())]], fuse=True)


# ---------------------------------------------------------------------- optimisers

OPTIONS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True, "classical": True}),
    (optim.Adam, {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.1, "maximize": True}),
    (optim.NAdam, {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.RAdam, {"lr": 0.1, "betas": (0.5, 0.6)}),
    (optim.Adamax, {"lr": 0.1}),
    (optim.Adagrad, {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    (optim.Adadelta, {"weight_decay": 0.1}),
    (optim.RMSprop, {"lr": 0.1, "centered": True, "momentum": 0.9}),
    (optim.Rprop, {"lr": 0.1, "maximize": True}),
    (optim.Lion, {"lr": 0.1, "weight_decay": 0.1}),
]


def test_every_elementwise_optimiser_is_compared():
    marked = {
        each
        for each in vars(optim).values()
        if inspect.isclass(each) and issubclass(each, optim.Optimizer) and is_fusable(each.update)
    }
    assert marked - {optim.EvolutionStrategy} == {kind for kind, _ in OPTIONS}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_step_gives_the_same_bits(kind, options, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    draw = lambda shape: (
        rng.normal(size=shape) + (1j if dtype == np.complex64 else 0) * rng.normal(size=shape)
    ).astype(dtype)
    shapes = [(), (3, 4), (0, 2), (5000,), (2, 3)]
    start = [draw(shape) for shape in shapes]
    start[-1] = start[-1].T  # not contiguous
    both = [[Tensor(s.copy(order="K"), requires_grad=True) for s in start] for _ in range(2)]
    steppers = [kind(params, **options) for params in both]
    for _ in range(7):
        for params in zip(*both, strict=True):
            params[0].grad = params[1].grad = draw(params[0].shape[::-1]).T
        steppers[0].step()
        with monkeypatch.context() as patch:
            patch.setattr(native, "compiled", None)
            steppers[1].step()
    for p, q in zip(*both, strict=True):
        assert np.array_equal(p.numpy(), q.numpy())


def test_a_subclass_with_an_update_of_its_own_is_not_fused():
    class Normalized(optim.SGD):
        def update(self, w: Any, g: Any, state: Any, step: int, options: Any) -> None:
            super().update(w, g / np.linalg.norm(g), state, step, options)

    w = Tensor(np.zeros(2), requires_grad=True)
    w.grad = np.array([3.0, 4.0])
    Normalized([w], lr=1.0).step()
    np.testing.assert_allclose(w.numpy(), [-0.6, -0.8])


def test_a_mark_does_not_reach_what_wraps_a_rule():
    class Clipped(optim.SGD):
        @functools.wraps(optim.SGD.update)
        def update(self, w: Any, g: Any, *rest: Any, **options: Any) -> None:
            super().update(w, np.clip(g, -1, 1), *rest, **options)

    w = Tensor(np.zeros(2), requires_grad=True)
    w.grad = np.array([3.0, 0.5])
    Clipped([w], lr=1.0).step()
    assert np.array_equal(w.numpy(), [-1.0, -0.5])


def test_a_rule_replaced_between_steps():
    w = Tensor(np.zeros(2), requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    for _ in range(2):
        w.grad = np.array([3.0, 0.5])
        optimizer.step()
        optimizer.update = lambda w, g, state, step, options: np.subtract(w, np.linalg.norm(g), out=w)
    np.testing.assert_allclose(w.numpy(), np.array([-3.0, -0.5]) - np.linalg.norm([3.0, 0.5]))


def test_an_optimiser_of_ones_own_is_fused():
    class SignDescent(optim.Optimizer):
        @fusable
        def update(self, w: Any, g: Any, state: Any, step: int, options: Any) -> None:
            assert type(w) is fusion.Operand
            w -= options["lr"] * np.sign(g)

    w = Tensor(np.zeros(2), requires_grad=True)
    w.grad = np.array([3.0, -4.0])
    SignDescent([w], {"lr": 0.5}).step()
    assert np.array_equal(w.numpy(), [-0.5, 0.5])


def test_threads_step_side_by_side():
    def train(w: Tensor, optimizer: Any) -> None:
        for _ in range(50):
            w.grad = np.ones(w.shape)
            optimizer.step()

    parameters = [Tensor(np.zeros(20_000), requires_grad=True) for _ in range(4)]
    threads = [threading.Thread(target=train, args=(w, optim.SGD([w], lr=1.0))) for w in parameters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((w.numpy() == -50).all() for w in parameters)


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda x, y: np.exp(x, out=x), "np.exp"),
        (lambda x, y: np.add.reduce(x), "np.add.reduce"),
        (lambda x, y: np.add(x, y, where=y > 0), "np.add with where"),
        (lambda x, y: np.sum(x), "np.sum|np.add.reduce"),
        (lambda x, y: np.where(x > 0), "np.where"),
        (lambda x, y: np.where(x > 0, 1.0, 0.5), "one of its arrays"),  # of another dtype in NumPy
        (lambda x, y: np.where(1.0, x, y), "a condition"),
        (lambda x, y: np.add(1.0, 2.0, out=x), "one of its arrays"),
        (lambda x, y: x.__imul__(y > 0), "Mask"),
        (lambda x, y: (x > 0) * 2.0, "unsupported operand"),
        (lambda x, y: -(x > 0), "bad operand"),
        (lambda x, y: np.add(x > 0, y < 0), "one of its arrays"),
        (lambda x, y: x.__setitem__(slice(None), y), "as a whole"),
        (lambda x, y: x.__imul__(np.float64(2)), "float64"),
        (lambda x, y: x * np.ones(3), "ndarray"),
        (lambda x, y: np.sqrt(x, out=np.ones(3)), "ndarray"),
        (lambda x, y: 1 if x > y else 0, "np.where"),
        (lambda x, y: 1 if x == y else 0, "< and >"),
        (lambda x, y: 1 if x != 0 else 0, "< and >"),
        (lambda x, y: np.greater(x, y, out=np.ones(3)), "ndarray"),
        (lambda x, y: x**2, "unsupported operand"),
        (lambda x, y: [x + y for _ in range(65)], "too many intermediate"),
        (lambda x, y: [np.add(x, float(i), out=x) for i in range(129)], "too many numbers"),
    ],
)
def test_what_cannot_be_fused_is_named(rule, message):
    x, y = np.zeros(3), np.ones(3)
    with pytest.raises(TypeError, match=message):
        apply_elementwise(rule, [[x], [y]], fuse=True)
    assert not x.any()


def add(x: Any, y: Any) -> None:
    x += y


def read_only() -> Any:
    x = np.zeros(3)
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(3), np.zeros(4), "32 bytes"),
        (np.zeros(3), np.zeros(6, np.float32), "'f'"),
        (np.zeros(3), np.zeros(3, np.int64), "'l'"),
        (np.zeros(6)[::2], np.zeros(3), "contiguous"),
        (np.frombuffer(bytearray(25), offset=1), np.zeros(3), "'=d'"),
        (read_only(), np.zeros(3), "read-only"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_before_any_is_changed(x, y, message):
    first = np.zeros(3)
    with pytest.raises((ValueError, BufferError), match=message):
        apply_elementwise(add, [[first, x], [np.ones(3), y]], fuse=True)
    assert not first.any()
    assert not x.any()


def shifted(x: Any) -> Any:
    """The same numbers, where no processor would put them."""
    return np.frombuffer(bytearray(b"?" + x.tobytes()), x.dtype, offset=1)


def test_arrays_that_are_only_read_are_copied_where_they_do_not_fit():
    def rule(x: Any, y: Any) -> None:
        x *= 2.0
        x += y

    memory = np.ones(4)
    for x, y, wanted in [
        (np.ones(3), np.ones(6)[::2], [3.0, 3.0, 3.0]),
        (np.ones(3), shifted(np.ones(3)), [3.0, 3.0, 3.0]),
        (np.ones((3, 2)), np.ones((2, 3)).T, np.full((3, 2), 3.0)),
        (memory[:3], memory[:3], [3.0, 3.0, 3.0]),
        (memory[:3], memory[1:], [9.0, 9.0, 7.0]),
    ]:
        apply_elementwise(rule, [[np.zeros(3), x], [np.zeros(3), y]], fuse=True)
        assert np.array_equal(x, wanted)


def test_two_arrays_that_are_changed_may_not_overlap():
    def rule(x: Any, y: Any) -> None:
        x += 1.0
        y += 1.0

    x = np.zeros(3)
    with pytest.raises(ValueError, match="arrays 0 and 1 of row 0 overlap"):
        apply_elementwise(rule, [[x], [x]], fuse=True)
    assert not x.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_rule_there_is(dtype):
    def rule(*arrays: Any) -> None:
        total = arrays[0] * 1.0
        for array in arrays[1:]:
            total = total + array
        arrays[0][...] = total

    assert_same_bits(rule, [[np.arange(40, dtype=dtype)] for _ in range(64)])


@pytest.mark.parametrize(
    ("program", "constants"),
    [
        (b"\x00\x00\x00\x00", ()),
        (b"\xff\x00\x00\x00\x00", ()),
        (b"\x00\x80\x00\x00\x00", (1.0,)),
        (b"\x00\x00\x00\x05\x00", ()),
        (b"\x00\x00\x80\x80\x00", (1.0,)),
        (b"\x00\x00\x00\x81\x00", (1.0,)),
        (b"\x00\x00\x00\x40\x00", ()),
        (b"\x08\x00\x80\x00\x00", (1.0,)),
        (b"\x09\x00\x80\x80\x80", (1.0,)),  # the negative of a number
        (b"\x00\x00\x00\x80\x00", ("one",)),
        (b"\x00\x00\x00\x80\x00\x00\x00\x00\x81\x00", ("one", 10**400)),
        (b"\x00\x40\x00\x41\x00\x00\x41\x00\x00\x00", ()),  # reads a block before it is written
        (b"\x00\x00\x00\x80\x00", [1.0]),
    ],
)
def test_malformed_programs_are_refused(program, constants):
    x = np.zeros(3)
    with pytest.raises((TypeError, ValueError)):
        native.compiled.run(program, constants, ((x,),), 1)
    assert not x.any()


@pytest.mark.parametrize("threads", [-(10**6), -1, 0, 10**6])
def test_any_number_of_threads_will_do(threads):
    x = np.zeros(2**21)
    native.compiled.run(b"\x00\x00\x00\x80\x00", (1.0,), ((x,),), threads)
    assert (x == 1).all()


def test_kernels_built_from_other_sources_are_left_alone():
    code = (
        "import sys, types\n"
        "sys.modules['autograd.kernels.compiled'] = types.SimpleNamespace(VERSION=0)\n"
        "from autograd.kernels import native\n"
        "assert native.compiled is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("columns", [(), ((1, 2),), [[np.zeros(3)]], ((np.zeros(3),), ()), ((np.zeros(3),),) * 65])
def test_malformed_columns_are_refused(columns):
    with pytest.raises(TypeError):
        native.compiled.run(b"", (), columns, 1)
