"""The mistakes in RBMs that the audit knows by name: one right machine, each mistake a wrong piece of it.

``Machine`` offers every quantity, written without the reference. A mistake replaces pieces of it, and its
values on a case are measured exactly as the audited code's are. So a diagnosis is a coincidence of numbers on
every case, and a mistake can serve as a mutant of the checks of statements.
"""
# ruff: noqa: D102 (the methods are the protocol's quantities, and pieces of them whose names say what they are)

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logsumexp

from ...reference.boltzmann.rbm import RBM
from .cases import Catalogue
from .protocol import Adapter, Declares

Array = Any


def states(n: int) -> Array:
    """Return all binary rows of n units."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=n))).reshape(2**n, n)


class End(NamedTuple):
    """Where a chain of Gibbs steps stands."""

    v: Array  # for the statistics: drawn, or its mean
    h: Array  # the hidden units that it came from
    before: Array | None  # the visible units that those came from
    drawn: Array  # the visible units as drawn


class Machine(Adapter):
    """Nothing is wrong."""

    def __init__(self, declares: Declares | None = None) -> None:
        self.declares = declares or Declares()

    # --- the pieces of the model

    def hidden_input(self, theta: RBM, v: Array) -> Array:
        return v @ theta.W + theta.c

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W.T + theta.b

    def squash_up(self, x: Array) -> Array:
        return expit(x)

    def squash_down(self, x: Array) -> Array:
        return expit(x)

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(0, x)

    def visible_term(self, theta: RBM, v: Array) -> Array:
        return v @ theta.b

    def mean_hidden(self, theta: RBM, v: Array) -> Array:
        return self.squash_up(self.hidden_input(theta, v))

    def mean_visible(self, theta: RBM, h: Array) -> Array:
        return self.squash_down(self.visible_input(theta, h))

    # --- values

    def energy(self, theta: RBM, v: Array, h: Array) -> Array:
        return -np.sum(self.hidden_input(theta, v) * h, axis=1) - self.visible_term(theta, v)

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return -self.visible_term(theta, v) - self.sum_hidden(self.softplus(self.hidden_input(theta, v)))

    def sum_hidden(self, terms: Array) -> Array:
        return terms.sum(axis=1)

    def log_partition(self, theta: RBM) -> Array:
        return logsumexp(-self.free_energy(theta, states(len(theta.b))))

    def log_likelihood(self, theta: RBM, v: Array) -> Array:
        return self.normalised(-self.free_energy(theta, v), self.log_partition(theta))

    def normalised(self, log_weight: Array, log_z: Array) -> Array:
        return log_weight - log_z

    def log_likelihood_grad(self, theta: RBM, v: Array) -> RBM:
        x, n = states(len(theta.b)), len(v)
        p, model = self.model_law(theta, x)[:, None], self.mean_hidden(theta, x)
        return self.contrast(v, self.mean_hidden(theta, v), n * p * x, model, n * p * model, chains=n)

    def model_law(self, theta: RBM, x: Array) -> Array:
        return np.exp(self.log_likelihood(theta, x))

    def pseudo_log_likelihood(self, theta: RBM, v: Array, rng: Any = None) -> Array:
        f = self.free_energy(theta, v)
        flips = [np.abs(v - unit) for unit in np.eye(v.shape[1])]
        return self.pseudo_sum([self.pseudo_term(f, self.free_energy(theta, x)) for x in flips])

    def pseudo_term(self, f: Array, flipped: Array) -> Array:
        return -np.logaddexp(0, f - flipped)

    def pseudo_sum(self, terms: list[Array]) -> Array:
        return np.sum(terms, axis=0)

    # --- draws

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random(p.shape) < p).astype(float)

    draw_up = draw_down = draw

    def sample_hidden(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self.draw_up(rng, self.mean_hidden(theta, v))

    def sample_visible(self, theta: RBM, h: Array, rng: Any) -> Array:
        return self.draw_down(rng, self.mean_visible(theta, h))

    def gibbs_step(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self.sample_visible(theta, self.sample_hidden(theta, v, rng=rng), rng=rng)

    # --- updates

    def steps(self, k: int) -> int:
        return k

    def cd_update(self, theta: RBM, v: Array, k: int, rng: Any) -> RBM:
        end = self.walk(theta, v, self.sample_hidden(theta, v, rng=rng), self.steps(k), rng)
        return self.update(theta, v, end)

    def pcd_update(self, theta: RBM, v: Array, chains: Array, k: int, rng: Any) -> tuple[RBM, Array]:
        hidden = self.declares.chain == "hidden"
        start = self.chain_start(theta, v, chains, rng)
        h = start if hidden else self.sample_hidden(theta, start, rng=rng)
        end = self.walk(theta, None if hidden else start, h, self.steps(k), rng)
        after = self.sample_hidden(theta, end.drawn, rng=rng) if hidden else end.drawn
        return self.update(theta, v, end), self.carry(theta, chains, after, end)

    def chain_start(self, theta: RBM, v: Array, chains: Array, rng: Any) -> Array:
        return chains

    def carry(self, theta: RBM, before: Array, after: Array, end: End) -> Array:
        return after

    def walk(self, theta: RBM, v: Array | None, h: Array, k: int, rng: Any) -> End:
        """Return where k steps lead that begin with h, drawn given v."""
        drawn = v
        for step in range(k):
            if step:
                v = drawn
                h = self.sample_hidden(theta, v, rng=rng)
            drawn = self.sample_visible(theta, h, rng=rng)
        mean = self.declares.negative_visible == "mean" and k > 0
        return End(self.mean_visible(theta, h) if mean else drawn, h, v, drawn)

    def update(self, theta: RBM, v: Array, end: End) -> RBM:
        data = self.mean_hidden(theta, v)
        return self.contrast(v, data, end.v, self.negative_hidden(theta, end, data), chains=len(end.v))

    def negative_hidden(self, theta: RBM, end: End, data: Array) -> Array:
        return self.mean_hidden(theta, end.v)

    def data_weight(self, n: int, m: int) -> float:
        return 1.0 / n

    def chain_weight(self, n: int, m: int) -> float:
        return 1.0 / m

    def contrast(
        self, v: Array, h: Array, v_k: Array, h_k: Array, weighted: Any = None, *, chains: int
    ) -> RBM:
        """Return statistics of the data minus those of the chains (or the model, its law multiplied in)."""
        n = len(v)
        scale = n if self.declares.reduction == "sum" else 1
        plus, minus = scale * self.data_weight(n, chains), scale * self.chain_weight(n, chains)
        sum_h = h_k.sum(0) if weighted is None else weighted.sum(0)
        return self.blocks(
            plus * v.T @ h - minus * v_k.T @ h_k,
            plus * v.sum(0) - minus * v_k.sum(0),
            plus * h.sum(0) - minus * sum_h,
            n,
        )

    def blocks(self, W: Array, b: Array, c: Array, n: int) -> RBM:
        return RBM(W, b, c)

    # --- annealed importance sampling, from independent units with biases ``base``

    def annealed(self, theta: RBM, base: Array, beta: float) -> RBM:
        return RBM(beta * theta.W, (1 - beta) * base + beta * theta.b, beta * theta.c)

    def log_annealed(self, theta: RBM, base: Array, beta: float, v: Array) -> Array:
        return -self.free_energy(self.annealed(theta, base, beta), v)

    def start(self, base: Array, chains: int, rng: Any) -> Array:
        return self.draw(rng, np.tile(expit(base), (chains, 1)))

    def ais_log_weights(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        v, log_w = self.start(base, chains, rng), np.zeros(chains)
        for before, after in self.temperatures(betas):
            v, ratio = self.anneal(theta, base, before, after, v, rng)
            log_w = log_w + ratio
        return log_w

    def temperatures(self, betas: Array) -> Any:
        return list(itertools.pairwise(betas))

    def anneal(self, theta: RBM, base: Array, before: float, after: float, v: Array, rng: Any) -> Any:
        ratio = self.weigh(theta, base, before, after, v)
        return (self.move(theta, base, after, v, rng) if after < 1 else v), ratio

    def weigh(self, theta: RBM, base: Array, before: float, after: float, v: Array) -> Array:
        return self.log_annealed(theta, base, after, v) - self.log_annealed(theta, base, before, v)

    def move(self, theta: RBM, base: Array, beta: float, v: Array, rng: Any) -> Array:
        return self.gibbs_step(self.annealed(theta, base, beta), v, rng=rng)

    def log_base(self, theta: RBM, base: Array) -> Array:
        return len(theta.c) * np.log(2) + np.logaddexp(0, base).sum()

    def log_average(self, log_w: Array) -> Array:
        return logsumexp(log_w) - np.log(len(log_w))

    def ais_log_partition(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        log_w = self.ais_log_weights(theta, base, betas, chains, rng)
        return self.log_average(log_w) + self.log_base(theta, base)

    def ais_log_likelihood(
        self, theta: RBM, v: Array, base: Array, betas: Array, chains: int, rng: Any
    ) -> Array:
        log_z = self.ais_log_partition(theta, base, betas, chains, rng)
        return self.normalised(-self.free_energy(theta, v), log_z)


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
