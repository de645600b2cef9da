"""[BA] 3-3.1: deep belief nets, their law, the variational bound, and what a second machine can improve.

The oracle is the table of the joint law, an axis for each layer of units, from the tables of ``brute``; a
directed layer is a machine of which only p(v | h) is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import array_namespace, to_numpy
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_bound, dbn_training
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid
from ...reference.trees import leaves, rebuild
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..strategies import arrays, binary_rows, hundredths, laws, rbms, weights
from . import brute
from .brute import Table, like

# --- cases ------------------------------------------------------------------------------------------------


class DBNCase(NamedTuple):
    """A net with nothing tied, rows of v, and a law over the first hidden layer."""

    theta: DBN
    v: Any  # (n, V)
    q: Any  # (2^H1,)


class Stacked(NamedTuple):
    """A machine, another one that fits on top of it, and rows of v."""

    machine: RBM
    top: RBM
    v: Any  # (n, V)


@st.composite
def dbns(draw: DrawFn, /, *, least: int = 2, most: int = 4, max_units: int = 7) -> DBN:
    """Nets of ``least`` to ``most`` layers of 1 to 3 units, neighbours of different width."""
    shapes = [n for layers in range(least, most + 1) for n in product((1, 2, 3), repeat=layers)]
    n = draw(st.sampled_from([n for n in shapes if sum(n) <= max_units and all(np.diff(n) != 0)]))
    options = {"saturation": 4.0}

    def layer(below: int, above: int) -> Sigmoid:
        return Sigmoid(draw(weights(below, above, **options)), draw(weights(below, **options)))

    pairs = list(pairwise(n[:-1]))
    top = RBM(*(draw(weights(*shape, **options)) for shape in (n[-2:], n[-2:-1], n[-1:])))
    return DBN(tuple(layer(*pair) for pair in pairs), tuple(layer(*pair[::-1]) for pair in pairs), top)


@st.composite
def dbn_cases(draw: DrawFn, /, **sizes: int) -> DBNCase:
    """A net, rows of v, and a law over h1, some states without mass; ``sizes`` go to ``dbns``."""
    theta = draw(dbns(**sizes))
    visible, hidden = (theta.generative or (theta.top,))[0].W.shape
    return DBNCase(theta, draw(binary_rows(visible)), draw(laws(2**hidden)))


@st.composite
def stacked(draw: DrawFn) -> Stacked:
    """Two machines, of which the second has the hidden units of the first as visible ones."""
    machine = draw(rbms(max_visible=3, max_hidden=3, saturation=4.0))
    shape = (machine.c.size, draw(st.integers(1, 2)))
    top = RBM(*(draw(weights(*s, saturation=4.0)) for s in (shape, shape[:1], shape[1:])))
    return Stacked(machine, top, draw(binary_rows(machine.b.size)))


# --- oracle -----------------------------------------------------------------------------------------------


def numbers(theta: DBN) -> DBN:
    """Return the parameters as NumPy float64."""
    net: DBN = rebuild(theta, (to_numpy(x).astype(np.float64) for x in leaves(theta)))
    return net


def log_given(layer: Sigmoid) -> Table:
    """Return log P(x | h) of a directed layer, (states of h, states of x)."""
    return brute.log_down(RBM(layer.W, layer.b, 0 * layer.W[0]))


def log_joint_table(theta: DBN) -> Table:
    """Return log p(v, h1, ..., hL), an axis of states for each layer of units."""
    table = brute.minus_energy(theta.top) - brute.log_partition(theta.top)
    for layer in reversed(theta.generative):
        given = log_given(layer).T
        table = given.reshape(given.shape + (1,) * (table.ndim - 1)) + table
    return table


def log_marginal(table: Table, *kept: int) -> Table:
    """Return the log law of some layers of units."""
    gone = tuple(axis for axis in range(table.ndim) if axis not in kept)
    return brute.log_sum(table, gone).squeeze(gone) if gone else table


def rows_of(table: Table, v: Any) -> Table:
    """Return the rows of a table over all v that belong to the given ones."""
    return table[[brute.row(x) for x in to_numpy(v)]]


def mean_bound(theta: DBN, law: Table) -> Any:
    """Return the mean over ``law`` of v of the bound by the net's own recognition, from joint tables."""
    log_q = np.zeros(law.size)
    for up in theta.recognition:  # log q(h1, ..., h^(L-1) | v), an axis more for each layer
        log_q = log_q[..., None] + log_given(up)
    log_p = log_marginal(log_joint_table(theta), *range(log_q.ndim))
    return (law * (np.exp(log_q) * (log_p - log_q)).T.sum(axis=tuple(range(log_q.ndim - 1)))).sum()


