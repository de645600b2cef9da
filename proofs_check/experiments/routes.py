"""[AO] 3: the claims of the experiments a second time, in loops over models, with no code of ``reproduce``.

Which claims an experiment makes is written down here once more, from the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb
from statistics import median
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from ..check import Disagreement, agree, ensure

Model: TypeAlias = Mapping[str, Any]
Kept: TypeAlias = Mapping[str, Sequence[Model]]
Numbers: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[list[float], list[float]]

DEEP = ("srbm", "ae", "aeri")
RANGES, LEAST, WIDTH = 8, 200.0, 227.5  # number of parameters: up to 2,020
ROUNDS = 2_000


class Near(NamedTuple):
    """A number known from random rounds of our own."""

    value: float
    within: float


class Route(NamedTuple):
    """The kinds that a claim is about, its evidence, and the verdict that the evidence found leads to."""

    kinds: tuple[str, ...]
    evidence: Mapping[str, float | Near]
    rule: Callable[[Mapping[str, float]], str]

    def confirm(self, verdict: Any) -> None:
        """Raise Disagreement unless the verdict has this evidence and follows from it."""
        what = f"{verdict.claim} on {verdict.data}, {verdict.says}"
        agree(len(verdict.evidence), len(self.evidence), f"numbers of evidence: {what}")
        for name, wanted in self.evidence.items():
            found = verdict.evidence.get(name, float("nan"))
            if isinstance(wanted, Near):
                if not abs(found - wanted.value) <= wanted.within:
                    raise Disagreement(f"{name}: {what}", f"{wanted.value} +- {wanted.within}", found)
            else:
                agree(found, wanted, f"{name}: {what}", rtol=1e-9, atol=1e-12)
        rule = self.rule(verdict.evidence)
        ensure(verdict.verdict == rule, f"verdict: {what}", expected=rule, actual=verdict.verdict)
        ensure(
            set(verdict.kinds) == set(self.kinds), what, expected=set(self.kinds), actual=set(verdict.kinds)
        )


def by_p(evidence: Mapping[str, float]) -> str:
    """Return the verdict of two one-sided tests of error 1 in 100."""
    if evidence["p_for"] <= 0.01:
        return "confirmed"
    return "contradicted" if evidence["p_against"] <= 0.01 else "undecided"


# --- orderings --------------------------------------------------------------------------------------------


def same_size(models: Kept, one: str, other: str) -> list[Pair]:
    """Return the validation log-likelihoods of both kinds in each range of size that has both."""
    ranges: list[Pair] = [([], []) for _ in range(RANGES)]
    for place, kind in enumerate((one, other)):
        for model in models[kind]:
            ranges[int((model["parameters"] - LEAST) // WIDTH)][place].append(model["valid"])
    return [pair for pair in ranges if pair[0] and pair[1]]


def best(models: Kept, one: str, other: str) -> Route:
    """Return what to find of "the best of one kind beats the best of the other of its size"."""
    pairs = same_size(models, one, other)
    gaps = [max(a) - max(b) for a, b in pairs]

    def gap(values: Numbers, first: NDArray[np.bool_]) -> Numbers:
        a, b = (np.where(rows, values, -np.inf).max(axis=1) for rows in (first, ~first))
        return np.asarray(a - b)

    evidence: dict[str, float | Near] = {
        "ranges": float(len(pairs)),
        "ranges_won": float(sum(x > 0 for x in gaps)),
        "mean_gap_of_best": sum(gaps) / len(gaps),
        **p_values(pairs, gap, sum(gaps) / len(gaps)),
    }
    return Route((one, other), evidence, by_p)


def typical(pairs: Sequence[Pair], *kinds: str) -> Route:
    """Return what to find of "one kind mostly beats the other", of models in these ranges."""
    shares = [
        sum((x > y) - (x < y) for x in a for y in b) / (len(a) * len(b)) for a, b in pairs
    ]  # of pairs won minus lost

    def won(values: Numbers, first: NDArray[np.bool_]) -> Numbers:
        wins = np.sign(values[:, None] - values)
        count = first[0].sum() * (~first[0]).sum()
        return np.asarray(((first.astype(float) @ wins) * ~first).sum(axis=1) / count)

    mean = sum(shares) / len(shares)
    evidence: dict[str, float | Near] = {
        "ranges": float(len(pairs)),
        "ranges_won": float(sum(x > 0 for x in shares)),
        "won_minus_lost": mean,
        **p_values(pairs, won, mean),
    }
    return Route(kinds, evidence, by_p)


def p_values(
    pairs: Sequence[Pair], statistic: Callable[[Numbers, NDArray[np.bool_]], Numbers], found: float
) -> dict[str, Near]:
    """Return both p-values by labels of our own, drawn anew in all rounds at once."""
    rng, total = np.random.default_rng(99), np.zeros(ROUNDS)
    for a, b in pairs:
        n = len(a) + len(b)
        first = rng.random((ROUNDS, n)).argsort(axis=1) < len(a)
        total += statistic(np.array([*a, *b]), first)
    null = total / len(pairs)
    slack = 1e-9 * (1 + abs(found))

    def near(share: float) -> Near:
        # Six standard deviations of a difference of two such shares, and twenty rounds.
        return Near(share, 6 * (2 * share * (1 - share) / ROUNDS) ** 0.5 + 20 / ROUNDS)

    return {
        "p_for": near(float(np.mean(null >= found - slack))),
        "p_against": near(float(np.mean(null <= found + slack))),
    }


def within_baselines(models: Kept, kind: str, baselines: Mapping[str, float]) -> Route:
    """Return what to find of "the best beats independent bits, but not the perfect model"."""
    values = sorted(model["valid"] for model in models[kind])
    good = values[-1] > baselines["bernoulli"] and values[-1] < baselines.get("perfect", 0.0)
    return Route(
        (kind,),
        {"best": values[-1], **baselines},
        lambda _: "confirmed" if good else "contradicted",
    )


# --- bounds -----------------------------------------------------------------------------------------------


def correlation(models: Kept, kinds: tuple[str, ...], one: str, other: str, least: float) -> Route:
    """Return what to find of "the one predicts the other"."""
    a, b = (np.array([m[name] for kind in kinds for m in models[kind]]) for name in (one, other))
    rows = np.random.default_rng(98).integers(len(a), size=(ROUNDS, len(a)))
    x, y = (scipy.stats.rankdata(values[rows], axis=1) for values in (a, b))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    rho = np.sort((x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1)))
    evidence = {
        "rank_correlation": float(scipy.stats.spearmanr(a, b).statistic),
        "lower_limit": Near(float(rho[ROUNDS // 100]), 0.02),
        "upper_limit": Near(float(rho[-ROUNDS // 100]), 0.02),
        "median_gap": median(a - b),
        "median_absolute_gap": median(abs(a - b)),
    }

    def rule(found: Mapping[str, float]) -> str:
        if found["lower_limit"] >= least:
            return "confirmed"
        return "contradicted" if found["upper_limit"] < least else "undecided"

    return Route(kinds, evidence, rule)


def share(kinds: tuple[str, ...], name: str, holds: Sequence[bool], least: float) -> Route:
    """Return what to find of "it holds of a share of this at least"."""
    n, count = len(holds), sum(map(bool, holds))
    law = [comb(n, k) * least**k * (1 - least) ** (n - k) for k in range(n + 1)]
    evidence = {
        "models": float(n),
        name: float(count),
        "p_for": min(1.0, sum(law[count:])),
        "p_against": min(1.0, sum(law[: count + 1])),
    }
    return Route(kinds, evidence, by_p)


def optimistic(models: Kept) -> Route:
    """Return what to find of "the bound of a single RBM is above its log-likelihood, always"."""
    gaps = [m["bound_train"] - m["train"] for m in models["rbm"]]
    evidence = {"models": float(len(gaps)), "least_gap": min(gaps), "median_gap": median(gaps)}
    return Route(("rbm",), evidence, lambda _: "confirmed" if min(gaps) >= 0 else "contradicted")


def more_optimistic(models: Kept) -> Route:
    """Return what to find of "more so for single RBMs than for stacked ones"."""
    gaps = [[m["bound_train"] - m["train"] for m in models[kind]] for kind in ("rbm", "srbm")]
    route = typical([(gaps[0], gaps[1])], "rbm", "srbm")
    medians = {"median_gap": median(gaps[0]), "median_gap_other": median(gaps[1])}
    return route._replace(evidence={**medians, **route.evidence})


def worse_below(models: Kept) -> Route:
    """Return what to find of "AERIs with a bound below their log-likelihood are worse than the others"."""
    below = [m["train"] for m in models["aeri"] if m["bound_train"] < m["train"]]
    others = [m["train"] for m in models["aeri"] if m["bound_train"] >= m["train"]]
    route = typical([([-x for x in below], [-x for x in others])], "aeri")
    counts = {"models": float(len(below) + len(others)), "below": float(len(below))}
    return route._replace(evidence={**counts, **route.evidence})


def nearer(models: Kept) -> Route:
    """Return what to find of "the validation bound is nearer than the training bound"."""
    deep = [m for kind in DEEP for m in models[kind]]
    near, far = ([abs(m[name] - m["valid"]) for m in deep] for name in ("bound_valid", "bound_train"))
    differ = [(x, y) for x, y in zip(near, far, strict=True) if x != y]
    route = share(DEEP, "nearer", [x < y for x, y in differ], 0.5)
    rho = [scipy.stats.spearmanr([m[name] for m in deep], [m["valid"] for m in deep]) for name in BOUNDS]
    evidence = {
        "median_distance": median(near),
        "median_distance_other": median(far),
        "rank_correlation": float(rho[0].statistic),
        "rank_correlation_other": float(rho[1].statistic),
    }
    return route._replace(evidence={**route.evidence, **evidence})


BOUNDS = ("bound_valid", "bound_train")


# --- what each experiment claims --------------------------------------------------------------------------


def routes(experiment: str, data: str, models: Kept, baselines: Mapping[str, float]) -> list[Route]:
    """Return what to find of each claim of an experiment, in order."""

    def ordering(one: str, other: str) -> list[Route]:
        return [best(models, one, other), typical(same_size(models, one, other), one, other)]

    def gaps() -> list[float]:
        return [m["bound_train"] - m["valid"] for kind in DEEP for m in models[kind]]

    def about_a_nat() -> Route:
        if data == "tea":
            return share(DEEP, "above", [x >= 1 for x in gaps()], 0.5)
        return share(DEEP, "near", [abs(x) < 1 for x in gaps()], 0.5)

    match experiment:
        case "AO.exp1":
            return ordering("srbm", "rbm")
        case "AO.exp2":
            pairs = [("aeri", "srbm"), ("srbm", "ae"), ("aeri", "ae"), ("ae", "rbm"), ("aeri", "rbm")]
            orderings = [route for pair in pairs for route in ordering(*pair)]
            return orderings + [within_baselines(models, kind, baselines) for kind in ("rbm", *DEEP)]
        case "AO.exp3":
            fine = [m["bound_train"] >= m["train"] for m in models["aeri"]]
            return [
                *(correlation(models, (kind,), "bound_train", "train", 0.8) for kind in ("srbm", "aeri")),
                share(("aeri",), "above", fine, 0.75),
                worse_below(models),
            ]
        case "AO.exp4":
            return [optimistic(models), more_optimistic(models)]
        case "AO.exp5":
            above = share(DEEP, "above", [x >= 0 for x in gaps()], 0.95)
            return [above, correlation(models, DEEP, "bound_train", "valid", 0.8), about_a_nat()]
        case "AO.exp6":
            return [nearer(models), correlation(models, DEEP, "bound_valid", "valid", 0.8)]
        case _:
            return [correlation(models, DEEP, "estimate_train", "bound_train", 0.95)]
