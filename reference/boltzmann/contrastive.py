r"""Contrastive divergence and its persistent form, sampled, and in exact expectation over the sampling.

Both replace the second expectation of [BA] eq. 7 by the end of a short Gibbs chain: CD-k starts it at the
data, PCD where it stood at the last update.  A direction is an RBM, to be *added* to the parameters: it
ascends the log-likelihood.
"""

from __future__ import annotations

from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..contracts import Bits, Choice, Count, Prob, checked
from ..states import binary_states, check_enumerable
from ..trees import difference
from .gibbs import gibbs_law, hidden_law, law_of_units, visible_law
from .partition import law_of_bits
from .rbm import (
    RBM,
    data_statistics,
    draw_hidden,
    draw_visible,
    hidden_input,
    hidden_on,
    visible_input,
    visible_on,
)


class Variant(NamedTuple):
    """Which of the statistics' units are means ("mean") and which draws ("sample"); what a chain carries."""

    positive_hidden: Choice[str, "mean", "sample"]  # h beside the data
    negative_visible: Choice[
        str, "mean", "sample"
    ]  # v at the end of the chain; a mean also feeds the negative h
    negative_hidden: Choice[str, "mean", "sample"]  # h beside the end of the chain
    chain: Choice[str, "visible", "hidden"] = "visible"  # which a persistent chain hands on; CD has none


DOCUMENT = Variant(positive_hidden="mean", negative_visible="sample", negative_hidden="mean", chain="visible")
"""The updates as printed, [BA] eq. 8-10: both sigmoids are means, the v of the chain is a draw.

What PCD carries, [BA] 2.2 leaves open; its chain goes "up and down", so it stands at a v between two steps.
"""

HIDDEN_CHAIN = DOCUMENT._replace(chain="hidden")
"""The same statistics, but PCD carries h: drawn with the old couplings, which saves one product in six."""


class CDInfo(NamedTuple):
    """The rows whose mean outer products were contrasted."""

    h_data: Prob[Array, "n H"]  # beside the data
    v_model: Prob[Array, "m V"]  # at the end of the chains
    h_model: Prob[Array, "m H"]  # beside it


class PCDInfo(NamedTuple):
    """The rows whose mean outer products were contrasted, and where the chains stand now."""

    h_data: Prob[Array, "n H"]  # beside the data
    v_model: Prob[Array, "m V"]  # at the end of the chains
    h_model: Prob[Array, "m H"]  # beside it
    chains: Bits[Array, "m _"]  # of V or H units, as ``variant.chain`` says: where the next step starts


@checked
def cd_step(
    theta: RBM, v: Bits[Array, "n V"], *, k: Count[int, 1], rng: Rng, variant: Variant = DOCUMENT
) -> tuple[RBM, CDInfo]:
    r"""Return the CD-k direction: mean statistics of the data minus those k Gibbs steps later.

    .. math:: \Delta W &= \tfrac1n\sum_t v_t\,\sigma(v_t W+c) - \tilde v_t\,\sigma(\tilde v_t W+c) \\
        \Delta b &= \tfrac1n\sum_t v_t - \tilde v_t \\
        \Delta c &= \tfrac1n\sum_t \sigma(v_t W+c) - \sigma(\tilde v_t W+c)      [BA] eq. 8-10, [BP] eq. 43-44

    Exactness: biased as a gradient of the log-likelihood, the less the larger k; ``expected_cd_step`` is its
    exact expectation.
    """
    stream = as_stream(rng, like=v)
    h_mean = hidden_on(hidden_input(theta, v))
    h_0 = draw_hidden(h_mean, stream)
    end = _roll_out(theta, v, h_0, k, stream)
    v_model = end.v_mean if variant.negative_visible == "mean" else draw_visible(end.v_mean, stream)
    h_model = _beside(theta, v_model, variant.negative_hidden, stream)
    h_data = h_mean if variant.positive_hidden == "mean" else h_0
    rows = array_namespace(v).concat([v, v_model])
    return _contrast(rows, h_data, h_model), CDInfo(h_data, v_model, h_model)


