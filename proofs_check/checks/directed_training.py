"""[BA] 3.1-3.3: greedy training, sampling, and the up-down algorithm; every draw of them enumerated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import Array, array_namespace, to_numpy
from ...backends.enumerating import Outcomes, expect
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_training, updown
from ...reference.directed.dbn import DBN
from ...reference.directed.layers import Sigmoid
from ...reference.states import binary_states
from ...reference.trees import leaves, rebuild
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..oracle import boltzmann
from ..oracle import directed as oracle
from ..oracle.boltzmann import Table, like, states
from ..oracle.derivative import derivative
from ..oracle.directed import log_given, rows_of
from ..strategies.common import arrays, binary_rows, hundredths, weights
from ..strategies.directed import dbns

# --- greedy training --------------------------------------------------------------------------------------


class Stack(NamedTuple):
    """A first and a third machine; the second is the first, trained, upside down."""

    first: RBM
    third: RBM
    v: Any  # (n, V)


@st.composite
def stacks(draw: DrawFn) -> Stack:
    """Machines V - H - V - H3."""
    V, H, top = draw(st.sampled_from(((1, 2, 3), (2, 1, 1), (2, 3, 1))))
    first, third = (
        RBM(*(draw(weights(*s, saturation=4.0)) for s in (shape, shape[:1], shape[1:])))
        for shape in ((V, H), (V, top))
    )
    return Stack(first, third, draw(binary_rows(V)))


def moved(machine: RBM, rows: Any, level: int) -> RBM:
    """Stand for a training: shift the biases, differently at each level."""
    return machine._replace(b=machine.b + 0.25, c=machine.c - 0.5 * (level + 1))


def rows_at(impl: Implementation, case: Stack, level: int, up: str, v: Array, rng: Any) -> Array:
    """Return the rows that the machine of this level is trained on."""
    seen: list[Array] = []

    def train(machine: RBM, rows: Array, k: int) -> RBM:
        seen.append(rows)
        return moved(machine, rows, k)

    impl.train_stack((case.first, impl.upside_down, case.third), v, up=up, train=train, rng=rng)
    return seen[level]


def one_hot(x: Array) -> Array:
    """Return the place of each row among the states, as a row of zeros and a one."""
    xp, every = array_namespace(x), binary_states(x.shape[1], like=x)
    return xp.astype(xp.all(x[:, None, :] == every, axis=2), x.dtype)


@check(
    "BA.sec3.1d",
    of=(dbn_training, dbn),
    cases=stacks(),
    evidence=EXACTLY,
    rejects=("data-passed-up-before-training", "most-likely-h-for-a-draw", "biases-not-exchanged"),
    uncovered="fine-tuning of what comes out",
)
def each_machine_is_trained_on_draws_of_the_one_below(
    impl: Implementation, case: Stack, plain: Stack
) -> None:
    """The rows of a level are draws of h given those below, or its probabilities, from trained machines."""
    first = moved(plain.first, None, 0)
    second = moved(RBM(first.W.T, first.c, first.b), None, 1)
    ups = [np.exp(boltzmann.log_up(machine)) for machine in (first, second)]
    law = np.eye(len(ups[0]))
    for level, up in enumerate(ups, start=1):
        law = law @ up
        rows = expect(lambda v, rng, k=level: rows_at(impl, case, k, "sample", v, rng), case.v)
        agree(rows.mean(one_hot), rows_of(law, plain.v), f"law of the rows of level {level}")
    means = rows_at(impl, case, 1, "mean", case.v, 0)
    agree(means, rows_of(ups[0], plain.v) @ states(first.c.size), "probabilities passed up")
    starts = (case.first, impl.upside_down, case.third)
    theta = impl.train_stack(starts, case.v, up="sample", train=moved, rng=0)
    agree(theta.generative, (first[:2], second[:2]), "the lower machines at the end")
    agree(theta.top, moved(plain.third, None, 2), "the third machine at the end")


# --- sampling ---------------------------------------------------------------------------------------------


@check(
    "BA.sec3.1f",
    of=(dbn,),
    cases=st.tuples(dbns(max_units=6), st.just(1)) | st.tuples(dbns(max_units=4), st.just(2)),
    examples=15,
    evidence=EXACTLY,
    rejects=("one-gibbs-step", "recognition-weights-generate", "upward-pass-rounded"),
)
def gibbs_at_the_top_then_down_tends_to_the_model(
    impl: Implementation, case: tuple[DBN, int], plain: tuple[DBN, int]
) -> None:
    """The law of what is generated, from any h or an upward pass; p(v) at the rate of the top's chain."""
    (theta, steps), own = case, plain[0]
    kernel = np.linalg.matrix_power(boltzmann.kernel(own.top), steps)
    down = np.eye(len(kernel))
    for layer in reversed(own.generative):
        down = down @ np.exp(log_given(layer))
    h = binary_states(own.top.b.size, like=theta.top.W)
    draws = expect(lambda rows, rng: impl.generate(theta, rows, steps=steps, rng=rng)[0], h)
    agree(draws.mean(one_hot), kernel @ down, "law of v, given the first h")
    up = np.eye(down.shape[1])
    for layer in own.recognition:
        up = up @ np.exp(log_given(layer))
    v = binary_states(len(down[0]).bit_length() - 1, like=h)
    again = expect(lambda rows, rng: impl.reconstruct(theta, rows, steps=steps, rng=rng)[0], v)
    agree(again.mean(one_hot), up @ kernel @ down, "law of a reconstruction, given v")
    p, rate = np.exp(boltzmann.log_visible(own.top)), boltzmann.second_eigenvalue(own.top)
    start = np.eye(len(kernel))[0]
    for k in (steps, 4, 64):
        law = to_numpy(impl.generated_law(theta, like(start, theta.top.W), steps=k)).astype(float)
        agree(law, boltzmann.law_after(own.top, start, k) @ down, f"law of v after {k} steps")
        bound = rate**k * np.sqrt(1 / p[0] - 1) / 2
        at_most(np.abs(law - p @ down).sum() / 2, bound, f"distance from p(v) after {k} steps", slack=1e-9)


