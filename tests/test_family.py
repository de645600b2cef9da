"""A new family of models costs three files: one walks into a copy of the house, and everything finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "reference/weighted.py": '''
"""Weighted means: the toy of a family."""

from __future__ import annotations

from typing import NamedTuple

from ..backends.arrays import Array, array_namespace
from .contracts import Positive, Real, checked


class Weights(NamedTuple):
    """Weights of K numbers."""

    w: Positive[Array, "K"]


@checked
def weighted_mean(theta: Weights, x: Real[Array, "n K"]) -> Real[Array, "n"]:
    """Return the weighted mean of each row.      Exactness: exact."""
    return x @ theta.w / total(theta)


@checked
def total(theta: Weights) -> Real[Array, ""]:
    """Return the sum of the weights.      Exactness: exact."""
    return array_namespace(theta.w).sum(theta.w)
''',
    "proofs_check/mistakes/weighted.py": '''
"""Mistakes in weighted means."""

from ...reference import weighted
from . import mistake
from .patterns import negated

mistake(
    "not-normalised: The weights are not divided by their sum.",
    {weighted.total: lambda right, theta: 1.0},
)
mistake("wrong-sign: The sign is wrong.", {weighted.weighted_mean: negated()})
''',
    "proofs_check/checks/weighted.py": '''
"""Weighted means that code may offer, in loops."""

import numpy as np

from ...reference import weighted
from ...reference.weighted import Weights
from ..quantity import Ask, quantity

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])


def by_hand(theta, x):
    return np.array([sum(w * y for w, y in zip(theta.w, row)) / sum(theta.w) for row in x])


@quantity(
    "BA.eq1",
    cases=[Ask(f"weights {w}", {"theta": Weights(np.array(w)), "x": X}) for w in ([1.0, 3.0], [0.5, 0.25])],
    expected=by_hand,
    rejects=("not-normalised", "wrong-sign"),
)
def weighted_mean(theta, x):
    """The weighted mean of each row, (n,)"""
    return weighted.weighted_mean(theta, x)
''',
}
FOREIGN = """
from exactgen.proofs_check.audit.protocol import Adapter


class Right(Adapter):
    def weighted_mean(self, theta, x):
        return (theta.w * x).sum(axis=1) / theta.w.sum()


class Wrong(Adapter):
    def weighted_mean(self, theta, x):
        return (theta.w * x).sum(axis=1)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a copy of the house that the family has walked into."""
    copy = tmp_path_factory.mktemp("house") / "exactgen"
    away = shutil.ignore_patterns(
        ".*", "typings", "*.png", "__pycache__", "*.egg-info", "mutants", "controls"
    )
    shutil.copytree(ROOT, copy, ignore=away)
    for name, text in FILES.items():
        (copy / name).write_text(text.lstrip(), encoding="utf-8")
    (copy.parent / "foreign.py").write_text(FOREIGN, encoding="utf-8")
    return copy


def run(house: Path, *command: str, status: int = 0, where: str = "..") -> str:
    """Return what Python prints, run beside the copy; its exit status must be this."""
    environment = {**os.environ, "PYTHONPATH": str(house.parent), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=house / where, env=environment, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_its_check_verifies_and_has_teeth(house: Path) -> None:
    told = run(house, "exactgen", "verify", "BA.eq1", "--teeth", "--jobs", "1")
    assert "weighted_mean_as_offered" in told
    assert "survives" not in told


def test_its_check_audits_by_its_mistakes(house: Path) -> None:
    assert "0 findings" in run(house, "exactgen", "audit", "foreign.py:Right")
    told = run(house, "exactgen", "audit", "foreign.py:Wrong", status=1)
    assert "not-normalised in weighted_mean" in told
    assert "BA" in told  # the statement that it violates


def test_its_quantities_are_offered(house: Path) -> None:
    assert "weighted_mean" in run(house, "exactgen", "audit", "--quantities")


def test_its_functions_are_called_with_good_and_bad_arguments(house: Path) -> None:
    test = "tests/reference/test_reference_every_function.py"
    told = run(house, "pytest", "-q", "-p", "no:cacheprovider", test, "-k", "weighted_mean", where=".")
    assert " passed" in told
