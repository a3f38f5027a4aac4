"""Train a convolutional network on scans of handwritten digits.

The data are the 1,797 scans of 8×8 pixels that come with scikit-learn. Everything lands in one folder: the model as a
safetensors file, the curves of the training, and a picture of the held-out scans that the network is least sure of.

Source: LeCun et al. 1998.
"""

from __future__ import annotations

import sys

import common
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import nn
import optim
from autograd import Tensor, default_generator, manual_seed, no_grad

F = nn.functional


def make_model(channels: int) -> nn.Sequential:
    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]

    return nn.Sequential(
        *block(1, channels),
        *block(channels, channels),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.2),
        *block(channels, 2 * channels),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(8 * channels, 10),
    )


def shifted(scans: np.ndarray) -> np.ndarray:
    """Each scan moved by up to one pixel in either direction."""
    padded = np.pad(scans, ((0, 0), (0, 0), (1, 1), (1, 1)))
    down, right = default_generator().integers(0, 3, (2, len(scans)))
    rows, columns = down[:, None] + np.arange(8), right[:, None] + np.arange(8)
    return padded[np.arange(len(scans))[:, None, None], 0, rows[:, :, None], columns[:, None]][:, None]


def main(arguments: list[str] | None = None) -> int:
    parser = common.options_parser(__doc__, "runs/digits_cnn", epochs=60, batch_size=32, lr=3e-3)
    parser.add_argument("--channels", type=int, default=32, help="channels of the first layers")
    options = common.parsed(parser, arguments)
    manual_seed(options.seed)
    scans, digits = load_digits(return_X_y=True)
    scans = (scans / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    scans, held_out, digits, held_out_digits = train_test_split(
        scans, digits, test_size=0.2, stratify=digits, random_state=options.seed
    )
    model = make_model(options.channels)
    print(nn.summary(model, scans[: options.batch_size]))

    def chances() -> np.ndarray:
        """Probabilities of the digits for the held-out scans."""
        with no_grad():
            return F.softmax(model(Tensor(held_out)), 1).numpy()

    def accuracy() -> float:
        return float(np.mean(np.argmax(chances(), axis=1) == held_out_digits))

    history, interrupted = common.train(
        model,
        optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.05),
        nn.data.DataLoader(nn.data.TensorDataset(scans, digits), options.batch_size, shuffle=True),
        lambda scans, digits: F.cross_entropy(model(Tensor(shifted(scans))), digits),
        lambda: {"held-out accuracy": accuracy()},
        options,
    )
    print(f"held-out accuracy {accuracy():.2%}")
    fresh = make_model(options.channels)
    common.save_and_reload(model, fresh, lambda m: m(Tensor(held_out)).numpy(), options.out / "model.safetensors")
    nn.plots.curves(history, options.out / "curves.png", goals={"held-out accuracy": 0.99})
    doubtful = np.argsort(chances().max(axis=1))[:12]
    common.draw_images({"least sure of": held_out[doubtful, 0]}, options.out / "doubtful.png")
    print(f"pictures: {options.out / 'curves.png'}, {options.out / 'doubtful.png'}")
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
