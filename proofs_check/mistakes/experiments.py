"""Mistakes in the search of [AO] section 3, its kept results, what is judged of them, and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..reproduce import claims, judging, kept, models
from . import Wrong, mistake
from .patterns import instead

Model = Mapping[str, Any]


def _each(change: Callable[[Model], Model]) -> Wrong:
    """The kept models, each changed."""
    return lambda right, data, kind: tuple(change(model) for model in right(data, kind))


def _pearson(a: Any, b: Any) -> Any:
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (a, b))
    return np.sum(x * y, axis=-1) / np.sqrt(np.sum(x**2, axis=-1) * np.sum(y**2, axis=-1))


# --- the search and its kept results

mistake(
    "settings-of-another-search: The settings are drawn from another seed.",
    {models.plan: lambda right, *given, seed: right(*given, seed=seed + 1)},
)
mistake(
    "rate-of-means: Learning rates are of a batch's mean, not of its rows.",
    {models._sgd: lambda right, setting, rate: right({**setting, "rates": "mean"}, rate)},
)
mistake(
    "model-left-out: The last kept model is missing.", {kept.kept_models: lambda right, *g: right(*g)[:-1]}
)
mistake(
    "means-for-sums: Log-likelihoods of rows and of all rows are taken for each other.",
    {kept.kept_models: _each(lambda m: {**m, "valid": 81 * m["valid"], "train": m["train"] / 81})},
)
mistake(
    "visible-biases-not-counted: The biases of x are not counted as parameters.",
    {kept.kept_models: _each(lambda m: {**m, "parameters": m["parameters"] - 100})},
)
mistake(
    "bound-below: The bound is a little below the log-likelihood.",
    {kept.kept_models: _each(lambda m: {**m, "bound_train": m["train"] - 0.01})},
)

# --- what is judged

mistake(
    "size-ignored: Models of all sizes are compared with each other.",
    {judging._by_size: lambda right, found, score: [np.array([m[score] for m in found])]},
)
mistake(
    "more-likely-than-not: Whatever is more likely than not is confirmed.",
    {judging._decide: lambda right, p_for, p_against: "confirmed" if p_for <= 0.5 else "contradicted"},
)
mistake(
    "classes-exchanged: The two classes that are compared are exchanged.",
    {
        judging.typical_is_better: lambda right, found, one, other, *score: right(found, other, one, *score),
        judging.gap_is_wider: lambda right, wide, narrow, *names: right(narrow, wide, *names),
    },
)
mistake(
    "worse-is-better: The best of one kind is compared as that of the other.",
    {judging.best_is_better: lambda right, found, one, other, *score: right(found, other, one, *score)},
)
mistake(
    "judged-on-training-rows: The best are compared by their training rows.",
    {judging.best_is_better: lambda right, found, one, other, *_: right(found, one, other, "train")},
)
mistake(
    "values-for-ranks: The correlation is of the values, not of their ranks.",
    {judging.spearman: instead(_pearson)},
)
mistake(
    "claim-left-out: The last claim of an experiment is not judged.",
    {claims.verdicts: lambda r, *g: r(*g)[:-1]},
)
mistake(
    "half-is-enough: A share that is named in the claim is taken for one half.",
    {judging.lies_above: lambda right, *given, share, by=0.0: right(*given, share=0.5, by=by)},
)
mistake(
    "any-gap-is-visible: A gap of a nat is not asked for.",
    {judging.lies_above: lambda right, *given, share, by=0.0: right(*given, share=share)},
)
mistake(
    "score-for-bound: The log-likelihood is taken for its bound, and the bound for it.",
    {judging.worse_where_below: lambda right, found, bound, score: right(found, score, bound)},
)
mistake(
    "gap-of-validation-rows: The gap is that of the validation rows.",
    {judging.gap_is_wider: lambda right, wide, narrow, *_: right(wide, narrow, "bound_valid", "valid")},
)
mistake(
    "bounds-exchanged: The two bounds that are compared are exchanged.",
    {judging.is_nearer: lambda right, found, one, other, score: right(found, other, one, score)},
)
mistake(
    "compared-with-the-likelihood: A predictor of the bound is judged as one of the log-likelihood.",
    {judging.predicts: lambda right, found, one, _, *, least: right(found, one, "train", least=least)},
)

# --- what is drawn


def _rows(change: Callable[[Any, Any], Any]) -> Wrong:
    return lambda right, *given: change(*right(*given))


def _transposed(rows: Any) -> Any:
    return rows.reshape(-1, 10, 10).transpose(0, 2, 1).reshape(-1, 100)


mistake(
    "images-of-validation: The images are of the validation part.",
    {models.rows: _rows(lambda t, v: (v, t))},
)
mistake(
    "rows-and-columns: Rows and columns of images are exchanged.",
    {models.rows: _rows(lambda train, valid: (_transposed(train), valid))},
)
mistake("last-images: The last images are drawn.", {models.rows: _rows(lambda t, v: (t[::-1], v))})
mistake("nine-images: One image is missing.", {models.rows: _rows(lambda train, valid: (train[:9], valid))})
