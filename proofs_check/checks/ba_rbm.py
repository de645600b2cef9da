"""[BA] 2-2.1: the restricted Boltzmann machine, its law, its conditionals and its likelihood."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ...backends.arrays import array_namespace, to_numpy
from ...reference.boltzmann import likelihood, partition, rbm
from ...reference.boltzmann.rbm import RBM
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_rate, check
from ..strategies import RBMCase, rbm_cases, rbms
from . import brute
from .brute import like


def all_pairs(theta: RBM) -> tuple[Any, Any]:
    """Return every visible state beside every hidden state, row by row."""
    v, h = brute.states(theta.b.shape[0]), brute.states(theta.c.shape[0])
    return like(np.repeat(v, len(h), axis=0), theta.W), like(np.tile(h, (len(v), 1)), theta.W)


def without_visible_bias(theta: RBM) -> RBM:
    """Return the machine that a forgotten visible bias amounts to."""
    return theta._replace(b=0 * theta.b)


def without_hidden_bias(theta: RBM) -> RBM:
    """Return the machine that a forgotten hidden bias amounts to."""
    return theta._replace(c=0 * theta.c)


def half_coupled(theta: RBM) -> RBM:
    """Return the machine whose couplings count half."""
    return theta._replace(W=theta.W / 2)


# --- the machine ------------------------------------------------------------------------------------------


@check(
    "BA.sec2a",
    "BA.fig1",
    "BA.eq1",
    of=(rbm,),
    cases=rbms(max_hidden=3),
    evidence=DEFINITION,
    mutants={
        "visible bias with the wrong sign": {
            "energy": lambda theta, v, h: rbm.energy(theta._replace(b=-theta.b), v, h)
        },
        "hidden bias forgotten": {"energy": lambda theta, v, h: rbm.energy(without_hidden_bias(theta), v, h)},
        "a constant added": {"energy": lambda theta, v, h: rbm.energy(theta, v, h) + 1.0},
        "visible units coupled": {"energy": lambda theta, v, h: rbm.energy(theta, v, h) - v[:, 0] * v[:, -1]},
    },
)
def energy_couples_the_layers_only(impl: Implementation, theta: RBM) -> None:
    """The second difference of E in two units is minus their weight across layers, and zero within a layer.

    First differences at the zero state are minus the biases and E(0, 0) = 0, which settles E.
    """
    own = brute.numbers(theta)
    V, H = own.W.shape
    E = to_numpy(impl.energy(theta, *all_pairs(theta))).astype(float).reshape((2,) * (V + H))
    weights = np.block([[np.zeros((V, V)), own.W], [own.W.T, np.zeros((H, H))]])
    agree(E[(0,) * (V + H)], 0.0, "E(0, 0)")
    for unit, bias in enumerate([*own.b, *own.c]):
        agree(np.diff(E, axis=unit)[(0,) * (V + H)], -bias, f"E of unit {unit} alone", atol=1e-10)
    for one, other in combinations(range(V + H), 2):
        second = np.diff(np.diff(E, axis=one), axis=other)
        expected = np.full(second.shape, -weights[one, other])
        agree(second, expected, f"interaction of units {one} and {other}", atol=1e-10)


@check(
    "BA.sec2.1b",
    of=(partition,),
    cases=rbms(max_visible=3, max_hidden=7),
    evidence=DEFINITION,
    mutants={
        "hidden units beyond the visible ones ignored": {
            "marginal_visible": lambda theta: partition.marginal_visible(
                RBM(theta.W[:, : min(theta.W.shape)], theta.b, theta.c[: min(theta.W.shape)])
            )
        }
    },
)
def any_number_of_hidden_units_gives_a_law(impl: Implementation, theta: RBM) -> None:
    """The number of hidden units is free: fewer than the visible ones, or more, as in [BA] 2.4 itself."""
    own = brute.numbers(theta)
    agree(impl.marginal_visible(theta), np.exp(brute.log_visible(own)), "p(v)", rtol=1e-9)


def _covariances(impl: Implementation, theta: RBM, layer: str) -> tuple[Any, Any, Any]:
    """Return the covariance of a layer, and its parts within and between the states of the other layer.

    Cov(x) = E[Cov(x | y)] + Cov(E[x | y]); the diagonals are set to zero.
    """
    own = brute.numbers(theta)
    v, h = brute.states(own.b.size), brute.states(own.c.size)
    if layer == "hidden":
        x, law, given = h, np.exp(brute.log_hidden(own)), impl.marginal_visible(theta)
        means = impl.mean_hidden(theta, like(v, theta.W))
    else:
        x, law, given = v, np.exp(brute.log_visible(own)), impl.marginal_hidden(theta)
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


def hidden_units_carry_the_dependence_of_hidden_units(impl: Implementation, theta: RBM) -> None:
    """As printed: the dependence between hidden units is their own, there without the visible ones."""
    total, within, _ = _covariances(impl, theta, "hidden")
    agree(within, total, "covariance of hidden units, the visible ones given", rtol=0, atol=0.01)


@check(
    "BA.sec2.1a",
    of=(rbm, partition),
    cases=rbms(max_visible=1, max_hidden=2) | rbms(max_visible=3, max_hidden=4),
    examples=50,
    evidence=DEFINITION,
    printed=hidden_units_carry_the_dependence_of_hidden_units,
    correction=(
        "hidden units model dependencies between the *visible* units: E[Cov(v | h)] = 0 off the diagonal, so "
        "Cov(v) = Cov(E[v | h]); what links hidden units are the visible ones, Cov(h) = Cov(E[h | v])"
    ),
    mutants={
        "p(v | h) without its couplings": {
            "mean_visible": lambda theta, h: rbm.mean_visible(half_coupled(theta), h)
        },
        "p(h) for p(h) of another machine": {
            "marginal_hidden": lambda theta: partition.marginal_hidden(without_visible_bias(theta))
        },
    },
)
def hidden_units_carry_the_dependence_of_visible_units(impl: Implementation, theta: RBM) -> None:
    """All covariance between two units of a layer comes from the means given the other layer."""
    for layer in ("visible", "hidden"):
        total, within, between = _covariances(impl, theta, layer)
        agree(within, 0 * within, "covariance within a layer, the other given", atol=1e-9)
        agree(between, total, "covariance of the means given the other layer", atol=1e-9)


# --- its law ----------------------------------------------------------------------------------------------


@check(
    "BA.eq2",
    "BA.eq3",
    of=(partition,),
    cases=rbms(),
    evidence=DEFINITION,
    mutants={
        "hidden bias left out of Z": {
            "log_partition": lambda theta: partition.log_partition(without_hidden_bias(theta))
        },
        "energy with the wrong sign": {
            "log_joint_table": lambda theta: partition.log_joint_table(RBM(-theta.W, -theta.b, -theta.c))
        },
        "not normalised": {
            "log_joint_table": lambda theta: partition.log_joint_table(theta) + partition.log_partition(theta)
        },
    },
)
def gibbs_law_is_normalised_by_the_sum_over_all_states(impl: Implementation, theta: RBM) -> None:
    """log Z = log sum over all (v, h) of e^-E, and log p(v, h) = -E(v, h) - log Z."""
    own = brute.numbers(theta)
    log_z = brute.log_partition(own)
    agree(impl.log_partition(theta), log_z, "log Z", rtol=1e-10, atol=1e-10)
    agree(impl.log_joint_table(theta), brute.minus_energy(own) - log_z, "log p(v, h)", atol=1e-9)


@check(
    "BA.sec2.1c",
    of=(partition,),
    cases=rbms(max_visible=5, max_hidden=4, saturation=2.0),
    evidence=EXACTLY,
    mutants={
        "the sum over visible states forgotten": {
            "log_partition": lambda theta: partition.log_partition(without_visible_bias(theta))
        }
    },
)
def partition_function_sums_the_smaller_layer_only(impl: Implementation, theta: RBM) -> None:
    """All 2^(V + H) states and 2^min(V, H) of them give the same Z.

    The sum over all states is exponential in the number of units, as [BA] says; Z itself is only so in the
    smaller layer, because the sum over the other factorises.  So 60 units more on one side change nothing.
    """
    own = brute.numbers(theta)
    agree(impl.log_partition(theta), brute.log_partition(own), "log Z", atol=1e-10)
    h = brute.states(own.c.size)
    tall = RBM(np.tile(own.W, (60, 1)), np.tile(own.b, 60), own.c)
    log_terms = h @ own.c + 60 * np.logaddexp(0, h @ own.W.T + own.b).sum(axis=1)
    log_z = brute.log_sum(log_terms, 0)[0]
    agree(impl.log_partition(RBM(*(like(f, theta.W) for f in tall))), log_z, "log Z of a tall machine")
    wide = RBM(tall.W.T, tall.c, tall.b)
    agree(impl.log_partition(RBM(*(like(f, theta.W) for f in wide))), log_z, "log Z of a wide machine")


def _spikes(law: Any, sharpness: float) -> RBM:
    """Return an RBM that approximates a positive law: one hidden unit per state but one.

    Hidden unit s adds softplus(height_s - sharpness * Hamming distance of v and s) to log p(v): a spike on s.
    A spike can only raise a state, so the state without one is the least likely.
    """
    V = int(np.log2(law.size))
    order = np.argsort(-law)
    centres = brute.states(V)[order[:-1]]
    log_rise = np.log(law[order[:-1]] / law[order[-1]])
    heights = np.log(np.expm1(log_rise))
    return RBM(sharpness * (2 * centres - 1).T, np.zeros(V), heights - sharpness * centres.sum(axis=1))


@check(
    "BA.sec2b",
    of=(partition,),
    cases=[np.array([1, 7, 2, 12, 3, 9, 5, 4]) / 43, np.array([20, 1, 3, 2, 6, 11, 4, 8]) / 55],
    evidence=at_rate(
        "KL = O(e^-2a) in the sharpness a of 2^V - 1 hidden units; no law with a zero is reached"
    ),
    mutants={
        "one hidden unit too few": {
            "marginal_visible": lambda theta: partition.marginal_visible(
                RBM(theta.W[:, 1:], theta.b, theta.c[1:])
            )
        },
        "couplings saturate": {
            "marginal_visible": lambda theta: partition.marginal_visible(half_coupled(theta))
        },
    },
)
def enough_hidden_units_approximate_any_positive_law(impl: Implementation, law: Any) -> None:
    """With 2^V - 1 hidden units, KL(law || p) falls like e^-2a as the spikes get sharper."""
    own, sharpness, kl = to_numpy(law).astype(float), np.array([6.0, 7.0, 8.0]), []
    for a in sharpness:
        theta = RBM(*(like(field, law) for field in _spikes(own, a)))
        p = to_numpy(impl.marginal_visible(theta)).astype(float)
        p = p / p.sum()  # rounding of float32 would hide a small KL
        kl.append(float(np.sum(own * np.log(own / p))))
    slope = np.polyfit(sharpness, np.log(np.maximum(kl, 1e-300)), 1)[0]
    agree(slope, -2.0, "exponent of KL in the sharpness", atol=0.05)


# --- its conditionals -------------------------------------------------------------------------------------


@check(
    "BA.sec2.1d",
    "BA.eq4",
    "BA.eq5",
    "BA.sec2.1e",
    of=(rbm,),
    cases=rbms(),
    evidence=EXACTLY,
    mutants={
        "hidden bias forgotten": {
            "mean_hidden": lambda theta, v: rbm.mean_hidden(without_hidden_bias(theta), v)
        },
        "visible bias forgotten": {
            "mean_visible": lambda theta, h: rbm.mean_visible(without_visible_bias(theta), h)
        },
        "p(h_j = 0 | v) for p(h_j = 1 | v)": {"mean_hidden": lambda theta, v: 1 - rbm.mean_hidden(theta, v)},
        "hyperbolic tangent for the sigmoid": {
            "mean_hidden": lambda theta, v: array_namespace(v).abs(2 * rbm.mean_hidden(theta, v) - 1)
        },
    },
)
def units_of_a_layer_are_independent_given_the_other(impl: Implementation, theta: RBM) -> None:
    """The product of the sigmoids over the units of a layer is the conditional of the joint law."""
    own = brute.numbers(theta)
    v, h = brute.states(own.b.size), brute.states(own.c.size)
    for name, means, states, conditional in (
        ("p(h | v)", impl.mean_hidden(theta, like(v, theta.W)), h, np.exp(brute.log_up(own))),
        ("p(v | h)", impl.mean_visible(theta, like(h, theta.W)), v, np.exp(brute.log_down(own))),
    ):
        p = to_numpy(means).astype(float)[:, None, :]
        product = np.prod(np.where(states[None, :, :] == 1, p, 1 - p), axis=2)
        agree(product, conditional, name, rtol=1e-9, atol=1e-12)


# --- its likelihood ---------------------------------------------------------------------------------------


@check(
    "BA.eq6",
    of=(likelihood,),
    cases=rbm_cases(),
    evidence=DEFINITION,
    mutants={
        "log Z forgotten": {"log_likelihood": lambda theta, v: -rbm.free_energy(theta, v)},
        "log Z counted twice": {
            "log_likelihood": lambda theta, v: (
                likelihood.log_likelihood(theta, v) - partition.log_partition(theta)
            )
        },
        "log of the joint law at the most likely h": {
            "log_likelihood": lambda theta, v: (
                -rbm.energy(theta, v, array_namespace(v).round(rbm.mean_hidden(theta, v)))
                - partition.log_partition(theta)
            )
        },
    },
)
def objective_is_the_mean_negative_log_likelihood(impl: Implementation, case: RBMCase) -> None:
    """The mean of -log p(v) over the rows is the cross-entropy of their empirical law and p."""
    law = brute.empirical_law(case.v)
    mean = -to_numpy(impl.log_likelihood(case.theta, case.v)).astype(float).mean()
    agree(mean, -brute.mean_log_likelihood(brute.numbers(case.theta), law), "mean of -log p(v)", atol=1e-9)


@check(
    "BA.eq7",
    of=(likelihood,),
    cases=rbm_cases(),
    evidence=EXACTLY,
    mutants={
        "the two expectations exchanged": {
            "log_likelihood_grad": lambda theta, v: RBM(
                *(-field for field in likelihood.log_likelihood_grad(theta, v))
            )
        },
        "the model's expectation forgotten": {"log_likelihood_grad": rbm.data_statistics},
        "sum over rows for their mean": {
            "log_likelihood_grad": lambda theta, v: RBM(
                *(v.shape[0] * field for field in likelihood.log_likelihood_grad(theta, v))
            )
        },
        "a draw's gradient for the mean's": {
            "log_likelihood_grad": lambda theta, v: RBM(
                *(
                    d - m
                    for d, m in zip(
                        rbm.data_statistics(
                            theta,
                            array_namespace(v).round(
                                rbm.mean_visible(theta, array_namespace(v).round(rbm.mean_hidden(theta, v)))
                            ),
                        ),
                        partition.model_statistics(theta),
                        strict=True,
                    )
                )
            )
        },
    },
)
def gradient_is_a_difference_of_two_expectations(impl: Implementation, case: RBMCase) -> None:
    """The difference of the two expectations is the derivative (complex step) of the enumerated log p."""
    law = brute.empirical_law(case.v)
    exact = brute.gradient(lambda t: brute.mean_log_likelihood(t, law), brute.numbers(case.theta))
    actual = impl.log_likelihood_grad(case.theta, case.v)
    for name, a, e in zip(exact._fields, actual, exact, strict=True):
        agree(a, e, f"gradient in {name}", atol=1e-10)