@checked
def pcd_step(
    theta: RBM,
    v: Bits[Array, "n V"],
    chains: Bits[Array, "m _"],
    *,
    k: Count[int, 1],
    rng: Rng,
    variant: Variant = DOCUMENT,
) -> tuple[RBM, PCDInfo]:
    """Return the PCD-k direction: mean statistics of the data minus those of the chains, k Gibbs steps on.

    Each phase is the mean over its own rows: n of data, m of chains.  ``info.chains`` starts the next step.
    The rates must decrease for the chains to keep up with the parameters.      [BA] 2.2

    Chains of v go k times up and down and end at a v; chains of h go k times down and up and end at an h,
    its p(h | v) serving the statistics too.  Both are Gibbs chains of the same machine.

    Exactness: unbiased as a gradient of the log-likelihood where the chains are samples of the machine and
    the negative v is a draw; else biased.
    """
    _check_chains(theta, chains, variant)
    stream = as_stream(rng, like=v)
    if variant.chain == "hidden":
        end = _roll_out(theta, None, chains, k, stream)
    else:
        end = _roll_out(theta, chains, _beside(theta, chains, "sample", stream), k, stream)
    v_end = draw_visible(end.v_mean, stream)
    v_model = end.v_mean if variant.negative_visible == "mean" else v_end
    # One product for both phases: their rows share the couplings.
    rows = array_namespace(v).concat([v, v_model])
    h_mean = hidden_on(hidden_input(theta, rows))
    h_data = _taken(h_mean[: v.shape[0], :], variant.positive_hidden, stream)
    h_model = _taken(h_mean[v.shape[0] :, :], variant.negative_hidden, stream)
    chains = v_end if variant.chain == "visible" else _hidden_end(theta, v_end, h_model, variant, stream)
    return _contrast(rows, h_data, h_model), PCDInfo(h_data, v_model, h_model, chains)


@checked
def expected_cd_step(
    theta: RBM, v: Bits[Array, "n V"], *, k: Count[int, 1], variant: Variant = DOCUMENT
) -> RBM:
    r"""Return the expectation of ``cd_step`` over its draws, exactly.

    .. math:: \tfrac1n\sum_t \mathbb{E}_h[\partial_\theta(-E)\mid v^{(t)}]
        - \sum_{\tilde v} (\hat p\,T^k)(\tilde v)\, \mathbb{E}_h[\partial_\theta(-E)\mid\tilde v]

    with T the Gibbs kernel and p-hat the empirical law of the rows; where the negative v is a mean, the sum
    is over the h that it is the mean given.  A mean or a draw of h makes no difference to an expectation.

    Exactness: exact.   Cost: k 2^(V + H + 1) multiplications, n 2^H numbers.
    Raises: as ``cd_step``, and ValueError where the states are too many to enumerate.
    """
    return expected_pcd_step(theta, v, v, k=k, variant=variant._replace(chain="visible"))


@checked
def expected_pcd_step(
    theta: RBM,
    v: Bits[Array, "n V"],
    chains: Bits[Array, "m _"],
    *,
    k: Count[int, 1],
    variant: Variant = DOCUMENT,
) -> RBM:
    """Return the expectation of ``pcd_step`` over its draws, given where the chains stand, exactly.

    Exactness: exact.
    Cost: k 2^(V + H + 1) multiplications, m 2^H numbers.
    Raises: as ``pcd_step``, and ValueError where the states are too many to enumerate.
    """
    _check_chains(theta, chains, variant)
    data = data_statistics(theta, v)
    model = _expected_statistics(theta, *_law_of_ends(theta, chains, k, variant))
    return difference(data, model)