def gradient(f: Callable[[Any], Any], theta: Any) -> Any:
    """Return the derivative of the number ``f(theta)`` in the form of ``theta``, by the complex step."""
    arrays_of = [np.array(x, dtype=complex) for x in leaves(theta)]
    slopes = []
    for x in arrays_of:
        slope = np.zeros(x.shape)
        for at in np.ndindex(x.shape):
            x[at] += 1e-30j
            slope[at] = f(rebuild(theta, iter(arrays_of))).imag / 1e-30
            x[at] -= 1e-30j
        slopes.append(slope)
    return rebuild(theta, iter(slopes))


def log_or_zero(law: Table) -> Table:
    """Return log law, zero where the law is."""
    return np.log(np.where(law > 0, law, 1.0))


def kl(q: Table, p: Table) -> Table:
    """Return KL(q || p) of each row."""
    return np.where(q > 0, q * (log_or_zero(q) - np.log(p)), 0.0).sum(axis=-1)


# --- the net ----------------------------------------------------------------------------------------------


def undirected(theta: DBN, *layers: Any) -> Any:
    """Return the joint law of a net whose lower layers are not normalised given the layer above."""
    total = dbn.log_joint(theta, *layers)
    for k, layer in enumerate(theta.generative):
        xp = array_namespace(layers[k])
        total = total + xp.sum(xp.log1p(xp.exp(dbn.inputs(layer, layers[k + 1]))), axis=1)
    return total


def with_tied_generation(theta: DBN) -> Any:
    """Return the layers of a net that generates with its recognition couplings."""
    layers = zip(theta.generative, theta.recognition, strict=True)
    return (*(Sigmoid(up.W.T, down.b) for down, up in layers), theta.top)


def with_lower_hidden_bias(machines: Any) -> DBN:
    """Return a stack in which the hidden biases of the machine below the top generate."""
    theta = dbn.stack(machines)
    biases = [m.c for m in machines[-2:-1]]
    return theta._replace(top=theta.top._replace(b=sum(biases, start=theta.top.b)))


@check(
    "BA.sec3a",
    "BA.fig4",
    of=(dbn, belief),
    cases=st.tuples(dbns(), stacked()),
    evidence=DEFINITION,
    mutants={
        "lower layers undirected": {"log_joint": undirected},
        "recognition weights generate": {"net": with_tied_generation},
        "hidden biases of the lower machine generate": {"stack": with_lower_hidden_bias},
        "couplings of the top machine left out": {
            "net": lambda theta: dbn.net(theta._replace(top=theta.top._replace(W=0 * theta.top.W)))
        },
    },
)
def top_machine_is_undirected_and_lower_layers_point_down(
    impl: Implementation, case: tuple[DBN, Stacked]
) -> None:
    """p(v, h1, ...) = p(v | h1) ... p_top: a law; of one machine, that machine's own."""
    theta, pair = case
    table = log_joint_table(numbers(theta))
    grid = np.indices(table.shape).reshape(table.ndim, -1)
    widths = [int(np.log2(n)) for n in table.shape]
    rows = [like(brute.states(n)[at], theta.top.W) for n, at in zip(widths, grid, strict=True)]
    agree(impl.log_joint(theta, *rows), table.ravel(), "log p(v, h1, ...)", rtol=1e-9)
    agree(np.exp(table).sum(), 1.0, "mass of the joint law", rtol=1e-9)
    agree(impl.state_law(impl.net(theta)), np.exp(log_marginal(table, 0)), "p(v)", rtol=1e-9)
    one, alone = impl.stack([pair.machine]), np.exp(brute.log_visible(brute.numbers(pair.machine)))
    agree(impl.state_law(impl.net(one)), alone, "p(v) of a machine", rtol=1e-9)
    two = impl.stack([pair.machine, pair.top])
    layer = Sigmoid(pair.machine.W, pair.machine.b)
    same = log_joint_table(numbers(DBN((layer,), (), pair.top)))
    agree(impl.state_law(impl.net(two)), np.exp(log_marginal(same, 0)), "p(v) of a stack", rtol=1e-9)


