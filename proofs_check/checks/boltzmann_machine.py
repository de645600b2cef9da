"""The restricted Boltzmann machine: its energy, its law, its conditionals and its likelihood."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ...backends.arrays import to_numpy
from ...reference.boltzmann import likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_rate, check
from ..oracle import boltzmann as oracle
from ..oracle.boltzmann import like, states
from ..oracle.derivative import derivative
from ..strategies.boltzmann import RBMCase, rbm_cases, rbms

# --- the machine ------------------------------------------------------------------------------------------


@check(
    "BA.sec2a",
    "BA.fig1",
    "BA.eq1",
    of=rbm,
    cases=rbms(max_hidden=3),
    evidence=DEFINITION,
    rejects=("bias-of-wrong-sign", "missing-hidden-bias", "energy-shifted", "units-of-a-layer-coupled"),
)
def energy_couples_the_layers_only(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """The second difference of E in two units is minus their weight across layers, and zero within a layer.

    First differences at the zero state are minus the biases and E(0, 0) = 0, which settles E.
    """
    V, H = plain.W.shape
    v, h = states(V), states(H)
    pairs = like(np.repeat(v, len(h), axis=0), theta.W), like(np.tile(h, (len(v), 1)), theta.W)
    E = to_numpy(impl.energy(theta, *pairs)).astype(float).reshape((2,) * (V + H))
    weights = np.block([[np.zeros((V, V)), plain.W], [plain.W.T, np.zeros((H, H))]])
    agree(E[(0,) * (V + H)], 0.0, "E(0, 0)", of="BA.eq1")
    for unit, bias in enumerate([*plain.b, *plain.c]):
        slope = np.diff(E, axis=unit)[(0,) * (V + H)]
        agree(slope, -bias, f"E of unit {unit} alone", of=("BA.eq1", "BA.sec2a"))
    for one, other in combinations(range(V + H), 2):
        second = np.diff(np.diff(E, axis=one), axis=other)
        expected = np.full(second.shape, -weights[one, other])
        what = f"interaction of units {one} and {other}"
        agree(second, expected, what, of=("BA.eq1", "BA.sec2a", "BA.fig1"), atol=1e-10)


@check(
    "BA.sec2.1b",
    of=partition,
    cases=rbms(max_visible=3, max_hidden=7),
    evidence=DEFINITION,
    rejects=("hidden-units-cut-off",),
    uncovered="that fewer hidden than visible units are common; [BA] 2.4 itself uses more",
)
def any_number_of_hidden_units_gives_a_law(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """The number of hidden units can be chosen freely: fewer than the visible ones, or more."""
    agree(impl.marginal_visible(theta), np.exp(oracle.log_visible(plain)), "p(v)")


def _covariances(impl: Implementation, theta: RBM, plain: RBM, layer: str) -> tuple[Any, Any, Any]:
    """Return the covariance of a layer, and its parts within and between the states of the other layer.

    Cov(x) = E[Cov(x | y)] + Cov(E[x | y]); the diagonals are set to zero.
    """
    v, h = states(plain.b.size), states(plain.c.size)
    if layer == "hidden":
        x, law, given = h, np.exp(oracle.log_hidden(plain)), impl.marginal_visible(theta)
        means = impl.mean_hidden(theta, like(v, theta.W))
    else:
        x, law, given = v, np.exp(oracle.log_visible(plain)), impl.marginal_hidden(theta)
        means = impl.mean_visible(theta, like(h, theta.W))
    given, means = to_numpy(given).astype(float), to_numpy(means).astype(float)
    second = np.einsum("s,si,sj->ij", law, x, x)
    second_of_means = np.einsum("g,gi,gj->ij", given, means, means)
    off_diagonal = 1 - np.eye(x.shape[1])
    return (
        (second - np.outer(law @ x, law @ x)) * off_diagonal,
        (second - second_of_means) * off_diagonal,
        (second_of_means - np.outer(given @ means, given @ means)) * off_diagonal,
    )


def hidden_units_carry_the_dependence_of_hidden_units(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """As printed: the dependence between hidden units is their own, there without the visible ones."""
    total, within, _ = _covariances(impl, theta, plain, "hidden")
    agree(within, total, "covariance of hidden units, the visible ones given", rtol=0, atol=1e-3)


@check(
    "BA.sec2.1a",
    of=(rbm, partition),
    cases=rbms(max_visible=1, max_hidden=2) | rbms(max_visible=3, max_hidden=4),
    examples=50,
    evidence=DEFINITION,
    printed=hidden_units_carry_the_dependence_of_hidden_units,
    correction=(
        "a slip: hidden units model dependencies between the *visible* units: E[Cov(v | h)] = 0 off the "
        "diagonal, so Cov(v) = Cov(E[v | h]); what links hidden units are the visible ones, "
        "Cov(h) = Cov(E[h | v])"
    ),
    rejects=("couplings-halved", "missing-visible-bias"),
)
def hidden_units_carry_the_dependence_of_visible_units(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """All covariance between two units of a layer comes from the means given the other layer."""
    for layer in ("visible", "hidden"):
        total, within, between = _covariances(impl, theta, plain, layer)
        agree(within, 0 * within, "covariance within a layer, the other given", atol=1e-9)
        agree(between, total, "covariance of the means given the other layer", atol=1e-9)


# --- its law ----------------------------------------------------------------------------------------------


@check(
    "BA.eq2",
    "BA.eq3",
    of=partition,
    cases=rbms(),
    evidence=DEFINITION,
    rejects=(
        "missing-hidden-bias",
        "missing-visible-bias",
        "boltzmann-factor-of-wrong-sign",
        "joint-not-normalised",
        "averaged-partition",
    ),
)
def gibbs_law_is_normalised_by_the_sum_over_all_states(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """log Z = log sum over all (v, h) of e^-E, and log p(v, h) = -E(v, h) - log Z."""
    log_z = oracle.log_partition(plain)
    agree(impl.log_partition(theta), log_z, "log Z", of="BA.eq3")
    agree(impl.log_joint_table(theta), oracle.minus_energy(plain) - log_z, "log p(v, h)", of="BA.eq2")


_FASTER = "that nothing is faster than exponential in the smaller layer: a lower bound is not proved"


@check(
    "BA.sec2.1c",
    of=partition,
    cases=rbms(max_visible=5, max_hidden=4, saturation=2.0),
    evidence=EXACTLY,
    rejects=("missing-visible-bias", "averaged-partition", "relu-for-softplus"),
    uncovered=_FASTER,
)
def states_to_sum_over_double_with_each_unit(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """Z sums 2^(V + H) terms: it is their number where all are one, else the sum of them all."""
    flat = RBM(0 * theta.W, 0 * theta.b, 0 * theta.c)
    count = to_numpy(impl.log_partition(flat)).astype(float) / np.log(2)
    agree(count, float(sum(plain.W.shape)), "log2 of the number of states")
    agree(impl.log_partition(theta), oracle.log_partition(plain), "log Z")


@check(
    "BA.sec2.1c",
    of=partition,
    cases=rbms(max_visible=5, max_hidden=4, saturation=2.0),
    evidence=EXACTLY,
    rejects=("averaged-partition", "boltzmann-factor-of-wrong-sign"),
    uncovered=_FASTER,
)
def partition_function_sums_the_smaller_layer_only(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """That Z is intractable does not follow: the sum over one layer factorises, 2^min(V, H) terms are left.

    So 60 units more on one side, whose states could not be listed, change nothing.
    """
    h = states(plain.c.size)
    tall = RBM(np.tile(plain.W, (60, 1)), np.tile(plain.b, 60), plain.c)
    log_terms = h @ plain.c + 60 * np.logaddexp(0, h @ plain.W.T + plain.b).sum(axis=1)
    log_z = oracle.log_sum(log_terms, 0)[0]
    for machine, shape in ((tall, "tall"), (RBM(tall.W.T, tall.c, tall.b), "wide")):
        found = impl.log_partition(RBM(*(like(field, theta.W) for field in machine)))
        agree(found, log_z, f"log Z of a {shape} machine")


def _spikes(law: Any, sharpness: float) -> RBM:
    """Return an RBM that approximates a positive law: one hidden unit per state but one.

    Hidden unit s adds softplus(height_s - sharpness * Hamming distance of v and s) to log p(v): a spike on s.
    A spike can only raise a state, so the state without one is the least likely.
    """
    V = int(np.log2(law.size))
    order = np.argsort(-law)
    centres = states(V)[order[:-1]]
    log_rise = np.log(law[order[:-1]] / law[order[-1]])
    heights = np.log(np.expm1(log_rise))
    return RBM(sharpness * (2 * centres - 1).T, np.zeros(V), heights - sharpness * centres.sum(axis=1))


@check(
    "BA.sec2b",
    of=partition,
    cases=[np.array([1, 7, 2, 12, 3, 9, 5, 4]) / 43, np.array([20, 1, 3, 2, 6, 11, 4, 8]) / 55],
    evidence=at_rate(
        "KL = O(e^-2a) in the sharpness a of 2^V - 1 hidden units; no law with a zero is reached"
    ),
    rejects=("hidden-unit-left-out", "couplings-halved"),
    uncovered="laws other than two of three units, and that training finds the machine",
)
def enough_hidden_units_approximate_any_positive_law(impl: Implementation, law: Any, plain: Any) -> None:
    """With 2^V - 1 hidden units, KL(law || p) falls like e^-2a as the spikes get sharper."""
    sharpness, kl = np.array([6.0, 7.0, 8.0]), []
    for a in sharpness:
        theta = RBM(*(like(field, law) for field in _spikes(plain, a)))
        p = to_numpy(impl.marginal_visible(theta)).astype(float)
        p = p / p.sum()  # rounding of float32 would hide a small KL
        kl.append(float(np.sum(plain * np.log(plain / p))))
    slope = np.polyfit(sharpness, np.log(np.maximum(kl, 1e-300)), 1)[0]
    agree(slope, -2.0, "exponent of KL in the sharpness", atol=0.05)


# --- its conditionals -------------------------------------------------------------------------------------


@check(
    "BA.sec2.1d",
    "BA.eq4",
    "BA.eq5",
    "BA.sec2.1e",
    of=rbm,
    cases=rbms(),
    evidence=EXACTLY,
    rejects=(
        "missing-hidden-bias",
        "missing-visible-bias",
        "off-for-on",
        "missing-sigmoid",
        "tanh-for-sigmoid",
        "doubled-input",
    ),
)
def units_of_a_layer_are_independent_given_the_other(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """The product of the sigmoids over the units of a layer is the conditional of the joint law.

    The index i on the left of eq. 5 is the j on its right.
    """
    v, h = states(plain.b.size), states(plain.c.size)
    up, down = np.exp(oracle.log_up(plain)), np.exp(oracle.log_down(plain))
    means = impl.mean_hidden(theta, like(v, theta.W)), impl.mean_visible(theta, like(h, theta.W))
    agree(means[0], up @ h, "p(h_j = 1 | v)", of="BA.eq5")
    agree(means[1], down @ v, "p(v_i = 1 | h)", of="BA.sec2.1e")
    for mean, x, conditional, of in (
        (means[0], h, up, ("BA.eq4", "BA.sec2.1d")),
        (means[1], v, down, ("BA.sec2.1d", "BA.sec2.1e")),
    ):
        p = to_numpy(mean).astype(float)[:, None, :]
        product = np.prod(np.where(x[None, :, :] == 1, p, 1 - p), axis=2)
        agree(product, conditional, "law of a layer given the other", of=of)


@check(
    "BA.eq1",
    "BA.eq5",
    "BA.sec2.1e",
    of=(rbm, likelihood),
    cases=rbms(square=True),
    evidence=EXACTLY,
    rejects=("swapped-biases", "transposed-weights", "untransposed-downwards"),
)
def layers_of_one_size_are_told_apart(impl: Implementation, theta: RBM, plain: RBM) -> None:
    """Where V = H nothing but the numbers tells W from its transpose, and one bias from the other."""
    x = states(plain.b.size)
    rows = like(x, theta.W)
    up, down = np.exp(oracle.log_up(plain)), np.exp(oracle.log_down(plain))
    agree(impl.mean_hidden(theta, rows), up @ x, "p(h_j = 1 | v)", of="BA.eq5")
    agree(impl.mean_visible(theta, rows), down @ x, "p(v_i = 1 | h)", of="BA.sec2.1e")
    energies = -np.diagonal(oracle.minus_energy(plain))
    agree(impl.energy(theta, rows, rows), energies, "E(x, x)", of="BA.eq1")
    agree(impl.log_likelihood(theta, rows), oracle.log_visible(plain), "log p(v)", of="BA.eq1")


# --- its likelihood ---------------------------------------------------------------------------------------


@check(
    "BA.eq6",
    of=likelihood,
    cases=rbm_cases(),
    evidence=DEFINITION,
    rejects=(
        "missing-log-partition",
        "log-partition-added",
        "log-partition-twice",
        "relu-for-softplus",
        "log-sigmoid-for-softplus",
        "mean-field-energy",
        "hidden-units-averaged",
        "averaged-partition",
        "bias-of-wrong-sign",
        "bits-for-nats",
        "divided-by-units",
        "halved-energy",
        "wrong-sign",
    ),
)
def objective_is_the_mean_negative_log_likelihood(
    impl: Implementation, case: RBMCase, plain: RBMCase
) -> None:
    """The mean of -log p(v) over the rows is the cross-entropy of their empirical law and p."""
    mean = -to_numpy(impl.log_likelihood(case.theta, case.v)).astype(float).mean()
    expected = -oracle.mean_log_likelihood(plain.theta, oracle.empirical_law(plain.v))
    agree(mean, expected, "mean of -log p(v)")


@check(
    "BA.eq7",
    of=likelihood,
    cases=rbm_cases(),
    evidence=EXACTLY,
    rejects=(
        "wrong-sign",
        "negative-phase-missing",
        "sum-for-mean",
        "divided-twice",
        "biases-summed",
        "weights-summed",
        "swapped-bias-gradients",
        "transposed-gradient",
        "visible-bias-not-updated",
        "hidden-bias-not-updated",
        "visible-bias-of-wrong-sign",
        "hidden-bias-of-wrong-sign",
        "weights-of-wrong-sign",
        "states-unweighted",
        "reconstruction-for-data",
    ),
)
def gradient_is_a_difference_of_two_expectations(impl: Implementation, case: RBMCase, plain: RBMCase) -> None:
    """The difference of the two expectations is the derivative (complex step) of the enumerated log p."""
    law = oracle.empirical_law(plain.v)
    exact = derivative(lambda theta: oracle.mean_log_likelihood(theta, law), plain.theta)
    agree(impl.log_likelihood_grad(case.theta, case.v), exact, "gradient", atol=1e-10)