def _check_chains(theta: RBM, chains: Array, variant: Variant) -> None:
    units = theta.W.shape[variant.chain == "hidden"]
    if chains.shape[1] != units:
        wanted = f"chains ({variant.chain} rows) must have shape (n >= 1, {units})"
        raise ValueError(f"{wanted}, got {tuple(chains.shape)}")


def _beside(theta: RBM, v: Array, how: str, stream: Stream) -> Array:
    """Return h beside v: its mean, or a draw."""
    return _taken(hidden_on(hidden_input(theta, v)), how, stream)


def _taken(mean: Array, how: str, stream: Stream) -> Array:
    """Return what the variant takes of units with this mean: the mean, or a draw."""
    return mean if how == "mean" else draw_hidden(mean, stream)


def _hidden_end(theta: RBM, v: Array, h_model: Array, variant: Variant, stream: Stream) -> Array:
    """Return h drawn beside the last v: what a chain of hidden units carries on."""
    if variant.negative_visible == "mean":  # then h_model stands beside the mean
        return _beside(theta, v, "sample", stream)
    return draw_hidden(h_model, stream)  # where it is a draw already, it draws itself


class _End(NamedTuple):
    """The end of a chain of Gibbs steps, its last v not drawn yet."""

    v: Array | None  # v_{k-1}; none where the chain began with this h
    h: Array  # h_{k-1}, drawn given it
    v_mean: Array  # E[v_k | h_{k-1}]


def _roll_out(theta: RBM, v: Array | None, h: Array, k: int, stream: Stream) -> _End:
    """Return the end of the k Gibbs steps that begin with h, drawn given v."""
    v_mean = visible_on(visible_input(theta, h))
    for _ in range(k - 1):
        v = draw_visible(v_mean, stream)
        h = _beside(theta, v, "sample", stream)
        v_mean = visible_on(visible_input(theta, h))
    return _End(v, h, v_mean)


def _contrast(rows: Array, h_data: Array, h_model: Array) -> RBM:
    """Return mean statistics of the data, which are the first of the visible rows, minus the model's."""
    xp = array_namespace(rows)
    # One signed mean over all rows: a product per phase would cost three more passes over W's shape.
    weights = _signed_weights(h_data.shape[0], h_model.shape[0], like=rows)
    h = xp.concat([h_data, h_model])
    return RBM(xp.matrix_transpose(rows) @ (weights[:, None] * h), weights @ rows, weights @ h)


def _signed_weights(n: int, m: int, *, like: Array) -> Array:
    """Return the weights of n rows of data, one in all, and of m of the model, minus one in all."""
    xp, kind = array_namespace(like), {"dtype": like.dtype, "device": like.device}
    return xp.concat([xp.full((n,), 1 / n, **kind), xp.full((m,), -1 / m, **kind)])


def _law_of_ends(theta: RBM, chains: Array, k: int, variant: Variant) -> tuple[Array, Array]:
    """Return all values that the negative v may take, and the law over them."""
    xp = array_namespace(chains)
    check_enumerable("the table of the chains' h", (chains.shape[0], *(2,) * theta.W.shape[1]))
    if variant.chain == "hidden":
        h = xp.matrix_transpose(chains)
        laws = law_of_bits(1 - h, h)
    else:
        laws = law_of_units(hidden_input(theta, chains))
    law = xp.mean(laws, axis=1)  # of the h that the chains go down from first
    if variant.negative_visible == "sample":
        law = gibbs_law(theta, visible_law(theta, law), steps=k - 1)
        return binary_states(theta.W.shape[0], like=chains), law
    if k > 1:
        law = hidden_law(theta, gibbs_law(theta, visible_law(theta, law), steps=k - 2))
    return visible_on(visible_input(theta, binary_states(theta.W.shape[1], like=chains))), law


def _expected_statistics(theta: RBM, v: Array, law: Array) -> RBM:
    xp = array_namespace(v)
    h = hidden_on(hidden_input(theta, v))
    return RBM(xp.matrix_transpose(v) @ (law[:, None] * h), law @ v, law @ h)
