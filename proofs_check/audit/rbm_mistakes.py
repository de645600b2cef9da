"""The mistakes in RBMs that the audit knows by name: each is the right machine with a wrong piece.

A mistake's values on a case are measured exactly as the audited code's are. So a diagnosis is a coincidence
of numbers on every case, and a mistake can serve as a mutant of the checks of statements.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

from ...reference.boltzmann.rbm import RBM
from .cases import Array, Catalogue
from .protocol import Declares
from .rbm_machine import End, Machine

MISTAKES = Catalogue(Machine)
_mistake = MISTAKES.add


def _either_way(title: str, piece: Any, *, stem: str, **both: Any) -> None:
    """Add a mistake made on both ways, on the way up only, and on the way down only."""
    up, down = {f"{stem}_up": piece}, {f"{stem}_down": piece}
    _mistake(title, **both, **up, **down)
    _mistake(f"{title[:-1]} (on the way up only).", **up)
    _mistake(f"{title[:-1]} (on the way down only).", **down)


def _squash(title: str, squash: Callable[[Array], Array]) -> None:
    _either_way(title, lambda _, x: squash(x), stem="squash")


def _drawing(title: str, draw: Callable[[Any, Array], Any]) -> None:
    def piece(_: Any, rng: Any, p: Array) -> Array:
        return np.asarray(draw(rng, p)).astype(float)

    _either_way(title, piece, stem="draw", draw=piece)


# --- the model

_mistake(
    "swapped-biases: The visible and the hidden biases are swapped.",
    hidden_input=lambda _, theta, v: v @ theta.W + theta.b,
    visible_input=lambda _, theta, h: h @ theta.W.T + theta.c,
    visible_term=lambda _, theta, v: v @ theta.c,
)
_mistake(
    "transposed-weights: The weights are used transposed.",
    hidden_input=lambda _, theta, v: v @ theta.W.T + theta.c,
    visible_input=lambda _, theta, h: h @ theta.W + theta.b,
)
_mistake(
    "untransposed-downwards: "
    "The way down, from h to v, uses the weights of the way up instead of their transpose.",
    visible_input=lambda _, theta, h: h @ theta.W + theta.b,
)
_mistake("missing-hidden-bias: The hidden biases are left out.", hidden_input=lambda _, theta, v: v @ theta.W)
_mistake(
    "missing-visible-bias: The visible biases are left out.",
    visible_input=lambda _, theta, h: h @ theta.W.T,
    visible_term=lambda _, theta, v: 0.0 * v.sum(axis=1),
)
_mistake(
    "bias-of-wrong-sign: The visible biases enter with the wrong sign.",
    visible_input=lambda _, theta, h: h @ theta.W.T - theta.b,
    visible_term=lambda _, theta, v: -v @ theta.b,
)
_squash("missing-sigmoid: The sigmoid is missing: inputs are taken for probabilities.", lambda x: x)
_squash("tanh-for-sigmoid: tanh stands where the sigmoid belongs: units would be -1 and 1.", np.tanh)
_squash(
    "doubled-input: The sigmoid is that of units -1 and 1, sigmoid(2x), on units 0 and 1.",
    lambda x: expit(2 * x),
)
_mistake(
    "relu-for-softplus: The hidden units are maximised over, max(0, x), not summed over, log(1 + exp x).",
    softplus=lambda _, x: np.maximum(0, x),
)
_mistake(
    "mean-field-energy: "
    "The energy at the mean hidden units stands for the free energy: their entropy is missing.",
    free_energy=lambda self, theta, v: self.energy(theta, v, self.mean_hidden(theta, v)),
)
_mistake(
    "log-sigmoid-for-softplus: log sigmoid(x) stands where softplus(x) = -log sigmoid(-x) belongs.",
    softplus=lambda _, x: -np.logaddexp(0, -x),
)
_mistake(
    "hidden-units-averaged: The hidden units are averaged where they are to be summed.",
    sum_hidden=lambda _, terms: terms.mean(axis=1),
)

# --- values

_VALUES = ("energy", "free_energy", "log_partition", "log_likelihood")
_ESTIMATES = ("pseudo_log_likelihood", "ais_log_likelihood")

_mistake(
    "missing-unit-factor: The flip of one random unit is not multiplied by the number of units.",
    pseudo_sum=lambda _, terms: np.mean(terms, axis=0),
)
_mistake(
    "inverted-weights: The weights are inverted: the earlier temperature stands in the numerator.",
    weigh=lambda self, *given: -Machine.weigh(self, *given),
)
_mistake(
    "log-partition-added: log Z is added where it is to be subtracted.",
    normalised=lambda _, log_weight, log_z: log_weight + log_z,
)
_mistake(
    "wrong-sign: The sign is wrong: what should be added is subtracted (an update would descend).",
    blocks=lambda _, W, b, c, n: RBM(-W, -b, -c),
    **MISTAKES.scaled(lambda *_: -1.0, *_VALUES, *_ESTIMATES),
)
_mistake(
    "bits-for-nats: The logarithm is to base two: bits where nats belong.",
    **MISTAKES.scaled(lambda *_: 1 / np.log(2), *_VALUES, *_ESTIMATES),
)
_mistake(
    "divided-by-units: "
    "The value is divided by the number of visible units: a mean over units where a sum belongs.",
    **MISTAKES.scaled(lambda theta, *_: 1 / len(theta.b), *_VALUES, _ESTIMATES[1]),  # or missing-unit-factor
)
_mistake(
    "halved-energy: The value is half of what it should be: each pair of units is counted as if twice.",
    blocks=lambda _, W, b, c, n: RBM(0.5 * W, 0.5 * b, 0.5 * c),
    **MISTAKES.scaled(lambda *_: 0.5, *_VALUES, _ESTIMATES[0]),
)
_mistake(
    "missing-log-partition: log Z is not subtracted: the value is -F(v), unnormalised.",
    normalised=lambda _, log_weight, log_z: log_weight,
)
for _name, _units, _short in (("", "b", "the logarithm of their number"), ("hidden ", "c", "H log 2")):
    _mistake(
        f"averaged-partition: The {_name}states are averaged, not summed: log Z lacks {_short}.",
        log_partition=lambda self, theta, units=_units: (
            Machine.log_partition(self, theta) - len(getattr(theta, units)) * np.log(2)
        ),
    )
_mistake(
    "pseudo-likelihood-sign: "
    "The two free energies of the pseudo-likelihood are swapped: it is that of the flipped unit.",
    pseudo_term=lambda _, f, flipped: -np.logaddexp(0, flipped - f),
)
_mistake(
    "one-unit-flipped: "
    "The pseudo-likelihood flips the first unit only, and multiplies by the number of units.",
    pseudo_sum=lambda _, terms: len(terms) * terms[0],
)

# --- draws


def _mean(_: Any, rng: Any, p: Array) -> Array:
    return p


def _seeded(_: Any, rng: Any, p: Array) -> Array:
    return np.asarray(np.random.RandomState(0).random_sample(p.shape) < p).astype(float)


_mistake(
    "means-for-samples: Means stand where samples belong: nothing is drawn.",
    draw=_mean,
    draw_up=_mean,
    draw_down=_mean,
)
_mistake(
    "means-for-hidden-samples: The chain is driven by hidden means where hidden samples belong.",
    draw_up=_mean,
)
_mistake(
    "means-for-last-visible: "
    "The negative statistics use the mean of the last v where its sample belongs (if meant: declare "
    "negative_visible=mean).",
    __init__=lambda self, declares=None: Machine.__init__(
        self, (declares or Declares()).but(negative_visible="mean")
    ),
)
_mistake(
    "means-for-visible-samples: The chain is driven by visible means where visible samples belong.",
    draw_down=_mean,
)
_drawing("thresholded: Units are set by p > 1/2 instead of drawn with probability p.", lambda rng, p: p > 0.5)
_drawing(
    "inverted-comparison: "
    "The comparison with the uniform number is inverted: units are one with probability 1 - p.",
    lambda rng, p: rng.random(p.shape) > p,
)
_drawing(
    "uniform-shared-by-units: "
    "One uniform number serves all units of a row: they are not independent given the other layer.",
    lambda rng, p: rng.random((len(p), 1)) < p,
)
_drawing(
    "uniform-shared-by-rows: The same uniform numbers serve all rows: rows are not independent.",
    lambda rng, p: rng.random((1, p.shape[1])) < p,
)
_mistake(
    "same-uniforms-for-layers: "
    "The generator is seeded anew at every draw: hidden and visible units share the same uniform numbers.",
    draw=_seeded,
    draw_up=_seeded,
    draw_down=_seeded,
)


def _first_use(self: Any, theta: RBM, v: Array, rng: Any) -> Array:
    self.shared = rng.random((len(v), max(theta.W.shape)))
    return np.asarray(self.shared[:, : len(theta.c)] < self.mean_hidden(theta, v)).astype(float)


def _second_use(self: Any, theta: RBM, h: Array, rng: Any) -> Array:
    again = self.shared is not None and len(self.shared) == len(h)
    uniform = self.shared if again else rng.random((len(h), len(theta.b)))
    return np.asarray(uniform[:, : len(theta.b)] < self.mean_visible(theta, h)).astype(float)


_mistake(
    "uniforms-shared-by-layers: "
    "One array of uniform numbers serves both layers: a visible unit is drawn by the number that drew a "
    "hidden one.",
    restart=lambda self: setattr(self, "shared", None),
    sample_hidden=_first_use,
    sample_visible=_second_use,
)


def _reseeded(name: str) -> Any:
    return lambda self, *args, rng, **kwargs: getattr(Machine(self.declares), name)(
        *args, **kwargs, rng=np.random.RandomState(0)
    )


_mistake(
    "reseeded: The generator is seeded anew at every call: successive calls repeat the same random numbers.",
    **{
        name: _reseeded(name)
        for name in ("sample_hidden", "sample_visible", "gibbs_step", "cd_update", "pcd_update")
    },
)

# --- updates


def _moved_in_between(self: Any, theta: RBM, v: Array, end: End) -> RBM:
    update = Machine.update(self, theta, v, end)
    moved = theta._replace(W=theta.W + update.W)
    return update._replace(c=Machine.update(self, moved, v, end).c)


_mistake(
    "stale-hidden-samples: "
    "Stale hidden units: the negative phase pairs v with the hidden sample it came from, not p(h | v).",
    negative_hidden=lambda self, theta, end, data: end.h,
)
_mistake(
    "stale-hidden-means: "
    "Stale hidden means: the negative phase pairs v with the means given the v one step before it.",
    negative_hidden=lambda self, theta, end, data: (
        end.h if end.before is None else self.mean_hidden(theta, end.before)
    ),
)
_mistake(
    "hidden-of-the-data: The negative phase pairs the chain's v with the hidden means of the data.",
    negative_hidden=lambda self, theta, end, data: data,
)
_mistake(
    "moved-in-between: "
    "The weights are moved before the hidden biases' gradient is taken: it is that of other parameters.",
    update=_moved_in_between,
)
_mistake(
    "steps-ignored: "
    "k is ignored: one Gibbs step counts (the others are not made, or start again at the beginning).",
    steps=lambda _, k: 1,
)
_mistake("one-step-too-many: The loop makes k + 1 Gibbs steps.", steps=lambda _, k: k + 1)
_mistake("one-step-too-few: The loop makes k - 1 Gibbs steps.", steps=lambda _, k: k - 1)
_mistake(
    "chain-restarted-at-data: "
    "The persistent chain is restarted at the data in every call: this is CD, not PCD.",
    chain_start=lambda self, theta, v, chains, rng: (
        self.sample_hidden(theta, v, rng=rng) if self.declares.chain == "hidden" else v
    ),
)
_mistake(
    "chain-not-advanced: The persistent chain is not carried on: the next call starts where this one did.",
    carry=lambda self, theta, before, after, end: before,
)
_mistake(
    "chain-of-means: The persistent chain carries means where samples belong.",
    carry=lambda self, theta, before, after, end: (
        self.mean_hidden(theta, end.drawn)
        if self.declares.chain == "hidden"
        else self.mean_visible(theta, end.h)
    ),
)
_mistake(
    "negative-phase-missing: The negative phase is missing: only the statistics of the data are left.",
    chain_weight=lambda self, n, m: 0.0,
)
_mistake(
    "chains-weighted-by-rows: "
    "The sum over m chains is divided by the n data rows: the negative phase has weight m/n, not one.",
    chain_weight=lambda self, n, m: 1.0 / n,
)
_mistake(
    "rows-weighted-by-chains: "
    "The sum over n data rows is divided by the m chains: the positive phase has weight n/m, not one.",
    data_weight=lambda self, n, m: 1.0 / m,
)
_mistake(
    "divided-by-batch-size: "
    "Sums are divided by the configured batch size, not by the rows at hand: a short batch counts less.",
    data_weight=lambda self, n, m: 1.0 / (self.batch_size or n),
    chain_weight=lambda self, n, m: n / m / (self.batch_size or n),
)
for _title, _blocks in (
    (
        "sum-for-mean: The rows are summed where they are to be averaged (if meant: declare reduction=sum).",
        lambda _, W, b, c, n: RBM(n * W, n * b, n * c),
    ),
    (
        "biases-summed: The biases' gradients are summed over rows while the weights' are averaged.",
        lambda _, W, b, c, n: RBM(W, n * b, n * c),
    ),
    (
        "weights-summed: The weights' gradient is summed over rows while the biases' are averaged.",
        lambda _, W, b, c, n: RBM(n * W, b, c),
    ),
    (
        "divided-twice: The rows are averaged twice: the update is too small by the number of rows.",
        lambda _, W, b, c, n: RBM(W / n, b / n, c / n),
    ),
    (
        "swapped-bias-gradients: The gradients of the visible and of the hidden biases are swapped.",
        lambda _, W, b, c, n: RBM(W, c, b),
    ),
    ("transposed-gradient: The gradient of the weights is transposed.", lambda _, W, b, c, n: RBM(W.T, b, c)),
    ("visible-bias-not-updated: The visible biases are not updated.", lambda _, W, b, c, n: RBM(W, 0 * b, c)),
    ("hidden-bias-not-updated: The hidden biases are not updated.", lambda _, W, b, c, n: RBM(W, b, 0 * c)),
    (
        "visible-bias-of-wrong-sign: The visible biases' gradient has the wrong sign.",
        lambda _, W, b, c, n: RBM(W, -b, c),
    ),
    (
        "hidden-bias-of-wrong-sign: The hidden biases' gradient has the wrong sign.",
        lambda _, W, b, c, n: RBM(W, b, -c),
    ),
    ("weights-of-wrong-sign: The weights' gradient has the wrong sign.", lambda _, W, b, c, n: RBM(-W, b, c)),
):
    _mistake(_title, blocks=_blocks)
_mistake(
    "states-unweighted: The model's expectation gives all states equal weight instead of p(v).",
    model_law=lambda _, theta, x: np.full(len(x), 1 / len(x)),
)

# --- annealed importance sampling


def _move_first(self: Any, theta: RBM, base: Array, before: float, after: float, v: Array, rng: Any) -> Any:
    v = self.move(theta, base, after, v, rng)
    return v, self.weigh(theta, base, before, after, v)


def _beta_outside(self: Any, theta: RBM, base: Array, beta: float, v: Array) -> Array:
    visible = v @ ((1 - beta) * base + beta * theta.b)
    return visible + beta * self.softplus(self.hidden_input(theta, v)).sum(axis=1)


_mistake(
    "move-before-weight: "
    "The chain moves to the new temperature before the weight is taken: order of move and weight swapped.",
    anneal=_move_first,
)
_mistake(
    "missing-log-chains: "
    "The weights are summed where they are to be averaged: - log K for K chains is missing.",
    log_average=lambda _, log_w: logsumexp(log_w),
)
_mistake("missing-base-partition: log Z of the base-rate model is not added.", log_base=lambda *_: 0.0)
_mistake(
    "base-without-hidden: log Z of the base-rate model lacks its hidden units: H log 2 is missing.",
    log_base=lambda _, theta, base: np.logaddexp(0, base).sum(),
)
_mistake(
    "mean-of-log-weights: "
    "The log weights are averaged where the weights are: a lower bound stands for the estimate.",
    log_average=lambda _, log_w: np.mean(log_w),
)
_mistake(
    "last-weight-skipped: The last step of the schedule is skipped: its weight is missing.",
    temperatures=lambda _, betas: list(itertools.pairwise(betas))[:-1],
)
_mistake(
    "first-weight-skipped: The first step of the schedule is skipped: its weight is missing.",
    temperatures=lambda _, betas: list(itertools.pairwise(betas))[1:],
)
_mistake(
    "beta-outside-softplus: "
    "beta multiplies the softplus of the hidden input, not the input: another path of laws than is sampled.",
    log_annealed=_beta_outside,
)
_mistake(
    "start-not-from-base: The chains start from fair coins instead of the base-rate model.",
    start=lambda self, base, chains, rng: self.draw(rng, np.full((chains, len(base)), 0.5)),
)
_mistake(
    "moves-at-full-temperature: The chains move under the model itself instead of the intermediate law.",
    move=lambda self, theta, base, beta, v, rng: self.gibbs_step(theta, v, rng=rng),
)
