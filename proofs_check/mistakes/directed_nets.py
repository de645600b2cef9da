"""Mistakes in deep belief nets: their layers, the machine on top, and the variational bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import entr, logsumexp

from ...reference.boltzmann import likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import dbn, dbn_bound, updown
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import MachineKind, Sigmoid
from . import mistake
from .directed import DROPPED, LAW_DROPPED, LAW_UNIFORM, UNIFORM, Pieces, log_bits, states
from .patterns import given, instead, negated, returning, scaled

Array = Any
Change = Callable[[DBN], DBN]

# --- the machine on top -----------------------------------------------------------------------------------


def _unnormalised(top: RBM, h: Array) -> Array:
    return h @ top.b + np.logaddexp(0, h @ top.W + top.c).sum(axis=1)


def _log_z(top: RBM) -> Array:
    return logsumexp(_unnormalised(top, states(len(top.b))))


def _minus_energy(top: RBM, h: Array, g: Array) -> Array:
    return h @ top.b + np.sum((h @ top.W + top.c) * g, axis=1)


def on_top(
    *,
    unnormalised: Callable[[RBM, Array], Array] = _unnormalised,
    log_z: Callable[[RBM], Array] | None = None,
    log_top: Callable[[RBM, Array], Array] | None = None,
    pair: Callable[[RBM, Array, Array], Array] = _minus_energy,
) -> Pieces:
    """Another law of the machine on top: its two terms, or all of it; units above summed out or not."""

    def total(top: RBM) -> Array:
        return log_z(top) if log_z else logsumexp(unnormalised(top, states(len(top.b))))

    def law(top: RBM, h: Array) -> Array:
        return log_top(top, h) if log_top else unnormalised(top, h) - total(top)

    def table(top: RBM) -> Array:
        return law(top, states(len(top.b)))[:, None]

    return {
        partition.log_partition: instead(total),
        likelihood.log_likelihood: instead(law),
        rbm.energy: instead(lambda top, h, g: -pair(top, h, g)),
        MachineKind.log_table: lambda right, self, top: table(top),
        MachineKind.law_below: lambda right, self, top, mass: np.exp(table(top)) @ mass,
    }


def _doubled(top: RBM) -> RBM:
    return top._replace(b=2 * top.b)


def _turned(layer: Any) -> Any:
    return layer._replace(W=layer.W.T)


mistake(
    "missing-top-partition: log Z of the top machine is not subtracted: the value is unnormalised.",
    on_top(log_z=lambda top: np.zeros(())),
)
mistake(
    "averaged-top-partition: log Z of the top machine is averaged over states where it is to be summed.",
    on_top(log_z=lambda top: _log_z(top) - len(top.b) * np.log(2)),
)
mistake(
    "top-hidden-dropped: "
    "The top machine's hidden units are left out: its visible biases alone stand for its law.",
    on_top(unnormalised=lambda top, h: h @ top.b),
)
_TWICE = "The biases of the units where the directed layers meet the top machine are counted twice."
mistake(
    f"top-bias-counted-twice: {_TWICE}",
    on_top(
        unnormalised=lambda top, h: _unnormalised(_doubled(top), h),
        pair=lambda top, h, g: _minus_energy(_doubled(top), h, g),
    ),
)
mistake(
    f"top-bias-counted-twice (but not in log Z): {_TWICE}",
    on_top(
        log_z=_log_z,
        log_top=lambda top, h: _unnormalised(_doubled(top), h) - _log_z(top),
        pair=lambda top, h, g: _minus_energy(_doubled(top), h, g),
    ),
)
mistake(
    "top-weights-transposed: The top machine's weights are used transposed.",
    on_top(
        unnormalised=lambda top, h: _unnormalised(_turned(top), h),
        pair=lambda top, h, g: _minus_energy(_turned(top), h, g),
    ),
)
mistake(
    "top-hidden-maximised: The top machine's hidden units are maximised over, max(0, x), not summed over.",
    on_top(unnormalised=lambda top, h: h @ top.b + np.maximum(0, h @ top.W + top.c).sum(axis=1)),
)
mistake(LAW_DROPPED, DROPPED, on_top(log_z=_log_z, log_top=lambda top, h: np.zeros(len(h))))
mistake(
    LAW_UNIFORM,
    UNIFORM,
    on_top(log_z=_log_z, log_top=lambda top, h: np.full(len(h), -len(top.b) * np.log(2))),
)

# --- the directed layers ----------------------------------------------------------------------------------


def generating(change: Change) -> Pieces:
    """Another net, where it generates."""
    functions = (dbn.net, dbn.log_joint, dbn.generate, dbn.generated_law)
    return {function: given(change) for function in functions}


def recognising(change: Change) -> Pieces:
    """Another net, where it recognises."""
    return {function: given(change) for function in (dbn.pass_up, dbn_bound.recognise)}


def bounding(change: Change) -> Pieces:
    """Another net, where the bound is taken of it."""
    return {dbn_bound.bound_log_likelihood: given(change)}


def _turned_down(theta: DBN) -> DBN:
    return theta._replace(generative=tuple(map(_turned, theta.generative)))


def _turned_up(theta: DBN) -> DBN:
    return theta._replace(recognition=tuple(map(_turned, theta.recognition)))


_TURNED = "transposed-weights{}: The weights of the directed layers are used transposed."
mistake(
    _TURNED.format(""),
    generating(_turned_down),
    recognising(_turned_up),
    bounding(lambda theta: _turned_up(_turned_down(theta))),
)
mistake(_TURNED.format(" (on the way up only)"), recognising(_turned_up), bounding(_turned_up))
mistake(_TURNED.format(" (on the way down only)"), generating(_turned_down), bounding(_turned_down))


def _upside_down(theta: DBN) -> DBN:
    return theta._replace(generative=theta.generative[::-1], recognition=theta.recognition[::-1])


mistake(
    "layers-in-reverse: The directed layers are taken in reverse order: the topmost one next to the data.",
    generating(_upside_down),
    bounding(_upside_down),
)


def _biased_by_recognition(theta: DBN) -> DBN:
    """Return the net whose hidden layers generate by the biases that recognise them."""
    biases = [theta.generative[k].b if k == 0 else theta.recognition[k - 1].b for k in _levels(theta)]
    layers = zip(theta.generative, biases, strict=True)
    return theta._replace(generative=tuple(layer._replace(b=b) for layer, b in layers))


def _levels(theta: DBN) -> range:
    return range(len(theta.generative))


def _tied_down(theta: DBN) -> DBN:
    layers = zip(theta.generative, theta.recognition, strict=True)
    return theta._replace(generative=tuple(down._replace(W=up.W.T) for down, up in layers))


def _tied_up(theta: DBN) -> DBN:
    layers = zip(theta.generative, theta.recognition, strict=True)
    return theta._replace(recognition=tuple(up._replace(W=down.W.T) for down, up in layers))


mistake(
    "recognition-biases-generate: "
    "Hidden layers generate by the biases that recognise them: the hidden biases of the machine below.",
    generating(_biased_by_recognition),
    bounding(_biased_by_recognition),
)
mistake(
    "recognition-weights-generate: The recognition weights, transposed, are used to generate.",
    generating(_tied_down),
    bounding(_tied_down),
)
mistake(
    "generative-weights-recognise: The generative weights, transposed, are used to recognise.",
    recognising(_tied_up),
    bounding(_tied_up),
    {updown.expected_updown_step: given(_tied_up)},
)

# --- the bound --------------------------------------------------------------------------------------------

mistake(
    "bound-for-likelihood: The variational bound stands for the log-likelihood.",
    {dbn.log_marginal: instead(dbn_bound.bound_log_likelihood)},
)
mistake(
    "likelihood-for-bound: The log-likelihood itself stands for the bound: no q enters.",
    {dbn_bound.bound_log_likelihood: instead(dbn.log_marginal)},
)


def _recognised(up: Sigmoid, below: Array) -> tuple[Array, Array]:
    """Return all h above, and q(h | x) of each row below."""
    h = states(len(up.b))
    return h, np.exp(log_bits(h, dbn.inputs(up, below)[:, None, :]))


def _by_means(theta: DBN, v: Array) -> Array:
    """Return the bound by q(h2 | E h1), in place of q(h2 | h1)."""
    below, law, total = v, np.eye(len(v)), np.zeros(len(v))
    means = dbn.pass_up(theta, v, how="mean", rng=0)
    for down, up, mean in zip(theta.generative, theta.recognition, means[:-1], strict=True):
        h, q = _recognised(up, mean)
        log_p = log_bits(below[:, None, :], dbn.inputs(down, h))
        total = total + np.sum(law @ log_p * q, axis=1) + entr(q).sum(axis=1)
        below, law = h, q
    return total + law @ (_unnormalised(theta.top, below) - _log_z(theta.top))


mistake(
    "recognition-by-means: "
    "Upper layers are recognised from the means below, not from the states: a bound, but that of another q.",
    {dbn_bound.bound_log_likelihood: instead(_by_means)},
)
mistake("entropy-omitted: The entropy of q is left out.", {dbn_bound.entropy: scaled(0.0)})


def _entropies(theta: DBN, v: Array) -> list[Array]:
    """Return the mean entropy of each layer's q given the one below."""
    below, law, found = v, np.eye(len(v)), []
    for up in theta.recognition:
        h, q = _recognised(up, below)
        found.append(law @ entr(q).sum(axis=1))
        below, law = h, law @ q
    return found


