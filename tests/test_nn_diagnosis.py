"""Failure modes of training, shown, found and cured; slices of the loss; critical points."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor, classify_critical_point, default_generator, manual_seed
from nn import diagnose, landscape

X = np.random.default_rng(0).normal(size=(64, 20)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 64)
LOSS = nn.CrossEntropyLoss()


class Block(nn.Module):
    def __init__(self, activation, norm=False, skip=False, init=None):
        super().__init__()
        self.lin = nn.Linear(32, 32)
        self.norm = nn.LayerNorm(32) if norm else nn.Identity()
        self.act = activation()
        self.skip = skip
        if init is not None:
            init(self.lin.weight)

    def forward(self, x):
        h = self.act(self.norm(self.lin(x)))
        return x + h if self.skip else h


def stack(activation, depth, **options):
    manual_seed(0)
    blocks = [Block(activation, **options) for _ in range(depth)]
    return nn.Sequential(nn.Linear(20, 32), *blocks, nn.Linear(32, 3))


def symptoms(diagnosis):
    return {finding.symptom for finding in diagnosis.findings}


def gradients(diagnosis, kind="Linear"):
    return np.array([layer.parameter_gradient for layer in diagnosis.layers if layer.kind == kind])


# ---------------------------------------------------------------------- vanishing and exploding


def test_gradients_vanish_in_a_deep_sigmoid_stack_like_a_quarter_to_the_depth():
    diagnosis = diagnose(stack(nn.Sigmoid, 50).double(), (X.astype(float), Y), LOSS)
    sizes = gradients(diagnosis)[1:-1]
    per_layer = np.exp(np.polyfit(np.arange(50), np.log(sizes), 1)[0])
    assert 1 / per_layer < 0.25  # the slope of the sigmoid is at most ¼, and these weights make it less
    assert sizes[0] < 1e-20
    assert symptoms(diagnosis) == {"vanishing gradients"}
    assert "ReLU-like" in str(diagnosis)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": nn.ReLU, "init": nn.init.kaiming_normal_},
        {"activation": nn.Sigmoid, "skip": True},
        {"activation": nn.ReLU, "norm": True, "init": nn.init.kaiming_normal_},
    ],
    ids=["ReLU and He", "skips", "normalisation"],
)
def test_cures_of_vanishing_gradients(options):
    diagnosis = diagnose(stack(depth=50, **options), (X, Y), LOSS)
    assert "vanishing gradients" not in symptoms(diagnosis)
    assert gradients(diagnosis)[0] > 1e-3


def test_large_weights_explode_and_initialisation_cures():
    def large(weight):
        return nn.init.normal_(weight, std=1.0)

    diagnosis = diagnose(stack(nn.ReLU, 12, init=large), (X, Y), LOSS)
    assert "exploding gradients" in symptoms(diagnosis)
    assert "clip gradients" in str(diagnosis)
    cured = diagnose(stack(nn.ReLU, 12, init=nn.init.kaiming_normal_), (X, Y), LOSS)
    assert "exploding gradients" not in symptoms(cured)


# ---------------------------------------------------------------------- dead, saturated, non-finite, shattered


def test_dead_units_and_their_cure():
    def network(activation):
        manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 16), activation, nn.Linear(16, 3))
        model[0].bias.data[:12] = -30.0
        return diagnose(model, (X, Y), LOSS)

    found = network(nn.ReLU())
    assert found.layers[1].dead == 0.75
    assert str(found.findings[0]) == "dead units in 1 (ReLU): 75% of the units are 0 for every sample"
    assert network(nn.LeakyReLU()).findings == ()


def test_units_are_channels_and_features():
    x = np.ones((2, 3, 4, 4), np.float32)
    x[:, 1] = -1
    found = diagnose(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()), x, lambda y: y.sum())
    assert found.layers[1].dead in (0, 1 / 3, 2 / 3, 1)
    model = nn.Sequential(nn.PReLU(3), nn.ReLU())
    model[0].weight.data[...] = 1
    assert diagnose(model, x, lambda y: y.sum()).layers[1].dead == pytest.approx(1 / 3)


def test_saturation_is_seen():
    manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 16), nn.Tanh(), nn.Linear(16, 3))
    assert diagnose(model, (X, Y), LOSS)
    model[0].weight.data[...] *= 100
    found = diagnose(model, (X, Y), LOSS)
    assert "saturation" in symptoms(found)
    assert found.layers[1].saturated > 0.9


def test_what_is_not_finite_is_named():
    model = nn.Sequential(nn.Linear(20, 4), nn.ReLU(), nn.Linear(4, 3))
    model[2].weight.data[1, 2] = np.inf
    found = diagnose(model, (X, Y), LOSS)
    texts = {finding.layer: finding.detail for finding in found.findings if finding.symptom == "non-finite"}
    assert "weight[1, 2] = inf" in texts["2 (Linear)"]
    bad = X.copy()
    bad[3, 0] = np.nan
    found = diagnose(nn.Sequential(nn.Linear(20, 3)), (bad, Y), LOSS)
    assert "output[3, 0] = nan" in found.findings[0].detail


def test_gradients_shatter_with_depth_but_not_with_skips():
    def run(depth, skip):
        return diagnose(stack(nn.ReLU, depth, init=nn.init.kaiming_normal_, skip=skip), (X, Y), LOSS)

    assert run(1, False).correlation > 0.8
    deep = run(40, False)
    assert deep.correlation < 0.5
    assert "shattered gradients" in symptoms(deep)
    cured = run(40, True)
    assert cured.correlation > 0.8
    assert "shattered gradients" not in symptoms(cured)
    assert diagnose(nn.Linear(20, 3), (X, Y), LOSS).correlation == 1.0


# ---------------------------------------------------------------------- the report


def test_the_model_is_left_as_it_was():
    manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3))
    model[2].eval()
    model[0].weight.grad = np.ones((8, 20), np.float32)
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    state = default_generator().bit_generator.state
    diagnose(model, (X, Y), LOSS)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name], err_msg=name)
    assert default_generator().bit_generator.state == state
    assert np.array_equal(model[0].weight.grad.numpy(), np.ones((8, 20)))
    assert model[3].weight.grad is None
    assert [m.training for m in model] == [True, True, False, True]
    assert model[0]._hooks.after_forward == {}


def test_the_table_and_the_plot(tmp_path):
    manual_seed(0)
    found = diagnose(nn.Sequential(nn.Linear(20, 8), nn.Sigmoid(), nn.Linear(8, 3)), (X, Y), LOSS)
    lines = str(found).splitlines()
    assert lines[0].split() == [
        "layer",
        "output",
        "mean",
        "std",
        "norm",
        "grad",
        "param",
        "grad",
        "param",
        "dead",
        "saturated",
    ]
    assert lines[1].startswith("0: Linear   (64, 8)")
    assert lines[-1] == "nothing wrong"
    assert found
    found.plot(tmp_path / "layers.png")
    assert (tmp_path / "layers.png").stat().st_size > 10_000


def test_one_input_several_inputs_and_shared_layers():
    layer = nn.Linear(4, 4)
    found = diagnose(nn.Sequential(layer, nn.Tanh(), layer), X[:, :4], lambda y: (y * y).sum())
    assert [report.name for report in found.layers] == ["0", "1", "0"]
    pair = diagnose(nn.Bilinear(4, 5, 3), (X[:, :4], X[:, :5], Y), LOSS)
    assert pair.layers[0].shape == (64, 3)
    assert pair.correlation is None


def test_refused():
    with pytest.raises(TypeError, match="takes a Module; got function"):
        diagnose(lambda x: x, X, LOSS)
    with pytest.raises(TypeError, match="does not depend on the model's parameters"):
        diagnose(nn.Linear(20, 3), X, lambda y: y.detach().sum())


# ---------------------------------------------------------------------- slices of the loss


def test_a_slice_of_the_loss_of_a_linear_model_is_a_parabola():
    manual_seed(0)
    model = nn.Linear(4, 1).double()
    x, y = X[:, :4].astype(float), X[:, :1].astype(float)
    weight = model.weight.numpy().copy()
    found = landscape(model, lambda m: nn.functional.mse_loss(m(x), y), directions=1, steps=9)
    np.testing.assert_array_equal(model.weight.numpy(), weight)
    fit = np.polyfit(found.steps, found.losses, 2)
    np.testing.assert_allclose(np.polyval(fit, found.steps), found.losses, rtol=1e-10)
    assert found.losses[4] == pytest.approx(nn.functional.mse_loss(model(x), y).item())


def test_steps_are_as_long_as_the_filters(tmp_path):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 2))
    norms = [np.linalg.norm(p.numpy().reshape(len(p), -1), axis=1) for p in model.parameters() if p.ndim > 1]
    origin = [p.numpy().copy() for p in model.parameters()]
    moves = []

    def loss(m):
        moves.append([p.numpy() - before for p, before in zip(m.parameters(), origin, strict=True)])
        return np.float64(0.5) * len(moves)

    found = landscape(model, loss, span=1.0, steps=3, generator=np.random.default_rng(0), progress="slice")
    assert found.losses.shape == (3, 3)
    moved = [m for m in moves[5] if m.ndim > 1]  # (0, 1): one step along the second direction
    for move, norm in zip(moved, norms, strict=True):
        np.testing.assert_allclose(np.linalg.norm(move.reshape(len(move), -1), axis=1), norm, rtol=1e-5)
    assert all(not m.any() for m in moves[5] if m.ndim == 1)
    found.plot(tmp_path / "slice.png")
    assert (tmp_path / "slice.png").stat().st_size > 5_000
    with pytest.raises(ValueError, match="1 or 2 directions"):
        landscape(model, loss, directions=3)


@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda x: np.sum(x * x), "minimum"),
        (lambda x: -np.sum(np.cosh(x)), "maximum"),
        (lambda x: x[0] ** 2 - x[1] ** 2, "saddle"),
        (lambda x: x[0] ** 2 + x[1] ** 4, "degenerate"),
        (lambda x: np.sum(x**3), "degenerate"),
        (lambda x: 1e6 * np.sum(x * x), "minimum"),
    ],
)
def test_critical_points(f, kind):
    assert classify_critical_point(f, np.zeros(2)) == kind
    assert classify_critical_point(lambda x: f(x.reshape(2)), Tensor(np.zeros((2, 1)))) == kind


def test_points_that_are_not_critical():
    with pytest.raises(ValueError, match="the gradient is not 0 here: its largest entry is 2"):
        classify_critical_point(lambda x: np.sum(x * x), np.ones(2))
    with pytest.raises(ValueError, match="without coordinates"):
        classify_critical_point(lambda x: np.sum(x * x), np.ones(0))
