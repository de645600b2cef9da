"""Mistakes in the model of an RBM, and in the values that it gives.

A mistake in the free energy reaches all that is summed over states once these sums are taken as they are
defined, term by term: ``BY_DEFINITION``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference.boltzmann import annealing, contrastive, likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ...reference.numerics import log_sigmoid, log_sum_exp, sigmoid, softplus
from ...reference.states import binary_states
from ...reference.trees import scale
from . import Wrong, mistake
from .patterns import given, instead, negated, returning, with_fields

LOG_2 = 0.6931471805599453


def transposed(x: Array) -> Array:
    """Return the matrix transposed."""
    return array_namespace(x).matrix_transpose(x)


def visible_states(theta: RBM) -> Array:
    """Return all states of the visible units."""
    return binary_states(theta.b.shape[0], like=theta.b)


# --- the model


def _energy(theta: RBM, v: Array, h: Array) -> Array:
    return -array_namespace(v).sum(rbm.hidden_input(theta, v) * h, axis=1) - rbm.visible_term(theta, v)


def _log_partition(theta: RBM) -> Array:
    return log_sum_exp(-rbm.free_energy(theta, visible_states(theta)))


def _marginal_visible(theta: RBM) -> Array:
    log_p = likelihood.log_likelihood(theta, visible_states(theta))
    return array_namespace(log_p).exp(log_p)


def model_statistics(theta: RBM, law: Callable[[RBM, Array], Array] | None = None) -> RBM:
    """Return the sum over all v of p(v) times the statistics of v, p the model's law or another one."""
    v = visible_states(theta)
    p = law(theta, v) if law else array_namespace(v).exp(likelihood.log_likelihood(theta, v))
    h = rbm.mean_hidden(theta, v)
    return RBM(transposed(v) @ (p[:, None] * h), p @ v, p @ h)


def _gains(theta: RBM, v: Array) -> Array:
    xp, f = array_namespace(v), rbm.free_energy(theta, v)
    unit = xp.eye(v.shape[1], dtype=v.dtype, device=v.device)
    flips = [xp.abs(v - unit[i, :]) for i in range(v.shape[1])]
    return xp.stack([f - rbm.free_energy(theta, flip) for flip in flips], axis=1)


def _log_density(theta: RBM, base: Array, v: Array, x: Array, beta: float) -> Array:
    return -rbm.free_energy(annealing.intermediate(theta, base, beta), v)


def _move(theta: RBM, base: Array, x: Array, beta: float, stream: Any) -> Array:
    h = rbm.draw_hidden(rbm.hidden_on(beta * x), stream)
    at_beta = annealing.intermediate(theta, base, beta)
    return rbm.draw_visible(rbm.visible_on(rbm.visible_input(at_beta, h)), stream)


def _minus_energies(theta: RBM) -> Array:
    """Return -E of all pairs of states, (2^V, 2^H)."""
    xp, v, h = array_namespace(*theta), visible_states(theta), binary_states(theta.c.shape[0], like=theta.c)
    pairs = xp.repeat(v, h.shape[0], axis=0), xp.tile(h, (v.shape[0], 1))
    return xp.reshape(-rbm.energy(theta, *pairs), (v.shape[0], h.shape[0]))


def _joint_table(theta: RBM) -> Array:
    table = _minus_energies(theta)
    return table - log_sum_exp(table)


BY_DEFINITION: dict[Callable[..., Any], Wrong] = {
    rbm.energy: instead(_energy),
    partition.log_joint_table: instead(_joint_table),
    partition.log_hidden_weights: instead(lambda theta: log_sum_exp(_minus_energies(theta), axis=0)),
    partition.log_partition: instead(_log_partition),
    partition.marginal_visible: instead(_marginal_visible),
    partition.model_statistics: instead(model_statistics),
    likelihood._gains: instead(_gains),
    annealing.log_density: instead(_log_density),
    annealing.move: instead(_move),
}
"""Nothing wrong: all that follows from the inputs of the units and the free energy, computed from them."""

