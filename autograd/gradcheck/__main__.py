"""``python -m autograd.gradcheck``: check the gradients of every primitive; see ``autograd.gradcheck.sweep``.

The table goes to the standard output, a progress bar to the standard error stream where that is a
terminal. The exit status is 0 if everything passed, 1 if something failed, 2 if there was nothing to
sweep, 130 after an interrupt.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from autograd.gradcheck.columns import COLUMNS
from autograd.gradcheck.outcome import Row
from autograd.gradcheck.sweep import EXAMPLES, Sweep, with_bar

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep that the command line asks for, print its table, and return the exit status."""
    given = _parser().parse_args(arguments)
    rows: list[Row] = []
    try:
        plan = Sweep(
            given.packages or None,
            match=given.match,
            columns=[name.strip() for name in given.columns.split(",")],
            examples=given.examples,
            seed=given.seed,
        )
        steps = with_bar(plan) if sys.stderr.isatty() else iter(plan)
    except (ImportError, ValueError, TypeError) as error:
        print(f"python -m autograd.gradcheck: {error}", file=sys.stderr)
        return 2
    interrupted = False
    try:
        for row in steps:
            rows.append(row)
    except KeyboardInterrupt:
        interrupted = True
    result = plan.result(rows)
    print(result)
    return 130 if interrupted else 0 if result else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m autograd.gradcheck",
        description="Check the gradients of every primitive on drawn sample calls, in every mode, order and dtype.",
    )
    parser.add_argument(
        "packages",
        nargs="*",
        metavar="PACKAGE",
        help="import name of a package with primitives and cases (default: autograd, nn, optim)",
    )
    parser.add_argument(
        "--match", action="append", default=[], metavar="PATTERN", help="only primitives named so, as in 'log*'"
    )
    parser.add_argument(
        "--columns", default=",".join(COLUMNS), help="some of these, with commas between (default: %(default)s)"
    )
    parser.add_argument(
        "--examples", type=int, default=EXAMPLES, help="sample calls for each primitive (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, help="of all random choices (default: a fresh one, which is printed)")
    return parser


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", folder)  # nothing is left in the current one
        sys.exit(main())
