"""Statistics that judge the claims of an experiment: what a random search of this size can tell.

A verdict is ``confirmed`` or ``contradicted`` at an error probability of at most ``ERROR`` (one-sided, per
claim), else ``undecided``.  Nothing is assumed of the laws of the numbers: p-values are of permutations or
exact, limits of resampled models, all of a fixed stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Model: TypeAlias = Mapping[str, Any]
Models: TypeAlias = Mapping[str, Sequence[Model]]  # of one data set, by kind
Numbers: TypeAlias = NDArray[np.float64]
Found: TypeAlias = tuple[str, dict[str, float]]  # a verdict and its evidence
Stratum: TypeAlias = tuple[Numbers, Numbers]

ERROR = 0.01
_BINS = np.linspace(200, 2020, 9)  # number of parameters: eight equal ranges
_ROUNDS = 1_999

# --- orderings at equal size ------------------------------------------------------------------------------


def best_is_better(models: Models, one: str, other: str, score: str = "valid") -> Found:
    """Judge "the best of one kind is above the best of the other, of the same size".

    Models are put into ranges of size.  The statistic is the mean over ranges of the difference between the
    best of either kind; under the null hypothesis labels are exchangeable within a range, which takes care
    of there being more of one kind.
    """

    def gap(a: Numbers, b: Numbers) -> float:
        return float(a.max() - b.max())

    return _permuted(_strata(models, one, other, score), gap, "mean_gap_of_best")


def typical_is_better(models: Models, one: str, other: str, score: str = "valid") -> Found:
    """Judge "a model of one kind is above one of the other, of the same size, more often than not"."""
    return _ranked(_strata(models, one, other, score))


def gap_is_wider(wide: Iterable[Model], narrow: Iterable[Model], bound: str, score: str) -> Found:
    """Judge "the bound is further above the score for the first models"."""
    gaps = [np.subtract(*_columns(models, bound, score)) for models in (wide, narrow)]
    verdict, evidence = _ranked([(gaps[0], gaps[1])])
    medians = {"median_gap": float(np.median(gaps[0])), "median_gap_other": float(np.median(gaps[1]))}
    return verdict, {**medians, **evidence}


def _ranked(strata: Sequence[Stratum]) -> Found:
    """Judge by the share of pairs won minus the share lost: a rank-sum test within each stratum."""
    from scipy.stats import rankdata

    def won(a: Numbers, b: Numbers) -> float:
        return float(2 * (np.mean(a) - (len(a) + 1) / 2) / len(b) - 1)  # of ranks among both

    ranks = [(rankdata(np.concatenate(pair)), len(pair[0])) for pair in strata]
    return _permuted([(r[:n], r[n:]) for r, n in ranks], won, "won_minus_lost")


def _permuted(strata: Sequence[Stratum], statistic: Callable[[Numbers, Numbers], float], name: str) -> Found:
    if not strata:
        return "undecided", {"ranges": 0.0}
    each, rng = [statistic(a, b) for a, b in strata], np.random.default_rng(1)
    found, null = np.mean(each), np.empty(_ROUNDS)
    for k in range(_ROUNDS):
        mixed = [(rng.permutation(np.concatenate(pair)), len(pair[0])) for pair in strata]
        null[k] = np.mean([statistic(x[:n], x[n:]) for x, n in mixed])
    p_for, p_against = ((1 + np.sum(extreme)) / (_ROUNDS + 1) for extreme in (null >= found, null <= found))
    evidence = {
        "ranges": float(len(strata)),
        "ranges_won": float(np.sum(np.array(each) > 0)),
        name: float(found),
        "p_for": float(p_for),
        "p_against": float(p_against),
    }
    return _decide(p_for, p_against), evidence


def _strata(models: Models, one: str, other: str, score: str) -> list[Stratum]:
    pairs = zip(*(_by_size(models[kind], score) for kind in (one, other)), strict=True)
    return [(a, b) for a, b in pairs if len(a) and len(b)]


def _by_size(models: Iterable[Model], score: str) -> list[Numbers]:
    models = list(models)
    place = np.digitize([m["parameters"] for m in models], _BINS)
    return [np.array([m[score] for m, at in zip(models, place, strict=True) if at == k]) for k in range(10)]


def _decide(p_for: float, p_against: float) -> str:
    return "confirmed" if p_for <= ERROR else "contradicted" if p_against <= ERROR else "undecided"


# --- bounds and predictors --------------------------------------------------------------------------------


def predicts(models: Iterable[Model], predictor: str, score: str, *, least: float) -> Found:
    """Judge "the one predicts the other": a rank correlation of at least ``least``."""
    a, b = _columns(models, predictor, score)
    rng = np.random.default_rng(2)
    samples = rng.integers(len(a), size=(2_000, len(a)))
    rho = spearman(a[samples], b[samples])
    low, high = np.quantile(rho, [ERROR, 1 - ERROR])
    evidence = {
        "rank_correlation": float(spearman(a, b)),
        "lower_limit": float(low),
        "upper_limit": float(high),
        "median_gap": float(np.median(a - b)),
        "median_absolute_gap": float(np.median(np.abs(a - b))),
    }
    return "confirmed" if low >= least else "contradicted" if high < least else "undecided", evidence


def lies_above(models: Iterable[Model], bound: str, score: str, *, share: float, by: float = 0.0) -> Found:
    """Judge "the bound lies above, by this much", of a share of at least ``share`` of models."""
    a, b = _columns(models, bound, score)
    return _is_share(a >= b + by, share, "above")


def lies_near(models: Iterable[Model], bound: str, score: str, *, within: float, share: float) -> Found:
    """Judge "the bound is this near", of a share of at least ``share`` of models."""
    a, b = _columns(models, bound, score)
    return _is_share(np.abs(a - b) < within, share, "near")


def always_above(models: Iterable[Model], bound: str, score: str) -> Found:
    """Judge "the bound lies above, always", to rounding."""
    a, b = _columns(models, bound, score)
    evidence = {
        "models": float(len(a)),
        "least_gap": float(np.min(a - b)),
        "median_gap": float(np.median(a - b)),
    }
    return "confirmed" if bool(np.all(a >= b - 1e-9 * np.abs(b))) else "contradicted", evidence


def worse_where_below(models: Iterable[Model], bound: str, score: str) -> Found:
    """Judge "models with a bound below their score mostly have lower scores than the others"."""
    a, b = _columns(models, bound, score)
    below = a < b
    evidence = {"models": float(len(a)), "below": float(np.sum(below))}
    if not below.any() or below.all():
        return "undecided", evidence
    verdict, ranked = _ranked([(-b[below], -b[~below])])
    return verdict, {**evidence, **ranked}


def _is_share(holds: NDArray[np.bool_], share: float, name: str) -> Found:
    """Judge "it holds of a share of at least ``share``": an exact binomial test."""
    from scipy.stats import binom

    count, n = int(np.sum(holds)), len(holds)
    p_for, p_against = binom.sf(count - 1, n, share), binom.cdf(count, n, share)
    evidence = {
        "models": float(n),
        name: float(count),
        "p_for": float(p_for),
        "p_against": float(p_against),
    }
    return _decide(p_for, p_against), evidence


def is_nearer(models: Iterable[Model], one: str, other: str, score: str) -> Found:
    """Judge "one is a better estimate of the score than the other": an exact sign test of the distances."""
    from scipy.stats import binom

    models = list(models)
    a, b = _columns(models, one, score)
    c, _ = _columns(models, other, score)
    near, far = np.abs(a - b), np.abs(c - b)
    wins, n = int(np.sum(near < far)), int(np.sum(near != far))
    p_for, p_against = binom.sf(wins - 1, n, 0.5), binom.cdf(wins, n, 0.5)
    evidence = {
        "models": float(n),
        "nearer": float(wins),
        "median_distance": float(np.median(near)),
        "median_distance_other": float(np.median(far)),
        "rank_correlation": float(spearman(a, b)),
        "rank_correlation_other": float(spearman(c, b)),
        "p_for": float(p_for),
        "p_against": float(p_against),
    }
    return _decide(p_for, p_against), evidence


def spearman(a: Numbers, b: Numbers) -> Numbers:
    """Return the rank correlation along the last axis, ties sharing their mean rank; zero where all tie."""
    from scipy.stats import rankdata

    x, y = (rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in (a, b))
    scale = np.sqrt(np.sum(x**2, axis=-1) * np.sum(y**2, axis=-1))
    found: Numbers = np.divide(np.sum(x * y, axis=-1), scale, out=np.zeros_like(scale), where=scale > 0)
    return found


def _columns(models: Iterable[Model], *names: str) -> tuple[Numbers, ...]:
    models = list(models)
    return tuple(np.array([m[name] for m in models], dtype=np.float64) for name in names)
