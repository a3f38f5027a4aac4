"""The examples as a user runs them: options, files, a clean stop, and advice where a package is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nn

ROOT = Path(__file__).resolve().parent.parent
DIGITS = "digits.py"


def run(example: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / example), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": "1",
            **environment,
        },  # tests run in parallel
    )


def test_digits_learns_checks_saves_and_draws(tmp_path):
    result = run(DIGITS, "--out", str(tmp_path), "--quiet")
    assert result.returncode == 0, result.stderr
    accuracy = float(result.stdout.partition("held-out accuracy ")[2].partition("%")[0])
    assert accuracy >= 97
    assert result.stdout.count(" ok ") == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "backward.html",
        "curves.png",
        "graph.svg",
        "model.safetensors",
    ]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    graph = (tmp_path / "graph.svg").read_text()
    assert all(text in graph for text in ("scans", "0.weight", "2.bias", "cross entropy"))
    state = nn.load(tmp_path / "model.safetensors")
    assert {name: value.shape for name, value in state.items()}["0.weight"] == (256, 64)
    assert all(np.isfinite(value.numpy()).all() for value in state.values())


def test_digits_takes_its_options(tmp_path):
    result = run(
        DIGITS, "--epochs", "2", "--hidden", "8", "4", "--optimizer", "sgd", "--lr", "0.1", "--out", str(tmp_path)
    )
    assert result.returncode == 0, result.stderr
    assert "a network of 606 parameters" in result.stdout
    assert "trained after 2 epochs" in result.stdout
    assert "90/90" in result.stderr
    assert run(DIGITS, "--epochs", "-1").returncode == 2
    assert "--batch-size" in run(DIGITS, "--help").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_digits_stopped_by_ctrl_c_saves_what_it_learned(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / DIGITS), "--epochs", "100000", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background have it ignored
    )
    seen = ""
    while "held-out accuracy=" not in seen:  # the bar shows that training is under way
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "stopped by Ctrl-C after" in out
    assert "Traceback" not in errors
    assert nn.load(tmp_path / "model.safetensors")


def test_digits_names_the_extra_that_is_missing(tmp_path):
    (tmp_path / "tqdm.py").write_text("raise ModuleNotFoundError('No module named tqdm')")
    result = run(DIGITS, "--epochs", "1", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert result.returncode == 1
    assert 'pip install "chainrule[examples]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_the_convolutional_network_reaches_99_percent(tmp_path):
    result = run("digits_cnn.py", "--out", str(tmp_path), "--quiet")
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.partition("held-out accuracy ")[2].partition("%")[0]) >= 99
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "doubtful.png", "model.safetensors"]


def test_the_autoencoder_beats_principal_components(tmp_path):
    result = run("digits_vae.py", "--out", str(tmp_path), "--quiet")
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("held-out squared error"))
    ours, baseline = float(line.split()[3]), float(line.split()[-1])
    assert ours < 0.5 * baseline
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "digits.png", "model.safetensors"]


@pytest.mark.parametrize("model", ["gpt", "lstm"])
def test_characters_are_learned_and_written(tmp_path, model):
    arguments = ("--model", model, "--epochs", "3", "--characters", "40000", "--width", "32", "--length", "32")
    result = run("prose.py", *arguments, "--batch-size", "16", "--lr", "0.01", "--out", str(tmp_path), "--quiet")
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if "bits per held-out character" in line)
    assert float(line.split()[0]) < 1.1 * float(line.split()[-1])
    assert len((tmp_path / "sample.txt").read_text(encoding="utf-8")) == 32
    assert nn.load(tmp_path / "model.safetensors")


def test_all_optimisers_in_one_picture(tmp_path):
    result = run("optimizers.py", "--epochs", "2", "--steps", "50", "--out", str(tmp_path), "--quiet")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert sum(line.endswith("%") for line in result.stdout.splitlines()) == 14
    assert (tmp_path / "optimizers.png").stat().st_size > 50_000
