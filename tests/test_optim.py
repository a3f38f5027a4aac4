"""Optimisers: the update equations written out, groups, state, closures, and refusals that change nothing."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed
from autograd.kernels import fusion, native
from optim import LAMB, SGD, Adafactor, Adam, Lion, Muon, Optimizer, Rprop


@pytest.fixture(autouse=True, params=["fused", "plain"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test with the compiled kernels, and with NumPy alone."""
    if request.param == "plain":
        monkeypatch.setattr(native, "compiled", None)
    elif native.compiled is None:
        pytest.skip("the kernels are not compiled")


def leaf(value: Any, dtype: Any = float) -> Tensor:
    return Tensor(np.array(value, dtype), requires_grad=True)


def run(optimizer: Optimizer, p: Tensor, gradients: list[Any]) -> list[np.ndarray]:
    path = []
    for g in gradients:
        p.grad = Tensor(np.asarray(g, p.dtype))
        optimizer.step()
        path.append(p.numpy().copy())
    return path


GRADIENTS = [np.array([1.0, -2.0]), np.array([0.5, 0.5]), np.array([-1.0, 3.0]), np.array([0.0, 1.0])]


# ---------------------------------------------------------------------- equations


def test_sgd_subtracts_the_scaled_gradient():
    p = leaf([1.0, 2.0])
    assert np.array_equal(run(SGD([p], lr=0.1), p, GRADIENTS[:1])[0], [1.0 - 0.1 * 1.0, 2.0 + 0.1 * 2.0])


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("classical", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("maximize", [False, True])
def test_momentum_in_both_forms(nesterov, classical, decay, maximize):
    p = leaf([1.0, 2.0])
    optimizer = SGD(
        [p], lr=0.1, momentum=0.9, weight_decay=decay, nesterov=nesterov, maximize=maximize, classical=classical
    )
    path = run(optimizer, p, GRADIENTS)
    w, v = np.array([1.0, 2.0]), np.zeros(2)
    for g, reached in zip(GRADIENTS, path, strict=True):
        g = (-g if maximize else g) + decay * w
        if classical:
            v = 0.9 * v + 0.1 * g
            w = w - (0.1 * g + 0.9 * v if nesterov else v)
        else:
            v = 0.9 * v + g
            w = w - 0.1 * (g + 0.9 * v if nesterov else v)
        np.testing.assert_allclose(reached, w, rtol=1e-14)


def test_the_two_forms_of_momentum_part_when_the_rate_changes():
    paths = []
    for classical in (False, True):
        p = leaf([1.0, 2.0])
        optimizer = SGD([p], lr=0.1, momentum=0.9, classical=classical)
        path = run(optimizer, p, GRADIENTS[:2])
        optimizer.param_groups[0]["lr"] = 0.01
        paths.append((path, run(optimizer, p, GRADIENTS[2:])))
    np.testing.assert_allclose(paths[0][0], paths[1][0], rtol=1e-14)
    assert not np.allclose(paths[0][1], paths[1][1])


def test_dampening_spares_the_first_step():
    p = leaf([1.0, 2.0])
    path = run(SGD([p], lr=0.1, momentum=0.9, dampening=0.5), p, GRADIENTS)
    w, v = np.array([1.0, 2.0]), GRADIENTS[0]
    for i, g in enumerate(GRADIENTS):
        v = g if i == 0 else 0.9 * v + 0.5 * g
        w = w - 0.1 * v
        np.testing.assert_allclose(path[i], w, rtol=1e-14)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("maximize", [False, True])
def test_adam(amsgrad, decay, maximize):
    p = leaf([1.0, 2.0])
    path = run(Adam([p], 0.1, (0.8, 0.95), 1e-3, decay, amsgrad, maximize=maximize), p, GRADIENTS)
    w, m, v, top = np.array([1.0, 2.0]), np.zeros(2), np.zeros(2), np.zeros(2)
    for t, (g, reached) in enumerate(zip(GRADIENTS, path, strict=True), start=1):
        g = (-g if maximize else g) + decay * w
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        top = np.maximum(top, v) if amsgrad else v
        w = w - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(top / (1 - 0.95**t)) + 1e-3)
        np.testing.assert_allclose(reached, w, rtol=1e-13)


