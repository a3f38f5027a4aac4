"""Another package on the index is imported as `autograd` too; nobody may train with the wrong one unawares."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import autograd

ROOT = Path(__file__).resolve().parent.parent


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


def test_the_checkout_is_tested():
    assert Path(autograd.__file__).is_relative_to(ROOT)
    assert autograd.__title__ == "chainrule"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert autograd.__version__ == project["version"]


@pytest.mark.parametrize("package", ["nn", "optim"])
def test_a_foreign_autograd_is_refused(tmp_path, package):
    shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "autograd").mkdir()
    (tmp_path / "autograd" / "__init__.py").write_text("def grad(f): return f\n")
    result = run(tmp_path, f"import {package}")
    assert result.returncode == 1
    assert "ImportError" in result.stderr
    assert "pip uninstall" in result.stderr


def test_a_mixed_autograd_is_refused(tmp_path):
    shutil.copytree(ROOT / "autograd", tmp_path / "autograd")
    (tmp_path / "autograd" / "tracer.py").write_text("")
    result = run(tmp_path, "import autograd")
    assert "ImportError" in result.stderr
    assert "pip uninstall" in result.stderr


def test_importing_stays_light():
    code = (
        "import autograd, nn, optim\n"
        "heavy = {'scipy', 'graphviz', 'matplotlib', 'safetensors', 'pygraphviz', 'torch', 'hypothesis', 'tqdm'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = run(ROOT, code)
    assert result.returncode == 0, result.stderr


def test_packages_are_typed():
    for package in ("autograd", "nn", "optim"):
        assert (ROOT / package / "py.typed").exists()


def test_a_wheel_carries_everything(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    for package in ("autograd", "nn", "optim"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    result = run(tmp_path, "import setuptools.build_meta; print(setuptools.build_meta.build_wheel('dist'))")
    assert result.returncode == 0, result.stderr
    names = set(zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))).namelist())
    for package in ("autograd", "nn", "optim"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names
    assert {"autograd/draw/page.html", "autograd/draw/page.css", "autograd/draw/page.js"} <= names
