"""[AO] 1: deep directed models, their likelihood and its gradient, and what makes it intractable.

The oracle is the joint table of all layers, multiplied out.  Parameters may be complex there, so its
derivatives are exact by the complex step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import Array, array_namespace
from ...reference import laws
from ...reference.boltzmann import gibbs, partition
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_bound
from ...reference.directed.layers import Sigmoid, Table, states_below
from ...reference.laws import log_table
from ...reference.states import binary_states
from ...reference.trees import leaves, rebuild
from ..check import EXACTLY, Implementation, agree, at_most, check, ensure
from ..strategies import Deep, Family, families, nets, rbm_laws
from ..strategies import laws as law_tables
from . import brute
from .ao_marginal import Numbers, log_lik, numbers
from .brute import like, states


def conditional(layer: Any) -> Numbers:
    """Return P(x | h), states below by states above, from a table or from sigmoid units one by one."""
    if isinstance(layer, Table):
        weights = np.exp(layer.logits - layer.logits.real.max(axis=0))
        return weights / weights.sum(axis=0)
    x, h = (states(n) for n in layer.W.shape)
    inputs = h @ layer.W.T + layer.b
    on, off = 1 / (1 + np.exp(-inputs)), 1 / (1 + np.exp(inputs))
    return np.where(x[:, None, :] == 1, on, off).prod(axis=2)


def joint(net: Any) -> Numbers:
    """Return P(x, h1, ...), an axis for each layer."""
    table = conditional(net[0])
    for layer in net[1:]:
        table = table[..., None] * conditional(layer)
    return table[..., 0]


def plain(net: Any) -> Any:
    """Return the layers as NumPy arrays."""
    return rebuild(net, iter([numbers(x) for x in leaves(net)]))


def derivative(f: Any, net: Any) -> list[Numbers]:
    """Return the derivatives of f(net), a table, by each array, as last axes: complex step."""
    fields, slopes = list(leaves(net)), []
    for which, field in enumerate(fields):
        slots = []
        for at in np.ndindex(field.shape):
            moved = [x.astype(complex) for x in fields]
            moved[which][at] += 1e-30j
            slots.append(f(rebuild(net, iter(moved))).imag / 1e-30)
        shape = f(net).shape
        slopes.append(
            np.stack(slots, axis=-1).reshape(*shape, *field.shape)
            if slots
            else np.zeros((*shape, *field.shape))
        )
    return slopes


def values(net: Any) -> Array:
    """Return all x, as the functions on nets take them."""
    bottom = net[0]
    xp = array_namespace(*bottom)
    if isinstance(bottom, Table):
        return xp.arange(states_below(bottom), dtype=xp.int64)
    return binary_states(bottom.b.shape[0], like=bottom.b)


# --- mistakes ---------------------------------------------------------------------------------------------


def flat(net: Any) -> Any:
    """Return the net with a uniform law of h1 in place of what is above it."""
    layer = net[0]
    if isinstance(layer, Table):
        return (layer, Table(0 * layer.logits[:1, :].T))
    return (layer, Sigmoid(layer.W.T[:, :0], 0 * layer.W[0, :]))


def of_flat(quantity: Any) -> Any:
    """Return a quantity of the model whose top is not looked at."""
    return lambda net, *rest, **options: quantity(flat(net), *rest, **options)


# --- the model (1.1) --------------------------------------------------------------------------------------


@check(
    "AO.eq1",
    "AO.eq2",
    "AO.eq3",
    of=(belief,),
    cases=nets(),
    examples=40,
    evidence=EXACTLY,
    mutants={
        "h1 uniform whatever is above": {"state_law": of_flat(belief.state_law)},
        "the law given the first state of h1 alone": {
            "state_law": lambda net: array_namespace(*net[0]).exp(log_table(numbers_of_first(net)))
        },
        "log of the largest term in place of the sum": {
            "log_likelihood": lambda net, x: like(
                np.log(joint(plain(net)).reshape(states_below(net[0]), -1).max(axis=1) + 1e-300), net[0][-1]
            )
        },
    },
)
def laws_of_all_layers_are_sums_of_the_joint_law(impl: Implementation, case: Deep) -> None:
    """P(x) = sum P(x|h1) P(h1), P(h_k) = sum P(h_k|h_k+1) P(h_k+1): what summing the joint table gives."""
    table = joint(plain(case.net))
    agree(impl.joint_law(case.net), table, "joint law", rtol=1e-9)
    for k in range(table.ndim):
        others = tuple(axis for axis in range(table.ndim) if axis != k)
        found = impl.state_law(case.net[k:])
        agree(found, table.sum(axis=others), f"P(h{k})" if k else "P(x)", rtol=1e-9)
        agree(numbers(found).sum(), 1.0, "mass")
    with np.errstate(divide="ignore"):
        log_p = np.log(table.sum(axis=tuple(range(1, table.ndim))))
    agree(impl.log_likelihood(case.net, values(case.net)), log_p, "log P(x)", rtol=1e-9, atol=1e-9)


def numbers_of_first(net: Any) -> Array:
    """Return P(x | h1 = 0)."""
    return like(conditional(plain(net)[0])[:, 0], net[0][-1])


@check(
    "AO.sec1.1a",
    of=(belief,),
    cases=nets(least=3),
    examples=30,
    evidence=EXACTLY,
    mutants={
        "the upper of two layers taken as uniform": {
            "compose": lambda layers: (
                Table(
                    log_table(
                        like(
                            np.stack(
                                [conditional(plain(layers)[0]).mean(axis=1)]
                                * conditional(plain(layers)[-1]).shape[1],
                                axis=1,
                            ),
                            layers[0][-1],
                        )
                    )
                )
                if len(layers) > 1
                else belief.compose(layers)
            )
        },
        "P(h_k) given the first state above": {
            "state_law": lambda net: numbers_of_first(net) if len(net) > 1 else belief.state_law(net)
        },
    },
)
def every_split_is_a_model_of_one_hidden_variable(impl: Implementation, case: Deep) -> None:
    """Layers below a split as one P(x | h_k), those above as P(h_k): the same law of x, for each k."""
    table = joint(plain(case.net))
    for k in range(1, len(case.net)):
        bottom, top = impl.compose(case.net[:k]), impl.state_law(case.net[k:])
        A = numbers(array_namespace(bottom.logits).exp(bottom.logits))
        below = tuple(range(1, k))
        pair = A * numbers(top)
        others = tuple(axis for axis in range(table.ndim) if axis not in (0, k))
        agree(pair, table.sum(axis=others), f"P(x, h{k})", rtol=1e-9)
        agree(pair.sum(axis=1), table.sum(axis=(*below, *range(k, table.ndim))), "P(x)", rtol=1e-9)


# --- the target (1.2) -------------------------------------------------------------------------------------


@check(
    "AO.eq4",
    "AO.eq5",
    of=(laws,),
    cases=families(),
    examples=40,
    evidence=EXACTLY,
    mutants={
        "KL the other way round": {"kl": lambda p, q: laws.kl(q, p)},
        "data counted alike": {"kl": lambda p, q: laws.kl(0 * p + 1 / p.shape[0], q)},
    },
)
def likeliest_model_is_the_nearest(impl: Implementation, case: Family) -> None:
    """KL(P_D || P) = -H(P_D) - E log P: the maximisers of the one are the minimisers of the other.

    [AO] assumes that there is one.  Where every model finds some datum impossible, all are infinitely bad.
    """
    D, likelihoods, distances = numbers(case.data), [], []
    entropy = -sum(p * math.log(p) for p in D if p > 0)
    for A in numbers(case.bottoms):
        for Q in numbers(case.tops):
            P = like(A @ Q, case.data)
            likelihoods.append(float(impl.expectation(case.data, log_table(P))))
            distances.append(float(impl.kl(case.data, P)))
            agree(likelihoods[-1], log_lik(A, D, Q), "E log P")
            agree(distances[-1], -entropy - likelihoods[-1], "KL(P_D || P)", rtol=1e-9, atol=1e-10)
    nearest = int(np.argmin(distances))
    agree(likelihoods[nearest], max(likelihoods), "E log P of the nearest", rtol=1e-9)


@check(
    "AO.sec1.2a",
    of=(dbn, dbn_bound, gibbs),
    cases=rbm_laws(saturation=2.0).flatmap(
        lambda case: st.tuples(
            st.just(case), law_tables(2**case.theta.c.size, zeros=False), st.integers(1, 9)
        )
    ),
    examples=30,
    evidence=EXACTLY,
    mutants={
        "inference by another machine": {
            "recognise": lambda theta, v: dbn_bound.recognise(
                theta._replace(
                    recognition=tuple(layer._replace(W=layer.W / 2) for layer in theta.recognition)
                ),
                v,
            )
        },
        "the upper machine not turned over": {
            "upside_down": lambda machine: RBM(
                array_namespace(machine.W).matrix_transpose(machine.W), machine.c, 0 * machine.b
            )
        },
    },
)
def upside_down_start_makes_the_bound_tight(impl: Implementation, case: Any) -> None:
    """With the upper machine an upside-down copy the bound is log P(x) itself; a better top raises the bound.

    The bound is E_q log P(x|h) + E_q log P_top(h) + H(q); only the second part changes, and P(x) is above it.
    "Improves" is conditional: a top that is worse for E_q log P_top lowers the bound.
    """
    (theta, law), other, part = case
    own, D = brute.numbers(theta), numbers(law)
    v = binary_states(theta.b.shape[0], like=theta.b)
    stack = impl.stack([theta, impl.upside_down(theta)])
    q, log_joint = impl.recognise(stack, v), impl.log_joint_first(stack, v)
    bound = numbers(impl.elbo(q, log_joint))
    agree(bound, brute.log_visible(own), "bound with the upside-down copy on top", rtol=1e-8, atol=1e-8)
    start, share = np.exp(brute.log_hidden(own)), part / 10
    new = (1 - share) * start + share * numbers(other)
    gain = float(D @ numbers(q) @ (np.log(new) - np.log(start)))
    changed = log_joint + like(np.log(new) - np.log(start), theta.W)
    raised = numbers(impl.elbo(q, changed))
    agree(D @ raised - D @ bound, gain, "gain of the bound", rtol=1e-8, atol=1e-8)
    log_p = np.log(new @ np.exp(brute.log_down(own)))
    at_most(raised, log_p, "bound against log P(x) with the new top", slack=1e-9)


# --- the gradient (1.3) -----------------------------------------------------------------------------------


def summed_gradient(net: Any, x: Array, *, weights: Array) -> Any:
    """Return the gradient summed over data in place of averaged."""
    slopes = belief.log_likelihood_grad(net, x, weights=weights)
    return rebuild(slopes, iter([g * x.shape[0] for g in leaves(slopes)]))


def bottom_by_its_own(net: Any, x: Array, *, weights: Array) -> Any:
    """Return the gradient, the bottom's with a posterior that does not know the top."""
    slopes = belief.log_likelihood_grad(net, x, weights=weights)
    return (belief.log_likelihood_grad(flat(net), x, weights=weights)[0], *slopes[1:])