def test_weight_decay_is_the_gradient_of_the_squared_penalty():
    rate, penalty, start = 0.1, 0.7, np.array([1.0, -2.0, 3.0])
    with_decay, with_penalty = leaf(start), leaf(start)
    run(SGD([with_decay], rate, weight_decay=penalty), with_decay, [np.ones(3)])
    (with_penalty.sum() + penalty / 2 * (with_penalty**2).sum()).backward()
    SGD([with_penalty], rate).step()
    np.testing.assert_allclose(with_decay.numpy(), with_penalty.numpy(), rtol=1e-14)


# ---------------------------------------------------------------------- shapes, dtypes, memory


@pytest.mark.parametrize("make", [lambda ps: SGD(ps, 0.1, momentum=0.9), lambda ps: Adam(ps, 0.1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
def test_many_parameters_move_as_each_alone_would(make, dtype):
    rng = np.random.default_rng(0)

    def draw(shape: Any) -> Any:
        x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        return (x if np.dtype(dtype).kind == "c" else x.real).astype(dtype)

    start = [draw(shape) for shape in [(), (3,), (0, 4), (2, 3, 4), (fusion.BLOCK + 5,), (1,)]]
    together = [Tensor(s.copy(), requires_grad=True) for s in start]
    alone = [Tensor(s.copy(), requires_grad=True) for s in start]
    optimizers = [make(together), *(make([p]) for p in alone)]
    for _ in range(3):
        for p, q in zip(together, alone, strict=True):
            p.grad = q.grad = Tensor(draw(p.shape))
        for optimizer in optimizers:
            optimizer.step()
    for p, q, s in zip(together, alone, start, strict=True):
        assert p.dtype == dtype
        assert np.array_equal(p.numpy(), q.numpy())
        assert s.size == 0 or not np.array_equal(p.numpy(), s)


def test_parameters_are_changed_where_they_lie():
    array = np.arange(6.0).reshape(2, 3)
    turned = np.arange(6.0).reshape(2, 3)
    p, q = Tensor(array, requires_grad=True), Tensor(turned.T, requires_grad=True)
    p.grad, q.grad = Tensor(np.ones((2, 3))), Tensor(np.ones((3, 2)))
    SGD([p, q], lr=1.0).step()
    assert np.array_equal(array, np.arange(6.0).reshape(2, 3) - 1)
    assert np.array_equal(turned, np.arange(6.0).reshape(2, 3) - 1)


def test_parameters_may_lie_anywhere(tmp_path):
    (tmp_path / "weights").write_bytes(b"?" + np.ones(4, np.float32).tobytes())
    unaligned = np.memmap(tmp_path / "weights", np.float32, "r+", offset=1)
    p, q = Tensor(unaligned, requires_grad=True), leaf([1.0, 1.0])
    p.grad = np.ones(4, np.float32)
    q.grad = np.frombuffer(b"?" + np.ones(2).tobytes(), offset=1)
    SGD([{"params": [p]}, {"params": [q]}], lr=2.0).step()
    assert np.array_equal(unaligned, np.full(4, -1.0))
    assert np.array_equal(q.numpy(), [-1.0, -1.0])


@pytest.mark.parametrize("make", [Lion, Adam, lambda ps, **o: Adam(ps, decoupled_weight_decay=True, **o)])
@pytest.mark.parametrize("shared", [slice(0, 3), slice(1, 4)])
def test_a_gradient_may_share_memory_with_its_parameter(make, shared):
    """It is the gradient at the old weights."""
    memory = np.array([1.0, -2.0, 3.0, 0.5])
    p, apart = Tensor(memory[:3], requires_grad=True), leaf(memory[:3])
    p.grad, apart.grad = memory[shared], memory[shared].copy()
    make([p], lr=0.5, weight_decay=4.0).step()
    make([apart], lr=0.5, weight_decay=4.0).step()
    assert np.array_equal(p.numpy(), apart.numpy())


@pytest.mark.parametrize("size", [4, 2_000_000])
def test_parameters_that_share_memory_move_one_after_the_other(size):
    memory = np.ones(size)
    first, second = Tensor(memory, requires_grad=True), Tensor(memory[size // 2 :], requires_grad=True)
    other = leaf(np.ones(3))
    for p in (first, other, second):
        p.grad = np.ones(p.shape)
    SGD([first, other, second], lr=0.5, weight_decay=1.0).step()  # w − ½(1 + w)
    assert (memory[: size // 2] == 0).all()
    assert (memory[size // 2 :] == -0.5).all()
    assert (other.numpy() == 0).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_pickled_optimiser_goes_on(dtype):
    p = leaf([1.0, 2.0], dtype)
    optimizer = SGD([p], lr=1.0, momentum=0.5)
    run(optimizer, p, [[1.0, 1.0]])
    copied = pickle.loads(pickle.dumps(optimizer))
    (q,) = copied.param_groups[0]["params"]
    assert np.array_equal(run(copied, q, [[1.0, 1.0]])[0], run(optimizer, p, [[1.0, 1.0]])[0])
    assert np.array_equal(q.numpy(), [-1.5, -0.5])


def test_half_precision_keeps_its_state_in_single():
    p = leaf([1.0, 2.0], np.float16)
    optimizer = Adam([p], lr=0.01)
    run(optimizer, p, [[1e-4, 0.0]])  # squares to less than float16 holds; 0/0 without the wider state
    assert optimizer.state[p]["exp_avg_sq"].dtype == np.float32
    np.testing.assert_allclose(p.numpy(), [0.99, 2.0], rtol=1e-3)


def test_parameters_without_gradient_rest():
    p, q = leaf([1.0]), leaf([1.0])
    optimizer = Adam([p, q], lr=0.1)
    for wanted in (True, False, True):
        p.grad, q.grad = Tensor(np.ones(1)), Tensor(np.ones(1)) if wanted else None
        optimizer.step()
    alone = leaf([1.0])
    run(Adam([alone], lr=0.1), alone, [[1.0], [1.0]])
    assert q.item() == alone.item()
    assert optimizer.state[p]["step"] == 3
    assert optimizer.state[q]["step"] == 2


def test_state_can_be_changed_between_steps():
    for change in (
        lambda state: state["exp_avg"].fill(0),
        lambda state: state.update(exp_avg=np.zeros(2)),
    ):
        p = leaf([1.0, 2.0])
        optimizer = Adam([p], lr=0.1, betas=(0.5, 0.9))
        run(optimizer, p, [[1.0, 1.0]])
        change(optimizer.state[p])
        run(optimizer, p, [[1.0, 1.0]])
        np.testing.assert_array_equal(optimizer.state[p]["exp_avg"], [0.5, 0.5])


def test_a_module_may_change_its_dtype_between_steps():
    manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = Adam(model.parameters(), lr=0.1)
    model(np.ones((4, 3), np.float32)).sum().backward()
    optimizer.step()
    model.double()
    optimizer.zero_grad()
    model(np.ones((4, 3))).sum().backward()
    optimizer.step()
    assert model.weight.dtype == np.float64
    assert optimizer.state[model.weight]["exp_avg"].dtype == np.float64
    assert optimizer.state[model.weight]["step"] == 2


def test_graphs_that_saved_the_old_weights_are_refused():
    p = leaf([1.0, 2.0])
    y = (p * p).sum()
    p.grad = Tensor(np.ones(2))
    SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match=r"SGD\.step.*test_optim\.py"):
        y.backward()


# ---------------------------------------------------------------------- groups


def test_groups_have_options_of_their_own():
    p, q = leaf([1.0]), leaf([1.0])
    optimizer = SGD([{"params": [p]}, {"params": q, "lr": 0.5}], lr=0.1)
    p.grad, q.grad = Tensor(np.ones(1)), Tensor(np.ones(1))
    optimizer.step()
    assert (p.item(), q.item()) == (0.9, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    optimizer.add_param_group({"params": [leaf([3.0])], "momentum": 0.9})
    assert optimizer.param_groups[2] | {"params": None} == {
        "params": None, "lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False,
        "maximize": False, "classical": False,
    }  # fmt: skip


def test_named_parameters_are_remembered():
    model = nn.Linear(2, 1)
    optimizer = SGD(model.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"] == list(model.parameters())


def test_repr_shows_groups_and_options():
    assert repr(Adam([leaf([1.0, 2.0]), leaf(3.0)], lr=0.1)).splitlines()[:3] == [
        "Adam(",
        "  group 0: 2 tensors, 3 parameters",
        "    lr: 0.1",
    ]


def test_closures_are_called_and_their_loss_returned():
    p = leaf([3.0])
    optimizer = SGD([p], lr=0.25)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert p.item() == 1.5
    assert optimizer.step() is None


def test_zero_grad():
    p = leaf([1.0])
    p.grad = Tensor(np.ones(1))
    optimizer = SGD([p, leaf([2.0])])
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


# ---------------------------------------------------------------------- state


@pytest.mark.parametrize("kind", [Adam, SGD, Muon, LAMB])
def test_a_state_loaded_after_steps_takes_the_place_of_theirs(kind):
    p = leaf([[1.0, 2.0]])
    optimizer = kind([p], lr=0.1, momentum=0.9) if kind in (SGD, Muon) else kind([p], lr=0.1)
    gradients = [g[None] for g in GRADIENTS]
    run(optimizer, p, gradients[:2])
    state, start = copy.deepcopy(optimizer.state_dict()), p.numpy().copy()
    expected = run(optimizer, p, gradients[2:])
    p.numpy()[...] = start
    optimizer.load_state_dict(state)
    np.testing.assert_array_equal(run(optimizer, p, gradients[2:]), expected)


def test_a_cleared_state_starts_anew():
    p, fresh = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer = Adam([p], lr=0.1)
    run(optimizer, p, GRADIENTS)
    p.numpy()[...] = fresh.numpy()
    optimizer.state.clear()
    np.testing.assert_array_equal(run(optimizer, p, GRADIENTS), run(Adam([fresh], lr=0.1), fresh, GRADIENTS))


@pytest.mark.parametrize("copied", [lambda s: s, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
@pytest.mark.parametrize("make", [lambda ps: SGD(ps, 0.1, momentum=0.9), lambda ps: Adam(ps, 0.1, amsgrad=True)])
def test_training_goes_on_from_a_saved_state(make, copied):
    p = leaf([1.0, 2.0])
    first = make([p])
    run(first, p, GRADIENTS[:2])
    q = leaf(p.numpy().copy())
    second = make([q])
    second.param_groups[0]["lr"] = 99.0
    second.load_state_dict(copied(first.state_dict()))
    assert second.param_groups[0]["lr"] == 0.1
    for a, b in zip(run(first, p, GRADIENTS[2:]), run(second, q, GRADIENTS[2:]), strict=True):
        assert np.array_equal(a, b)


def test_states_of_other_parameters_are_refused_whole():
    p, q = leaf([1.0, 2.0]), leaf(3.0)
    optimizer = Adam([p, q])
    run(optimizer, p, GRADIENTS[:1])
    before = copy.deepcopy(optimizer.state_dict())
    other = Adam([leaf([1.0, 2.0, 3.0]), leaf(1.0)], lr=7.0)
    other.param_groups[0]["params"][0].grad = Tensor(np.ones(3))
    other.step()
    with pytest.raises(ValueError, match=r"'exp_avg' has shape \(3,\); its parameter has \(2,\)"):
        optimizer.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters; this optimizer has groups of \[2\]"):
        optimizer.load_state_dict(Adam([p]).state_dict())
    assert str(optimizer.state_dict()) == str(before)


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([]), ValueError, "no parameters"),
        (lambda: SGD(leaf(1.0)), TypeError, "iterable of tensors"),
        (lambda: SGD({leaf(1.0)}), TypeError, "no fixed order"),
        (lambda: SGD([1.0]), TypeError, "takes Tensors; got float"),
        (lambda: SGD([Tensor(1)]), TypeError, "got dtype int64"),
        (lambda: SGD([leaf(1.0) * 2]), ValueError, "computed tensor"),
        (lambda: SGD([p := leaf(1.0), p]), ValueError, "given twice"),
        (lambda: SGD([{"params": [p := leaf(1.0)]}, {"params": [p]}]), ValueError, "given twice"),
        (lambda: SGD([{"params": [leaf(1.0)], "rate": 1}]), TypeError, "SGD has no option rate"),
        (lambda: SGD([{"lr": 1}]), TypeError, 'the key "params"'),
        (lambda: SGD([leaf(1.0)], lr=-1), ValueError, "lr is a number, 0 or more; got -1"),
        (lambda: SGD([leaf(1.0)], lr=np.nan), ValueError, "got nan"),
        (lambda: SGD([leaf(1.0)], lr="fast"), ValueError, "got 'fast'"),
        (lambda: SGD([leaf(1.0)], momentum=-0.1), ValueError, "momentum"),
        (lambda: SGD([leaf(1.0)], weight_decay=-0.1), ValueError, "weight_decay"),
        (lambda: SGD([leaf(1.0)], nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda: SGD([leaf(1.0)], nesterov=True, momentum=0.9, dampening=0.1), ValueError, "no dampening"),
        (lambda: SGD([{"params": [leaf(1.0)], "lr": -1}]), ValueError, "got -1"),
        (lambda: Adam([leaf(1.0)], betas=(1.0, 0.9)), ValueError, r"betas\[0\] lies in \[0, 1\)"),
        (lambda: Adam([leaf(1.0)], betas=(0.9, -0.1)), ValueError, r"betas\[1\]"),
        (lambda: Adam([leaf(1.0)], eps=-1e-8), ValueError, "eps"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_step_that_cannot_be_whole_changes_nothing():
    fixed = np.ones(2)
    fixed.flags.writeable = False
    p, q = leaf([1.0, 2.0]), Tensor(fixed, requires_grad=True)
    p.grad, q.grad = Tensor(np.ones(2)), Tensor(np.ones(2))
    optimizer = Adam([{"params": [p]}, {"params": [q]}])
    with pytest.raises(ValueError, match="read-only memory"):
        optimizer.step()
    assert p.tolist() == [1.0, 2.0]
    assert optimizer.state[p].get("step", 0) == 0


def test_a_subclass_says_only_its_rule():
    class Signs(Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        def update(self, w: Any, g: Any, state: Any, step: int, options: Any) -> None:
            w -= options["lr"] * np.sign(g)

    p = leaf([1.0, 2.0])
    run(Signs([p], 0.5), p, [[3.0, -0.1]])
    assert p.tolist() == [0.5, 2.5]
    with pytest.raises(NotImplementedError, match=r"Optimizer defines no update\(\)"):
        run(Optimizer([p], {}), p, [[1.0, 1.0]])


def test_training_separates_exclusive_or():
    manual_seed(0)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([0, 1, 1, 0])
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = Adam(model.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert np.argmax(model(x).numpy(), axis=1).tolist() == y.tolist()


# ---------------------------------------------------------------------- those without a peer in double precision


def test_lion_steps_by_signs():
    p = leaf([1.0, 2.0])
    path = run(Lion([p], lr=0.1, betas=(0.8, 0.9), weight_decay=0.2), p, GRADIENTS)
    w, m = np.array([1.0, 2.0]), np.zeros(2)
    for g, reached in zip(GRADIENTS, path, strict=True):
        w = w * (1 - 0.1 * 0.2) - 0.1 * np.sign(0.8 * m + 0.2 * g)
        m = 0.9 * m + 0.1 * g
        np.testing.assert_allclose(reached, w, rtol=1e-14)


def test_lamb_steps_as_far_as_the_parameter_is_long():
    p = leaf([3.0, -4.0])
    path = run(LAMB([p], lr=0.01, weight_decay=0.1), p, GRADIENTS)
    w, m, v = np.array([3.0, -4.0]), np.zeros(2), np.zeros(2)
    for t, (g, reached) in enumerate(zip(GRADIENTS, path, strict=True), 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        r = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.1 * w
        before = w
        w = w - 0.01 * np.linalg.norm(w) / np.linalg.norm(r) * r
        np.testing.assert_allclose(reached, w, rtol=1e-12)
        assert np.linalg.norm(w - before) == pytest.approx(0.01 * np.linalg.norm(before))
    zero = leaf([0.0, 0.0])
    run(LAMB([zero]), zero, GRADIENTS[:1])
    assert zero.numpy().any()


def test_muon_makes_steps_orthogonal():
    rng = np.random.default_rng(0)
    for shape in ((4, 6), (6, 4), (5, 5)):
        start = rng.normal(size=shape)
        p = leaf(start)
        p.grad = rng.normal(size=shape)
        Muon([p], lr=1.0, weight_decay=0.0).step()
        scale = np.sqrt(max(1, shape[0] / shape[1]))
        values = np.linalg.svd((start - p.numpy()) / scale, compute_uv=False)
        assert values.min() > 0.5
        assert values.max() < 1.3
    with pytest.raises(ValueError, match=r"takes real matrices; got a parameter of shape \(3,\)"):
        Muon([leaf(np.ones(3))])


@pytest.mark.parametrize("kind", [LAMB, Adafactor, Rprop, Lion])
def test_states_go_on(kind):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(3, 4)) for _ in range(6)]
    p = leaf(np.ones((3, 4)))
    whole = run(kind([p]), p, gradients)
    q = leaf(np.ones((3, 4)))
    first = kind([q])
    run(first, q, gradients[:3])
    second = kind([q])
    second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    np.testing.assert_array_equal(run(second, q, gradients[3:])[-1], whole[-1])


@pytest.mark.parametrize("kind", [LAMB, Adafactor, Muon])
def test_half_precision_is_updated_in_single(kind):
    p = leaf(np.ones((2, 3)), np.float16)
    p.grad = np.full((2, 3), 1e-3, np.float16)
    optimizer = kind([p], lr=0.01)
    optimizer.step()
    assert p.dtype == np.float16
    assert all(a.dtype == np.float32 for a in optimizer.state[p].values() if isinstance(a, np.ndarray))


def test_the_state_of_another_optimizer_is_refused_whole():
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    other, optimizer = SGD([q], 0.1, momentum=0.9), Adam([p], 0.2)
    run(other, q, GRADIENTS[:1])
    with pytest.raises(ValueError, match="has momentum_buffer, which Adam does not keep"):
        optimizer.load_state_dict(other.state_dict())
    for wrong in ({}, {"state": {}}, [1]):
        with pytest.raises(ValueError, match='a dict with "state" and "param_groups"'):
            optimizer.load_state_dict(wrong)
    assert optimizer.param_groups[0]["lr"] == 0.2
    assert "momentum" not in optimizer.param_groups[0]
    state = optimizer.state_dict()
    del state["param_groups"][0]["eps"]
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["eps"] == 1e-8
