"""Mistakes in the updates of an RBM: contrastive divergence, its persistent form, the exact gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference.boltzmann import contrastive, gibbs, likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ...reference.trees import difference, scale
from . import Wrong, mistake
from .boltzmann import model_statistics, transposed
from .patterns import given, instead, returning, scaled, with_fields

_end: dict[str, Any] = {}


def _walked(right: Callable[..., Any], theta: RBM, *args: Any) -> Any:
    """The right piece; what it was given and returned is remembered until the contrast is made."""
    _end.update(theta=theta, end=right(theta, *args))
    return _end["end"]


def _negative_hidden(beside: Callable[[RBM, Any, Array], Array]) -> dict[Callable[..., Any], Wrong]:
    """Return the contrast with other hidden units beside the end of the chain."""

    def contrast(right: Callable[..., Any], rows: Array, h_data: Array, h_model: Array) -> Any:
        return right(rows, h_data, beside(_end["theta"], _end["end"], h_data))

    return {contrastive._roll_out: _walked, contrastive._contrast: contrast}


def _moved_in_between(right: Callable[..., Any], rows: Array, h_data: Array, h_model: Array) -> Any:
    update, theta, n = right(rows, h_data, h_model), _end["theta"], h_data.shape[0]
    h = rbm.mean_hidden(theta._replace(W=theta.W + update.W), rows)
    return update._replace(c=right(rows, h[:n, :], h[n:, :]).c)


mistake(
    "stale-hidden-samples: "
    "Stale hidden units: the negative phase pairs v with the hidden sample it came from, not p(h | v).",
    _negative_hidden(lambda theta, end, data: end.h),
)
mistake(
    "stale-hidden-means: "
    "Stale hidden means: the negative phase pairs v with the means given the v one step before it.",
    _negative_hidden(lambda theta, end, data: end.h if end.v is None else rbm.mean_hidden(theta, end.v)),
)
mistake(
    "hidden-of-the-data: The negative phase pairs the chain's v with the hidden means of the data.",
    _negative_hidden(lambda theta, end, data: data),
)
mistake(
    "moved-in-between: "
    "The weights are moved before the hidden biases' gradient is taken: it is that of other parameters.",
    {contrastive._roll_out: _walked, contrastive._contrast: _moved_in_between},
)


def _steps(changed: Callable[[int], int]) -> dict[Callable[..., Any], Wrong]:
    def roll_out(right: Callable[..., Any], theta: RBM, v: Any, h: Array, k: int, stream: Any) -> Any:
        if changed(k) > 0:
            return right(theta, v, h, changed(k), stream)
        return contrastive._End(v, h, v)

    def law_of_ends(right: Callable[..., Any], theta: RBM, chains: Array, k: int, variant: Any) -> Any:
        return right(theta, chains, max(1, changed(k)), variant)

    return {contrastive._roll_out: roll_out, contrastive._law_of_ends: law_of_ends}


mistake(
    "steps-ignored: "
    "k is ignored: one Gibbs step counts (the others are not made, or start again at the beginning).",
    _steps(lambda k: 1),
)
mistake("one-step-too-many: The loop makes k + 1 Gibbs steps.", _steps(lambda k: k + 1))
mistake("one-step-too-few: The loop makes k - 1 Gibbs steps.", _steps(lambda k: k - 1))


def _restarted(
    right: Callable[..., Any], theta: RBM, v: Array, chains: Array, *, k: int, rng: Any, **options: Any
) -> Any:
    hidden = options.get("variant", contrastive.DOCUMENT).chain == "hidden"
    start = rbm.sample_hidden(theta, v, rng=rng) if hidden else v
    return right(theta, v, start, k=k, rng=rng, **options)


def _not_advanced(right: Callable[..., Any], theta: RBM, v: Array, chains: Array, **options: Any) -> Any:
    update, info = right(theta, v, chains, **options)
    return update, info._replace(chains=chains)


def _carrying_means(right: Callable[..., Any], theta: RBM, v: Array, chains: Array, **options: Any) -> Any:
    update, info = right(theta, v, chains, **options)
    if options.get("variant", contrastive.DOCUMENT).chain == "hidden":
        return update, info
    return update, info._replace(chains=_end["end"].v_mean)


mistake(
    "chain-restarted-at-data: "
    "The persistent chain is restarted at the data in every call: this is CD, not PCD.",
    {contrastive.pcd_step: _restarted},
)
mistake(
    "chain-not-advanced: The persistent chain is not carried on: the next call starts where this one did.",
    {contrastive.pcd_step: _not_advanced},
)
mistake(
    "chain-of-means: The persistent chain carries means where samples belong.",
    {
        contrastive._roll_out: _walked,
        contrastive.pcd_step: _carrying_means,
        contrastive._hidden_end: instead(lambda theta, v, *_: rbm.mean_hidden(theta, v)),
    },
)


def _weighted(data: Callable[[int, int], float], chains: Callable[[int, int], float]) -> dict[Any, Wrong]:
    """Return both phases with other weights in all, of n rows of data and of m chains; right are 1 and 1."""

    def weights(n: int, m: int, *, like: Array) -> Array:
        xp, kind = array_namespace(like), {"dtype": like.dtype, "device": like.device}
        return xp.concat([xp.full((n,), data(n, m) / n, **kind), xp.full((m,), -chains(n, m) / m, **kind)])

    def expected(right: Callable[..., Any], theta: RBM, v: Array, rows: Array, **options: Any) -> Any:
        n, m = v.shape[0], rows.shape[0]
        of_data = rbm.data_statistics(theta, v)
        of_model = difference(of_data, right(theta, v, rows, **options))
        return difference(scale(data(n, m), of_data), scale(chains(n, m), of_model))

    return {contrastive._signed_weights: instead(weights), contrastive.expected_pcd_step: expected}


mistake(
    "negative-phase-missing: The negative phase is missing: only the statistics of the data are left.",
    _weighted(lambda n, m: 1.0, lambda n, m: 0.0),
    {partition.model_statistics: scaled(0.0)},
)
mistake(
    "chains-weighted-by-rows: "
    "The sum over m chains is divided by the n data rows: the negative phase has weight m/n, not one.",
    _weighted(lambda n, m: 1.0, lambda n, m: m / n),
)
mistake(
    "rows-weighted-by-chains: "
    "The sum over n data rows is divided by the m chains: the positive phase has weight n/m, not one.",
    _weighted(lambda n, m: n / m, lambda n, m: 1.0),
)


def _update(title: str, change: Callable[[RBM, int], RBM]) -> None:
    """Add a mistake in an update of ``n`` rows of data, sampled, expected or exact."""

    def contrast(right: Callable[..., Any], rows: Array, h_data: Array, h_model: Array) -> Any:
        return change(right(rows, h_data, h_model), h_data.shape[0])

    def of_rows(right: Callable[..., Any], theta: RBM, v: Array, *args: Any, **options: Any) -> RBM:
        return change(right(theta, v, *args, **options), v.shape[0])

    mistake(
        title,
        {contrastive._contrast: contrast},
        dict.fromkeys((contrastive.expected_pcd_step, likelihood.log_likelihood_grad), of_rows),
    )


def _fields(**changes: Callable[[Array], Array]) -> Callable[[RBM, int], RBM]:
    change = with_fields(**changes)
    return lambda update, n: change(update)


_update(
    "sum-for-mean: The rows are summed where they are to be averaged (if meant: declare reduction=sum).",
    lambda update, n: scale(n, update),
)
_update(
    "biases-summed: The biases' gradients are summed over rows while the weights' are averaged.",
    lambda update, n: scale(n, update)._replace(W=update.W),
)
_update(
    "weights-summed: The weights' gradient is summed over rows while the biases' are averaged.",
    lambda update, n: update._replace(W=n * update.W),
)
_update(
    "divided-twice: The rows are averaged twice: the update is too small by the number of rows.",
    lambda update, n: scale(1 / n, update),
)
_update(
    "swapped-bias-gradients: The gradients of the visible and of the hidden biases are swapped.",
    lambda update, n: RBM(update.W, update.c, update.b),
)
_update("transposed-gradient: The gradient of the weights is transposed.", _fields(W=transposed))
_update("visible-bias-not-updated: The visible biases are not updated.", _fields(b=lambda b: 0 * b))
_update("hidden-bias-not-updated: The hidden biases are not updated.", _fields(c=lambda c: 0 * c))
_update(
    "visible-bias-of-wrong-sign: The visible biases' gradient has the wrong sign.", _fields(b=lambda b: -b)
)
_update("hidden-bias-of-wrong-sign: The hidden biases' gradient has the wrong sign.", _fields(c=lambda c: -c))
_update("weights-of-wrong-sign: The weights' gradient has the wrong sign.", _fields(W=lambda W: -W))


def _equal_weights(theta: RBM, v: Array) -> Array:
    return array_namespace(v).full((v.shape[0],), 1 / v.shape[0], dtype=v.dtype, device=v.device)


mistake(
    "states-unweighted: The model's expectation gives all states equal weight instead of p(v).",
    {partition.model_statistics: instead(lambda theta: model_statistics(theta, _equal_weights))},
)


def _of_reconstructions(right: Callable[..., Any], theta: RBM, v: Array, **options: Any) -> Any:
    xp = array_namespace(v)
    return right(theta, xp.round(rbm.mean_visible(theta, xp.round(rbm.mean_hidden(theta, v)))), **options)


mistake(
    "reconstruction-for-data: The statistics of a reconstruction stand for those of the data.",
    {likelihood.log_likelihood_grad: _of_reconstructions},
)


# --- contrastive divergence, in other ways


def _from_zero(right: Callable[..., Any], theta: RBM, v: Array, **options: Any) -> Any:
    update, info = contrastive.pcd_step(theta, v, 0 * v, **options)
    return update, contrastive.CDInfo(*info[:3])


def _first_row(right: Callable[..., Any], theta: RBM, v: Array, chains: Array, **options: Any) -> Any:
    return right(theta, v[:1, :], chains[:1, :], **options)


def _with_the_data(right: Callable[..., Any], rows: Array, h_data: Array, h_model: Array) -> Any:
    v = rows[: h_data.shape[0], :]
    crossed = array_namespace(v).concat([v, v[: h_model.shape[0], :]])
    return right(rows, h_data, h_model)._replace(W=right(crossed, h_data, h_model).W)


def _without_data(right: Callable[..., Any], rows: Array, h_data: Array, h_model: Array) -> Any:
    n = h_data.shape[0]
    only_model = array_namespace(rows).concat([0 * rows[:n, :], rows[n:, :]])
    return right(rows, h_data, h_model)._replace(b=right(only_model, h_data, h_model).b)


mistake(
    "cd-from-zero: The chain of CD starts at the zero state, not at the data.",
    {contrastive.cd_step: _from_zero},
)
mistake(
    "first-row-for-all: The first row of a batch stands for all of them.",
    {contrastive.expected_pcd_step: _first_row},
)
mistake(
    "hidden-of-the-chain-with-the-data: The negative phase pairs the chain's hidden units with the data's v.",
    {contrastive._contrast: _with_the_data},
)
mistake(
    "visible-bias-without-data: The visible biases follow the end of the chain only.",
    {contrastive._contrast: _without_data},
)
mistake(
    "most-likely-hidden-units: The most likely hidden units stand for their means.",
    {rbm.hidden_on: returning(lambda p: array_namespace(p).round(p))},
)

# --- laws of the chain


def _law_steps(changed: Callable[[int], int]) -> dict[Callable[..., Any], Wrong]:
    return {gibbs.gibbs_law: lambda right, theta, law, *, steps: right(theta, law, steps=changed(steps))}


mistake(
    "kernel-transposed: The kernel of the chain is transposed.", {gibbs.gibbs_kernel: returning(transposed)}
)
mistake("law-stands-still: The law of the chain does not move.", _law_steps(lambda steps: 0))
mistake(
    "law-of-one-step: The law is that of one step, whatever their number.",
    _law_steps(lambda steps: min(steps, 1)),
)
mistake("law-of-one-step-more: The law is that of one step more.", _law_steps(lambda steps: steps + 1))
mistake(
    "law-of-many-steps: The law is that of the model, not of the chain's end.", _law_steps(lambda steps: 500)
)
mistake(
    "law-restarted: The law of the chain starts anew, at all states alike.",
    {
        gibbs.gibbs_law: lambda right, theta, law, *, steps: right(
            theta, 0 * law + 1 / law.shape[0], steps=steps
        )
    },
)
mistake(
    "law-of-another-machine: The chain is that of a machine with other biases.",
    {gibbs.gibbs_law: given(with_fields(b=lambda b: b / 2 + 1, c=lambda c: c + 1))},
)
