"""The mistakes that the audit knows by name: one right machine in pieces, and each mistake one wrong piece.

``Machine`` offers every quantity, written without the reference. A mistake overrides a method, its
docstring is what a finding says, and its values on a case are measured exactly as the audited code's are.
So a diagnosis is a coincidence of numbers on every case, and a mistake can serve as a mutant of the checks
of statements.
"""
# ruff: noqa: D102 (the methods are the protocol's quantities, and pieces of them whose names say what they are)

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logsumexp

from ...reference.boltzmann.rbm import RBM
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

    def squash(self, x: Array) -> Array:
        return expit(x)

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(0, x)

    def visible_term(self, theta: RBM, v: Array) -> Array:
        return v @ theta.b

    def mean_hidden(self, theta: RBM, v: Array) -> Array:
        return self.squash(self.hidden_input(theta, v))

    def mean_visible(self, theta: RBM, h: Array) -> Array:
        return self.squash(self.visible_input(theta, h))

    # --- values

    def energy(self, theta: RBM, v: Array, h: Array) -> Array:
        return -np.sum(self.hidden_input(theta, v) * h, axis=1) - self.visible_term(theta, v)

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return -self.visible_term(theta, v) - self.softplus(self.hidden_input(theta, v)).sum(axis=1)

    def log_partition(self, theta: RBM) -> Array:
        return logsumexp(-self.free_energy(theta, states(len(theta.b))))

    def log_likelihood(self, theta: RBM, v: Array) -> Array:
        return -self.free_energy(theta, v) - self.log_partition(theta)

    def log_likelihood_grad(self, theta: RBM, v: Array) -> RBM:
        x = states(len(theta.b))
        p = np.exp(self.log_likelihood(theta, x))[:, None]
        n = len(v)
        model = self.mean_hidden(theta, x)
        return self.contrast(v, self.mean_hidden(theta, v), n * p * x, model, n * p * model, chains=n)

    def pseudo_log_likelihood(self, theta: RBM, v: Array, rng: Any = None) -> Array:
        f = self.free_energy(theta, v)
        flips = [np.abs(v - unit) for unit in np.eye(v.shape[1])]
        return self.pseudo_sum([-np.logaddexp(0, f - self.free_energy(theta, x)) for x in flips])

    def pseudo_sum(self, terms: list[Array]) -> Array:
        return np.sum(terms, axis=0)

    # --- draws

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random(p.shape) < p).astype(float)

    draw_hidden = draw_visible = draw

    def sample_hidden(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self.draw_hidden(rng, self.mean_hidden(theta, v))

    def sample_visible(self, theta: RBM, h: Array, rng: Any) -> Array:
        return self.draw_visible(rng, self.mean_visible(theta, h))

    def gibbs_step(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self.sample_visible(theta, self.sample_hidden(theta, v, rng), rng)

    # --- updates

    def steps(self, k: int) -> int:
        return k

    def cd_update(self, theta: RBM, v: Array, k: int, rng: Any) -> RBM:
        end = self.walk(theta, v, self.sample_hidden(theta, v, rng), self.steps(k), rng)
        return self.update(theta, v, end)

    def pcd_update(self, theta: RBM, v: Array, chains: Array, k: int, rng: Any) -> tuple[RBM, Array]:
        hidden = self.declares.chain == "hidden"
        start = self.chain_start(theta, v, chains, rng)
        h = start if hidden else self.sample_hidden(theta, start, rng)
        end = self.walk(theta, None if hidden else start, h, self.steps(k), rng)
        after = self.sample_hidden(theta, end.drawn, rng) if hidden else end.drawn
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
                h = self.sample_hidden(theta, v, rng)
            drawn = self.sample_visible(theta, h, rng)
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
        """Return statistics of the data minus those of the chains (or of the model, its law multiplied
        in)."""
        n = len(v)
        scale = n if self.declares.reduction == "sum" else 1
        plus, minus = scale * self.data_weight(n, chains), scale * self.chain_weight(n, chains)
        sum_h = h_k.sum(0) if weighted is None else weighted.sum(0)
        return self.blocks(
            plus * v.T @ h - minus * v_k.T @ h_k,
            plus * v.sum(0) - minus * v_k.sum(0),
            plus * h.sum(0) - minus * sum_h,
        )

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
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
            log_w = log_w + self.weigh(theta, base, before, after, v)
            if after < 1:
                v = self.gibbs_step(self.annealed(theta, base, after), v, rng)
        return log_w

    def temperatures(self, betas: Array) -> Any:
        return list(itertools.pairwise(betas))

    def weigh(self, theta: RBM, base: Array, before: float, after: float, v: Array) -> Array:
        return self.log_annealed(theta, base, after, v) - self.log_annealed(theta, base, before, v)

    def log_base(self, theta: RBM, base: Array) -> Array:
        return len(theta.c) * np.log(2) + np.logaddexp(0, base).sum()

    def log_average(self, log_w: Array) -> Array:
        return logsumexp(log_w) - np.log(len(log_w))

    def ais_log_partition(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        return self.log_average(self.ais_log_weights(theta, base, betas, chains, rng)) + self.log_base(
            theta, base
        )


MISTAKES: list[type[Machine]] = []
"""All named mistakes, the specific before the general."""


def _mistake(kind: type[Machine]) -> type[Machine]:
    MISTAKES.append(kind)
    return kind


def name_of(kind: type[Machine]) -> str:
    """Return the name of a mistake as findings print it: StaleHidden is stale-hidden."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def _one_sided(kind: type[Machine]) -> None:
    """Add the mistake, made on one of the two ways only."""
    for way, methods in (("up", ("mean_hidden", "draw_hidden")), ("down", ("mean_visible", "draw_visible"))):
        wrong = kind()
        pieces = {name: _of(wrong, name) for name in methods}
        pieces["__doc__"] = f"{(kind.__doc__ or '').strip()[:-1]} (on the way {way} only)."
        MISTAKES.append(type(kind.__name__, (Machine,), pieces))


def _of(wrong: Machine, name: str) -> Any:
    return lambda _, *args: getattr(wrong, name)(*args)


# --- the model


@_mistake
class SwappedBiases(Machine):
    """The visible and the hidden biases are swapped."""

    def hidden_input(self, theta: RBM, v: Array) -> Array:
        return v @ theta.W + theta.b

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W.T + theta.c

    def visible_term(self, theta: RBM, v: Array) -> Array:
        return v @ theta.c


@_mistake
class TransposedWeights(Machine):
    """The weights are used transposed."""

    def hidden_input(self, theta: RBM, v: Array) -> Array:
        return v @ theta.W.T + theta.c

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W + theta.b


@_mistake
class UntransposedDownwards(Machine):
    """The way down, from h to v, uses the weights of the way up instead of their transpose."""

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W + theta.b


@_mistake
class MissingHiddenBias(Machine):
    """The hidden biases are left out."""

    def hidden_input(self, theta: RBM, v: Array) -> Array:
        return v @ theta.W


@_mistake
class MissingVisibleBias(Machine):
    """The visible biases are left out."""

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W.T

    def visible_term(self, theta: RBM, v: Array) -> Array:
        return 0.0 * v.sum(axis=1)


@_mistake
class BiasOfWrongSign(Machine):
    """The visible biases enter with the wrong sign."""

    def visible_input(self, theta: RBM, h: Array) -> Array:
        return h @ theta.W.T - theta.b

    def visible_term(self, theta: RBM, v: Array) -> Array:
        return -v @ theta.b


@_mistake
class MissingSigmoid(Machine):
    """The sigmoid is missing: inputs are taken for probabilities."""

    def squash(self, x: Array) -> Array:
        return x


_one_sided(MissingSigmoid)


@_mistake
class TanhForSigmoid(Machine):
    """tanh stands where the sigmoid belongs: units would be -1 and 1."""

    def squash(self, x: Array) -> Array:
        return np.tanh(x)


_one_sided(TanhForSigmoid)


@_mistake
class DoubledInput(Machine):
    """The sigmoid is that of units -1 and 1, sigmoid(2x), on units 0 and 1."""

    def squash(self, x: Array) -> Array:
        return expit(2 * x)


_one_sided(DoubledInput)


@_mistake
class ReluForSoftplus(Machine):
    """The hidden units are maximised over, max(0, x), not summed over, log(1 + exp x)."""

    def softplus(self, x: Array) -> Array:
        return np.maximum(0, x)


@_mistake
class MeanFieldEnergy(Machine):
    """The energy at the mean hidden units stands for the free energy: their entropy is missing."""

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return self.energy(theta, v, self.mean_hidden(theta, v))


@_mistake
class LogSigmoidForSoftplus(Machine):
    """log sigmoid(x) stands where softplus(x) = -log sigmoid(-x) belongs."""

    def softplus(self, x: Array) -> Array:
        return -np.logaddexp(0, -x)


@_mistake
class HiddenUnitsAveraged(Machine):
    """The hidden units are averaged where they are to be summed."""

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return -self.visible_term(theta, v) - self.softplus(self.hidden_input(theta, v)).mean(axis=1)


# --- values


@_mistake
class MissingUnitFactor(Machine):
    """The flip of one random unit is not multiplied by the number of units."""

    def pseudo_sum(self, terms: list[Array]) -> Array:
        return np.mean(terms, axis=0)


@_mistake
class InvertedWeights(Machine):
    """The weights are inverted: the earlier temperature stands in the numerator."""

    def weigh(self, theta: RBM, base: Array, before: float, after: float, v: Array) -> Array:
        return -Machine.weigh(self, theta, base, before, after, v)


class _Scaled(Machine):
    """Base: the right values times a factor."""

    def factor(self, theta: RBM) -> float:
        raise NotImplementedError

    def energy(self, theta: RBM, v: Array, h: Array) -> Array:
        return self.factor(theta) * Machine.energy(self, theta, v, h)

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return self.factor(theta) * Machine.free_energy(self, theta, v)

    def log_partition(self, theta: RBM) -> Array:
        return self.factor(theta) * Machine().log_partition(theta)

    def log_likelihood(self, theta: RBM, v: Array) -> Array:
        return self.factor(theta) * Machine().log_likelihood(theta, v)

    def pseudo_log_likelihood(self, theta: RBM, v: Array, rng: Any = None) -> Array:
        return self.factor(theta) * Machine().pseudo_log_likelihood(theta, v)


@_mistake
class WrongSign(_Scaled):
    """The sign is wrong: what should be added is subtracted (an update would descend)."""

    def factor(self, theta: RBM) -> float:
        return -1.0

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(-W, -b, -c)


@_mistake
class BitsForNats(_Scaled):
    """The logarithm is to base two: bits where nats belong."""

    def factor(self, theta: RBM) -> float:
        return float(1 / np.log(2))


@_mistake
class DividedByUnits(_Scaled):
    """The value is divided by the number of visible units: a mean over units where a sum belongs."""

    def factor(self, theta: RBM) -> float:
        return 1.0 / len(theta.b)

    pseudo_log_likelihood = Machine.pseudo_log_likelihood  # that would be MissingUnitFactor


@_mistake
class HalvedEnergy(_Scaled):
    """The value is half of what it should be: each pair of units is counted as if twice."""

    def factor(self, theta: RBM) -> float:
        return 0.5

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(0.5 * W, 0.5 * b, 0.5 * c)


@_mistake
class MissingLogPartition(Machine):
    """log Z is not subtracted: the value is -F(v), unnormalised."""

    def log_likelihood(self, theta: RBM, v: Array) -> Array:
        return -self.free_energy(theta, v)


@_mistake
class AveragedPartition(Machine):
    """The states are averaged where they are to be summed: log Z is short by the logarithm of their
    number."""

    def log_partition(self, theta: RBM) -> Array:
        return Machine.log_partition(self, theta) - len(theta.b) * np.log(2)


@_mistake
class AveragedPartitionHidden(AveragedPartition):
    """The hidden states are averaged where they are to be summed: log Z is short by H log 2."""

    def log_partition(self, theta: RBM) -> Array:
        return Machine.log_partition(self, theta) - len(theta.c) * np.log(2)


@_mistake
class PseudoLikelihoodSign(Machine):
    """The two free energies of the pseudo-likelihood are swapped: it is that of the flipped unit."""

    def pseudo_log_likelihood(self, theta: RBM, v: Array, rng: Any = None) -> Array:
        f = self.free_energy(theta, v)
        return sum(-np.logaddexp(0, self.free_energy(theta, np.abs(v - e)) - f) for e in np.eye(v.shape[1]))


@_mistake
class OneUnitFlipped(Machine):
    """The pseudo-likelihood flips the first unit only, and multiplies by the number of units."""

    def pseudo_sum(self, terms: list[Array]) -> Array:
        return len(terms) * terms[0]


# --- draws


@_mistake
class MeansForSamples(Machine):
    """Means stand where samples belong: nothing is drawn."""

    def draw(self, rng: Any, p: Array) -> Array:
        return p

    draw_hidden = draw_visible = draw


@_mistake
class MeansForHiddenSamples(Machine):
    """The chain is driven by hidden means where hidden samples belong."""

    def draw_hidden(self, rng: Any, p: Array) -> Array:
        return p


@_mistake
class MeansForLastVisible(Machine):
    """The negative statistics use the mean of the last v where its sample belongs (if meant: declare
    negative_visible=mean)."""

    def __init__(self, declares: Declares | None = None) -> None:
        declared = declares or Declares()
        super().__init__(declared.but(negative_visible="mean"))


@_mistake
class MeansForVisibleSamples(Machine):
    """The chain is driven by visible means where visible samples belong."""

    def draw_visible(self, rng: Any, p: Array) -> Array:
        return p


@_mistake
class Thresholded(Machine):
    """Units are set by p > 1/2 instead of drawn with probability p."""

    def draw(self, rng: Any, p: Array) -> Array:
        return (p > 0.5).astype(float)

    draw_hidden = draw_visible = draw


_one_sided(Thresholded)


@_mistake
class InvertedComparison(Machine):
    """The comparison with the uniform number is inverted: units are one with probability 1 - p."""

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random(p.shape) > p).astype(float)

    draw_hidden = draw_visible = draw


_one_sided(InvertedComparison)


@_mistake
class UniformSharedByUnits(Machine):
    """One uniform number serves all units of a row: they are not independent given the other layer."""

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random((len(p), 1)) < p).astype(float)

    draw_hidden = draw_visible = draw


_one_sided(UniformSharedByUnits)


@_mistake
class UniformSharedByRows(Machine):
    """The same uniform numbers serve all rows: rows are not independent."""

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(rng.random((1, p.shape[1])) < p).astype(float)

    draw_hidden = draw_visible = draw


class _Seeded(Machine):
    """Base: every draw from a generator seeded anew."""

    def draw(self, rng: Any, p: Array) -> Array:
        return np.asarray(np.random.RandomState(0).random_sample(p.shape) < p).astype(float)

    draw_hidden = draw_visible = draw


@_mistake
class SameUniformsForLayers(_Seeded):
    """The generator is seeded anew at every draw: hidden and visible units share the same uniform numbers."""


@_mistake
class UniformsSharedByLayers(Machine):
    """One array of uniform numbers serves both layers: a visible unit is drawn by the number that drew a
    hidden one."""

    _numbers: Any = None

    def restart(self) -> None:
        """Forget the array of numbers."""
        self._numbers = None

    def sample_hidden(self, theta: RBM, v: Array, rng: Any) -> Array:
        self._numbers = rng.random((len(v), max(theta.W.shape)))
        return np.asarray(self._numbers[:, : len(theta.c)] < self.mean_hidden(theta, v)).astype(float)

    def sample_visible(self, theta: RBM, h: Array, rng: Any) -> Array:
        shared = self._numbers is not None and len(self._numbers) == len(h)
        numbers = self._numbers if shared else rng.random((len(h), len(theta.b)))
        return np.asarray(numbers[:, : len(theta.b)] < self.mean_visible(theta, h)).astype(float)


@_mistake
class Reseeded(Machine):
    """The generator is seeded anew at every call: successive calls repeat the same random numbers."""

    def sample_hidden(self, theta: RBM, v: Array, rng: Any) -> Array:
        return Machine.sample_hidden(self, theta, v, self._fresh(rng))

    def sample_visible(self, theta: RBM, h: Array, rng: Any) -> Array:
        return Machine.sample_visible(self, theta, h, self._fresh(rng))

    def gibbs_step(self, theta: RBM, v: Array, rng: Any) -> Array:
        return Machine().gibbs_step(theta, v, self._fresh(rng))

    def cd_update(self, theta: RBM, v: Array, k: int, rng: Any) -> RBM:
        return Machine(self.declares).cd_update(theta, v, k, self._fresh(rng))

    def pcd_update(self, theta: RBM, v: Array, chains: Array, k: int, rng: Any) -> tuple[RBM, Array]:
        return Machine(self.declares).pcd_update(theta, v, chains, k, self._fresh(rng))

    def _fresh(self, rng: Any) -> Any:
        return np.random.RandomState(0)


# --- updates


@_mistake
class StaleHiddenSamples(Machine):
    """Stale hidden units: the negative phase pairs v with the hidden sample it came from, not with p(h |
    v)."""

    def negative_hidden(self, theta: RBM, end: End, data: Array) -> Array:
        return end.h


@_mistake
class StaleHiddenMeans(Machine):
    """Stale hidden means: the negative phase pairs v with the means given the v one step before it."""

    def negative_hidden(self, theta: RBM, end: End, data: Array) -> Array:
        return end.h if end.before is None else self.mean_hidden(theta, end.before)


@_mistake
class HiddenOfTheData(Machine):
    """The negative phase pairs the chain's v with the hidden means of the data."""

    def negative_hidden(self, theta: RBM, end: End, data: Array) -> Array:
        return data


@_mistake
class MovedInBetween(Machine):
    """The weights are moved before the hidden biases' gradient is taken: it is that of other parameters."""

    def update(self, theta: RBM, v: Array, end: End) -> RBM:
        update = Machine.update(self, theta, v, end)
        moved = theta._replace(W=theta.W + update.W)
        return update._replace(c=Machine.update(self, moved, v, end).c)


@_mistake
class StepsIgnored(Machine):
    """k is ignored: one Gibbs step counts whatever k (the others are not made, or start again at the
    beginning)."""

    def steps(self, k: int) -> int:
        return 1


@_mistake
class OneStepTooMany(Machine):
    """The loop makes k + 1 Gibbs steps."""

    def steps(self, k: int) -> int:
        return k + 1


@_mistake
class OneStepTooFew(Machine):
    """The loop makes k - 1 Gibbs steps."""

    def steps(self, k: int) -> int:
        return k - 1


@_mistake
class ChainRestartedAtData(Machine):
    """The persistent chain is restarted at the data in every call: this is CD, not PCD."""

    def chain_start(self, theta: RBM, v: Array, chains: Array, rng: Any) -> Array:
        return self.sample_hidden(theta, v, rng) if self.declares.chain == "hidden" else v


@_mistake
class ChainNotAdvanced(Machine):
    """The persistent chain is not carried on: the next call starts where this one did."""

    def carry(self, theta: RBM, before: Array, after: Array, end: End) -> Array:
        return before


@_mistake
class ChainOfMeans(Machine):
    """The persistent chain carries means where samples belong."""

    def carry(self, theta: RBM, before: Array, after: Array, end: End) -> Array:
        if self.declares.chain == "hidden":
            return self.mean_hidden(theta, end.drawn)
        return self.mean_visible(theta, end.h)


@_mistake
class NegativePhaseMissing(Machine):
    """The negative phase is missing: only the statistics of the data are left."""

    def chain_weight(self, n: int, m: int) -> float:
        return 0.0


@_mistake
class ChainsWeightedByRows(Machine):
    """The sum over m chains is divided by the n data rows: the negative phase is weighted by m/n instead of
    one."""

    def chain_weight(self, n: int, m: int) -> float:
        return 1.0 / n


@_mistake
class RowsWeightedByChains(Machine):
    """The sum over n data rows is divided by the m chains: the positive phase is weighted by n/m instead of
    one."""

    def data_weight(self, n: int, m: int) -> float:
        return 1.0 / m


@_mistake
class DividedByBatchSize(Machine):
    """Sums over rows are divided by the configured batch size, not by the rows at hand: a short batch
    counts less."""

    def data_weight(self, n: int, m: int) -> float:
        return 1.0 / (self.batch_size or n)

    def chain_weight(self, n: int, m: int) -> float:
        return n / m / (self.batch_size or n)


@_mistake
class SumForMean(Machine):
    """The rows are summed where they are to be averaged (if meant: declare reduction=sum)."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(self._n * W, self._n * b, self._n * c)

    def contrast(self, v: Array, *args: Any, **kwargs: Any) -> RBM:
        self._n = len(v)
        return Machine.contrast(self, v, *args, **kwargs)


@_mistake
class BiasesSummed(SumForMean):
    """The biases' gradients are summed over rows while the weights' are averaged."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W, self._n * b, self._n * c)


@_mistake
class WeightsSummed(SumForMean):
    """The weights' gradient is summed over rows while the biases' are averaged."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(self._n * W, b, c)


@_mistake
class DividedTwice(SumForMean):
    """The rows are averaged twice: the update is too small by the number of rows."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W / self._n, b / self._n, c / self._n)


@_mistake
class SwappedBiasGradients(Machine):
    """The gradients of the visible and of the hidden biases are swapped."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W, c, b)


@_mistake
class TransposedGradient(Machine):
    """The gradient of the weights is transposed."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W.T, b, c)


@_mistake
class VisibleBiasNotUpdated(Machine):
    """The visible biases are not updated."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W, 0 * b, c)


@_mistake
class HiddenBiasNotUpdated(Machine):
    """The hidden biases are not updated."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W, b, 0 * c)


@_mistake
class VisibleBiasOfWrongSign(Machine):
    """The visible biases' gradient has the wrong sign."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W, -b, c)


@_mistake
class HiddenBiasOfWrongSign(Machine):
    """The hidden biases' gradient has the wrong sign."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(W, b, -c)


@_mistake
class WeightsOfWrongSign(Machine):
    """The weights' gradient has the wrong sign."""

    def blocks(self, W: Array, b: Array, c: Array) -> RBM:
        return RBM(-W, b, c)


@_mistake
class StatesUnweighted(Machine):
    """The model's expectation gives all states equal weight instead of p(v)."""

    def log_likelihood_grad(self, theta: RBM, v: Array) -> RBM:
        x = states(len(theta.b))
        model, n = self.mean_hidden(theta, x), len(v)
        p = np.full((len(x), 1), 1 / len(x))
        return self.contrast(v, self.mean_hidden(theta, v), n * p * x, model, n * p * model, chains=n)


# --- annealed importance sampling


@_mistake
class MoveBeforeWeight(Machine):
    """The chain is moved to the new temperature before the weight is taken: order of move and weight
    swapped."""

    def ais_log_weights(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        v, log_w = self.start(base, chains, rng), np.zeros(chains)
        for before, after in self.temperatures(betas):
            v = self.gibbs_step(self.annealed(theta, base, after), v, rng)
            log_w = log_w + self.weigh(theta, base, before, after, v)
        return log_w


@_mistake
class MissingLogChains(Machine):
    """The weights are summed where they are to be averaged: - log K for K chains is missing."""

    def log_average(self, log_w: Array) -> Array:
        return logsumexp(log_w)


@_mistake
class MissingBasePartition(Machine):
    """log Z of the base-rate model is not added."""

    def log_base(self, theta: RBM, base: Array) -> Array:
        return 0.0


@_mistake
class BaseWithoutHidden(Machine):
    """log Z of the base-rate model lacks its hidden units: H log 2 is missing."""

    def log_base(self, theta: RBM, base: Array) -> Array:
        return np.logaddexp(0, base).sum()


@_mistake
class MeanOfLogWeights(Machine):
    """The log weights are averaged where the weights are: a lower bound stands for the estimate."""

    def log_average(self, log_w: Array) -> Array:
        return np.mean(log_w)


@_mistake
class LastWeightSkipped(Machine):
    """The last step of the schedule is skipped: its weight is missing."""

    def temperatures(self, betas: Array) -> Any:
        return list(itertools.pairwise(betas))[:-1]


@_mistake
class FirstWeightSkipped(Machine):
    """The first step of the schedule is skipped: its weight is missing."""

    def temperatures(self, betas: Array) -> Any:
        return list(itertools.pairwise(betas))[1:]


@_mistake
class BetaOutsideSoftplus(Machine):
    """beta multiplies the softplus of the hidden input instead of the input: another path of laws than is
    sampled."""

    def log_annealed(self, theta: RBM, base: Array, beta: float, v: Array) -> Array:
        visible = v @ ((1 - beta) * base + beta * theta.b)
        return visible + beta * self.softplus(self.hidden_input(theta, v)).sum(axis=1)


@_mistake
class StartNotFromBase(Machine):
    """The chains start from fair coins instead of the base-rate model."""

    def start(self, base: Array, chains: int, rng: Any) -> Array:
        return self.draw(rng, np.full((chains, len(base)), 0.5))


@_mistake
class MovesAtFullTemperature(Machine):
    """The chains move under the model itself instead of the intermediate law."""

    def ais_log_weights(self, theta: RBM, base: Array, betas: Array, chains: int, rng: Any) -> Array:
        v, log_w = self.start(base, chains, rng), np.zeros(chains)
        for before, after in self.temperatures(betas):
            log_w = log_w + self.weigh(theta, base, before, after, v)
            if after < 1:
                v = self.gibbs_step(theta, v, rng)
        return log_w
