"""A name for what is wrong: the mistake under which the reference answers every recorded call as the code.

A name needs values that agree, ordinary cases first, never raising alone.  An update is compared as it
arrives in the parameters: of a wrong shape, it is spread or it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...reference.contracts import unchecked_values
from ...reference.trees import leaves
from .. import mistakes
from ..check import Check
from ..comparing import Disagreement
from ..mistakes import Mistake
from ..quantity import Quantity
from .foreign import Answer, Call, reference_answer

ROUNDING = {"float64": 1e-10, "float32": 2e-5}


@dataclass(frozen=True, eq=False)
class Trial:
    """How a check of one case ended, and what it had asked of the code."""

    case: str  # in words
    check: Check
    calls: Sequence[Call]
    problem: Disagreement | None
    key: Any  # what tells the case from all others, or None
    named: Diagnosis | None = None  # where the name is known
    single: bool = False  # whether arrays were of single precision

    @property
    def overflows(self) -> bool:
        """Whether what came back is of the right shape, and not finite."""
        return any(
            call.answer.mean is not None and not all(np.all(np.isfinite(x)) for x in leaves(call.answer.mean))
            for call in self.calls
        ) and not str(self.problem and self.problem.what).startswith("shape of")


class Diagnosis(NamedTuple):
    """The name of a mistake, what it is in words, and other names that these cases cannot tell from it."""

    name: str
    words: str
    alternatives: tuple[str, ...] = ()


OVERFLOW = Diagnosis("overflow", "The value overflows: infinity or NaN where the exact value is finite.")
SHAPE = Diagnosis("shape", "The result has another shape, or is of another kind, than the quantity.")
SINGLE = Diagnosis(
    "single-precision",
    "The values are right to single precision only (if meant: declare dtype=float32).",
)
UNRECOGNISED = Diagnosis("unrecognised", "The values are wrong, in a way that is not in the catalogue.")


Evidence = Callable[[], Iterable[tuple[Quantity, Sequence[Trial]]]]


def diagnose(adapter: Any, quantity: Quantity, trials: Sequence[Trial], more: Evidence) -> Diagnosis:
    """Return the mistake that explains all trials, or what else can be said; some of them went wrong.

    ``more`` are trials, of other quantities too, that may tell apart the mistakes that explain these.
    """
    wrong = [trial for trial in trials if trial.problem]
    if wrong[0].named:
        return wrong[0].named
    ordered = [*wrong, *(trial for trial in trials if not trial.problem and trial.named is None)]
    dtype = adapter.declares.dtype
    matches = [m for m in candidates(wrong[0].check) if _fits(m, quantity, ordered, dtype)]
    if len({mistake.name for mistake in matches}) > 1:
        for other, others in more():
            matches = [m for m in matches if _fits(m, other, others, dtype)] or matches
    if matches:
        first, *rest = dict.fromkeys(mistake.name for mistake in matches)
        return Diagnosis(first, matches[0].words, tuple(rest))
    answers = [call.answer for trial in wrong for call in trial.calls]
    if answers and all(answer.raised for answer in answers):
        return Diagnosis("raises", f"The code raises: {answers[0].raised}")
    if _fits(None, quantity, wrong, "float32"):
        return SINGLE
    if any(a.misfit for a in answers) or any(_misshapen(trial) for trial in wrong):
        return SHAPE
    return UNRECOGNISED


def _misshapen(trial: Trial) -> bool:
    return trial.problem is not None and trial.problem.what.startswith(("shape of", "form of"))


def candidates(check: Check) -> list[Mistake]:
    """Return the mistakes that may explain what a check rejects: of its family, and of those it names."""
    families = [check.family, *(name.split(":")[0] for name in check.rejects if ":" in name)]
    return [mistake for family in dict.fromkeys(families) for mistake in mistakes.load(family)]


def _fits(mistake: Mistake | None, quantity: Quantity, trials: Sequence[Trial], dtype: str) -> bool:
    """Return whether the reference answers every call as the code did, while the mistake is made."""
    by_value = False
    for call, key, single in _calls(trials):
        predicted = _answer(mistake, quantity, call, key)
        if not _alike(call, predicted, "float32" if single else dtype):
            return False
        by_value = by_value or predicted.mean is not None
    return by_value


def _calls(trials: Sequence[Trial]) -> Iterator[tuple[Call, Any, bool]]:
    for trial in trials:
        for number, call in enumerate(trial.calls):
            yield call, None if trial.key is None else (*trial.key, number), trial.single


_answers: dict[Any, Answer] = {}
"""What the reference answers to calls that every audit makes, by mistake."""


def _answer(mistake: Mistake | None, quantity: Quantity, call: Call, key: Any) -> Answer:
    at = None if key is None else (mistake and (mistake.family, mistake.label), quantity.name, key)
    if at in _answers:
        return _answers[at]
    with mistake.made() if mistake else nullcontext(), unchecked_values():
        answer = reference_answer(quantity, call)
    if at is not None:
        _answers[at] = answer
    return answer


def _alike(call: Call, predicted: Answer, dtype: str) -> bool:
    actual, predicted = _applied(call.answer, call.form), _applied(predicted, call.form)
    if actual.raised or predicted.raised:
        return bool(actual.raised and predicted.raised)
    if actual.misfit or predicted.misfit:
        return actual.misfit == predicted.misfit
    theta = next(iter(call.given.values()))
    magnitude = 1.0 + sum(float(np.abs(x).sum()) for x in leaves(theta))
    a, p = list(leaves(actual.mean)), list(leaves(predicted.mean))
    radii = [0.0] * len(a) if actual.radius is None else list(leaves(actual.radius))
    return len(a) == len(p) and all(
        x.shape == y.shape and _close(x, y, radius, dtype, magnitude)
        for x, y, radius in zip(a, p, radii, strict=True)
    )


def _close(actual: Any, expected: Any, radius: Any, dtype: str, magnitude: float) -> bool:
    slack = ROUNDING[dtype] * (1 + np.abs(expected)) + 64 * np.finfo(dtype).eps * magnitude
    with np.errstate(invalid="ignore"):
        good = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        return bool(np.all(good | (np.abs(actual - expected) <= slack + radius)))


def _applied(answer: Answer, form: Any) -> Answer:
    """Return an answer whose parameters are spread to their shapes; where they cannot be, adding raises."""
    if answer.mean is None:
        return answer
    try:
        return replace(answer, mean=_spread(answer.mean, form))
    except ValueError as error:
        return Answer(raised=str(error))


def _spread(value: Any, form: Any) -> Any:
    if not isinstance(form, tuple) or not isinstance(value, tuple):
        return value
    if not hasattr(form, "_fields"):
        return tuple(map(_spread, value, form))
    parts = (
        _spread(x, like) if isinstance(like, tuple) else np.broadcast_to(x, like.shape)
        for x, like in zip(value, form, strict=True)
    )
    return type(form)(*parts)
