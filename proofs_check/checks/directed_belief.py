"""[AO] 1: deep directed models, their likelihood and its gradient, and what makes it intractable."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace, to_numpy
from ...reference import laws
from ...reference.boltzmann import partition
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_bound, mixtures
from ...reference.directed.layers import Sigmoid, Table, states_below
from ...reference.laws import log_table
from ...reference.states import binary_states
from ...reference.trees import leaves
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..oracle import boltzmann
from ..oracle.boltzmann import like
from ..oracle.derivative import derivative
from ..oracle.directed import Numbers, conditional, joint
from ..strategies.boltzmann import rbm_laws
from ..strategies.common import laws as law_tables
from ..strategies.directed import Deep, nets
from ..strategies.layerwise import Family, families


def values(net: Any) -> Array:
    """Return all x, as the functions on nets take them."""
    bottom = net[0]
    xp = array_namespace(*bottom)
    if isinstance(bottom, Table):
        return xp.arange(states_below(bottom), dtype=xp.int64)
    return binary_states(bottom.b.shape[0], like=bottom.b)


# --- the model (1.1) --------------------------------------------------------------------------------------


@check(
    "AO.eq1",
    "AO.eq2",
    "AO.eq3",
    of=(belief, mixtures),
    cases=nets(),
    examples=40,
    evidence=EXACTLY,
    rejects=(
        "top-uniform",
        "first-state-alone",
        "largest-term-alone",
        "units-in-reverse",
        "law-of-hidden-dropped",
        "law-of-hidden-uniform",
        "wrong-sign",
        "bits-for-nats",
        "hidden-means-for-sum",
        "sum-outside-the-logarithm",
        "best-state-for-sum",
        "logarithm-missing",
    ),
)
def laws_of_all_layers_are_sums_of_the_joint_law(impl: Implementation, case: Deep, plain: Deep) -> None:
    """P(x) = sum P(x|h1) P(h1), P(h_k) = sum P(h_k|h_k+1) P(h_k+1): what summing the joint table gives."""
    table = joint(plain.net)
    agree(impl.joint_law(case.net), table, "joint law", of="AO.eq1")
    for k in range(table.ndim):
        others = tuple(axis for axis in range(table.ndim) if axis != k)
        of = "AO.eq3" if k else ("AO.eq1", "AO.eq2")
        agree(impl.state_law(case.net[k:]), table.sum(axis=others), f"P(h{k})" if k else "P(x)", of=of)
    with np.errstate(divide="ignore"):
        log_p = np.log(table.sum(axis=tuple(range(1, table.ndim))))
    x, above = values(case.net), table.sum(axis=(0, *range(2, table.ndim)))
    agree(impl.log_likelihood(case.net, x), log_p, "log P(x)", of="AO.eq1")
    mixed = impl.log_mixture(impl.likelihoods(case.net[0], x), like(above, case.data))
    agree(mixed, log_p, "log sum_h P(x | h) P(h)", of="AO.eq1")


@check(
    "AO.sec1.1a",
    of=(belief,),
    cases=nets(least=3),
    examples=30,
    evidence=EXACTLY,
    rejects=("upper-layer-uniform", "first-state-alone"),
)
def every_split_is_a_model_of_one_hidden_variable(impl: Implementation, case: Deep, plain: Deep) -> None:
    """Layers below a split as one P(x | h_k), those above as P(h_k): the same law of x, for each k."""
    table = joint(plain.net)
    for k in range(1, len(case.net)):
        bottom, top = impl.compose(case.net[:k]), impl.state_law(case.net[k:])
        A = to_numpy(array_namespace(bottom.logits).exp(bottom.logits)).astype(float)
        pair = A * to_numpy(top).astype(float)
        others = tuple(axis for axis in range(table.ndim) if axis not in (0, k))
        agree(pair, table.sum(axis=others), f"P(x, h{k})")
        agree(pair.sum(axis=1), table.sum(axis=tuple(range(1, table.ndim))), "P(x)")


# --- the target (1.2) -------------------------------------------------------------------------------------


@check(
    "AO.eq4",
    "AO.eq5",
    of=(laws,),
    cases=families(),
    examples=40,
    evidence=EXACTLY,
    rejects=("divergence-of-the-data-reversed", "data-alike"),
)
def likeliest_model_is_the_nearest(impl: Implementation, case: Family, plain: Family) -> None:
    """KL(P_D || P) = -H(P_D) - E log P: the maximisers of the one are the minimisers of the other.

    [AO] assumes that there is one.  Where every model finds some datum impossible, all are infinitely bad.
    """
    D, likelihoods, distances = plain.data, [], []
    some = D > 0
    entropy = -float(D[some] @ np.log(D[some]))
    for A in plain.bottoms:
        for Q in plain.tops:
            with np.errstate(divide="ignore"):
                exact = float(D[some] @ np.log((A @ Q)[some]))
            P = like(A @ Q, case.data)
            likelihoods.append(float(impl.expectation(case.data, log_table(P))))
            distances.append(float(impl.kl(case.data, P)))
            agree(likelihoods[-1], exact, "E log P", of="AO.eq4")
            agree(distances[-1], -entropy - exact, "KL(P_D || P)", of="AO.eq5")
    nearest = int(np.argmin(distances))
    agree(likelihoods[nearest], max(likelihoods), "E log P of the nearest", of=("AO.eq4", "AO.eq5"))


@check(
    "AO.sec1.2a",
    of=(dbn, dbn_bound),
    cases=rbm_laws(saturation=2.0).flatmap(
        lambda case: st.tuples(
            st.just(case), law_tables(2**case.theta.c.size, zeros=False), st.integers(1, 9)
        )
    ),
    examples=30,
    evidence=EXACTLY,
    rejects=("recognition-halved", "biases-not-exchanged", "upside-down-halved"),
    uncovered="that training the top raises E_q log P_top(h): one that lowers it lowers the bound",
)
def upside_down_start_makes_the_bound_tight(impl: Implementation, case: Any, plain: Any) -> None:
    """With the upper machine an upside-down copy the bound is log P(x) itself; a better top raises the bound.

    The bound is E_q log P(x|h) + E_q log P_top(h) + H(q); only the second part changes, and P(x) is above it.
    """
    theta = case[0].theta
    (own, _), other, part = plain
    v = binary_states(theta.b.shape[0], like=theta.b)
    stack = impl.stack([theta, impl.upside_down(theta)])
    q, log_joint = impl.recognise(stack, v), impl.log_joint_first(stack, v)
    bound = impl.elbo(q, log_joint)
    agree(bound, boltzmann.log_visible(own), "bound with the upside-down copy on top")
    start, share = np.exp(boltzmann.log_hidden(own)), part / 10
    new = (1 - share) * start + share * other
    gain = np.exp(boltzmann.log_up(own)) @ (np.log(new) - np.log(start))
    raised = impl.elbo(q, log_joint + like(np.log(new) - np.log(start), theta.W))
    agree(raised - bound, gain, "gain of the bound")
    log_p = np.log(new @ np.exp(boltzmann.log_down(own)))
    at_most(raised, log_p, "bound against log P(x) with the new top", slack=1e-9)


# --- the gradient (1.3) -----------------------------------------------------------------------------------


def leaves_of(tree: Any) -> list[Numbers]:
    """Return the arrays of a tree in order."""
    return list(leaves(tree))


def log_slope(slope: Numbers, table: Numbers) -> Numbers:
    """Return the derivatives of log P, given those of P; zero where P is zero, as P stays so."""
    over = np.broadcast_to(table.reshape(*table.shape, *([1] * (slope.ndim - table.ndim))), slope.shape)
    return np.divide(slope, over, out=np.zeros_like(slope), where=over > 0)


@check(
    "AO.eq6",
    "AO.eq7",
    "AO.eq8",
    "AO.eq9",
    "AO.sec1.3a",
    of=(belief,),
    cases=nets(),
    examples=40,
    evidence=EXACTLY,
    rejects=("gradient-summed", "posterior-without-the-top", "top-from-the-prior", "posterior-uniform"),
)
def gradient_is_a_posterior_expectation(impl: Implementation, case: Deep, plain: Deep) -> None:
    """Eq. 6 (product rule) and eq. 7-9 (posterior means) agree with the complex step of log P, by blocks.

    Between eq. 6 and 7: P(h) / P(x) = P(h|x) / P(x|h), by Bayes' rule, where these are positive.  Tables with
    zeros are moved by their logits: a logit of minus infinity stays, so where eq. 7-9 would differentiate
    log 0 the posterior and the derivative are zero, and the term counts for nothing.  Only x that are
    possible have a log P(x) to differentiate.
    """
    net = plain.net

    def top(at: Any) -> Numbers:
        table = joint(at[1:])
        return table.sum(axis=tuple(range(1, table.ndim)))

    A, P_h = conditional(net[0]), top(net)
    possible = np.flatnonzero(A @ P_h > 0)
    A = A[possible]
    P_x, data = A @ P_h, plain.data[possible]
    data = data / data.sum() if data.any() else P_x
    every = values(case.net)
    xp = array_namespace(every)
    x = xp.take(every, xp.asarray(possible.tolist(), device=every.device), axis=0)
    posterior = to_numpy(impl.posterior(case.net, x)).astype(float).reshape(*A.shape, -1).sum(axis=2)
    agree(posterior, A * P_h / P_x[:, None], "P(h | x)", of="AO.sec1.3a")
    log_p = derivative(lambda at: np.log(conditional(at[0])[possible] @ top(at)), net)
    of_A, of_top = derivative(lambda at: conditional(at[0])[possible], net), derivative(top, net)
    found = impl.log_likelihood_grad(case.net, x, weights=like(data, case.data))
    cut, slopes = len(leaves_of(net[:1])), zip(*map(leaves_of, (found, log_p, of_A, of_top)), strict=True)
    for k, (ours, exact, dA, dP) in enumerate(slopes):
        eq6 = np.einsum("xh...,h->x...", dA, P_h) + np.einsum("xh,h...->x...", A, dP)
        spread = (slice(None),) + (None,) * (eq6.ndim - 1)
        agree(eq6 / P_x[spread], exact, "eq. 6", of="AO.eq6")
        of_bottom = np.einsum("xh...,xh->x...", log_slope(dA, A), posterior)
        of_upper = np.einsum("h...,xh->x...", log_slope(dP, P_h), posterior)
        agree(of_bottom + of_upper, exact, "eq. 7", of="AO.eq7")
        block, of = (of_bottom, "AO.eq8") if k < cut else (of_upper, "AO.eq9")
        agree(block, exact, f"eq. {of[-1]}", of=of)
        mean = np.tensordot(data, exact, axes=1)
        agree(ours, mean, "gradient of E log P", of=("AO.eq7", of), rtol=1e-7, atol=1e-9)


@check(
    "AO.sec1.3b",
    of=(belief,),
    cases=families(zeros=False).map(lambda family: family.bottoms[0]),
    examples=30,
    evidence=EXACTLY,
    rejects=("posterior-without-the-top", "effect-ignored"),
)
def posterior_depends_on_both_layers(impl: Implementation, A: Array, plain: Numbers) -> None:
    """P(h|x) / P'(h|x) = c(x) P_J(h) / P'_J(h): another top, or another bottom, is another posterior.

    So no part of the gradient can be computed from one layer alone; the sum has a term for every h.
    """
    x = values((Table(log_table(A)),))
    S = A.shape[1]
    first, second = np.full(S, 1 / S), np.arange(1.0, S + 1) / (S * (S + 1) / 2)
    found = []
    for top in (first, second):
        net = (Table(log_table(A)), Table(log_table(like(top, A))[:, None]))
        found.append(to_numpy(impl.posterior(net, x)).astype(float))
    for top, posterior in zip((first, second), found, strict=True):
        agree(posterior, plain * top / (plain @ top)[:, None], "posterior under a top")
    ratio = found[1] / found[0] / (second / first)
    agree(ratio, np.tile(ratio[:, :1], (1, S)), "ratio of posteriors over that of the tops")
    ensure(np.abs(found[1] - found[0]).max() > 1e-3, "another top is another posterior")
    columns = found[0] / plain
    agree(columns, np.tile(columns[:, :1], (1, S)), "posterior over P(x|h) under a uniform top")


# --- small enough to be exact (3) -------------------------------------------------------------------------


def largest() -> tuple[RBM, Sigmoid, RBM, Numbers]:
    """Return the largest machine and net of [AO]: 100 - 19, and 100 - 16 - 16, and two rows of 100 bits."""
    rng = np.random.default_rng(20)
    single = RBM(rng.normal(0, 0.3, (100, 19)), rng.normal(0, 0.3, 100), rng.normal(0, 0.3, 19))
    bottom = Sigmoid(rng.normal(0, 0.3, (100, 16)), rng.normal(0, 0.3, 100))
    top = RBM(rng.normal(0, 0.3, (16, 16)), rng.normal(0, 0.3, 16), rng.normal(0, 0.3, 16))
    return single, bottom, top, rng.integers(0, 2, (2, 100)).astype(float)


def log_weights(machine: RBM) -> Numbers:
    """Return the log of sum_x e^{-E(x, h)} of all h, adding one unit of h after the other."""
    inputs, log_w = machine.b[:, None], np.zeros(1)
    for j in range(machine.c.size):
        inputs = np.concatenate([inputs, inputs + machine.W[:, j : j + 1]], axis=1)
        log_w = np.concatenate([log_w, log_w + machine.c[j]])
    return log_w + np.logaddexp(0, inputs).sum(axis=0)


@check(
    "AO.sec3a",
    of=(belief, partition),
    cases=[None],
    evidence=EXACTLY,
    rejects=("top-hidden-biases-dropped", "half-the-hidden-units"),
)
def largest_models_are_summed_exactly(impl: Implementation, case: None) -> None:
    """log Z of 100 x 19 units (2^19 states of h), log P(x) of a net 100 - 16 - 16: beside plain sums."""
    single, bottom, top, x = largest()
    log_w = log_weights(single)
    agree(impl.log_partition(single), np.logaddexp.reduce(log_w), "log Z of the largest machine")
    upside = RBM(top.W.T, top.c, top.b)  # its hidden units are the top's visible ones
    log_h = log_weights(upside)
    log_h = log_h - np.logaddexp.reduce(log_h)
    own = log_weights(RBM(bottom.W, bottom.b, np.zeros(16)))
    for row in x:
        linear = np.array([row @ bottom.b])
        for j in range(16):
            linear = np.concatenate([linear, linear + row @ bottom.W[:, j]])
        # P(x | h) = e^{x (W h + b)} / prod_i (1 + e^{(W h + b)_i})
        expected = np.logaddexp.reduce(linear - own + log_h)
        agree(impl.log_likelihood((bottom, top), row[None]), [expected], "log P(x)")
