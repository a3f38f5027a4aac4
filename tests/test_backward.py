"""The backward pass: accumulation, order, release, hooks, errors, depth, memory, threads."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import autograd
from autograd import Tensor, grad, no_grad


def leaf(*values: float, **options: object) -> Tensor:
    return Tensor(np.array(values if len(values) != 1 else values[0], dtype=float), requires_grad=True, **options)


# ---------------------------------------------------------------------- what arrives


def test_a_value_used_twice_gets_the_sum_of_its_gradients():
    x = leaf(3.0)
    y = x * x + x
    y.backward()
    assert x.grad.item() == 7.0


def test_gradients_accumulate_over_passes_and_can_be_cleared():
    x = leaf(2.0)
    (x * 3).backward()
    (x * 4).backward()
    assert x.grad.item() == 7.0
    x.grad = None
    (x * 5).backward()
    assert x.grad.item() == 5.0


def test_a_diamond_is_visited_once():
    calls = []
    x = leaf(1.5)
    shared = x * 2
    shared.register_hook(lambda g: calls.append(g.item()))
    (shared * 3 + shared * shared).backward()
    assert calls == [3 + 2 * 3.0]
    assert x.grad.item() == 2 * calls[0]


def test_deep_sharing_takes_linear_time():
    x = leaf(1.0)
    y = x
    for _ in range(64):  # 2**64 paths
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad.item() == 1.0


def test_gradients_reach_only_the_inputs_asked_for():
    x, w = leaf(2.0), leaf(3.0)
    h = x * w
    (h * h).backward(inputs=[w])
    assert x.grad is None
    assert w.grad.item() == 2 * 6 * 2
    h2 = x * w
    (h2 * h2).backward(inputs=[h2, x])
    assert h2.grad.item() == 12
    assert x.grad.item() == 36


def test_grad_arrays_belong_to_their_tensors_alone():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = np.ones(2)
    (a + b).backward(seed)
    a.grad *= 10
    assert b.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]
    x = leaf(1.0, 2.0)
    np.broadcast_to(x.numpy(), (2, 2))
    x.sum().backward()
    x.grad += 1  # the gradient of a sum is a broadcast view until it lands in .grad
    assert x.grad.tolist() == [2, 2]


def test_gradient_keeps_dtype_and_shape_of_each_tensor():
    x = Tensor(np.ones((2, 1), np.float32), requires_grad=True)
    w = Tensor(np.ones(3), requires_grad=True)
    y = x * w
    assert y.dtype == np.float64
    y.sum().backward()
    assert (x.grad.dtype, x.grad.shape) == (np.float32, (2, 1))
    assert (w.grad.dtype, w.grad.shape) == (np.float64, (3,))
    z = Tensor(np.float32([1, 2]), requires_grad=True)
    loss = ((z * 2.0 + 1) / 3 - 0.5) ** 2
    assert loss.dtype == np.float32
    loss.backward(np.ones(2))
    assert z.grad.dtype == np.float32


def test_create_graph_gives_higher_orders():
    x = leaf(0.7)
    y = np.sin(x) * x**3
    y.backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward(create_graph=True)
    second = x.grad
    v = 0.7
    assert np.isclose(first.item(), np.cos(v) * v**3 + 3 * v**2 * np.sin(v))
    assert np.isclose(second.item(), -np.sin(v) * v**3 + 6 * v**2 * np.cos(v) + 6 * v * np.sin(v))


# ---------------------------------------------------------------------- release


def test_a_second_pass_raises_unless_the_graph_is_retained():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8
    with pytest.raises(RuntimeError, match=r"'multiply' a second time.*retain_graph=True"):
        y.backward()
    assert x.grad.item() == 8


def test_a_shared_trunk_that_was_released_raises():
    x = leaf(2.0)
    trunk = x + 1
    first, second = trunk * 2, trunk * 3
    first.backward()
    with pytest.raises(RuntimeError, match="second time"):
        second.backward()
    assert x.grad.item() == 2


# ---------------------------------------------------------------------- hooks


def test_hooks_see_and_replace_gradients_and_can_be_removed():
    x = leaf(1.0)
    y = x * 2
    seen = []
    handle = y.register_hook(lambda g: seen.append(g))
    y.register_hook(lambda g: g * 10)
    (y * 3).backward(retain_graph=True)
    assert isinstance(seen[0], Tensor)
    assert seen[0].item() == 3
    assert x.grad.item() == 60
    handle.remove()
    handle.remove()
    (y * 3).backward()
    assert len(seen) == 1


def test_leaf_hooks_run_on_the_total():
    x = leaf(1.0)
    x.register_hook(lambda g: -g)
    (x * 2 + x * 3).backward()
    assert x.grad.item() == -5


def test_retain_grad_keeps_what_the_hooks_made():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    (y * 3).sum().backward()
    assert y.grad.tolist() == [15, 15]
    x.retain_grad()  # no effect on a leaf
    with pytest.raises(RuntimeError, match="does not require"):
        Tensor(1.0).retain_grad()
    with pytest.raises(RuntimeError, match="does not require"):
        Tensor(1.0).register_hook(print)


def test_a_hook_with_a_wrong_shape_is_refused():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        y.sum().backward()
    assert x.grad is None


# ---------------------------------------------------------------------- bad input


def test_backward_of_several_elements_needs_a_gradient():
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.raises(RuntimeError, match=r"shape \(2,\) needs a gradient"):
        y.backward()
    assert x.grad is None
    y.backward(np.ones(2))
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (np.ones(3), ValueError, "shape"),
        (np.ones((1, 2)), ValueError, "shape"),
        (1.0, ValueError, "shape"),
        (np.ones(2) * 1j, TypeError, "complex128"),
        (np.array([1.0, np.nan]), ValueError, "NaN"),
        (["a", "b"], TypeError, "numbers"),
        (object(), TypeError, "numbers"),
    ],
)
def test_bad_gradients_are_refused_and_change_nothing(gradient, error, message):
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.raises(error, match=message):
        y.backward(gradient)
    assert x.grad is None
    y.backward(np.ones(2))  # the graph is still whole
    assert x.grad.tolist() == [2, 2]


def test_backward_without_a_graph_says_so():
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        Tensor(1.0).backward()
    x = leaf(1.0)
    with no_grad():
        y = x * 2
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        y.backward()
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        (x * 2).backward(inputs=[Tensor(1.0)])
    with pytest.raises(ValueError, match="at least one"):
        (x * 2).backward(inputs=[])


def test_integers_cannot_require_gradients():
    for data in (3, [1, 2], True):
        with pytest.raises(TypeError, match="only float and complex"):
            Tensor(data, requires_grad=True)
    t = Tensor(3)
    with pytest.raises(TypeError, match="only float and complex"):
        t.requires_grad_()
    assert not t.requires_grad


def test_a_failing_rule_leaves_every_grad_alone():
    def broken(g, x):
        raise ArithmeticError("no such rule")

    fails = autograd.primitive(lambda x: x * 1.0, vjp={"x": broken}, name="fails_here")
    del autograd.registry["fails_here"]
    x, w = leaf(1.0), leaf(2.0)
    with pytest.raises(ArithmeticError):
        (fails(x) * w).backward()
    assert x.grad is None
    assert w.grad is None


# ---------------------------------------------------------------------- size, memory, threads


def test_a_chain_of_a_million_operations_goes_forward_backward_and_away():
    limit = sys.getrecursionlimit()
    x = leaf(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + 1e-6
    y.backward()
    assert x.grad.item() == 1.0
    del y
    assert sys.getrecursionlimit() == limit


def test_nodes_visited_grow_linearly_with_the_chain():
    visits = []
    for n in (1_000, 2_000, 4_000):
        count = 0

        def rule(g):
            nonlocal count
            count += 1
            return g

        step = autograd.linear(lambda x: x + 0.0, x=rule, name="counted_step")
        del autograd.registry["counted_step"]
        y = leaf(1.0)
        for _ in range(n):
            y = step(y)
        y.backward()
        visits.append(count)
    assert visits == [1_000, 2_000, 4_000]


def test_nested_graphs_are_freed_without_the_cycle_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = np.exp(x * 2).sum()
        y.backward()
        dead = weakref.ref(y)
        inner = weakref.ref(x)
        del y, x
        assert dead() is None
        assert inner() is None
    finally:
        gc.enable()


def test_arrays_that_no_rule_needs_are_freed_during_the_forward_pass():
    x = Tensor(np.ones(1000), requires_grad=True)
    freed = []
    y = x + 1.0
    watched = weakref.ref(y.numpy())
    z = np.exp(y - 2.0)  # subtract and add save nothing; exp saves its output
    del y
    freed.append(watched() is None)
    watched = weakref.ref(z.numpy())
    loss = z.sum()
    del z
    assert freed == [True]
    assert watched() is not None, "exp needs its output"
    loss.backward()
    assert watched() is None, "after the backward pass nothing is kept"


def test_saved_arrays_go_during_the_backward_pass():
    x = Tensor(np.ones(100_000), requires_grad=True)
    y = x
    for _ in range(20):
        y = np.tanh(y)
    loss = y.sum()
    del y
    tracemalloc.start()
    loss.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 100_000 * 8, "a few arrays at a time, not one per operation"


def test_sixteen_threads_take_nested_gradients():
    def f(x):
        return np.sin(x) * x**3

    expected = grad(grad(f))(0.7)
    wrong = []
    interval = sys.getswitchinterval()
    shared = leaf(0.7)
    trunk = np.exp(shared)  # read by all threads

    def work():
        for i in range(12):
            if grad(grad(f))(0.7) != expected:
                wrong.append("transform")
            x = Tensor(0.7, requires_grad=True)
            y = f(x)
            y.backward(create_graph=True)
            g, x.grad = x.grad, None
            g.backward()
            if not np.isclose(x.grad.item(), expected, rtol=1e-13):
                wrong.append("backward")
            probe = Tensor(1.0, requires_grad=True)
            (trunk * probe).backward(retain_graph=True, inputs=[probe])
            if probe.grad.item() != trunk.item():
                wrong.append("shared")
            if i % 3 == 0:
                with no_grad():
                    if (probe * 2).requires_grad:
                        wrong.append("mode")
            elif not (probe * 2).requires_grad:
                wrong.append("mode")

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


def test_grad_modes_nest_decorate_and_stay_in_their_thread():
    x = leaf(1.0)

    @no_grad()
    def silent():
        return x * 2

    assert not silent().requires_grad
    with no_grad():
        assert not autograd.is_grad_enabled()
        with autograd.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
        seen = []
        thread = threading.Thread(target=lambda: seen.append(autograd.is_grad_enabled()))
        thread.start()
        thread.join()
        assert seen == [True]
    autograd.set_grad_enabled(False)
    assert not autograd.is_grad_enabled()
    autograd.set_grad_enabled(True)
    with autograd.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @autograd.set_grad_enabled(False)
    def decorated():
        return autograd.is_grad_enabled()

    assert autograd.is_grad_enabled()
    assert decorated() is False
    assert autograd.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert autograd.is_grad_enabled()


@pytest.mark.parametrize("size", [1, 3, 2000, 10_000])
@pytest.mark.parametrize("uses", [2, 3, 7, 8, 9, 255, 256, 257, 700])
def test_a_value_used_many_times_adds_up_all_its_terms(size, uses):
    x = Tensor(np.linspace(1, 2, size), requires_grad=True)
    weights = np.random.default_rng(0).integers(-9, 10, uses).astype(float)
    total = x * 0.0
    for w in weights:
        total = total + x * w
    total.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full(size, weights.sum()))


@pytest.mark.parametrize(
    "mode", [no_grad(), autograd.enable_grad(), autograd.autocast(), autograd.record_lines(), autograd.detect_anomaly()]
)
def test_one_context_manager_serves_threads_that_leave_in_another_order(mode):
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    outside, as_before = autograd.graph.recording.get(), []

    def note() -> None:
        as_before.append(autograd.graph.recording.get() is outside and not autograd.is_autocast_enabled())

    def first() -> None:
        with mode:
            first_in.set()
            second_in.wait(10)
        note()
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with mode, mode:
            second_in.set()
            first_out.wait(10)
        note()

    threads = [threading.Thread(target=first, daemon=True), threading.Thread(target=second, daemon=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert as_before == [True, True]
