"""Train a variational autoencoder on scans of handwritten digits: it compresses them to a few numbers, and dreams.

The data are the 1,797 scans of 8×8 pixels that come with scikit-learn. The figure to beat is principal component
analysis with as many numbers per scan. Everything lands in one folder: the model as a safetensors file, the curves
of the training, and a picture of held-out scans, their reconstructions, and scans that never were.

Source: Kingma & Welling 2014.
"""

from __future__ import annotations

import sys
from typing import Any

import common
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import nn
import optim
from autograd import Tensor, default_generator, manual_seed, no_grad

F = nn.functional


class VariationalAutoencoder(nn.Module):
    """A normal distribution of latent numbers for each scan, and of pixels for latent numbers."""

    def __init__(self, hidden: int, latent: int, noise: float) -> None:
        super().__init__()
        self.noise = noise
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, 64), nn.Sigmoid())

    def encode(self, scans: Any) -> tuple[Any, Any]:
        """Means and logarithms of variances."""
        mean, log_variance = np.split(self.encoder(scans), 2, axis=1)
        return mean, log_variance

    def forward(self, scans: Any) -> Any:
        """Pixels for the most likely latent numbers."""
        return self.decoder(self.encode(scans)[0])

    def loss(self, scans: Any) -> Any:
        """The negative evidence lower bound ``−E log p(x | z) + KL(q ‖ N(0, 1))`` per scan, but for a constant."""
        mean, log_variance = self.encode(scans)
        latent = mean + np.exp(0.5 * log_variance) * default_generator().standard_normal(mean.shape, np.float32)
        pixels = 0.5 / self.noise**2 * F.mse_loss(self.decoder(latent), scans, reduction="sum")
        divergence = 0.5 * (np.exp(log_variance) + np.square(mean) - 1 - log_variance).sum()
        return (pixels + divergence) / len(scans)


def main(arguments: list[str] | None = None) -> int:
    parser = common.options_parser(__doc__, "runs/digits_vae", epochs=150, batch_size=64, lr=3e-3)
    parser.add_argument("--hidden", type=int, default=256, help="units of the hidden layers")
    parser.add_argument("--latent", type=int, default=8, help="numbers per scan")
    parser.add_argument("--noise", type=float, default=0.1, help="standard deviation of the pixels, given the numbers")
    options = common.parsed(parser, arguments)
    manual_seed(options.seed)
    scans = (load_digits().data / 16).astype(np.float32)
    scans, held_out = train_test_split(scans, test_size=0.2, random_state=options.seed)
    model = VariationalAutoencoder(options.hidden, options.latent, options.noise)
    pca = PCA(options.latent).fit(scans)
    baseline = float(np.mean(np.square(pca.inverse_transform(pca.transform(held_out)) - held_out)))

    def error() -> float:
        with no_grad():
            return float(np.mean(np.square(model(Tensor(held_out)).numpy() - held_out)))

    history, interrupted = common.train(
        model,
        optim.Adam(model.parameters(), lr=options.lr),
        nn.data.DataLoader(nn.data.TensorDataset(scans), options.batch_size, shuffle=True, drop_last=True),
        lambda batch: model.loss(Tensor(batch)),
        lambda: {"held-out squared error": error()},
        options,
    )
    print(f"held-out squared error {error():.4f} per pixel; principal components of as many numbers: {baseline:.4f}")
    fresh = VariationalAutoencoder(options.hidden, options.latent, options.noise)
    common.save_and_reload(model, fresh, lambda m: m(Tensor(held_out)).numpy(), options.out / "model.safetensors")
    with no_grad():
        dreamt = model.decoder(Tensor(default_generator().standard_normal((12, options.latent), np.float32)))
        rows = {
            "scans": held_out[:12],
            "this model": model(Tensor(held_out[:12])).numpy(),
            "principal components": pca.inverse_transform(pca.transform(held_out[:12])),
            "dreamt": dreamt.numpy(),
        }
    common.draw_images({name: images.reshape(-1, 8, 8) for name, images in rows.items()}, options.out / "digits.png")
    nn.plots.curves(history, options.out / "curves.png", goals={"held-out squared error": baseline})
    print(f"pictures: {options.out / 'digits.png'}, {options.out / 'curves.png'}")
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
