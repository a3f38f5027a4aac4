"""Train a character model on English prose, an LSTM or a small GPT, and let it write.

The text is the documentation of Python's language topics, 460 KB that come with Python itself; a tenth at the end is
held out. The figure to beat is a bigram model: how often which character follows which. Everything lands in one
folder: the model as a safetensors file, the curves of the training, and a sample.

Sources: Graves 2013 (LSTM); Radford et al. 2018 (GPT).
"""

from __future__ import annotations

import sys
from pydoc_data.topics import topics
from typing import Any

import common
import numpy as np

import nn
import optim
from autograd import default_generator, manual_seed, no_grad

F = nn.functional


# ---------------------------------------------------------------------- text


def read() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The text's characters as numbers, for training and held out, and what they stand for."""
    text = "\n".join(topics.values())
    characters = sorted(set(text))
    number = {character: i for i, character in enumerate(characters)}
    codes = np.array([number[character] for character in text])
    cut = len(codes) * 9 // 10
    return codes[:cut], codes[cut:], characters


def bigram_bits(codes: np.ndarray, held_out: np.ndarray, count: int) -> float:
    """Bits per held-out character of a model that knows how often which character follows which, plus one."""
    pairs = np.ones((count, count))
    np.add.at(pairs, (codes[:-1], codes[1:]), 1)
    chance = pairs / pairs.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log2(chance[held_out[:-1], held_out[1:]])))


def pieces(codes: np.ndarray, length: int) -> np.ndarray:
    """Rows of ``length`` characters and the one after them, none of which is predicted twice."""
    count = (len(codes) - 1) // length
    return np.stack([codes[i * length : (i + 1) * length + 1] for i in range(count)])


# ---------------------------------------------------------------------- models


class LSTMModel(nn.Module):
    """Characters as vectors, a stack of LSTM layers, and logits for the next character."""

    def __init__(self, count: int, width: int, depth: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        self.lstm = nn.LSTM(width, width, depth, batch_first=True, dropout=0.1 if depth > 1 else 0.0)
        self.out = nn.Linear(width, count)

    def forward(self, codes: Any, state: Any = None) -> tuple[Any, Any]:
        hidden, state = self.lstm(self.embedding(codes), state)
        return self.out(hidden), state


class Block(nn.Module):
    """Attention to the characters so far, and a small network, each added to what comes in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Any, cache: Any) -> Any:
        y = self.norm1(x)
        y, _ = self.attention(y, y, y, need_weights=False, is_causal=True, cache=cache)
        x = x + self.dropout(y)
        return x + self.dropout(self.network(self.norm2(x)))


class GPTModel(nn.Module):
    """Characters and positions as vectors, blocks of causal attention, and logits for the next character."""

    def __init__(self, count: int, width: int, depth: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads=4) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, count, bias=False)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.05)

    def forward(self, codes: Any, state: Any = None) -> tuple[Any, Any]:
        """``state`` are the keys and values of the characters before, one cache for each block."""
        seen = 0 if state is None else len(state[0])
        x = self.embedding(codes) + self.position(np.arange(seen, seen + codes.shape[1]))
        for block, cache in zip(self.blocks, state or [None] * len(self.blocks), strict=True):
            x = block(x, cache)
        return self.out(self.norm(x)), state


MODELS = {"lstm": LSTMModel, "gpt": GPTModel}


def loss_of(model: nn.Module, rows: np.ndarray) -> Any:
    """Cross-entropy of the characters of the rows but the first, each given those before it."""
    logits, _ = model(rows[:, :-1])
    return F.cross_entropy(np.swapaxes(logits, 1, 2), rows[:, 1:])


def bits(model: nn.Module, rows: np.ndarray) -> float:
    """Bits per character of the rows, each read from its beginning."""
    with no_grad():
        parts = [loss_of(model, part).item() for part in np.array_split(rows, max(1, len(rows) // 64))]
    return float(np.mean(parts) / np.log(2))


def write(model: nn.Module, prompt: np.ndarray, length: int) -> list[int]:
    """Characters drawn one after the other from what the model expects, after a prompt."""
    state = [nn.KeyValueCache() for _ in model.blocks] if isinstance(model, GPTModel) else None
    written = list(prompt)
    codes = prompt[None]
    with no_grad():
        while len(written) < length:
            logits, state = model(codes, state)
            chance = F.softmax(logits[0, -1] / 0.8, 0).numpy().astype(float)
            written.append(int(default_generator().choice(len(chance), p=chance / chance.sum())))
            codes = np.array([written[-1:]])
    return written


# ---------------------------------------------------------------------- the job


def main(arguments: list[str] | None = None) -> int:
    parser = common.options_parser(__doc__, "runs/prose", epochs=6, batch_size=32, lr=3e-3)
    parser.add_argument("--model", choices=tuple(MODELS), default="gpt", help="what reads and writes")
    parser.add_argument("--width", type=int, default=128, help="numbers per character inside the model")
    parser.add_argument("--depth", type=int, default=2, help="layers or blocks")
    parser.add_argument("--length", type=int, default=128, help="characters that are read in one piece")
    parser.add_argument("--characters", type=int, default=None, help="train on the first so many only")
    options = common.parsed(parser, arguments)
    manual_seed(options.seed)
    codes, held_out, characters = read()
    codes = codes[: options.characters]
    held_out = held_out[: options.characters]
    baseline = bigram_bits(codes, held_out, len(characters))
    rows, held_out_rows = pieces(codes, options.length), pieces(held_out, options.length)
    sizes = (len(characters), options.width, options.depth, options.length)
    model = MODELS[options.model](*sizes)
    print(f"{len(codes):,} characters of {len(characters)} kinds to learn from, {len(held_out):,} held out")
    print(nn.summary(model, rows[: options.batch_size, :-1]))

    history, interrupted = common.train(
        model,
        optim.Adam(model.parameters(), lr=options.lr, betas=(0.9, 0.99)),
        nn.data.DataLoader(nn.data.TensorDataset(rows), options.batch_size, shuffle=True),
        lambda batch: loss_of(model, batch),
        lambda: {"bits per held-out character": bits(model, held_out_rows)},
        options,
        max_norm=1.0,
    )
    print(f"{bits(model, held_out_rows):.3f} bits per held-out character; bigrams need {baseline:.3f}")
    sample = "".join(characters[i] for i in write(model, codes[:16], min(options.length, 400)))
    print(f"\n{sample}\n")
    (options.out / "sample.txt").write_text(sample, encoding="utf-8")
    fresh = MODELS[options.model](*sizes)
    common.save_and_reload(model, fresh, lambda m: m(rows[:4, :-1])[0].numpy(), options.out / "model.safetensors")
    nn.plots.curves(history, options.out / "curves.png", goals={"bits per held-out character": baseline})
    print(f"pictures and text: {options.out / 'curves.png'}, {options.out / 'sample.txt'}")
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