# --- the bound --------------------------------------------------------------------------------------------


class Points(NamedTuple):
    """Positive points and the weights of their mean."""

    w: Any  # (n,)
    x: Any  # (n,)


def points(least: int, most: int) -> Any:
    """Points in [1/2, 8], equal ones among them."""
    return st.integers(least, most).flatmap(
        lambda n: st.builds(Points, laws(n, zeros=False), arrays((n,), hundredths(0.5, 8)))
    )


def jensen_gap(impl: Implementation, w: Any, x: Any) -> float:
    """Return log sum w x - sum w log x, the second from the bound."""
    xp = array_namespace(x)
    bound = to_numpy(impl.elbo(w[None, :], xp.log(w * x)[None, :])).astype(float)
    return float(np.log(to_numpy(w) @ to_numpy(x)) - bound[0])


def log_of_mean(q: Any, log_joint: Any) -> Any:
    """Return log p(v), no bound at all."""
    xp = array_namespace(q)
    return xp.log(xp.sum(xp.exp(log_joint), axis=1))


@check(
    "BA.eq14",
    of=(dbn_bound,),
    cases=points(3, 5),
    evidence=EXACTLY,
    mutants={
        "weights left out": {"elbo": lambda q, lj: dbn_bound.elbo(0 * q + 1 / q.shape[1], lj)},
        "log of the mean": {"elbo": log_of_mean},
        "log w kept beside log x": {"elbo": lambda q, lj: dbn_bound.mean_log(q, lj)},
    },
)
def jensen_bounds_the_log_of_a_mean(impl: Implementation, case: Points) -> None:
    """0 <= gap <= the gap of the extreme points at the same mean; zero for equal points.

    The remark that more than two points make the bound more accurate is read as the second inequality.
    (Read as "any further point helps" it is false: the gap shrinks with the spread of the points.)
    """
    w, x = to_numpy(case.w).astype(float), to_numpy(case.x).astype(float)
    gap = jensen_gap(impl, *case)
    agree(gap, np.log(w @ x) - w @ np.log(x), "gap", atol=1e-10)
    at_most(0.0, gap, "the bound")
    low, high, mean = x.min(), x.max(), w @ x
    share = (mean - low) / (high - low) if high > low else 0.0
    chord = (1 - share) * np.log(low) + share * np.log(high)
    at_most(gap, np.log(mean) - chord, "gap, of the extreme points")
    agree(jensen_gap(impl, case.w, 0 * case.x + case.x[0]), 0.0, "gap of equal points", atol=1e-10)


@check(
    "BA.fig5",
    of=(dbn_bound,),
    cases=points(2, 2),
    evidence=EXACTLY,
    mutants={
        "chord above the curve": {"elbo": lambda q, lj: -dbn_bound.elbo(q, lj)},
        "weights exchanged": {"elbo": lambda q, lj: dbn_bound.elbo(array_namespace(q).flip(q, axis=1), lj)},
    },
)
def chord_lies_below_the_logarithm(impl: Implementation, case: Points) -> None:
    """Between two points the chord is w_1 log x_1 + w_2 log x_2, and below log; it meets log at its ends."""
    x = to_numpy(case.x).astype(float)
    xp = array_namespace(case.x)
    for t in np.linspace(0.0, 1.0, 9):
        w = like([1 - t, t], case.x)
        log_wx = xp.where(w > 0, xp.log(xp.where(w > 0, w * case.x, w + 1)), w)
        height = to_numpy(impl.elbo(w[None, :], log_wx[None, :])).astype(float)[0]
        agree(height, np.log(x[0]) + t * np.log(x[1] / x[0]), f"chord at {t}", atol=1e-10)
        at_most(height, np.log((1 - t) * x[0] + t * x[1]), f"chord at {t}")


