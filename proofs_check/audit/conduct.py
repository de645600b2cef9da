"""Conduct that no pure function shows: two calls, a batch size beside fewer rows, single precision.

It is looked at where single calls are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...reference.trees import leaves, tree_map
from ..check import Check
from ..comparing import Disagreement, agree, comparing
from ..quantity import SLACK, Quantity
from .foreign import Asked, Declined, Unmeasured, flat, reference_answer, rows_of, squares
from .naming import UNRECOGNISED, Diagnosis, Trial

RESEEDED = Diagnosis(
    "reseeded",
    "The generator is seeded anew at every call: successive calls repeat the same random numbers.",
)
DIVIDED = Diagnosis(
    "divided-by-batch-size",
    "Sums are divided by the configured batch size, not by the rows at hand: a short batch counts less.",
)


def trials(adapter: Any, quantity: Quantity, check: Check, right: Sequence[Trial]) -> list[Trial]:
    """Return what else is tried of a quantity whose single calls are ``right``."""
    return [
        trial
        for attempts in (twice, _short_batch, _single)
        for trial in attempts(adapter, quantity, check, right)
    ]


def twice(adapter: Any, quantity: Quantity, check: Check, tried: Sequence[Trial]) -> Iterator[Trial]:
    """Yield a call made twice in a row: what is drawn must be independent."""
    calls = ((t.case, c) for t in tried for c in t.calls if quantity.draws and c.answer.mean is not None)
    case, call = next(calls, ("", None))
    if call is None:
        return
    asked = Asked(adapter, quantity, twice=True)
    problem, named = None, None
    try:
        products = asked.law(**call.given).mean(call.f or _itself, bound=1.0)[0]
        means = flat(tree_map(lambda x: x[None], reference_answer(quantity, call).mean))[0]
        with comparing(dtype=adapter.declares.dtype):
            agree(products, np.outer(means, means), "mean product of two calls", **SLACK)
    except Unmeasured:
        return
    except Disagreement as found:
        problem, named = found, UNRECOGNISED
        (made,) = asked.calls
        again = reference_answer(quantity, replace(call, f=squares(call.f))).mean
        if made.answer.mean is not None and made.answer.mean.shape == again.shape:
            radius = 1e-9 if made.answer.radius is None else made.answer.radius
            named = RESEEDED if np.all(np.abs(made.answer.mean - again) <= radius) else named
    yield Trial(f"{case}, called twice", check, asked.calls, problem, key=None, named=named)


def _short_batch(adapter: Any, quantity: Quantity, check: Check, right: Sequence[Trial]) -> Iterator[Trial]:
    """Yield a batch of fewer rows than the code is configured for."""
    alone = not quantity.draws or not quantity.over_rows or "chains" in quantity.parameters
    trial = next((t for t in right if not alone and rows_of(t.calls[0].given) > 1), None)
    if trial is None or adapter.declares.rows == "fixed":
        return
    (call,), n = trial.calls, rows_of(trial.calls[0].given)
    asked = Asked(adapter, quantity, batch_size=n + 1)
    problem, named = None, None
    try:
        with comparing(dtype=adapter.declares.dtype):
            actual = tree_map(lambda x: x[0], asked.law(**call.given).mean(call.f or _itself, bound=1.0))
            agree(actual, reference_answer(quantity, call).mean, quantity.name, **SLACK)
    except Unmeasured:
        return
    except Disagreement as found:
        problem, named = found, UNRECOGNISED
        shares = [x * n / (n + 1) for x in leaves(reference_answer(quantity, call).mean)]
        if all(np.allclose(*pair) for pair in zip(leaves(asked.calls[0].answer.mean), shares, strict=True)):
            named = DIVIDED
    case = f"{trial.case}, configured for {n + 1}"
    yield Trial(case, check, asked.calls, problem, key=None, named=named)


def _single(adapter: Any, quantity: Quantity, check: Check, right: Sequence[Trial]) -> Iterator[Trial]:
    """Yield the same calls in single precision, of code that computes in whatever it is given."""
    if quantity.draws or not getattr(adapter, "single_precision", False):
        return
    for ask in check.cases:
        given = {name: _halved(x) for name, x in ask.given.items()}
        asked = Asked(adapter, quantity)
        problem = None
        try:
            with comparing(dtype="float32"):
                check.run(check.implementation.replace(**{quantity.name: asked}), ask._replace(given=given))
        except Declined:
            continue
        except Disagreement as found:
            problem = found
        yield Trial(f"{ask.name}, single precision", check, asked.calls, problem, key=None, single=True)


def _halved(tree: Any) -> Any:
    if isinstance(tree, tuple):
        return tree_map(_halved, tree)
    return tree.astype(np.float32) if isinstance(tree, np.ndarray) and tree.dtype.kind == "f" else tree


def _itself(outcomes: Any) -> Any:
    return outcomes
