"""A registry of its own for the tests of the machinery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from exactgen.proofs_check import check as registry
from exactgen.proofs_check import mistakes
from exactgen.proofs_check.check import EXACTLY, Check, Implementation, agree
from exactgen.proofs_check.strategies import arrays, hundredths
from exactgen.reference import numerics


def symmetric(impl: Implementation, x: Any) -> None:
    """softplus(x) - softplus(-x) = x."""
    agree(impl.softplus(x) - impl.softplus(-x), x, "softplus(x) - softplus(-x)")


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Check]:
    """Return what registers a check of softplus in an otherwise empty registry; keywords replace its own."""
    monkeypatch.setattr(registry, "REGISTRY", {})
    monkeypatch.setattr(mistakes, "CATALOGUE", [])

    def make(run: Any = symmetric, *statements: str, wrong: Any = None, **changes: Any) -> Check:
        wrong = {"doubled-input": lambda right, x: 2 * x} if wrong is None else wrong
        for name, piece in wrong.items():
            if name not in {made.name for made in mistakes.CATALOGUE}:
                mistakes.mistake(f"{name}: Wrong.", {numerics.softplus: piece})
        options = {
            "of": [numerics],
            "cases": arrays((3,), hundredths(-9, 9)),
            "evidence": EXACTLY,
            "rejects": [f"conftest:{name}" for name in wrong],
        }
        registry.check(*(statements or ("BA.eq1",)), **{**options, **changes})(run)
        return registry.REGISTRY[run.__name__]

    return make
