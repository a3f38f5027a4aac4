"""The sweep over packages: what it reports of right and wrong primitives, and how it ends."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from autograd.gradcheck import packages
from autograd.gradcheck.__main__ import main
from autograd.gradcheck.columns import COLUMNS
from autograd.gradcheck.outcome import SweepResult
from autograd.gradcheck.sweep import sweep

ROOT = Path(__file__).resolve().parent.parent

OPERATIONS = """
import numpy as np
from autograd import elementwise, primitive
cube = elementwise(lambda x: x**3, lambda x: 3 * x**2, name="sweep_cube")
"""

CASES = """
import numpy as np
from autograd.cases import Case
from autograd.cases.base import arrays
from {package} import operations
CASES = {{"sweep_cube": arrays().map(lambda x: Case(operations.cube, (x,)))}}
"""

Make = Callable[..., str]
numbers = itertools.count()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_primitives: None) -> Iterator[Make]:
    """Writes an importable package of operations and cases; what it declares is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    loaded = set(sys.modules)

    def make(operations: str = "", cases: str | None = "", broken: str | None = None) -> str:
        name = f"swept{next(numbers)}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "operations.py").write_text(OPERATIONS + dedent(operations))
        if cases is not None:
            (folder / "cases.py").write_text(CASES.format(package=name) + dedent(cases))
        if broken is not None:
            (folder / "broken.py").write_text(broken)
        return name

    yield make
    for name in set(sys.modules) - loaded:
        if name.startswith("swept"):
            del sys.modules[name]


def cells(result: SweepResult, name: str) -> dict[str, str]:
    (row,) = [row for row in result if row.name == name]
    return {column: str(cell) for column, cell in row.cells.items()} or {"problem": row.problem}


def added(name: str, call: str) -> str:
    return f'\nCASES["{name}"] = arrays(low=0.5).map(lambda x: Case({call}, (x,)))\n'


# ---------------------------------------------------------------------- what is reported


def test_correct_primitives_pass(package):
    result = sweep([package()], examples=4, seed=0)
    assert result
    assert cells(result, "sweep_cube") == dict.fromkeys(COLUMNS, "4")
    assert "1 primitive passed" in str(result)
    assert [row.name for row in result] == ["sweep_cube"]


WRONG = {
    "reverse": (
        "bad = elementwise(lambda x: np.exp(x), lambda x: -np.exp(x), name='sweep_bad')",
        {"reverse": "wrong", "complex": "wrong"},
    ),
    "forward": (
        "bad = primitive(lambda x: x * x, vjp={'x': lambda g, x: 2 * np.conjugate(x) * g}, "
        "jvp={'x': lambda t, x: x * t}, name='sweep_bad')",
        {"reverse": "4", "forward": "forward", "float32": "4", "complex": "forward"},
    ),
    "second order": (  # the rule takes its input as a constant
        "from autograd.dispatch import bare\n"
        "bad = primitive(lambda x: x * x, vjp={'x': lambda g, x: 2 * np.conjugate(bare(x)) * g}, "
        "jvp={'x': lambda t, x: 2 * bare(x) * t}, name='sweep_bad')",
        {"reverse": "4", "forward": "4", "second order": "wrong", "float32": "4"},
    ),
    "float32": (
        "bad = primitive(lambda x: x * x, "
        "vjp={'x': lambda g, x: g * 2 * np.conjugate(x) * (1 + 0.01 * (getattr(x, 'dtype', 0) == np.float32))}, "
        "jvp={'x': lambda t, x: 2 * x * t}, name='sweep_bad')",
        {"reverse": "4", "forward": "4", "second order": "4", "float32": "wrong", "complex": "4"},
    ),
    "complex": (
        "bad = primitive(lambda x: x * x, vjp={'x': lambda g, x: 2 * x * g}, "
        "jvp={'x': lambda t, x: 2 * x * t}, name='sweep_bad')",
        {"reverse": "4", "forward": "4", "second order": "4", "float32": "4", "complex": "wrong"},
    ),
    "an error in a rule": (
        "bad = primitive(lambda x: x * x, vjp={'x': lambda g, x: g @ 'x'}, name='sweep_bad')",
        {"reverse": "error", "float32": "error", "complex": "error"},
    ),
}


@pytest.mark.parametrize("operation", WRONG)
def test_wrong_rules_are_found_in_their_column(package, operation):
    declared, expected = WRONG[operation]
    name = package(declared, added("sweep_bad", "operations.bad"))
    result = sweep([name], examples=4, seed=0)
    assert not result
    assert [row.name for row in result.failures] == ["sweep_bad"]
    found = cells(result, "sweep_bad")
    assert {column: found[column] for column in expected} == expected
    assert cells(result, "sweep_cube") == dict.fromkeys(COLUMNS, "4")


def test_a_failure_names_the_call_that_repeats_it(package):
    name = package(WRONG["reverse"][0], added("sweep_bad", "operations.bad"))
    report = str(sweep([name], examples=3, seed=11))
    assert f"{name} sweep_bad, reverse: wrong" in report
    assert "opposite sign" in report
    again = f"python -m autograd.gradcheck {name} --match sweep_bad --columns reverse --examples 3 --seed 11"
    assert again in report
    alone = sweep([name], match=["sweep_bad"], columns=["reverse"], examples=3, seed=11)
    both = [each.failures[0].cells["reverse"] for each in (alone, sweep([name], examples=3, seed=11))]
    assert both[0] == both[1]


