"""In-place changes: right, or refused with the operation and the line; never a silently wrong gradient."""

from __future__ import annotations

import linecache

import numpy as np
import pytest

from autograd import Tensor, detect_anomaly, enable_grad, no_grad, record_lines, set_grad_enabled


def test_recorded_updates_have_the_right_gradient():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 1.0
    alias = y
    y += x
    y *= 3
    y -= 1
    y /= 2
    y **= 2
    assert alias is y
    value = ((2 * np.array([1.0, 2.0])) * 3 - 1) / 2
    assert np.allclose(y.numpy(), value**2)
    y.sum().backward()
    assert np.allclose(x.grad.numpy(), 2 * value * 3)


def test_what_was_saved_before_a_recorded_update_stays_right():
    x = Tensor([0.5, 1.0], requires_grad=True)
    h = np.tanh(x)  # saves its output
    kept = h.numpy().copy()
    h += 1
    (h * h).sum().backward()
    assert np.allclose(x.grad.numpy(), 2 * (kept + 1) * (1 - kept**2))


def test_assigning_into_a_plain_buffer_records():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    buffer = Tensor(np.zeros(3))
    buffer[1:] = x[:2] * 2
    buffer[0] = 5.0
    buffer.sum().backward()
    assert buffer.tolist() == [5, 2, 4]
    assert x.grad.tolist() == [2, 2, 0]


def test_a_leaf_that_requires_grad_is_refused_while_recording():
    x = Tensor([1.0, 2.0], requires_grad=True)
    for change in (lambda: x.__iadd__(1), lambda: x.__setitem__(0, 5.0), lambda: x.mul_(2), lambda: x.zero_()):
        with pytest.raises(RuntimeError, match="leaf tensor"):
            change()
    assert x.tolist() == [1, 2]
    with no_grad():
        x += 1
        x[0] = 7.0
    assert x.tolist() == [7, 3]
    assert x.is_leaf
    assert x.requires_grad


def test_unrecorded_updates_change_the_memory():
    a = np.array([1.0, 2.0])
    t = Tensor(a)
    t += 1
    t[0] = 9
    assert a.tolist() == [9, 3]
    with pytest.raises(TypeError, match="Cannot cast"):
        Tensor(np.array([1, 2])).__iadd__(0.5)
    with pytest.raises(ValueError, match="broadcast"):
        t += np.ones((2, 2))
    assert a.tolist() == [9, 3]


def test_a_stale_saved_array_is_refused_with_operation_and_line():
    w = Tensor([1.0, 2.0], requires_grad=True)
    x = Tensor([3.0, 4.0], requires_grad=True)
    y = (w * x).sum()
    with no_grad():
        w -= 0.5
    with pytest.raises(
        RuntimeError, match=r"'multiply' saved an array.*'x -= y' changed it in place at .*test_inplace\.py:\d+"
    ):
        y.backward()
    assert x.grad is None
    (w * x).sum().backward()  # a graph made after the change is fine
    assert x.grad.tolist() == [0.5, 1.5]


def test_a_change_through_a_view_or_detached_alias_is_noticed():
    for alias in (lambda t: t.detach(), lambda t: t.data, lambda t: t.detach().reshape(2, 1), lambda t: t.detach()[:1]):
        x = Tensor([1.0, 2.0], requires_grad=True)
        h = x * 2
        y = (h * h).sum()
        d = alias(h)
        d += 1
        with pytest.raises(RuntimeError, match="changed it in place"):
            y.backward()


def test_changes_that_nothing_saved_are_fine():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x + 1.0
    y = (h + 3.0).sum()
    d = h.detach()
    d *= 100
    y.backward()
    assert x.grad.tolist() == [1, 1]


def test_recorded_updates_of_views_are_refused_while_relatives_live():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    h = x * 2
    v = h[:2]
    with pytest.raises(RuntimeError, match=r"'x \+= y' has to be recorded, and 1 other live tensor"):
        v += 1
    with pytest.raises(RuntimeError, match="other live tensor"):
        h *= 2
    with pytest.raises(RuntimeError, match=r"h\[i\] = h\[i\] \+ y instead of"):
        h[0] += 1
    del v
    h *= 2
    h.sum().backward()
    assert x.grad.tolist() == [4, 4, 4]