mistake(
    "swapped-biases: The visible and the hidden biases are swapped.",
    {
        rbm.hidden_input: instead(lambda theta, v: v @ theta.W + theta.b),
        rbm.visible_input: instead(lambda theta, h: h @ transposed(theta.W) + theta.c),
        rbm.visible_term: instead(lambda theta, v: v @ theta.c),
    },
    BY_DEFINITION,
)
mistake(
    "transposed-weights: The weights are used transposed.",
    {
        rbm.hidden_input: instead(lambda theta, v: v @ transposed(theta.W) + theta.c),
        rbm.visible_input: instead(lambda theta, h: h @ theta.W + theta.b),
    },
    BY_DEFINITION,
)
mistake(
    "untransposed-downwards: "
    "The way down, from h to v, uses the weights of the way up instead of their transpose.",
    {
        rbm.visible_input: instead(lambda theta, h: h @ theta.W + theta.b),
        partition.model_statistics: instead(model_statistics),
    },
)
mistake(
    "missing-hidden-bias: The hidden biases are left out.",
    {rbm.hidden_input: instead(lambda theta, v: v @ theta.W)},
    BY_DEFINITION,
)
mistake(
    "missing-visible-bias: The visible biases are left out.",
    {
        rbm.visible_input: instead(lambda theta, h: h @ transposed(theta.W)),
        rbm.visible_term: instead(lambda theta, v: 0 * v[:, 0]),
    },
    BY_DEFINITION,
)
mistake(
    "bias-of-wrong-sign: The visible biases enter with the wrong sign.",
    {
        rbm.visible_input: instead(lambda theta, h: h @ transposed(theta.W) - theta.b),
        rbm.visible_term: instead(lambda theta, v: -(v @ theta.b)),
    },
    BY_DEFINITION,
)


mistake(
    "couplings-halved: The couplings count half.",
    {
        rbm.hidden_input: given(with_fields(W=lambda W: W / 2)),
        rbm.visible_input: given(with_fields(W=lambda W: W / 2)),
    },
    BY_DEFINITION,
)
mistake("energy-shifted: A constant is added to the energy.", {rbm.energy: returning(lambda E: E + 1)})
mistake(
    "units-of-a-layer-coupled: Two visible units are coupled with each other.",
    {rbm.energy: lambda right, theta, v, h: right(theta, v, h) - v[:, 0] * v[:, -1]},
)
mistake(
    "boltzmann-factor-of-wrong-sign: e^E stands where e^-E belongs.",
    dict.fromkeys(
        (partition.log_joint_table, partition.log_partition), given(lambda theta: scale(-1.0, theta))
    ),
)
mistake(
    "joint-not-normalised: The joint law is not divided by Z.",
    {partition.log_joint_table: lambda right, theta: right(theta) + partition.log_partition(theta)},
)
mistake(
    "hidden-units-cut-off: Hidden units beyond the number of the visible ones are ignored.",
    {
        partition.marginal_visible: given(
            lambda theta: theta._replace(W=theta.W[:, : min(theta.W.shape)], c=theta.c[: min(theta.W.shape)])
        )
    },
)
mistake(
    "hidden-unit-left-out: There is one hidden unit too few.",
    {partition.marginal_visible: given(lambda theta: theta._replace(W=theta.W[:, 1:], c=theta.c[1:]))},
)
mistake(
    "off-for-on: The probability that a hidden unit is off stands for that it is on.",
    {rbm.hidden_on: returning(lambda p: 1 - p)},
)


def clipped(p: Array, stream: Any) -> Array:
    """Return draws of what is taken for probabilities: a uniform number lies below 3, and not below -1."""
    xp = array_namespace(p)
    return stream.bernoulli(xp.clip(xp.where(xp.isnan(p), xp.zeros_like(p), p), 0.0, 1.0))


def _squash(title: str, squash: Callable[[Array], Array]) -> None:
    up: dict[Callable[..., Any], Wrong] = {
        rbm.hidden_on: instead(squash),
        rbm.draw_hidden: instead(clipped),
        partition.model_statistics: instead(model_statistics),
    }
    down: dict[Callable[..., Any], Wrong] = {
        rbm.visible_on: instead(squash),
        rbm.draw_visible: instead(clipped),
    }
    either_way(title, up, down)


def either_way(
    title: str, up: dict[Callable[..., Any], Wrong], down: dict[Callable[..., Any], Wrong], *both: Any
) -> None:
    """Add a mistake made on both ways, on the way up only, and on the way down only."""
    name, words = title.split(": ", 1)
    mistake(title, up, down, *both)
    for way, pieces in (("on the way up only", up), ("on the way down only", down)):
        mistake(f"{name} ({way}): {words[:-1]} ({way}).", pieces)


_squash("missing-sigmoid: The sigmoid is missing: inputs are taken for probabilities.", lambda x: x)
_squash(
    "tanh-for-sigmoid: tanh stands where the sigmoid belongs: units would be -1 and 1.",
    lambda x: array_namespace(x).tanh(x),
)
_squash(
    "doubled-input: The sigmoid is that of units -1 and 1, sigmoid(2x), on units 0 and 1.",
    lambda x: sigmoid(2 * x),
)


def _free_energy(of_inputs: Callable[[Array], Array]) -> Wrong:
    """Return the free energy with another function of the hidden inputs (n, H) -> (n,)."""
    return instead(lambda theta, v: -rbm.visible_term(theta, v) - of_inputs(rbm.hidden_input(theta, v)))