def test_functions_of_real_numbers_have_no_complex_column(package):
    declared = "steps = elementwise(lambda x: np.floor(x), 0, name='sweep_steps')"
    cases = '\nCASES["sweep_steps"] = arrays(low=0.2, high=0.8).map(lambda x: Case(operations.steps, (x,)))\n'
    found = cells(sweep([package(declared, cases)], examples=4), "sweep_steps")
    assert found == {**dict.fromkeys(COLUMNS, "4"), "complex": "–"}


def test_branch_cuts_are_avoided(package):
    declared = "root = elementwise(np.sqrt, lambda out: 0.5 / out, name='sweep_root')"
    cases = '\nCASES["sweep_root"] = arrays(low=0.2, high=0.8).map(lambda x: Case(operations.root, (x,)))\n'
    assert sweep([package(declared, cases)], columns=["complex"], examples=10)


def test_primitives_without_cases_and_cases_without_primitives_fail(package):
    name = package("spare = elementwise(np.cos, lambda x: -np.sin(x), name='sweep_spare')", added("sweep_none", "abs"))
    result = sweep([name], examples=2)
    assert not result
    assert cells(result, "sweep_spare") == {"problem": "no case"}
    assert cells(result, "sweep_none") == {"problem": "no primitive"}
    assert cells(result, "sweep_cube") == dict.fromkeys(COLUMNS, "2")
    assert f"{name} sweep_spare: no case" in str(result)


def test_a_strategy_that_fails_does_not_stop_the_others(package):
    declared = "twin = elementwise(lambda x: x + x, 2, name='sweep_twin')"
    for cases in ("3", "arrays().filter(lambda x: False)"):
        name = package(declared, f"\nCASES['sweep_cube'] = {cases}\n" + added("sweep_twin", "operations.twin"))
        result = sweep(name, examples=2)
        assert cells(result, "sweep_cube") == {"problem": "no sample"}
        assert cells(result, "sweep_twin") == dict.fromkeys(COLUMNS, "2")
        assert "drawing sample calls failed" in str(result)


def test_a_seed_decides_everything(package):
    name = package(WRONG["reverse"][0], added("sweep_bad", "operations.bad"))
    first, again, other = (str(sweep([name], examples=3, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    fresh = sweep([name], examples=1)
    assert fresh.seed != sweep([name], examples=1).seed
    assert f"seed {fresh.seed}" in str(fresh)


def test_the_own_packages_are_swept_by_default():
    result = sweep(match=["tanh", "softmax"], examples=2)
    assert result
    assert [(row.package, row.name) for row in result] == [("autograd", "tanh"), ("nn", "softmax")]
    result = sweep(match="arc*h", columns="forward", examples=1)
    assert [row.name for row in result] == ["arccosh", "arcsinh", "arctanh"]
    assert all(list(row.cells) == ["forward"] for row in result)


# ---------------------------------------------------------------------- the command line


def test_exit_codes(package, capsys):
    right, wrong = package(), package(WRONG["reverse"][0], added("sweep_bad", "operations.bad"))
    assert main([right, "--examples", "2", "--seed", "3"]) == 0
    shown = capsys.readouterr()
    assert "seed 3" in shown.out
    assert shown.err == ""  # no progress bar, since this is no terminal
    assert main([wrong, "--examples", "2"]) == 1
    assert main([wrong, "--examples", "2", "--match", "sweep_cube"]) == 0
    capsys.readouterr()
    assert main([wrong, "--examples", "2", "--columns", "reverse, float32", "--match", "*_bad"]) == 1
    assert "second order" not in capsys.readouterr().out


def test_an_interrupt_shows_what_is_known(package, capsys):
    name = package(
        "def stopped(x):\n    raise KeyboardInterrupt\nstop = elementwise(stopped, 1, name='sweep_stop')",
        added("sweep_stop", "operations.stop"),
    )
    assert main([name, "--examples", "2"]) == 130
    shown = capsys.readouterr().out
    assert "sweep_cube" in shown
    assert "interrupted, 1 not reached" in shown


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_what_cannot_be_swept_is_explained(package, capsys, monkeypatch):
    name = package()
    assert "No module named 'nowhere_to_be_found'" in refused(["nowhere_to_be_found"], capsys)
    assert "no primitive matches sweep_cub; there are sweep_cube" in refused([name, "--match", "sweep_cub"], capsys)
    assert "has the columns reverse, forward" in refused([name, "--columns", "backward"], capsys)
    assert "one example or more" in refused([name, "--examples", "0"], capsys)
    assert "no primitives are declared in tomllib" in refused(["tomllib"], capsys)
    without = package("other = elementwise(np.cosh, lambda x: np.sinh(x), name='sweep_other')", cases=None)
    assert f"write {without}/cases.py" in refused([without], capsys)
    broken = package(broken="import nowhere_to_be_found")
    assert f"{broken}.broken fails: No module named" in refused([broken], capsys)
    assert "CASES maps names" in refused([package(cases="\nCASES = [1]\n")], capsys)
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    assert 'pip install "chainrule[gradcheck]"' in refused([name], capsys)


def test_a_missing_progress_bar_names_the_extra(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"chainrule\[gradcheck\]"):
        sweep([package()], examples=1, progress=True)


def test_progress_goes_to_the_error_stream(package, capsys):
    assert sweep([package()], examples=1, progress=True)
    shown = capsys.readouterr()
    assert "primitives" in shown.err
    assert shown.out == ""


def test_the_module_runs_and_leaves_nothing_behind(tmp_path):
    command = [sys.executable, "-m", "autograd.gradcheck", "autograd", "--match", "tanh", "--examples", "2"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1 primitive passed" in done.stdout
    assert list(tmp_path.iterdir()) == []