def down_through(theta: DBN, law: Table) -> Table:
    """Return the joint law of (v, h1, ..., h^(L-1)), for h^(L-1) from ``law``."""
    table = law
    for layer in reversed(theta.generative):
        given = np.exp(log_given(layer)).T
        table = given.reshape(given.shape + (1,) * (table.ndim - 1)) * table
    return table


@check(
    "BA.sec3.3a",
    of=(dbn,),
    cases=dbns(least=3, most=4, max_units=6),
    examples=15,
    evidence=EXACTLY,
    rejects=("top-told-what-came-out", "directed-layers-uncoupled"),
)
def higher_layers_do_not_see_the_lower_ones(impl: Implementation, theta: DBN, own: DBN) -> None:
    """The drawn layers have the law of the top's chain, times p(below | above): nothing goes back up.

    So other layers below change nothing above; in the posterior of the same net they do.
    """
    h = binary_states(own.top.b.size, like=theta.top.W)
    draws = expect(lambda rows, rng: impl.generate(theta, rows, steps=1, rng=rng)[1].layers, h)
    joint = draws.mean(lambda layers: one_hot(array_namespace(h).concat(list(layers), axis=1)))
    kernel = boltzmann.kernel(own.top)
    expected = np.stack([down_through(own, law).ravel() for law in kernel])
    agree(joint, expected, "joint law of the layers drawn")
    other = theta._replace(generative=tuple(Sigmoid(-g.W, g.b) for g in theta.generative))
    above = expect(lambda rows, rng: impl.generate(other, rows, steps=1, rng=rng)[1].layers[-1], h)
    agree(above.mean(one_hot), kernel, "law of the top's visible layer, over other layers")


# --- up and down ------------------------------------------------------------------------------------------


class Tuned(NamedTuple):
    """A net, rows of v, and how many Gibbs steps its top takes."""

    theta: DBN
    v: Any
    k: int