def test_a_view_whose_relatives_are_gone_can_be_updated():
    x = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = (x * 2).reshape(2, 2)
    y += 1
    (y * y).sum().backward()
    assert np.allclose(x.grad.numpy(), 2 * 2 * (2 * np.arange(1, 5) + 1))


def test_a_plain_array_does_not_swallow_a_graph():
    x = Tensor([1.0, 2.0], requires_grad=True)
    a = np.zeros(2)
    with pytest.raises(TypeError, match="lose the graph"):
        a += x
    with pytest.raises(TypeError):
        a[:] = x
    assert a.tolist() == [0, 0]
    a += x.detach()
    assert a.tolist() == [1, 2]


def test_updates_keep_dtype_and_shape():
    x = Tensor(np.float32([1, 2]), requires_grad=True)
    h = x * 1
    h += np.ones(2)
    assert h.dtype == np.float32
    with pytest.raises(TypeError, match="dtype complex128"):
        h += 1j * np.ones(2)
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        h += np.ones((2, 2))
    h.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_retained_gradients_follow_a_recorded_update():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    h.retain_grad()
    h *= 3
    (h * 5).sum().backward()
    assert h.grad.tolist() == [5, 5]


def test_scalars_update_without_touching_their_source():
    loss = (Tensor([1.0, 2.0], requires_grad=True) * 2).sum()
    total = loss.detach()
    total += 10
    assert total.item() == 16
    assert loss.item() == 6


def test_fill_zero_copy():
    t = Tensor([1.0, 2.0])
    assert t.zero_() is t
    assert t.tolist() == [0, 0]
    t.fill_(3)
    t.copy_(np.array([4.0, 5.0]))
    t.add_(1).mul_(2).sub_(2).div_(2)
    assert t.tolist() == [4, 5]


# ---------------------------------------------------------------------- behind the engine's back


def test_anomaly_mode_finds_changes_through_numpy():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        y = (x * x).sum()
    x.numpy()[0] = 50
    with pytest.raises(RuntimeError, match=r"'multiply', recorded at .*test_inplace\.py:\d+.*changed through NumPy"):
        y.backward()


def test_anomaly_mode_finds_nan_and_its_line():
    x = Tensor([0.0, 1.0], requires_grad=True)
    with detect_anomaly(), np.errstate(all="ignore"):
        y = (np.sqrt(x) * 0).sum()
        with pytest.raises(RuntimeError, match="NaN arrived in the gradient of the output of 'multiply'"):
            (x * (np.sqrt(x * 0) * 0)).sum().backward()
    with np.errstate(all="ignore"), detect_anomaly(check_nan=False):
        y.backward()


def test_anomaly_mode_lets_right_programs_pass():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        y = np.exp(x * x).sum()
        y.backward(create_graph=True)
        assert x.grad is not None
    assert np.allclose(x.grad.numpy(), 2 * x.numpy() * np.exp(x.numpy() ** 2))


def test_lines_of_code_are_remembered_where_they_are_wanted():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with record_lines():
        y = np.exp(x)
    file, line = y._node.place.rsplit(":", 1)
    assert linecache.getline(file, int(line)).strip() == "y = np.exp(x)"
    assert not hasattr(np.exp(x)._node, "place")


@pytest.mark.parametrize("watch", [record_lines, detect_anomaly])
def test_watching_does_not_record_what_no_grad_leaves_out(watch):
    x = Tensor([1.0, 2.0], requires_grad=True)
    with no_grad(), watch():
        assert not np.exp(x).requires_grad


@pytest.mark.parametrize("mode", [enable_grad, lambda: set_grad_enabled(True)])
def test_lines_are_remembered_where_recording_is_turned_on_again(mode):
    x = Tensor([1.0, 2.0], requires_grad=True)
    with record_lines(), mode():
        assert np.exp(x)._node.place
    with record_lines(), no_grad(), mode():
        assert np.exp(x).requires_grad