def log_weight_without_h2(theta: DBN) -> Any:
    """Return what is left of log p(h1) where h2 is zero: a linear function of h1."""
    b = [*(layer.b for layer in theta.generative), theta.top.b, theta.top.c][1]
    return like(brute.states(b.shape[0]), b) @ b


@check(
    "BA.eq13",
    "BA.eq16",
    "BA.eq20",
    "BA.eq21",
    of=(dbn, dbn_bound, belief),
    cases=dbn_cases(),
    evidence=EXACTLY,
    mutants={
        "h2 not summed out": {"log_prior": log_weight_without_h2},
        "prior left out of the joint": {
            "log_joint_first": lambda theta, v: (
                dbn_bound.log_joint_first(theta, v) - dbn_bound.log_prior(theta)
            )
        },
        "top machine's Z left out": {
            "log_prior": lambda theta: dbn_bound.log_prior(theta) + 1.0,
            "log_joint_first": lambda theta, v: dbn_bound.log_joint_first(theta, v) + 1.0,
        },
        "visible bias left out": {
            "log_likelihood": lambda net, v: belief.log_likelihood(
                (net[0]._replace(b=0 * net[0].b), *net[1:]), v
            )
        },
    },
)
def joint_law_splits_into_conditional_and_prior(impl: Implementation, case: DBNCase) -> None:
    """log p(v, h1) = log p(v | h1) + log p(h1); p(h1) sums over h2, and p(v) sums p(v, h1) over h1."""
    theta, v, _ = case
    table = log_joint_table(numbers(theta))
    pairs, prior = log_marginal(table, 0, 1), log_marginal(table, 1)
    agree(impl.log_joint_first(theta, v), rows_of(pairs, v), "log p(v, h1)", rtol=1e-9)
    agree(impl.log_prior(theta), prior, "log p(h1)", rtol=1e-9, atol=1e-11)
    summed = brute.log_sum(to_numpy(impl.log_joint_first(theta, v)).astype(float), 1)[:, 0]
    visible = rows_of(log_marginal(table, 0), v)
    agree(summed, visible, "log sum_h1 p(v, h1)", rtol=1e-9)
    agree(impl.log_likelihood(impl.net(theta), v), visible, "log p(v)", rtol=1e-9)


def reversed_kl(q: Any, log_joint: Any) -> Any:
    """Return log p(v) minus the divergence of the posterior from q, the wrong way round."""
    xp = array_namespace(q)
    log_p = xp.log(xp.sum(xp.exp(log_joint), axis=1))
    posterior = xp.exp(log_joint - log_p[:, None])
    return log_p - xp.sum(posterior * (log_joint - log_p[:, None] - xp.log(xp.clip(q, 1e-12, 1.0))), axis=1)


