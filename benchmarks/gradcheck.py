"""This library's gradient check beside PyTorch's, HIPS autograd's and JAX's: what each finds, and how long it takes.

    python benchmarks/gradcheck.py --torch PYTHON --hips PYTHON --jax PYTHON

Each option names the interpreter of an environment in which that library is installed; what is not named, and not
installed here, is left out. HIPS autograd goes by the import name of this library and needs an environment of its own.

Every checker runs in a process of its own and is asked in turn: about each mistake of tests/gradcheck_bugs.py and each
function of tests/gradcheck_functions.py over the same seeds, with its own defaults and with its strictest settings.
Times are medians of rounds that alternate between the checkers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "gradcheck_peers"))

from peer import TIMED, bugs, functions

HEAVY, HEAVY_SEEDS = "of_8000", 3  # whole Jacobians of 64 million entries: fewer seeds for the others
STRICTER = ("torch", "jax")  # those whose strictest settings are not their defaults


class Checker:
    """A process that answers requests with a line each; ``level`` goes into every request."""

    def __init__(self, title: str, script: str, python: str, level: str = "default") -> None:
        self.title, self.level = title, level
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
        self.process = subprocess.Popen(
            [python, str(HERE / "gradcheck_peers" / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tempfile.gettempdir(),
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**request, "level": self.level}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.title} ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def started(options: argparse.Namespace) -> list[Checker]:
    checkers = [Checker("chainrule", "ours.py", sys.executable)]
    for name in ("torch", "hips", "jax"):
        python = getattr(options, name)
        if python is None and name != "hips" and importlib.util.find_spec(name):
            python = sys.executable
        if python is None:
            continue
        checkers.append(Checker(name, f"with_{name}.py", python))
        if name in STRICTER:
            checkers.append(Checker(f"{name}, strict", f"with_{name}.py", python, "strict"))
    return checkers


def detection(checker: Checker, name: str, seeds: range, verbose: bool) -> str:
    """How many of the seeds a mistake was found with."""
    found, asked = 0, 0
    if checker.title != "chainrule" and HEAVY in name:
        seeds = seeds[:HEAVY_SEEDS]
    for seed in seeds:
        answer = checker.ask(kind="bug", name=name, seed=seed)
        if "inexpressible" in answer:
            return "–"
        if verbose and seed == 0:
            print(f"    {checker.title}: {answer.get('why', 'passed').splitlines()[0][:140]}", file=sys.stderr)
        found += not answer["passed"]
        asked += 1
    return f"{found}/{asked}"


def print_row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def print_detection(checkers: list[Checker], seeds: int, verbose: bool) -> None:
    print_row(["mistake", *(checker.title for checker in checkers)])
    print_row(["---"] * (len(checkers) + 1))
    for name in bugs.BUGS:
        print_row(
            [
                name.replace("_", " ").replace("1e ", "1e-"),
                *(detection(c, name, range(seeds), verbose) for c in checkers),
            ]
        )


def print_false_alarms(checkers: list[Checker], seeds: int, verbose: bool) -> None:
    alarms: dict[str, dict[str, int]] = {checker.title: {} for checker in checkers}
    for name in functions.FUNCTIONS:
        for seed in range(seeds):
            for checker in checkers:
                answer = checker.ask(kind="function", name=name, seed=seed)
                if not answer["passed"]:
                    alarms[checker.title][name] = alarms[checker.title].get(name, 0) + 1
                    if verbose and alarms[checker.title][name] == 1:
                        print(f"    {name}: {checker.title}: {answer['why'][:140]!r}", file=sys.stderr)
    total = len(functions.FUNCTIONS)
    print_row(["correct functions", *(checker.title for checker in checkers)])
    print_row(["---"] * (len(checkers) + 1))
    print_row([f"rejected at least once, of {total}", *(str(len(alarms[c.title])) for c in checkers)])
    print_row([f"false alarms in {total * seeds} checks", *(str(sum(alarms[c.title].values())) for c in checkers)])


def print_times(checkers: list[Checker], rounds: int) -> None:
    print_row(["function", *(f"{checker.title}, ms" for checker in checkers), "chainrule / torch"])
    print_row(["---"] * (len(checkers) + 2))
    for name in TIMED:
        times: dict[str, list[float]] = {checker.title: [] for checker in checkers}
        for round in range(rounds + 1):
            for checker in checkers:
                answer = checker.ask(kind="time", name=name, times=5)
                if round and answer["passed"]:  # the first round warms up
                    times[checker.title].append(answer["seconds"] / 5 * 1e3)
        medians = {title: median(values) for title, values in times.items() if values}
        cells = [f"{medians[c.title]:.1f}" if c.title in medians else "fails" for c in checkers]
        ratio = f"{medians['chainrule'] / medians['torch']:.2f}" if "torch" in medians else ""
        print_row([name, *cells, ratio])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("torch", "hips", "jax"):
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"an interpreter that has {name}")
    parser.add_argument("--seeds", type=int, default=30, help="how many seeds per mistake and function (default 30)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of five checks for the times (default 15)")
    parser.add_argument("--only", choices=["detection", "alarms", "times"], help="one of the three tables")
    parser.add_argument("--verbose", action="store_true", help="say on standard error what the checkers answered")
    options = parser.parse_args()
    checkers = started(options)
    try:
        if options.only in (None, "detection"):
            print_detection(checkers, options.seeds, options.verbose)
            print()
        if options.only in (None, "alarms"):
            print_false_alarms(checkers, options.seeds, options.verbose)
            print()
        if options.only in (None, "times"):
            print_times(checkers, options.rounds)
    finally:
        for checker in checkers:
            checker.close()


if __name__ == "__main__":
    main()