mistake(
    "entropy-of-upper-layers-omitted: The entropy of q is that of the first hidden layer only.",
    {dbn_bound.bound_log_likelihood: lambda right, theta, v: right(theta, v) - sum(_entropies(theta, v)[1:])},
)
mistake(
    "entropy-of-first-layer-omitted: The entropy of q lacks that of the first hidden layer.",
    {
        dbn_bound.bound_log_likelihood: lambda right, theta, v: (
            right(theta, v) - (_entropies(theta, v)[0] if len(theta.recognition) > 1 else 0)
        )
    },
)
mistake(
    "entropy-of-wrong-sign: The entropy of q is subtracted where it is to be added.",
    {dbn_bound.entropy: negated()},
)
mistake(
    "entropy-of-ones-only: The entropy of each unit lacks -(1 - q) log(1 - q).",
    {dbn_bound.entropy: instead(lambda q: entr(q @ states(_units(q))).sum(axis=1))},
)
mistake(
    "entropy-averaged: The entropy of q is averaged over its units where it is to be summed.",
    {dbn_bound.entropy: scaled(lambda q: 1 / _units(q))},
)


def _units(q: Array) -> int:
    return int(q.shape[1]).bit_length() - 1


def _prior_at_means(theta: DBN, v: Array) -> Array:
    """Return log p(h), of the units where the top begins, at the means of q, minus its mean under q."""
    law, below = np.eye(len(v)), v
    for up in theta.recognition:
        h, q = _recognised(up, below)
        law, below = law @ q, h
    return _unnormalised(theta.top, law @ below) - law @ _unnormalised(theta.top, below)


mistake(
    "prior-at-means: log p(h) is taken at the means of q instead of averaged over q.",
    {
        dbn_bound.bound_log_likelihood: lambda right, theta, v: right(theta, v) + _prior_at_means(theta, v),
    },
)
mistake(
    "prior-missing: "
    "The law of h is missing from the bound: only the reconstruction and the entropy are left.",
    {likelihood.log_likelihood: returning(np.zeros_like)},
)
