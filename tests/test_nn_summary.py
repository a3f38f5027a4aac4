"""The table of a network's layers."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import is_grad_enabled
from nn import summary


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(144, 144)
        self.act = nn.ReLU()

    def forward(self, x):
        assert not is_grad_enabled()
        return x + self.act(self.lin(self.act(self.lin(x))))


def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), Residual(), nn.Linear(144, 10))


def test_the_table():
    found = summary(network(), np.ones((5, 1, 8, 8), np.float32))
    assert str(found).splitlines() == [
        "layer             output shape  parameters  activations  multiply-adds",
        "Sequential        (5, 10)           22,378      20.4 KB        221,040",
        "  0: Conv2d       (5, 4, 6, 6)          40       2.9 KB          6,480",
        "  1: BatchNorm2d  (5, 4, 6, 6)           8       2.9 KB              0",
        "  2: ReLU         (5, 4, 6, 6)           0       2.9 KB              0",
        "  3: Flatten      (5, 144)               0          0 B              0",
        "  4: Residual     (5, 144)          20,880      11.5 KB        207,360",
        "    lin: Linear   (5, 144)          20,880       2.9 KB        103,680",
        "    act: ReLU     (5, 144)               0       2.9 KB              0",
        "    lin: Linear   (5, 144)         (again)       2.9 KB        103,680",
        "    act: ReLU     (5, 144)         (again)       2.9 KB              0",
        "  5: Linear       (5, 10)            1,450        200 B          7,200",
        "22,378 parameters (89.5 KB), 22,378 of them trained; 20.4 KB of activations; 221,040 multiply-adds",
    ]


def test_the_model_is_left_as_it_was():
    model = network()
    model[1].eval()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    summary(model, np.ones((5, 1, 8, 8), np.float32))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name], err_msg=name)
    assert [m.training for m in model] == [True, False, True, True, True, True]
    assert model[0]._hooks.after_forward == {}


@pytest.mark.parametrize(
    ("layer", "shapes", "count"),
    [
        (nn.Linear(4, 3), [(2, 5, 4)], 2 * 5 * 4 * 3),
        (nn.Bilinear(4, 3, 2), [(5, 4), (5, 3)], 5 * (4 * 2 * 3 + 2 * 3)),
        (nn.Conv1d(4, 6, 3, groups=2, stride=2), [(2, 4, 9)], 2 * 6 * 4 * 2 * 3),
        (nn.ConvTranspose2d(3, 2, 2), [(1, 3, 4, 4)], 16 * 3 * 2 * 4),
        (nn.GELU(), [(2, 3)], 0),
        (nn.LSTM(4, 3, 2), [(5, 2, 4)], 5 * 2 * 4 * 3 * (4 + 3 + 3 + 3)),
        (nn.GRUCell(4, 3), [(2, 4)], 2 * 3 * 3 * (4 + 3)),
        (nn.MultiheadAttention(8, 2), [(5, 3, 8)] * 3, 3 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8)),
        (
            nn.MultiheadAttention(8, 2, kdim=4, vdim=6),
            [(5, 8), (7, 4), (7, 6)],
            (2 * 5 * 8 + 7 * 10) * 8 + 2 * 5 * 7 * 8,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_multiply_adds(layer, shapes, count):
    assert summary(layer, *(np.ones(shape, np.float32) for shape in shapes)).multiply_adds == count


def test_what_is_not_known_is_said():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.ones((3, 3), np.float32))

        def forward(self, x):
            return x @ self.weight

    found = summary(nn.Sequential(Own(), nn.Linear(3, 2)), np.ones((4, 3), np.float32))
    assert found.rows[1].multiply_adds is None
    assert str(found).endswith("multiply-adds not known of Own")
    assert found.multiply_adds == 24


def test_refused():
    with pytest.raises(TypeError, match="takes a Module; got function"):
        summary(lambda x: x, np.ones(3))
    model = network()
    with pytest.raises(ValueError, match="inputs of 1 channels; got 3"):
        summary(model, np.ones((5, 3, 8, 8), np.float32))
    assert model.training
    assert model[0]._hooks.before_forward == {}
