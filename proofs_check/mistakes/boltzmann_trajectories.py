"""Mistakes in Gibbs trajectories, and in the divergence that contrastive divergence descends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...reference import laws
from ...reference.boltzmann import gibbs, rbm, trajectories
from ...reference.boltzmann.trajectories import PathGradient
from ...reference.trees import scale
from . import Wrong, mistake
from .patterns import instead, negated, returning


def _gradient(change: Callable[[PathGradient], PathGradient]) -> dict[Callable[..., Any], Wrong]:
    return {trajectories.path_kl_grad: returning(change)}


mistake(
    "decoder-runs-forward: The decoder starts at x_0 and runs forwards.",
    {trajectories.log_decoder: lambda right, theta, prior, *, k: trajectories.log_encoder(theta, prior, k=k)},
)
mistake(
    "decoder-without-prior: The decoder starts at x_k from a uniform law.",
    {
        trajectories.log_decoder: lambda right, theta, prior, *, k: right(
            theta, 0 * prior + 1 / prior.shape[0], k=k
        )
    },
)
mistake(
    "encoder-without-data: The encoder lacks the law of the data.",
    {trajectories.log_encoder: lambda right, theta, law, *, k: trajectories.log_forward(theta, k=k)},
)
mistake(
    "backward-runs-forward: What is to run back from x_k is conditioned on x_0.",
    {trajectories.log_backward: lambda right, theta, *, k: trajectories.log_forward(theta, k=k)},
)
mistake(
    "path-kl-reversed: KL(p || q) stands for KL(q || p): the laws of the two ends are exchanged.",
    {trajectories.path_kl: lambda right, theta, law, prior, *, k: right(theta, prior, law, k=k)},
)
mistake(
    "path-kl-without-entropy: The entropy of the data is left out.",
    {
        trajectories.path_kl: lambda right, theta, law, prior, *, k: (
            right(theta, law, prior, k=k) + laws.entropy(law)
        )
    },
)
mistake(
    "score-term-missing: The term that contrastive divergence leaves out is left out of the gradient.",
    _gradient(lambda g: PathGradient(scale(0.0, g.score), g.ratio)),
)
mistake(
    "score-term-of-wrong-sign: The term that contrastive divergence leaves out has the wrong sign.",
    _gradient(lambda g: PathGradient(scale(-1.0, g.score), g.ratio)),
)
mistake(
    "ratio-term-missing: The contrastive term is left out of the gradient.",
    _gradient(lambda g: PathGradient(g.score, scale(0.0, g.ratio))),
)
mistake(
    "ratio-term-of-wrong-sign: The contrastive term has the wrong sign.",
    _gradient(lambda g: PathGradient(g.score, scale(-1.0, g.ratio))),
)
mistake(
    "score-and-ratio-exchanged: The two terms of the gradient are exchanged.",
    _gradient(lambda g: PathGradient(g.ratio, g.score)),
)
mistake(
    "score-without-posterior: The score term lacks the decoder's posterior: it is the contrastive term.",
    _gradient(lambda g: PathGradient(g.ratio, g.ratio)),
)
mistake(
    "prior-not-aggregated: All states are given the same weight, not that of the end of the chain.",
    {gibbs.gibbs_law: instead(lambda theta, law, *, steps: 0 * law + 1 / law.shape[0])},
)
mistake(
    "free-energy-of-one-state: The free energy is the energy of one hidden state.",
    {rbm.free_energy: instead(lambda theta, v: rbm.energy(theta, v, 0 * v[:, :1] + 0 * theta.c))},
)
mistake("statistics-of-wrong-sign: Statistics have the sign of the energy.", {rbm.data_statistics: negated()})
