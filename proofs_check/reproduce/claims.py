"""The experimental claims of [AO] section 3 as statistics of measured models, and a verdict on each.

Where the document's words have no number ("good predictor", "a few", "a visible gap"), the number is ours and
is part of what the claim says.  What a verdict means: ``judging``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from .judging import (
    Found,
    Model,
    Models,
    always_above,
    best_is_better,
    gap_is_wider,
    is_nearer,
    lies_above,
    lies_near,
    predicts,
    typical_is_better,
    worse_where_below,
)

DEEP = ("srbm", "ae", "aeri")


class Claim(NamedTuple):
    """One claim of an experiment on one data set."""

    says: str
    kinds: tuple[str, ...]  # of the models that it is about
    found: Callable[[], Found]
    of_best: bool = False  # whether it is about the best models only, which a Pareto front shows
    made_by: str = ""  # the statement that makes it, where that is not the experiment


class Verdict(NamedTuple):
    """What the models say about a claim."""

    claim: str  # the id of the statement that makes it, mostly its experiment
    says: str
    data: str
    kinds: tuple[str, ...]
    of_best: bool
    verdict: str  # confirmed, contradicted, undecided
    evidence: dict[str, float]


def verdicts(claim: str, data: str, models: Models, baselines: Mapping[str, float]) -> list[Verdict]:
    """Return the verdicts on the claims of an experiment (AO.exp1 ... AO.exp7) on one data set."""
    return [
        Verdict(one.made_by or claim, one.says, data, one.kinds, one.of_best, *one.found())
        for one in _CLAIMS[claim](data, models, baselines)
    ]


def kinds_of(claim: str) -> tuple[str, ...]:
    """Return the kinds of models that a claim is about."""
    return _KINDS[claim]


# --- orderings --------------------------------------------------------------------------------------------

_NAMES = {
    "rbm": "a single RBM",
    "srbm": "a stacked RBM",
    "ae": "a vanilla auto-encoder",
    "aeri": "an AERI",
}
_PAIRS = (("aeri", "srbm"), ("srbm", "ae"), ("aeri", "ae"), ("ae", "rbm"), ("aeri", "rbm"))


def _ordering(models: Models, one: str, other: str) -> Iterator[Claim]:
    best, rest = (_NAMES[kind].partition(" ")[2] for kind in (one, other))
    says = f"the best {best} beats the best {rest} of its size"
    yield Claim(says, (one, other), lambda: best_is_better(models, one, other), of_best=True)
    says = f"{_NAMES[one]} mostly beats {_NAMES[other]} of its size"
    yield Claim(says, (one, other), lambda: typical_is_better(models, one, other))


def _exp1(data: str, models: Models, _: Any) -> Iterator[Claim]:
    yield from _ordering(models, "srbm", "rbm")


def _exp2(data: str, models: Models, baselines: Mapping[str, float]) -> Iterator[Claim]:
    for one, other in _PAIRS:
        yield from _ordering(models, one, other)

    def within(kind: str) -> Found:
        best = max(float(m["valid"]) for m in models[kind])
        bounded = baselines["bernoulli"] < best < baselines.get("perfect", 0.0)
        return "confirmed" if bounded else "contradicted", {"best": best, **baselines}

    for kind in ("rbm", *DEEP):
        says = f"the best {_NAMES[kind].partition(' ')[2]} beats independent bits"
        says += ", but not the perfect model" if "perfect" in baselines else ""
        yield Claim(says, (kind,), partial(within, kind), of_best=True)


# --- bounds -----------------------------------------------------------------------------------------------


def _exp3(data: str, models: Models, _: Any) -> Iterator[Claim]:
    what = "the training bound predicts the training log-likelihood (rank correlation 0.8) of {}"
    for kind, name in (("srbm", "stacked RBMs"), ("aeri", "AERIs")):
        yield Claim(
            what.format(name),
            (kind,),
            partial(predicts, models[kind], "bound_train", "train", least=0.8),
        )
    yield Claim(
        "of fewer than one AERI in four the bound is below the log-likelihood",
        ("aeri",),
        lambda: lies_above(models["aeri"], "bound_train", "train", share=0.75),
        made_by="AO.sec3.3.3a",
    )
    yield Claim(
        "these AERIs have mostly lower log-likelihoods than the others",
        ("aeri",),
        lambda: worse_where_below(models["aeri"], "bound_train", "train"),
        made_by="AO.sec3.3.3a",
    )


def _exp4(data: str, models: Models, _: Any) -> Iterator[Claim]:
    yield Claim(
        "the bound of a single RBM is above its log-likelihood, always",
        ("rbm",),
        lambda: always_above(models["rbm"], "bound_train", "train"),
    )
    yield Claim(
        "the bound is more optimistic for single RBMs than for stacked ones",
        ("rbm", "srbm"),
        lambda: gap_is_wider(models["rbm"], models["srbm"], "bound_train", "train"),
    )


def _exp5(data: str, models: Models, _: Any) -> Iterator[Claim]:
    deep = _deep(models)
    yield Claim(
        "the training bound is above the validation log-likelihood of 19 in 20 deep models",
        DEEP,
        lambda: lies_above(deep, "bound_train", "valid", share=0.95),
    )
    yield Claim(
        "the training bound rises with the validation log-likelihood (rank correlation 0.8)",
        DEEP,
        lambda: predicts(deep, "bound_train", "valid", least=0.8),
    )
    if data == "tea":
        yield Claim(
            "of most deep models the training bound is a nat or more above the validation log-likelihood",
            DEEP,
            lambda: lies_above(deep, "bound_train", "valid", share=0.5, by=1.0),
        )
    else:
        yield Claim(
            "of most deep models the training bound is within a nat of the validation log-likelihood",
            DEEP,
            lambda: lies_near(deep, "bound_train", "valid", within=1.0, share=0.5),
        )


def _exp6(data: str, models: Models, _: Any) -> Iterator[Claim]:
    deep = _deep(models)
    yield Claim(
        "the validation bound is nearer to the validation log-likelihood than the training bound",
        DEEP,
        lambda: is_nearer(deep, "bound_valid", "bound_train", "valid"),
    )
    yield Claim(
        "the validation bound predicts the validation log-likelihood (rank correlation 0.8)",
        DEEP,
        lambda: predicts(deep, "bound_valid", "valid", least=0.8),
    )


def _exp7(data: str, models: Models, _: Any) -> Iterator[Claim]:
    yield Claim(
        "one draw per datum suffices: its estimate ranks as the bound does (rank correlation 0.95)",
        DEEP,
        lambda: predicts(_deep(models), "estimate_train", "bound_train", least=0.95),
    )


def _deep(models: Models) -> list[Model]:
    return [model for kind in DEEP for model in models[kind]]


Claims: TypeAlias = Callable[[str, Models, Mapping[str, float]], Iterable[Claim]]
_CLAIMS: Mapping[str, Claims] = {
    "AO.exp1": _exp1,
    "AO.exp2": _exp2,
    "AO.exp3": _exp3,
    "AO.exp4": _exp4,
    "AO.exp5": _exp5,
    "AO.exp6": _exp6,
    "AO.exp7": _exp7,
}
_KINDS = {
    "AO.exp1": ("rbm", "srbm"),
    "AO.exp2": ("rbm", *DEEP),
    "AO.exp3": ("srbm", "aeri"),
    "AO.exp4": ("rbm", "srbm"),
    "AO.exp5": DEEP,
    "AO.exp6": DEEP,
    "AO.exp7": DEEP,
}
EXPERIMENTS = tuple(_CLAIMS)