@st.composite
def tuned(draw: DrawFn) -> Tuned:
    """A net with one or two directed layers, one row, and a number of Gibbs steps."""
    theta = draw(dbns(least=3, most=3, max_units=5) | dbns(least=3, most=4, max_units=6))
    return Tuned(
        theta, draw(binary_rows(theta.generative[0].W.shape[0], max_rows=1)), draw(st.integers(1, 3))
    )


def awake(theta: DBN, v: Any) -> list[Table]:
    """Return the laws of v, h1, ..., h^(L-1) on the way up."""
    laws_up = [boltzmann.empirical_law(v)]
    for up in theta.recognition:
        laws_up.append(laws_up[-1] @ np.exp(log_given(up)))
    return laws_up


def directions(impl: Implementation, case: Tuned) -> Iterator[tuple[str, int, DBN]]:
    """Yield the expected direction, and, of nets with few draws, the mean over all outcomes of a step's."""
    theta, v, k = case
    yield f"expected direction, k={k}", k, impl.expected_updown_step(theta, v, k=k)
    units = [*(layer.b.shape[0] for layer in theta.generative), theta.top.b.shape[0]]
    if sum(units) + sum(units[1:]) + theta.top.c.shape[0] > 6:  # up to the top, down, and the top's own
        return
    steps = expect(lambda rng: tuple(leaves(impl.updown_step(theta, v, k=1, rng=rng)[0])))
    means = (Outcomes(x, steps.log_weight).mean()[0, ...] for x in steps.values)
    yield "mean of the direction, k=1", 1, rebuild(theta, means)


def mean_log_recognition(drawn: Table, up: Sigmoid) -> Any:
    """Return the mean of log q(h | x) under a joint law of (h, x)."""
    return (drawn * log_given(up).T).sum()


def trained_as_a_machine(impl: Implementation, case: Tuned, plain: Tuned) -> None:
    """As printed: the generative weights follow the expected CD-1 ([BA] eq. 8-9) of each layer."""
    theta, rules = plain.theta, []
    for down, up, law in zip(theta.generative, theta.recognition, awake(theta, plain.v), strict=False):
        x, h = states(down.b.size), states(up.b.size)
        q, p = np.exp(log_given(up)), np.exp(log_given(down))
        end = law @ q @ p
        rules.append(Sigmoid(x.T @ ((law - end)[:, None] * q) @ h, (law - end) @ x))
    step = impl.expected_updown_step(case.theta, case.v, k=case.k)
    agree(step.generative, tuple(rules), "direction of the generative weights", rtol=1e-9, atol=1e-11)


@check(
    "BA.alg3.1",
    of=(updown,),
    cases=tuned(),
    examples=15,
    evidence=EXACTLY,
    printed=trained_as_a_machine,
    correction=(
        "maximum likelihood, but of a directed layer, without a chain: dW = (x - sigma(W h + b)) h^T, with "
        "the h that was drawn; its mean is the gradient of the variational bound.  The machine's rule pairs "
        "the reconstruction with an h inferred anew, and is another direction"
    ),
    rejects=("wake-and-sleep-exchanged", "rule-of-a-machine", "generative-weights-recognise"),
)
def wake_phase_ascends_the_bound(impl: Implementation, case: Tuned, plain: Tuned) -> None:
    """The mean direction of the generative weights is the gradient of the mean variational bound."""
    own, law = plain.theta, boltzmann.empirical_law(plain.v)

    def bound(generative: Any) -> Any:
        return law @ oracle.bound(own._replace(generative=generative))

    slope = derivative(bound, own.generative)
    for what, _, ours in directions(impl, case):
        agree(ours.generative, slope, what)