@check(
    "BA.eq15",
    "BA.eq17",
    "BA.eq18",
    "BA.eq19",
    "BA.sec3.1a",
    of=(dbn_bound,),
    cases=dbn_cases(),
    examples=40,
    evidence=EXACTLY,
    mutants={
        "entropy with the wrong sign": {"entropy": lambda q: -dbn_bound.entropy(q)},
        "entropy left out": {"elbo_by_entropy": dbn_bound.mean_log},
        "entropy in bits": {"entropy": lambda q: dbn_bound.entropy(q) / math.log(2)},
        "divergence the wrong way round": {"elbo": reversed_kl},
        "log p(v) itself": {"elbo": log_of_mean},
    },
)
def bound_falls_short_by_the_divergence(impl: Implementation, case: DBNCase) -> None:
    """For any q: log p(v) = elbo + KL(q || p(h1 | v)) in both forms of the elbo; KL >= 0, zero iff equal.

    The rewriting eq. 17 needs q > 0 wherever p(v, h1) > 0: summed over the support of a smaller q it falls
    short of p(v).  The bound itself does not need it.
    """
    theta, v, law = case
    pairs = rows_of(log_marginal(log_joint_table(numbers(theta)), 0, 1), v)
    evidence = brute.log_sum(pairs, 1)[:, 0]
    posterior = np.exp(pairs - evidence[:, None])
    sparse = np.tile(to_numpy(law).astype(float), (len(pairs), 1))
    ours = impl.log_joint_first(theta, v)
    for q in (sparse, (sparse + posterior) / 2, posterior, to_numpy(impl.recognise(theta, v)).astype(float)):
        q = q / q.sum(axis=1, keepdims=True)
        own, gap = like(q, theta.top.W), kl(q, posterior)
        agree(impl.elbo(own, ours), evidence - gap, "elbo, eq. 18", rtol=1e-9, atol=1e-10)
        agree(impl.elbo_by_entropy(own, ours), evidence - gap, "elbo, eq. 19", rtol=1e-9, atol=1e-10)
        agree(impl.entropy(own), -(q * log_or_zero(q)).sum(axis=1), "entropy", rtol=1e-9, atol=1e-10)
        at_most(0.0, gap, "KL")
        at_most(np.abs(q - posterior).sum(axis=1) ** 2 / 2, gap, "KL, against the distance of the laws")
        ratio = np.exp(to_numpy(ours).astype(float)) / np.where(q > 0, q, 1.0)
        rewritten = np.log((q * ratio).sum(axis=1))
        at_most(rewritten, evidence, "log sum q p/q over the support of q")
        if (q > 0).all():
            agree(rewritten, evidence, "log sum q p/q, eq. 17", rtol=1e-9)
    agree(kl(posterior, posterior), np.zeros(len(pairs)), "KL of equal laws")


def with_tied_recognition(theta: DBN) -> DBN:
    """Return the net that recognises with its generative couplings."""
    layers = zip(theta.generative, theta.recognition, strict=True)
    return theta._replace(recognition=tuple(Sigmoid(down.W.T, up.b) for down, up in layers))


@check(
    "BA.sec3b",
    of=(dbn, dbn_bound),
    cases=dbn_cases(),
    evidence=EXACTLY,
    mutants={
        "recognition's logarithm left out": {
            "bound_log_likelihood": lambda theta, v: dbn_bound.bound_log_likelihood(theta, v) + 0.1
        },
        "generative for recognition weights": {
            "bound_log_likelihood": lambda theta, v: dbn_bound.bound_log_likelihood(
                with_tied_recognition(theta), v
            )
        },
    },
)
def variational_bound_stands_in_for_the_likelihood(impl: Implementation, case: DBNCase) -> None:
    """Whatever the recognition, the bound of a net of any depth lies below log p(v).

    It spares the posterior, not the partition function: that of the top machine is in the bound as well.
    That it shows what further layers improve is BA.sec3.1c.
    """
    theta, v, _ = case
    own = numbers(theta)
    bound = to_numpy(impl.bound_log_likelihood(theta, v)).astype(float)
    at_most(bound, rows_of(log_marginal(log_joint_table(own), 0), v), "bound")
    agree(bound.mean(), mean_bound(own, brute.empirical_law(v)), "mean bound", rtol=1e-9, atol=1e-10)


# --- the second machine -----------------------------------------------------------------------------------


def tied(layer: Sigmoid, top: RBM) -> RBM:
    """Return a top machine whose couplings are those of the layer below, transposed."""
    return RBM(layer.W.T, top.b, layer.b)


def half_exchanged(machine: RBM) -> RBM:
    """Return the machine with W transposed, but without visible biases."""
    turned = dbn.upside_down(machine)
    return turned._replace(b=0 * turned.b)