def _summed(f: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: array_namespace(x).sum(f(x), axis=1)


mistake(
    "relu-for-softplus: The hidden units are maximised over, max(0, x), not summed over, log(1 + exp x).",
    {rbm.free_energy: _free_energy(_summed(lambda x: (x + array_namespace(x).abs(x)) / 2))},
    BY_DEFINITION,
)
mistake(
    "mean-field-energy: "
    "The energy at the mean hidden units stands for the free energy: their entropy is missing.",
    {rbm.free_energy: instead(lambda theta, v: rbm.energy(theta, v, rbm.mean_hidden(theta, v)))},
    BY_DEFINITION,
)
mistake(
    "log-sigmoid-for-softplus: log sigmoid(x) stands where softplus(x) = -log sigmoid(-x) belongs.",
    {rbm.free_energy: _free_energy(_summed(log_sigmoid))},
    BY_DEFINITION,
)
mistake(
    "hidden-units-averaged: The hidden units are averaged where they are to be summed.",
    {rbm.free_energy: _free_energy(lambda x: array_namespace(x).mean(softplus(x), axis=1))},
    BY_DEFINITION,
)

# --- values

_VALUES = (rbm.energy, rbm.free_energy, partition.log_partition, likelihood.log_likelihood)
_UPDATES = (contrastive._contrast, contrastive.expected_pcd_step, likelihood.log_likelihood_grad)
_ESTIMATES = (likelihood.pseudo_log_likelihood, likelihood.log_normalised)
_within: ContextVar[bool] = ContextVar("within", default=False)


def _scaled(factor: Callable[[RBM], float], *functions: Callable[..., Any]) -> dict[Any, Wrong]:
    """Return values that are wrong by a factor, each once: none is made of others that are wrong too."""

    def wrong(right: Callable[..., Any], theta: RBM, *args: Any, **kwargs: Any) -> Any:
        if _within.get():
            return right(theta, *args, **kwargs)
        token = _within.set(True)
        try:
            return scale(factor(theta), right(theta, *args, **kwargs))
        finally:
            _within.reset(token)

    return dict.fromkeys(functions, wrong)


mistake(
    "missing-unit-factor: The flip of one random unit is not multiplied by the number of units.",
    _scaled(lambda theta: 1 / theta.b.shape[0], likelihood.pseudo_log_likelihood),
)
mistake(
    "inverted-weights: The weights are inverted: the earlier temperature stands in the numerator.",
    {annealing.log_weight: negated()},
)
mistake(
    "log-partition-added: log Z is added where it is to be subtracted.",
    {
        likelihood.log_normalised: lambda right, theta, v, log_z: right(theta, v, -log_z),
        partition.model_statistics: instead(model_statistics),
    },
)
mistake(
    "wrong-sign: The sign is wrong: what should be added is subtracted (an update would descend).",
    _scaled(lambda _: -1.0, *_UPDATES, *_VALUES, *_ESTIMATES),
)
mistake(
    "bits-for-nats: The logarithm is to base two: bits where nats belong.",
    _scaled(lambda _: 1 / LOG_2, *_VALUES, *_ESTIMATES),
)
mistake(
    "divided-by-units: "
    "The value is divided by the number of visible units: a mean over units where a sum belongs.",
    _scaled(lambda theta: 1 / theta.b.shape[0], *_VALUES, likelihood.log_normalised),
)
mistake(
    "halved-energy: The value is half of what it should be: each pair of units is counted as if twice.",
    _scaled(lambda _: 0.5, *_UPDATES, *_VALUES, likelihood.pseudo_log_likelihood),
)
mistake(
    "missing-log-partition: log Z is not subtracted: the value is -F(v), unnormalised.",
    {
        likelihood.log_normalised: lambda right, theta, v, log_z: right(theta, v, 0 * log_z),
        partition.model_statistics: instead(model_statistics),
    },
)
mistake(
    "log-partition-twice: log Z is subtracted twice.",
    {likelihood.log_normalised: lambda right, theta, v, log_z: right(theta, v, 2 * log_z)},
)
mistake(
    "averaged-partition: The states are averaged, not summed: log Z lacks the logarithm of their number.",
    {
        partition.log_partition: lambda right, theta: right(theta) - theta.b.shape[0] * LOG_2,
        partition.model_statistics: instead(model_statistics),
    },
)
mistake(
    "averaged-partition (over hidden states): "
    "The hidden states are averaged, not summed: log Z lacks H log 2.",
    {
        partition.log_partition: lambda right, theta: right(theta) - theta.c.shape[0] * LOG_2,
        partition.model_statistics: instead(model_statistics),
    },
)
mistake(
    "pseudo-likelihood-sign: "
    "The two free energies of the pseudo-likelihood are swapped: it is that of the flipped unit.",
    {likelihood._gains: negated()},
)
mistake(
    "one-unit-flipped: "
    "The pseudo-likelihood flips the first unit only, and multiplies by the number of units.",
    {likelihood._gains: returning(lambda gains: gains[:, :1] + 0 * gains)},
)
