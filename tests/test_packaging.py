"""Another package on the index is imported as `autograd` too; nobody may train with the wrong one unawares."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

import autograd
from autograd import kernels

ROOT = Path(__file__).resolve().parent.parent


def run(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | environment,
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


@pytest.fixture
def sources(tmp_path):
    """What is needed to build the project, and nothing that was built."""
    pytest.importorskip("setuptools", minversion="77")
    for package in ("autograd", "nn", "optim"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
        )
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def build(sources: Path, kind: str, **environment: str) -> Path:
    code = f"import setuptools.build_meta; print(setuptools.build_meta.build_{kind}('dist'))"
    result = run(sources, code, **environment)
    assert result.returncode == 0, result.stderr
    return sources / "dist" / result.stdout.split()[-1]


def has_compiler() -> bool:
    return shutil.which((sysconfig.get_config_var("CC") or "cl").split()[0]) is not None


def test_a_wheel_carries_everything(sources):
    names = set(zipfile.ZipFile(build(sources, "wheel")).namelist())
    for package in ("autograd", "nn", "optim"):
        for path in (sources / package).rglob("*"):
            if path.is_file() and path.suffix not in (".c", ".h"):
                assert path.relative_to(sources).as_posix() in names
    assert {"autograd/draw/page.html", "autograd/draw/page.css", "autograd/draw/page.js"} <= names
    compiled = "autograd/kernels/compiled" + sysconfig.get_config_var("EXT_SUFFIX")
    assert (compiled in names) == has_compiler()


def test_a_source_archive_carries_the_kernels(sources):
    with tarfile.open(build(sources, "sdist")) as archive:
        names = archive.getnames()
    for source in ("compiled.c", "common.h", "fusion.c", "fusion_loops.h", "rows.c", "rows_loops.h", "compiled.pyi"):
        assert any(name.endswith(f"autograd/kernels/{source}") for name in names)


def test_no_compiler_is_needed(sources):
    wheel = zipfile.ZipFile(build(sources, "wheel", CC="no-such-compiler"))
    assert not [name for name in wheel.namelist() if name.endswith((".so", ".pyd"))]
    wheel.extractall(sources / "installed")
    code = (
        "import numpy as np, optim\n"
        "from autograd import Tensor, kernels\n"
        "assert not kernels.is_fused(np.dtype(float))\n"
        "w = Tensor(1.0, requires_grad=True)\n"
        "(w * w).backward()\n"
        "optim.SGD([w], lr=0.25).step()\n"
        "assert w.item() == 0.5"
    )
    result = run(sources / "installed", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not has_compiler(), reason="needs a C compiler")
def test_the_kernels_of_the_checkout_are_built():
    assert kernels.is_fused(np.dtype(np.float32)), "install the project again: pip install -e ."