def top_from_prior(net: Any, x: Array, *, weights: Array) -> Any:
    """Return the gradient, the top's with h drawn from P(h): zero, as a score has mean zero."""
    slopes = belief.log_likelihood_grad(net, x, weights=weights)
    return (slopes[0], *rebuild(slopes[1:], iter([0 * g for g in leaves(slopes[1:])])))


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
    mutants={
        "summed over the data, not averaged": {"log_likelihood_grad": summed_gradient},
        "posterior without the top": {"log_likelihood_grad": bottom_by_its_own},
        "h from P(h) in place of P(h|x)": {"log_likelihood_grad": top_from_prior},
        "posterior of the bottom alone": {
            "posterior": lambda net, x: (
                belief.posterior(net, x) * 0 + 1 / math.prod(belief.posterior(net, x).shape[1:])
            )
        },
    },
)
def gradient_is_a_posterior_expectation(impl: Implementation, case: Deep) -> None:
    """Eq. 6 (product rule) and eq. 7-9 (posterior means) agree with the complex step of log P, by blocks.

    Between eq. 6 and 7: P(h) / P(x) = P(h|x) / P(x|h), by Bayes' rule, where these are positive.  Tables with
    zeros are moved by their logits: a logit of minus infinity stays, so where eq. 7-9 would differentiate
    log 0 the posterior and the derivative are zero, and the term counts for nothing.  Only x that are
    possible have a log P(x) to differentiate.
    """
    net = plain(case.net)
    cut = len(list(leaves(net[:1])))

    def top(at: Any) -> Numbers:
        table = joint(at[1:])
        return table.sum(axis=tuple(range(1, table.ndim)))

    A, P_h = conditional(net[0]), top(net)
    possible = np.flatnonzero(A @ P_h > 0)
    A = A[possible]
    P_x, data = A @ P_h, numbers(case.data)[possible]
    data = data / data.sum() if data.any() else P_x
    every = values(case.net)
    xp = array_namespace(every)
    x = xp.take(every, xp.asarray(possible.tolist(), device=every.device), axis=0)
    table = numbers(impl.posterior(case.net, x))
    posterior = table.reshape(*A.shape, -1).sum(axis=2)
    agree(posterior, A * P_h / P_x[:, None], "P(h | x)", rtol=1e-8)
    agree(posterior * P_x[:, None], A * P_h, "P(h|x) P(x) against P(x|h) P(h)", rtol=1e-8)
    log_p = derivative(lambda at: np.log(conditional(at[0])[possible] @ top(at)), net)
    of_A, of_top = derivative(lambda at: conditional(at[0])[possible], net), derivative(top, net)
    found = list(leaves(impl.log_likelihood_grad(case.net, x, weights=like(data, case.data))))
    for k, (exact, dA, dP) in enumerate(zip(log_p, of_A, of_top, strict=True)):
        eq6 = np.einsum("xh...,h->x...", dA, P_h) + np.einsum("xh,h...->x...", A, dP)
        spread = (slice(None),) + (None,) * (eq6.ndim - 1)
        agree(eq6 / P_x[spread], exact, "eq. 6", rtol=1e-7, atol=1e-9)
        of_bottom = np.einsum("xh...,xh->x...", log_slope(dA, A), posterior)
        of_upper = np.einsum("h...,xh->x...", log_slope(dP, P_h), posterior)
        agree(of_bottom + of_upper, exact, "eq. 7", rtol=1e-7, atol=1e-9)
        block = of_bottom if k < cut else of_upper
        agree(block, exact, "eq. 8" if k < cut else "eq. 9", rtol=1e-7, atol=1e-9)
        agree(found[k], np.tensordot(data, exact, axes=1), "gradient of E log P", rtol=1e-7, atol=1e-9)


