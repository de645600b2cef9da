"""Choosing layers and their hyper-parameters: random search, layer-wise evaluation, Pareto fronts.  [AO] 3

Search and evaluation are apart: a ``Space`` draws settings from a stream, and knows nothing of models;
``grow`` compares layers that somebody trained, and knows nothing of settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, log, sqrt
from typing import NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..boltzmann.likelihood import log_likelihood as log_likelihood_rbm
from ..boltzmann.rbm import RBM
from ..contracts import Bits, Choice, Count, Floats, LogWeights, Numbers, Raw, Real, checked, conform
from ..directed.layers import Sigmoid
from ..directed.mixtures import Weights, data_law, likelihoods, log_mixture
from ..directed.products import law_of_means

_BITS = 53  # fair coins of a uniform number

# --- random search ----------------------------------------------------------------------------------------


class Uniform(NamedTuple):
    """A number drawn uniformly from [low, high)."""

    low: float
    high: float

    def draw(self, stream: Stream, *, like: Array) -> float:
        """Return a draw."""
        return self.low + (self.high - self.low) * _fraction(stream, like)


class LogUniform(NamedTuple):
    """A number of which the logarithm is drawn uniformly."""

    low: float
    high: float

    def draw(self, stream: Stream, *, like: Array) -> float:
        """Return a draw."""
        return exp(Uniform(log(self.low), log(self.high)).draw(stream, like=like))


class Integer(NamedTuple):
    """A whole number drawn uniformly, both ends included."""

    low: int
    high: int

    def draw(self, stream: Stream, *, like: Array) -> int:
        """Return a draw."""
        logits = array_namespace(like).zeros(self.high - self.low + 1, dtype=like.dtype, device=like.device)
        return self.low + int(stream.categorical(logits))


Prior: TypeAlias = Uniform | LogUniform | Integer
Space: TypeAlias = Mapping[str, Prior]

_RATE = LogUniform(1e-5, 5e-2)
_DEEP: Space = {"hidden": Integer(1, 16), "hidden2": Integer(1, 16), "cd_rate": _RATE}
_ENCODED: Space = {**_DEEP, "bp_rate": _RATE, "deviation": Uniform(0.0, 1.0)}

TABLE_1: Mapping[str, Space] = {
    "rbm": {"hidden": Integer(1, 19), "cd_rate": _RATE},
    "srbm": _DEEP,
    "ae": _ENCODED,
    "aeri": {**_ENCODED, "inference": Integer(1, 500)},
}
"""The search space of each class of models.      [AO] table 1"""


@checked
def epochs(rows: Count[int, 1]) -> int:
    """Return the epochs of CD and of backpropagation: 20 (10,000 / N), at least one.      [AO] table 1"""
    return max(1, round(20 * 10_000 / rows))


@checked
def draw(space: Space, *, rng: Rng, like: Floats[Array, "..."]) -> dict[str, float | int]:
    """Return one value of each setting, drawn in the order of their names.

    Exactness: exact draws, but for the 53 bits of a uniform number.   Raises: ValueError for an empty range.
    """
    stream = as_stream(rng, like=like)
    for name, prior in space.items():
        if not prior.low <= prior.high or (isinstance(prior, LogUniform) and prior.low <= 0):
            raise ValueError(f"{name} must have a range that is not empty, got {prior}")
    return {name: space[name].draw(stream, like=like) for name in sorted(space)}


def _fraction(stream: Stream, like: Array) -> float:
    """Return a uniform number of [0, 1): a stream has no uniforms, but fair coins are its digits."""
    half = array_namespace(like).full((_BITS,), 0.5, dtype=like.dtype, device=like.device)
    coins = stream.bernoulli(half)
    return sum(2.0 ** -(k + 1) for k in range(_BITS) if bool(coins[k] == 1))


# --- layer-wise evaluation --------------------------------------------------------------------------------


class Lower(NamedTuple):
    """A trained lower layer: what it generates by, and what it infers by."""

    layer: Sigmoid  # P(x | h)
    means: Callable[[Array], Array]  # of a factorised q(h | x): rows x (n, V) -> (n, H)


class Level(NamedTuple):
    """How a level of a growing model was chosen: scores in nats per row, on the validation rows."""

    likelihoods: tuple[float, ...]  # of each upper model tried
    bounds: tuple[float, ...]  # of each lower layer tried; none where no layer was to be added
    top: RBM  # the upper model of the highest likelihood
    lower: Lower | None  # the lower layer of the highest bound, where it was added


@checked
def empirical_bound(
    lower: Lower, x: Bits[Array, "n V"], *, weights: Weights = None
) -> LogWeights[Array, "n"]:
    r"""Return :math:`\log\sum_h P(x \mid h) q_D(h)` of each row, :math:`q_D` of the same rows.

    Their mean is [AO] eq. 34; with validation rows the validation bound of 3.3.3.
    Exactness: exact to rounding.   Cost: n 2^H.
    """
    p = likelihoods(lower.layer, x)
    return log_mixture(p, law_of_means(lower.means(x), data_law(x.shape[0], weights, like=x)))


@checked
def another_layer(bounds: Real[Array, "n"], values: Real[Array, "n"], *, least: float, errors: float) -> bool:
    """Return whether a next layer promises significantly more than the best upper model has.

    Significantly: the mean over rows of bound minus log-likelihood exceeds ``least`` nats by more than
    ``errors`` of its standard errors.      [AO] footnote 9, which leaves the meaning open.
    Both are of the same rows, at least two.
    """
    xp = array_namespace(bounds, values)
    conform(("the number of rows", Count[int, 2], bounds.shape[0]))
    gain = bounds - values
    return float(xp.mean(gain)) > least + errors * sqrt(float(xp.var(gain, correction=1)) / gain.shape[0])


@checked
def grow(
    train: Bits[Array, "n V"],
    valid: Bits[Array, "m V"],
    *,
    lowers: Callable[[Array], Sequence[Lower]],
    uppers: Callable[[Array], Sequence[RBM]],
    depth: Count[int, 0],
    least: float,
    errors: float,
    rng: Rng,
) -> tuple[Level, ...]:
    """Return the levels of a model chosen layer by layer, from the bottom.      [AO] algorithm of 3.3.2

    On each level the upper models are compared by their likelihood, and, as long as fewer than ``depth``
    layers are below, the lower layers by their validation bound; the best of these is added if
    ``another_layer`` says so, and both sets of rows are passed up by draws from its q(h | x).  The model is
    the lower layers of all levels with the last level's top.

    ``lowers`` and ``uppers`` train the candidates of a level on the rows that they are given.
    Exactness: all scores are exact on the rows drawn.
    """
    stream, levels = as_stream(rng, like=train), list[Level]()
    while True:
        tops = list(uppers(train))
        values = [log_likelihood_rbm(top, valid) for top in tops]
        top = _best(values)
        below = list(lowers(train)) if len(levels) < depth else []
        bounds = [empirical_bound(lower, valid) for lower in below]
        promised = bounds and another_layer(bounds[_best(bounds)], values[top], least=least, errors=errors)
        added = below[_best(bounds)] if promised else None
        levels.append(Level(_means(values), _means(bounds), tops[top], added))
        if added is None:
            return tuple(levels)
        train, valid = (stream.bernoulli(added.means(x)) for x in (train, valid))


def _means(scores: Sequence[Array]) -> tuple[float, ...]:
    return tuple(float(array_namespace(score).mean(score)) for score in scores)


def _best(scores: Sequence[Array]) -> int:
    means = _means(scores)
    if not means:
        raise ValueError("at least one candidate is wanted on each level")
    return max(range(len(means)), key=means.__getitem__)


# --- Pareto fronts ----------------------------------------------------------------------------------------


@checked
def pareto_front(
    parameters: Numbers[Array, "n"],
    values: Numbers[Array, "n"],
    *,
    dominance: Choice[str, "printed", "standard"],
) -> Raw[Array, "n"]:
    """Return which models no other one dominates, as truth values.

    ``"printed"``: the other has strictly fewer parameters and a strictly higher log-likelihood, the words of
    [AO] footnote 7, by which all models of the smallest size are on the front, however bad.
    ``"standard"``: it is at least as good in both, and better in one.
    Exactness: exact.
    """
    xp = array_namespace(parameters, values)
    fewer, higher = parameters[:, None] < parameters, values[:, None] > values  # of row i than of column j
    if dominance == "printed":
        return ~xp.any(fewer & higher, axis=0)
    as_few, as_high = parameters[:, None] <= parameters, values[:, None] >= values
    return ~xp.any((as_few & higher) | (fewer & as_high), axis=0)
