r"""Annealed importance sampling of log P(x) under a two-layer model with too many hidden units to enumerate.

The path leads from a factorised q(h | x), of which draws are exact, to the joint law of x and h:

.. math:: f_\beta(h) = q(h \mid x)^{1-\beta} \big[P(x \mid h)\, \tilde P_{top}(h)\big]^\beta, \qquad
          \sum_h f_1(h) = P(x)\, Z_{top}

with :math:`\tilde P_{top}(h) = \sum_{h'} e^{-E(h, h')}` of the machine on top.  A run is weighed before it is
moved, as in ``boltzmann.annealing``, by a sweep of Gibbs draws of one unit of h after the other: given x they
are not independent.  With q the posterior itself every weight is :math:`P(x) Z_{top}`, whatever the betas.

``logits`` of q are those of the layer's own inference: ``hidden_input(machine, x)`` where it was an RBM,
``inference_logits`` of an auto-encoder.
Up to about 20 units of h ``belief.log_likelihood`` is exact and faster.  The document has AIS for single RBMs
and for top layers ([AO] 3.3.2, footnote 10); this is AIS of both layers together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..boltzmann.annealing import check_betas
from ..boltzmann.rbm import RBM, free_energy, hidden_input
from ..contracts import Bits, Count, LogWeights, Own, Raw, Real, checked, conform
from ..distributions import log_bernoulli
from ..importance import log_mean_weight
from ..numerics import sigmoid, softplus
from .dbn import inputs
from .layers import Sigmoid


class Run(NamedTuple):
    """The weights of independent chains, some for each datum, and where they ended."""

    log_weights: LogWeights[Array, "n m"]  # log w, with E[w] = P(x) Z_top
    h: Raw[Array, "n m H"]  # the last states weighed


@checked
def ais(
    layer: Sigmoid,
    top: Own[RBM, "top_"],
    x: Bits[Array, "n V"],
    *,
    logits: Real[Array, "n H"],
    betas: Sequence[float] | Array,
    chains: Count[int, 1],
    rng: Rng,
) -> Run:
    r"""Return weights of ``chains`` runs for each datum, from draws of q(h | x) to the model's joint law.

    .. math:: w = \prod_{k=1}^K \frac{f_{\beta_k}(h_{k-1})}{f_{\beta_{k-1}}(h_{k-1})}, \quad
        h_0 \sim q(\cdot \mid x), \quad h_k \sim T_{\beta_k}(h_{k-1}, \cdot)

    ``logits`` are those of q(h_j = 1 | x); betas increase from 0 to 1.
    Exactness: the mean weight is unbiased for P(x) Z_top, for any betas and any q.
    Cost: K - 1 sweeps, each of n m H (V + H') exponentials, H' units above h.
    Raises: ValueError for shapes that do not chain, or betas that do not increase from 0 to 1.
    """
    xp, path, units = array_namespace(x), check_betas(betas), layer.W.shape[1]
    conform(("top.b", Raw[Array, "H"], top.b), H=units)
    stream = as_stream(rng, like=layer.b)
    x, logits = (xp.repeat(rows, chains, axis=0) for rows in (x, logits))
    h = stream.bernoulli(sigmoid(logits))
    log_w = xp.zeros_like(h[:, 0])
    for here, there in pairwise(path):
        log_q = xp.sum(log_bernoulli(h, logits), axis=1)
        log_joint = xp.sum(log_bernoulli(x, inputs(layer, h)), axis=1) - free_energy(top, h)
        log_w = log_w + (there - here) * (log_joint - log_q)
        if there < 1:  # a move at the end of the path would weigh nothing
            h = sweep(layer, top, x, h, logits=logits, beta=there, stream=stream)
    return Run(xp.reshape(log_w, (-1, chains)), xp.reshape(h, (-1, chains, units)))


def sweep(
    layer: Sigmoid, top: RBM, x: Array, h: Array, *, logits: Array, beta: float, stream: Stream
) -> Array:
    r"""Return h after each unit was drawn given all others, in order, unchecked.

    .. math:: \operatorname{logit} f_\beta(h_j = 1 \mid h_{-j}) = (1-\beta)\, \mathrm{logits}_j +
              \beta \big[\log P(x, h)\big]_{h_j = 0}^{h_j = 1}

    x is (m, V), h and logits (m, H).   Exactness: exact draws; f_beta is left invariant.
    """
    xp = array_namespace(x)
    below, above, drawn = inputs(layer, h), hidden_input(top, h), []
    for j in range(h.shape[1]):
        w, u = layer.W[:, j], top.W[j, :]
        below, above = below - h[:, j : j + 1] * w, above - h[:, j : j + 1] * u  # with h_j = 0
        log_ratio = x @ w + top.b[j] - xp.sum(softplus(below + w) - softplus(below), axis=1)
        log_ratio = log_ratio + xp.sum(softplus(above + u) - softplus(above), axis=1)
        h_j = stream.bernoulli(sigmoid((1 - beta) * logits[:, j] + beta * log_ratio))[:, None]
        below, above = below + h_j * w, above + h_j * u
        drawn.append(h_j)
    return xp.concat(drawn, axis=1)


@checked
def log_likelihood_below(run: Run, log_partition: Real[Array, ""]) -> LogWeights[Array, "n"]:
    r"""Return :math:`\log\frac1m\sum w - \log Z_{top}` of each datum: below log P(x) in expectation.

    ``log_partition`` is that of the top.
    Exactness: a stochastic lower bound where log Z is exact (``partition.log_partition``), or above it, as
    ``annealing.log_partition_above`` is in expectation; consistent as chains or betas grow in number.
    """
    return log_mean_weight(run.log_weights) - log_partition
