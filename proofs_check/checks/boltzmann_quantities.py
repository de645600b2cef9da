"""The quantities of RBMs that code may offer, each compared with the table of all energies.

``theta`` is the reference's ``RBM``; an update is an RBM of *ascent directions*, to be added to the
parameters, learning rate one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backends.streams import Rng
from ...reference.boltzmann import annealing, contrastive, gibbs, likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ..oracle import boltzmann_quantities as oracle
from ..quantity import Ask, mean_of, quantity

Array = Any

# --- machines: ordinary ones first, the smallest first, then awkward ones


def machine(visible: int, hidden: int, *, scale: float = 1.0, seed: int = 0) -> RBM:
    """Return a machine of two decimals that no symmetry spares."""
    rng = np.random.default_rng([seed, visible, hidden])
    shapes = ((visible, hidden), (visible,), (hidden,))
    return RBM(*(np.round(scale * rng.normal(0.3, 1.0, shape), 2) for shape in shapes))


_EXTREME = RBM(
    np.array([[800.0, -800.0], [5.0, 3.0], [-700.0, 2.0]]),
    np.array([1.0, -800.0, 0.5]),
    np.array([-0.5, 30.0]),
)


def rows(n: int, units: int, seed: int = 0) -> Array:
    """Return n rows, the first neither all zero nor all one where that can be."""
    bits = np.random.default_rng([seed, n, units]).integers(0, 2, (n, units)).astype(float)
    bits[0] = np.arange(units) % 2 == 0
    return bits


def _values(given: Callable[[RBM], dict[str, Any]]) -> list[Ask]:
    machines = {f"{v} x {h}": machine(v, h) for v, h in ((1, 2), (2, 1), (2, 3), (3, 2), (3, 3))}
    machines["3 x 2, all parameters zero"] = RBM(np.zeros((3, 2)), np.zeros(3), np.zeros(2))
    machines["4 x 3, saturating weights"] = machine(4, 3, scale=15.0)
    machines["3 x 2, inputs of 800"] = _EXTREME
    return [Ask(name, {"theta": theta, **given(theta)}) for name, theta in machines.items()]


def _pairs(theta: RBM) -> dict[str, Any]:
    v, h = oracle.states(len(theta.b)), oracle.states(len(theta.c))
    return {"v": np.repeat(v, len(h), axis=0), "h": np.tile(h, (len(v), 1))}


AT_V = _values(lambda theta: {"v": oracle.states(len(theta.b))})
AT_H = _values(lambda theta: {"h": oracle.states(len(theta.c))})
AT_FEW = _values(lambda theta: {"v": oracle.states(len(theta.b))[1:4]})


def _draws(of: str, *sizes: tuple[int, int, int]) -> list[Ask]:
    units = {"v": 0, "h": 1}[of]
    return [
        Ask(f"{v} x {h}, {n} rows", {"theta": machine(v, h), of: rows(n, (v, h)[units])}) for v, h, n in sizes
    ]


# --- values


@quantity(
    "BA.eq1",
    cases=_values(_pairs),
    expected=oracle.energy,
    offset=True,
    rejects=("bias-of-wrong-sign", "wrong-sign", "missing-hidden-bias", "halved-energy"),
)
def energy(theta: RBM, v: Array, h: Array) -> Array:
    """E(v, h) of each row"""
    return rbm.energy(theta, v, h)


@quantity(
    "BP.eq38",
    cases=AT_V,
    expected=oracle.free_energy,
    offset=True,
    rejects=(
        "relu-for-softplus",
        "mean-field-energy",
        "log-sigmoid-for-softplus",
        "hidden-units-averaged",
        "missing-visible-bias",
    ),
)
def free_energy(theta: RBM, v: Array) -> Array:
    """F(v) of each row, p(v) = exp(-F(v)) / Z"""
    return rbm.free_energy(theta, v)


@quantity(
    "BA.eq5",
    cases=AT_V,
    expected=oracle.mean_hidden,
    rejects=(
        "missing-sigmoid (on the way up only)",
        "tanh-for-sigmoid (on the way up only)",
        "doubled-input (on the way up only)",
    ),
)
def mean_hidden(theta: RBM, v: Array) -> Array:
    """p(h_j = 1 | v), (n, H)"""
    return rbm.mean_hidden(theta, v)


@quantity(
    "BA.sec2.1e",
    cases=AT_H,
    expected=oracle.mean_visible,
    rejects=("doubled-input (on the way down only)", "missing-visible-bias"),
)
def mean_visible(theta: RBM, h: Array) -> Array:
    """p(v_i = 1 | h), (n, V)"""
    return rbm.mean_visible(theta, h)


# --- draws, by the means of all products of their units


@quantity(
    "BA.eq4",
    cases=_draws("v", (2, 1, 1), (1, 2, 1), (2, 2, 1), (3, 2, 2)),
    expected=lambda theta, v: oracle.moments_of_laws(oracle.up(theta)[oracle.places(v)]),
    observe=mean_of(oracle.moments, bound=1.0),
    rejects=(
        "means-for-samples",
        "uniform-shared-by-units (on the way up only)",
        "uniform-shared-by-rows (on the way up only)",
        "thresholded (on the way up only)",
    ),
)
def sample_hidden(theta: RBM, v: Array, *, rng: Rng) -> Array:
    """a draw of p(h | v)"""
    return rbm.sample_hidden(theta, v, rng=rng)


@quantity(
    "BA.sec2.1e",
    cases=_draws("h", (1, 2, 1), (2, 1, 1), (2, 2, 1), (2, 3, 2)),
    expected=lambda theta, h: oracle.moments_of_laws(oracle.down(theta)[oracle.places(h)]),
    observe=mean_of(oracle.moments, bound=1.0),
    rejects=(
        "means-for-visible-samples",
        "inverted-comparison (on the way down only)",
        "uniform-shared-by-rows (on the way down only)",
    ),
)
def sample_visible(theta: RBM, h: Array, *, rng: Rng) -> Array:
    """a draw of p(v | h)"""
    return rbm.sample_visible(theta, h, rng=rng)


def _gibbs_cases() -> list[Ask]:
    asks = [
        Ask(f"{v} x {h}, from {row.astype(int)}", {"theta": machine(v, h), "v": row[None, :]})
        for v, h in ((1, 2), (2, 1), (2, 2))
        for row in oracle.states(v)
    ]
    asks.append(Ask("3 x 2", {"theta": machine(3, 2), "v": rows(1, 3)}))
    saturated = machine(3, 2, scale=40.0)
    return [*asks, Ask("3 x 2, saturating weights", {"theta": saturated, "v": rows(1, 3)})]


@quantity(
    "BA.alg1",
    cases=_gibbs_cases(),
    expected=lambda theta, v: oracle.moments_of_laws(oracle.up(theta)[oracle.places(v)] @ oracle.down(theta)),
    observe=mean_of(oracle.moments, bound=1.0),
    rejects=("uniforms-shared-by-layers", "same-uniforms-for-layers", "means-for-hidden-samples"),
)
def gibbs_step(theta: RBM, v: Array, *, rng: Rng) -> Array:
    """v' of one step v -> h -> v'"""
    return gibbs.gibbs_step(theta, v, rng=rng)[0]


# --- the law of v


@quantity(
    "BA.eq3",
    cases=_values(lambda theta: {}),
    expected=oracle.log_partition,
    rejects=("averaged-partition", "missing-hidden-bias", "bits-for-nats"),
)
def log_partition(theta: RBM) -> Array:
    """log Z"""
    return partition.log_partition(theta)


@quantity(
    "BA.eq2",
    cases=AT_V,
    expected=oracle.log_likelihood,
    rejects=("missing-log-partition", "log-partition-added", "bits-for-nats", "divided-by-units"),
)
def log_likelihood(theta: RBM, v: Array) -> Array:
    """log p(v) of each row"""
    return likelihood.log_likelihood(theta, v)


def _batches() -> list[Ask]:
    sizes = ((1, 2, 1), (2, 1, 1), (3, 2, 3), (2, 2, 1), (3, 3, 4))
    asks = [Ask(f"{v} x {h}, {n} rows", {"theta": machine(v, h), "v": rows(n, v)}) for v, h, n in sizes]
    alike = np.repeat(rows(1, 2), 3, axis=0)
    asks.append(Ask("2 x 3, duplicate rows", {"theta": machine(2, 3), "v": alike}))
    saturated = machine(4, 3, scale=15.0)
    return [*asks, Ask("4 x 3, saturating weights", {"theta": saturated, "v": rows(2, 4)})]


@quantity(
    "BA.eq7",
    cases=_batches(),
    expected=oracle.log_likelihood_grad,
    over_rows=True,
    rejects=(
        "wrong-sign",
        "negative-phase-missing",
        "states-unweighted",
        "sum-for-mean",
        "swapped-bias-gradients",
    ),
)
def log_likelihood_grad(theta: RBM, v: Array) -> RBM:
    """the gradient of the mean log p(v), an RBM"""
    return likelihood.log_likelihood_grad(theta, v)


@quantity(
    "BA.eq2",
    cases=AT_FEW,
    expected=oracle.pseudo_log_likelihood,
    observe=mean_of(lambda estimate: estimate),
    rejects=("missing-unit-factor", "pseudo-likelihood-sign", "one-unit-flipped"),
)
def pseudo_log_likelihood(theta: RBM, v: Array, *, rng: Rng) -> Array:
    """sum_i log p(v_i | v_-i), or an unbiased estimate"""
    return likelihood.pseudo_log_likelihood(theta, v)


# --- updates


def _with_means(asks: Sequence[Ask]) -> list[Ask]:
    """Return the cases, and again with a mean in place of the last v: code is asked what it declares."""
    means = [
        Ask(f"{name}, the last v a mean", {**given, "negative_visible": "mean"})
        for name, given in asks
        if "saturating" not in name
    ]
    return [*asks, *means]


def _cd_cases() -> list[Ask]:
    sizes = (
        (1, 1, 1, 1), (1, 2, 1, 1), (2, 1, 1, 1), (1, 1, 2, 1), (2, 1, 1, 2), (1, 1, 1, 3), (2, 2, 1, 1),
        (3, 2, 1, 1),
    )  # fmt: skip
    asks = [
        Ask(f"{v} x {h}, {n} rows, k = {k}", {"theta": machine(v, h), "v": rows(n, v, seed=2), "k": k})
        for v, h, n, k in sizes
    ]
    asks.insert(4, Ask("1 x 1, 2 rows alike, k = 1", {"theta": machine(1, 1), "v": np.ones((2, 1)), "k": 1}))
    saturated = {"theta": machine(3, 2, scale=40.0), "v": rows(1, 3), "k": 2}
    return _with_means([*asks, Ask("3 x 2, saturating weights, k = 2", saturated)])


@quantity(
    "BA.alg1",
    cases=_cd_cases(),
    expected=oracle.cd_update,
    observe=mean_of(lambda update: update, bound=1.0),
    over_rows=True,
    rejects=(
        "stale-hidden-samples",
        "hidden-of-the-data",
        "steps-ignored",
        "one-step-too-many",
        "one-step-too-few",
        "moved-in-between",
        "wrong-sign",
        "means-for-last-visible",
    ),
)
def cd_update(theta: RBM, v: Array, *, k: int, rng: Rng, negative_visible: str = "sample") -> RBM:
    """the CD-k direction, an RBM"""
    variant = contrastive.DOCUMENT._replace(negative_visible=negative_visible)
    return contrastive.cd_step(theta, v, k=k, rng=rng, variant=variant)[0]


def _pcd_cases() -> list[Ask]:
    sizes = (
        (1, 1, 1, 1, 1), (2, 1, 1, 1, 1), (1, 2, 1, 1, 1), (1, 1, 2, 2, 1), (1, 2, 1, 2, 1), (2, 1, 1, 2, 1),
        (2, 1, 3, 1, 1), (2, 1, 1, 1, 2), (1, 1, 1, 1, 3), (2, 2, 1, 1, 1), (3, 2, 1, 1, 1),
    )  # fmt: skip
    asks = []
    for v, h, n, m, k in sizes:
        name, given = f"{v} x {h}, {n} rows, {m} chains, k = {k}", {"theta": machine(v, h), "v": rows(n, v)}
        asks.append(Ask(name, {**given, "chains": 1 - rows(m, v), "k": k}))
        asks.append(Ask(f"{name}, of h", {**given, "chains": rows(m, h, seed=1), "k": k, "chain": "hidden"}))
    return _with_means(asks)


def _with_chains(outcome: tuple[RBM, Array]) -> tuple[RBM, Array]:
    return outcome[0], oracle.moments_of_rows(outcome[1])


@quantity(
    "BA.alg2",
    cases=_pcd_cases(),
    expected=oracle.pcd_update,
    observe=mean_of(_with_chains, bound=1.0),
    over_rows=True,
    rejects=(
        "chain-of-means",
        "chain-not-advanced",
        "chain-restarted-at-data",
        "chains-weighted-by-rows",
        "rows-weighted-by-chains",
        "stale-hidden-means",
    ),
)
def pcd_update(
    theta: RBM,
    v: Array,
    chains: Array,
    *,
    k: int,
    rng: Rng,
    negative_visible: str = "sample",
    chain: str = "visible",
) -> tuple[RBM, Array]:
    """(the PCD-k direction, the chains afterwards)"""
    variant = contrastive.DOCUMENT._replace(negative_visible=negative_visible, chain=chain)
    update, info = contrastive.pcd_step(theta, v, chains, k=k, rng=rng, variant=variant)
    return update, info.chains


# --- annealed importance sampling: what is unbiased is the weight


def _ais_cases(**given: Any) -> list[Ask]:
    asks = []
    for v, h, betas, chains in (
        (1, 1, (0.0, 1.0), 2), (1, 2, (0.0, 0.4, 1.0), 1), (2, 1, (0.0, 0.4, 1.0), 1),
        (1, 1, (0.0, 0.25, 0.6, 1.0), 1),
    ):  # fmt: skip
        for base in (np.array([0.7, -0.4])[:v], np.zeros(v)):
            coins = "" if base.any() else ", base of fair coins"
            name = f"{v} x {h}, {len(betas)} temperatures, {chains} chains{coins}"
            some = {"v": rows(2, v)} if given else {}
            anneal = {"base": base, "betas": np.array(betas), "chains": chains}
            asks.append(Ask(name, {"theta": machine(v, h, seed=2), **some, **anneal}))
    return asks


def _ones(shape: Callable[..., Any]) -> Callable[..., Array]:
    return lambda **given: np.ones(shape(**given))


def _log_ratio(theta: RBM, base: Array) -> Array:
    return oracle.log_partition(theta) - oracle.log_partition(RBM(0 * theta.W, base, 0 * theta.c))


@quantity(
    "AO.sec3.3.2a",
    cases=_ais_cases(),
    expected=_ones(lambda chains, **_: chains),
    observe=mean_of(
        lambda theta, base, **_: lambda log_w: np.exp(log_w - _log_ratio(theta, base)), by_case=True
    ),
    rejects=(
        "move-before-weight",
        "inverted-weights",
        "beta-outside-softplus",
        "last-weight-skipped",
        "start-not-from-base",
        "moves-at-full-temperature",
    ),
)
def ais_log_weights(theta: RBM, *, base: Array, betas: Array, chains: int, rng: Rng) -> Array:
    """log weights (chains,), mean weight Z / Z_base"""
    return annealing.ais(theta, base, betas=betas, chains=chains, rng=rng).log_weights


@quantity(
    "AO.sec3.3.2a",
    cases=_ais_cases(),
    expected=_ones(lambda **_: ()),
    observe=mean_of(
        lambda theta, **_: lambda log_z: np.exp(log_z - oracle.log_partition(theta)), by_case=True
    ),
    rejects=(
        "missing-log-chains",
        "missing-base-partition",
        "base-without-hidden",
        "mean-of-log-weights",
        "first-weight-skipped",
    ),
)
def ais_log_partition(theta: RBM, *, base: Array, betas: Array, chains: int, rng: Rng) -> Array:
    """the estimate of log Z from that many chains"""
    run = annealing.ais(theta, base, betas=betas, chains=chains, rng=rng)
    return annealing.log_partition_below(run).log_partition


@quantity(
    "AO.sec3.3.2a",
    cases=_ais_cases(rows=True),
    expected=_ones(lambda v, **_: len(v)),
    observe=mean_of(
        lambda theta, v, **_: lambda log_p: np.exp(oracle.log_likelihood(theta, v) - log_p), by_case=True
    ),
    rejects=("log-partition-added", "mean-of-log-weights", "missing-base-partition"),
)
def ais_log_likelihood(theta: RBM, v: Array, *, base: Array, betas: Array, chains: int, rng: Rng) -> Array:
    """log p(v) of each row, by that estimate of log Z"""
    log_z = ais_log_partition(theta, base=base, betas=betas, chains=chains, rng=rng)
    return likelihood.log_normalised(theta, v, log_z)