@check(
    "AO.sec1.3b",
    of=(belief,),
    cases=families(zeros=False).map(lambda family: family.bottoms[0]),
    examples=30,
    evidence=EXACTLY,
    mutants={
        "posterior without the top": {"posterior": of_flat(belief.posterior)},
        "the top's law itself": {
            "posterior": lambda net, x: 0 * belief.posterior(net, x) + belief.state_law(net[1:])[None, :]
        },
    },
)
def posterior_depends_on_both_layers(impl: Implementation, A: Array) -> None:
    """P(h|x) / P'(h|x) = c(x) P_J(h) / P'_J(h): another top, or another bottom, is another posterior.

    So no part of the gradient can be computed from one layer alone; the sum has a term for every h.
    """
    x = values((Table(log_table(A)),))
    S = A.shape[1]
    first, second = np.full(S, 1 / S), np.arange(1.0, S + 1) / (S * (S + 1) / 2)
    found = []
    for top in (first, second):
        net = (Table(log_table(A)), Table(log_table(like(top, A))[:, None]))
        found.append(numbers(impl.posterior(net, x)))
    ratio = found[1] / found[0] / (second / first)
    agree(ratio, np.tile(ratio[:, :1], (1, S)), "ratio of posteriors over that of the tops", rtol=1e-9)
    ensure(np.abs(found[1] - found[0]).max() > 1e-3, "another top is another posterior")
    columns = found[0] / numbers(A)
    agree(columns, np.tile(columns[:, :1], (1, S)), "posterior over P(x|h) under a uniform top", rtol=1e-9)


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
    mutants={
        "the top's hidden biases left out": {
            "log_likelihood": lambda net, x: belief.log_likelihood(
                (*net[:-1], net[-1]._replace(c=0 * net[-1].c)), x
            )
        },
        "hidden states of half the units": {
            "log_partition": lambda theta: partition.log_partition(RBM(theta.W[:, :9], theta.b, theta.c[:9]))
        },
    },
)
def largest_models_are_summed_exactly(impl: Implementation, case: None) -> None:
    """log Z of 100 x 19 units (2^19 states of h), log P(x) of a net 100 - 16 - 16: beside plain sums."""
    single, bottom, top, x = largest()
    log_w = log_weights(single)
    agree(impl.log_partition(single), np.logaddexp.reduce(log_w), "log Z of the largest machine", rtol=1e-11)
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
        agree(impl.log_likelihood((bottom, top), row[None]), [expected], "log P(x)", rtol=1e-11)