@check(
    "BA.sec3.1b",
    of=(dbn, dbn_bound),
    cases=stacked(),
    evidence=EXACTLY,
    mutants={
        "hidden bias left out of q": {
            "recognise": lambda theta, v: dbn_bound.recognise(
                theta._replace(top=theta.top._replace(c=0 * theta.top.c)), v
            )
        },
        "q from half the couplings": {
            "recognise": lambda theta, v: dbn_bound.recognise(
                theta._replace(top=theta.top._replace(W=theta.top.W / 2)), v
            )
        },
    },
)
def posterior_of_the_machine_makes_the_bound_tight(impl: Implementation, case: Stacked) -> None:
    """The q of a machine is its p(h | v): the bound of that machine is an equality.

    An optimal machine is more than is needed: q is exact for every machine, trained or not.  And it is not
    what is wanted: it is the posterior of the net only as long as the layers above leave p(h) as it is.
    """
    theta = impl.stack([case.machine])
    own = brute.numbers(case.machine)
    q = impl.recognise(theta, case.v)
    agree(q, rows_of(np.exp(brute.log_up(own)), case.v), "q(h | v)", rtol=1e-9)
    exact = rows_of(brute.log_visible(own), case.v)
    agree(impl.elbo(q, impl.log_joint_first(theta, case.v)), exact, "bound of one machine", rtol=1e-9)


@check(
    "BA.eq22",
    of=(dbn, dbn_bound, dbn_training),
    cases=stacked(),
    evidence=DEFINITION,
    mutants={
        "the target of another machine": {
            "next_target": lambda machine, v: dbn_training.next_target(machine._replace(c=-machine.c), v)
        },
        "target with h at its most likely state": {
            "next_target": lambda machine, v: dbn_training.next_target(
                RBM(60 * machine.W, machine.b, 60 * machine.c + 1), v
            )
        },
        "entropy kept in": {"mean_log": lambda q, log_p: dbn_bound.mean_log(q, log_p) + dbn_bound.entropy(q)},
    },
)
def second_machine_learns_the_average_posterior(impl: Implementation, case: Stacked) -> None:
    """The part of the mean bound that the second machine changes is its likelihood of h ~ q(h | v)."""
    theta = impl.stack([case.machine, case.top])
    q, prior = impl.recognise(theta, case.v), impl.log_prior(theta)
    own = brute.numbers(case.machine)
    target = brute.empirical_law(case.v) @ np.exp(brute.log_up(own))
    agree(impl.next_target(case.machine, case.v), target, "average of q(h1 | v)", rtol=1e-9)
    log_h = brute.log_visible(brute.numbers(case.top))
    objective = to_numpy(impl.mean_log(q, prior)).astype(float)
    agree(objective.mean(), target @ log_h, "objective, averaged over rows", rtol=1e-9)
    rest = impl.elbo(q, impl.log_joint_first(theta, case.v)) - impl.mean_log(q, prior)
    given = rows_of(log_given(Sigmoid(own.W, own.b)).T, case.v)
    law = rows_of(np.exp(brute.log_up(own)), case.v)
    frozen = (law * given).sum(axis=1) - (law * log_or_zero(law)).sum(axis=1)
    agree(rest, frozen, "what the second machine leaves of the bound", rtol=1e-9, atol=1e-10)


@check(
    "BA.sec3.1c",
    of=(dbn, dbn_bound, belief),
    cases=stacked(),
    examples=60,
    evidence=EXACTLY,
    mutants={
        "biases not exchanged": {"upside_down": half_exchanged},
        "half the couplings": {
            "upside_down": lambda machine: dbn.upside_down(machine._replace(W=machine.W / 2))
        },
        "q of another machine": {
            "recognise": lambda theta, v: dbn_bound.recognise(
                theta._replace(recognition=tuple(Sigmoid(0 * up.W, up.b) for up in theta.recognition)), v
            )
        },
        "bound of the start for its likelihood, whatever the top": {
            "log_likelihood": lambda net, v: belief.log_likelihood((net[0], tied(net[0], net[1])), v)
        },
    },
)
def upside_down_start_can_only_improve(impl: Implementation, case: Stacked) -> None:
    """Same law as the machine's own, bound tight; from there *any* top gains at least what eq. 22 gains.

    The biases must be exchanged as well as W transposed.  What is guaranteed is a gain for a gain: where
    eq. 22 cannot rise (the average posterior is p(h) already) there is none, and a training that lowers it,
    as contrastive divergence may, has no guarantee.
    """
    start = impl.stack([case.machine, impl.upside_down(case.machine)])
    single = rows_of(brute.log_visible(brute.numbers(case.machine)), case.v)
    before = to_numpy(impl.log_likelihood(impl.net(start), case.v)).astype(float)
    agree(before, single, "log p(v) of the start", rtol=1e-9)
    q = impl.recognise(start, case.v)
    agree(impl.elbo(q, impl.log_joint_first(start, case.v)), single, "bound of the start", rtol=1e-9)
    after = start._replace(top=case.top)
    gain = to_numpy(impl.log_likelihood(impl.net(after), case.v)).astype(float) - before
    objective = [to_numpy(impl.mean_log(q, impl.log_prior(net))).astype(float) for net in (start, after)]
    at_most(objective[1] - objective[0], gain, "gain in eq. 22, of each row", slack=1e-9)