@check(
    "BA.alg3.2",
    "BA.alg3.3",
    of=(updown,),
    cases=tuned(),
    examples=15,
    evidence=EXACTLY,
    rejects=("wake-and-sleep-exchanged", "no-gibbs-before-the-pass-down", "one-gibbs-step", "top-descends"),
)
def top_learns_as_a_machine_and_sleep_teaches_recognition(
    impl: Implementation, case: Tuned, plain: Tuned
) -> None:
    """Top: CD-k on what was passed up.  Sleep: the gradient of E[log q(h | x)] from the chain's end down."""
    own = plain.theta
    for what, k, ours in directions(impl, case):
        law = awake(own, plain.v)[-1]
        wanted = boltzmann.expected_cd(own.top, law, k)
        agree(ours.top, wanted, f"{what}: top", of="BA.alg3.2")
        law = boltzmann.law_after(own.top, law, k)
        for level in reversed(range(len(own.generative))):
            drawn = law[:, None] * np.exp(log_given(own.generative[level]))  # of (h, x)
            slope = derivative(partial(mean_log_recognition, drawn), own.recognition[level])
            found = ours.recognition[level]
            agree(found, slope, f"{what}: recognition {level}", of="BA.alg3.3")
            law = drawn.sum(axis=0)


# --- explaining away --------------------------------------------------------------------------------------


class Causes(NamedTuple):
    """An effect of two causes, and a machine over the causes."""

    effect: Sigmoid  # (1, 2)
    top: RBM  # two visible units
    v: Any  # (1, 1)


@st.composite
def causes(draw: DrawFn, *signs: list[int]) -> Causes:
    """Causes that change the log odds of the effect by at least 1/4, with these signs."""
    W = draw(arrays((1, 2), hundredths(0.25, 3))) * draw(st.sampled_from(signs))
    H = draw(st.sampled_from((1, 3)))
    top = RBM(*(draw(weights(*s, saturation=2.0)) for s in ((2, H), (2,), (H,))))
    return Causes(Sigmoid(W, draw(arrays((1,), hundredths(-2, 2)))), top, draw(binary_rows(1, max_rows=1)))


def log_odds_ratio(table: Any) -> float:
    """Return log p(11) p(00) / p(10) p(01) of two bits: positive where one makes the other more likely."""
    p = np.log(to_numpy(table).astype(float).ravel())
    return float(p[3] + p[0] - p[2] - p[1])


@check(
    "BA.sec3.2a",
    of=(belief, dbn),
    cases=causes([1, 1], [-1, -1]),
    without=causes([1, -1], [-1, 1]),
    assuming=(
        "both causes raise the probability of the effect, or both lower it, and they are independent "
        "beforehand; of one that raises it and one that lowers it, each makes the other more likely"
    ),
    examples=40,
    evidence=EXACTLY,
    rejects=("effect-ignored", "causes-independent", "upside-down-halved", "biases-above-not-exchanged"),
    uncovered="that the algorithm alleviates explaining away, beyond what a machine on top adds to it",
)
def dependence_of_causes_adds_up(impl: Implementation, case: Causes, plain: Causes) -> None:
    """Given the effect each makes the other less likely; a machine on top adds to that, and one cancels it.

    Log odds ratios add, posterior = prior + likelihood, and the machine upside down, where training starts,
    cancels explaining away exactly.
    """
    explained = log_odds_ratio(np.exp(log_given(plain.effect)[:, int(plain.v[0, 0])]))
    like_b, xp = case.top.b, array_namespace(case.top.b)
    alone = Sigmoid(xp.zeros((2, 0), dtype=like_b.dtype, device=like_b.device), like_b)
    free = log_odds_ratio(impl.posterior((case.effect, alone), case.v))
    at_most(free, 0.0, "dependence of independent causes, given the effect")
    agree(free, explained, "dependence of independent causes, given the effect")
    prior = log_odds_ratio(np.exp(boltzmann.log_visible(plain.top)))
    both = log_odds_ratio(impl.posterior((case.effect, case.top), case.v))
    agree(both, prior + explained, "dependence under the machine, given the effect", atol=1e-8)
    machine = RBM(case.effect.W, case.effect.b, case.top.b)
    tied = log_odds_ratio(impl.posterior((case.effect, impl.upside_down(machine)), case.v))
    agree(tied, 0.0, "dependence under the machine upside down", atol=1e-8)
