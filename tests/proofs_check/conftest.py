"""A registry of its own for the tests of the machinery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from exactgen.proofs_check import check as registry
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

    def make(run: Any = symmetric, *statements: str, **changes: Any) -> Check:
        options = {
            "of": [numerics],
            "cases": arrays((3,), hundredths(-9, 9)),
            "evidence": EXACTLY,
            "mutants": {"softplus(x) is x": {"softplus": lambda x: 2 * x}},
        }
        registry.check(*(statements or ("BA.eq1",)), **{**options, **changes})(run)
        return registry.REGISTRY[run.__name__]

    return make