def ascended(machine: RBM, target: Table, *, rate: float, steps: int) -> RBM:
    """Return the machine after exact ascent on the mean of log p(v) under ``target``."""
    for _ in range(steps):
        slope = gradient(lambda m: (target * brute.log_visible(m)).sum(), machine)
        machine = RBM(*(x + rate * g for x, g in zip(machine, slope, strict=True)))
    return machine


WITNESS_RECOGNITION = (
    Sigmoid(np.array([[1.0]]), np.array([-2.0])),
    Sigmoid(np.array([[-1.0]]), np.array([1.0])),
)
"""The upward weights of the witness below."""


@check(
    "BA.sec3.1e",
    of=(dbn, dbn_bound, belief),
    cases=[
        (
            RBM(np.array([[1.0]]), np.array([-1.0]), np.array([-2.0])),
            RBM(np.array([[-1.0]]), np.array([1.0]), np.array([1.0])),
            np.array([[1.0]]),
        )
    ],
    evidence=EXACTLY,
    mutants={
        "the bound for the likelihood": {
            "log_likelihood": lambda net, v: dbn_bound.bound_log_likelihood(
                DBN(
                    net[:-1], tuple(Sigmoid(*(like(x, v) for x in up)) for up in WITNESS_RECOGNITION), net[-1]
                ),
                v,
            )
        },
        "biases not exchanged": {"upside_down": half_exchanged},
        "visible biases of the top machine negated": {
            "bound_log_likelihood": lambda theta, v: dbn_bound.bound_log_likelihood(
                theta._replace(top=theta.top._replace(b=-theta.top.b)), v
            )
        },
    },
)
def third_machine_may_lower_the_likelihood(impl: Implementation, case: tuple[RBM, RBM, Any]) -> None:
    """A witness of one unit a layer: exact training of a third machine raises the bound, and lowers log p(v).

    The bound of three machines is not tight at the start, unless the second is the first upside down.
    """
    first, second, v = case
    start = impl.stack([first, second, impl.upside_down(second)])
    two = log_marginal(log_joint_table(numbers(dbn.stack([first, second]))), 0)
    agree(impl.log_likelihood(impl.net(start), v), rows_of(two, v), "log p(v) of the start")
    own = numbers(start)
    target = brute.empirical_law(v)
    for up in own.recognition:
        target = target @ np.exp(log_given(up))
    top = ascended(own.top, target, rate=1.0, steps=20)
    trained = start._replace(top=RBM(*(like(x, v) for x in top)))
    bounds = [float(to_numpy(impl.bound_log_likelihood(net, v)).mean()) for net in (start, trained)]
    likelihoods = [float(to_numpy(impl.log_likelihood(impl.net(net), v)).mean()) for net in (start, trained)]
    rise = target @ (brute.log_visible(top) - brute.log_visible(own.top))
    agree(bounds[1] - bounds[0], rise, "gain of the bound", rtol=1e-6)
    at_most(1e-3, rise, "gain of the objective", slack=0)
    at_most(likelihoods[1], likelihoods[0] - 1e-3, "log p(v) after training", slack=0)
