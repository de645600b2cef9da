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
from ...reference.numerics import sigmoid
from ...reference.states import binary_states
from ...reference.trees import leaves, rebuild
from ..check import EXACTLY, Implementation, agree, at_most, check
from ..strategies import arrays, binary_rows, hundredths, weights
from . import brute
from .ba_dbn import dbns, gradient, log_given, mean_bound, numbers, rows_of, with_tied_recognition
from .brute import Table, like

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


def untrained_up(starts: Any, data: Any, *, train: Any, **options: Any) -> DBN:
    """Pass the data up through machines as they were before training."""
    kept: list[RBM] = []

    def late(machine: RBM, rows: Any, level: int) -> RBM:
        kept.append(train(machine, rows, level))
        return machine

    dbn_training.train_stack(starts, data, train=late, **options)
    return dbn.stack(kept)


def thresholded(starts: Any, data: Any, *, train: Any, **options: Any) -> DBN:
    """Round what goes up."""
    options["up"] = "mean"

    def rounding(machine: RBM, rows: Any, level: int) -> RBM:
        trained: RBM = train(machine, array_namespace(rows).round(rows), level)
        return trained

    return dbn_training.train_stack(starts, data, train=rounding, **options)


def rows_at(impl: Implementation, case: Stack, level: int, up: str, v: Array, rng: Any) -> Array:
    """Return the rows that the machine of this level is trained on."""
    seen: list[Array] = []

    def train(machine: RBM, rows: Array, k: int) -> RBM:
        seen.append(rows)
        return moved(machine, rows, k)

    impl.train_stack((case.first, impl.upside_down, case.third), v, up=up, train=train, rng=rng)
    return seen[level]


@check(
    "BA.sec3.1d",
    of=(dbn_training, dbn),
    cases=stacks(),
    evidence=EXACTLY,
    mutants={
        "data passed up before training": {"train_stack": untrained_up},
        "most likely h for a draw": {"train_stack": thresholded},
        "the next machine without visible biases": {
            "upside_down": lambda machine: dbn.upside_down(machine._replace(c=0 * machine.c))
        },
    },
)
def each_machine_is_trained_on_draws_of_the_one_below(impl: Implementation, case: Stack) -> None:
    """The rows of a level are draws of h given those below, or its probabilities, from trained machines."""
    first = moved(case.first, None, 0)
    second = moved(RBM(first.W.T, first.c, first.b), None, 1)
    ups = [np.exp(brute.log_up(brute.numbers(machine))) for machine in (first, second)]
    law = np.eye(len(ups[0]))
    for level, up in enumerate(ups, start=1):
        law = law @ up
        rows = expect(lambda v, rng, k=level: rows_at(impl, case, k, "sample", v, rng), case.v)
        agree(rows.mean(one_hot), rows_of(law, case.v), f"law of the rows of level {level}", rtol=1e-9)
    means = rows_at(impl, case, 1, "mean", case.v, 0)
    agree(
        means, rows_of(ups[0], case.v) @ brute.states(first.c.shape[0]), "probabilities passed up", rtol=1e-9
    )
    theta = impl.train_stack(
        (case.first, impl.upside_down, case.third), case.v, up="sample", train=moved, rng=0
    )
    for name, a, e in (
        ("first", theta.generative[0], first[:2]),
        ("second", theta.generative[1], second[:2]),
        ("third", theta.top, moved(case.third, None, 2)),
    ):
        for x, y in zip(a, e, strict=True):
            agree(x, to_numpy(y), f"the {name} machine at the end")


def one_hot(x: Array) -> Array:
    """Return the place of each row among the states, as a row of zeros and a one."""
    states = binary_states(x.shape[1], like=x)
    xp = array_namespace(x)
    return xp.astype(xp.all(x[:, None, :] == states, axis=2), x.dtype)


# --- sampling ---------------------------------------------------------------------------------------------


def down_through(theta: DBN, law: Table) -> Table:
    """Return the joint law of (v, h1, ..., h^(L-1)), for h^(L-1) from ``law``."""
    table = law
    for layer in reversed(theta.generative):
        given = np.exp(log_given(layer)).T
        table = given.reshape(given.shape + (1,) * (table.ndim - 1)) * table
    return table


def with_recognition_below(theta: DBN, h: Array, **options: Any) -> Any:
    """Generate downwards with the recognition couplings."""
    layers = zip(theta.generative, theta.recognition, strict=True)
    turned = theta._replace(generative=tuple(Sigmoid(up.W.T, down.b) for down, up in layers))
    return dbn.generate(turned, h, **options)


def feeding_back(theta: DBN, h: Array, *, steps: int, rng: Any) -> Any:
    """Let the top see what came out at the bottom, then generate again."""
    v, _ = dbn.generate(theta, h, steps=steps, rng=rng)
    return dbn.reconstruct(theta, v, steps=steps, rng=rng)


def stuck(theta: DBN, h: Array, *, steps: int, rng: Any) -> Any:
    """Take one Gibbs step, whatever is asked."""
    return dbn.generate(theta, h, steps=1, rng=rng)


def up_by_means(theta: DBN, v: Array, *, steps: int, rng: Any) -> Any:
    """Reconstruct from the rounded probabilities of the upward pass."""
    h = dbn.pass_up(theta, v, how="mean", rng=rng)[-1]
    return dbn.generate(theta, array_namespace(h).round(h), steps=steps, rng=rng)


SMALL_NETS = dbns(least=2, most=4, max_units=6)


@check(
    "BA.sec3.1f",
    of=(dbn,),
    cases=st.tuples(SMALL_NETS, st.just(1)) | st.tuples(dbns(max_units=4), st.just(2)),
    examples=15,
    evidence=EXACTLY,
    mutants={
        "one step for all": {
            "generate": stuck,
            "generated_law": lambda theta, law, *, steps: dbn.generated_law(theta, law, steps=1),
        },
        "recognition weights on the way down": {"generate": with_recognition_below},
        "upward pass by probabilities, rounded": {"reconstruct": up_by_means},
    },
)
def gibbs_at_the_top_then_down_tends_to_the_model(impl: Implementation, case: tuple[DBN, int]) -> None:
    """The law of what is generated, from any h or an upward pass; p(v) at the rate of the top's chain."""
    theta, steps = case
    own = numbers(theta)
    kernel = np.linalg.matrix_power(brute.kernel(own.top), steps)
    down = np.eye(len(kernel))
    for layer in reversed(own.generative):
        down = down @ np.exp(log_given(layer))
    h = binary_states(own.top.b.size, like=theta.top.W)
    draws = expect(lambda rows, rng: impl.generate(theta, rows, steps=steps, rng=rng)[0], h)
    agree(draws.mean(one_hot), kernel @ down, "law of v, given the first h", rtol=1e-9)
    up = np.eye(down.shape[1])
    for layer in own.recognition:
        up = up @ np.exp(log_given(layer))
    v = binary_states(theta.generative[0].W.shape[0] if theta.generative else h.shape[1], like=h)
    again = expect(lambda rows, rng: impl.reconstruct(theta, rows, steps=steps, rng=rng)[0], v)
    agree(again.mean(one_hot), up @ kernel @ down, "law of a reconstruction, given v", rtol=1e-9)
    start = np.eye(len(kernel))[0]
    p = np.exp(brute.log_visible(own.top))
    rate = brute.second_eigenvalue(own.top)
    for k in (steps, 4, 64):
        law = to_numpy(impl.generated_law(theta, like(start, theta.top.W), steps=k)).astype(float)
        bound = rate**k * np.sqrt(1 / p[0] - 1) / 2
        at_most(np.abs(law - p @ down).sum() / 2, bound, f"distance from p(v) after {k} steps", slack=1e-9)


def uncoupled(theta: DBN) -> DBN:
    """Return the net whose directed layers do not depend on what is above."""
    return theta._replace(generative=tuple(Sigmoid(0 * layer.W, layer.b) for layer in theta.generative))


@check(
    "BA.sec3.3a",
    of=(dbn,),
    cases=dbns(least=3, most=4, max_units=6),
    examples=15,
    evidence=EXACTLY,
    mutants={
        "the top is told what came out": {"generate": feeding_back},
        "no directed layers": {
            "generate": lambda theta, h, *, steps, rng: dbn.generate(
                uncoupled(theta), h, steps=steps, rng=rng
            )
        },
    },
)
def higher_layers_do_not_see_the_lower_ones(impl: Implementation, theta: DBN) -> None:
    """The drawn layers have the law of the top's chain, times p(below | above): nothing goes back up.

    So other layers below change nothing above; in the posterior of the same net they do.
    """
    own = numbers(theta)
    h = binary_states(own.top.b.size, like=theta.top.W)
    draws = expect(lambda rows, rng: impl.generate(theta, rows, steps=1, rng=rng)[1].layers, h)
    joint = draws.mean(lambda layers: one_hot(array_namespace(h).concat(list(layers), axis=1)))
    kernel = brute.kernel(own.top)
    expected = np.stack([down_through(own, law).ravel() for law in kernel])
    agree(joint, expected, "joint law of the layers drawn", rtol=1e-9)
    other = theta._replace(generative=tuple(Sigmoid(-g.W, g.b) for g in theta.generative))
    above = expect(lambda rows, rng: impl.generate(other, rows, steps=1, rng=rng)[1].layers[-1], h)
    agree(above.mean(one_hot), kernel, "law of the top's visible layer, over other layers", rtol=1e-9)


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
    laws_up = [brute.empirical_law(v)]
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


def agree_in(actual: Any, expected: Any, what: str) -> None:
    """Compare directions array by array."""
    for k, (a, e) in enumerate(zip(leaves(actual), leaves(expected), strict=True)):
        agree(a, to_numpy(e), f"{what}, array {k}", rtol=1e-9, atol=1e-11)


def exchanged(theta: DBN, v: Array, *, k: int, rng: Any) -> Any:
    """Adjust generative weights in the sleep phase, and recognition weights in the wake phase."""
    step, info = updown.updown_step(theta, v, k=k, rng=rng)
    return DBN(
        tuple(map(updown.delta_rule, theta.generative, info.asleep[:-1], info.asleep[1:])),
        tuple(map(updown.delta_rule, theta.recognition, info.awake[1:], info.awake[:-1])),
        step.top,
    ), info


def by_the_rule_of_a_machine(theta: DBN, v: Array, **options: Any) -> Any:
    """Adjust generative weights as those of a machine: h again inferred, from the reconstruction."""
    step, info = updown.updown_step(theta, v, **options)
    rules = rule_of_a_machine(numbers(theta), v)
    return step._replace(generative=tuple(Sigmoid(*(like(x, v) for x in rule)) for rule in rules)), info


def rule_of_a_machine(theta: DBN, v: Any) -> tuple[Sigmoid, ...]:
    """Return the expected CD-1 direction ([BA] eq. 8-9) of each layer, its two passes by its two weights."""
    rules = []
    for down, up, law in zip(theta.generative, theta.recognition, awake(theta, v), strict=False):
        x, h = brute.states(down.b.size), brute.states(up.b.size)
        q, p = np.exp(log_given(up)), np.exp(log_given(down))
        end = law @ q @ p
        W = x.T @ ((law - end)[:, None] * q) @ h
        rules.append(Sigmoid(W, (law - end) @ x))
    return tuple(rules)


def trained_as_a_machine(impl: Implementation, case: Tuned) -> None:
    """As printed: the generative weights follow the updates of a restricted Boltzmann machine."""
    step = impl.expected_updown_step(case.theta, case.v, k=case.k)
    agree_in(
        step.generative, rule_of_a_machine(numbers(case.theta), case.v), "direction of the generative weights"
    )


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
    mutants={
        "wake and sleep exchanged": {"updown_step": exchanged},
        "the rule of a machine": {"updown_step": by_the_rule_of_a_machine},
        "the data passed up by the generative weights": {
            "expected_updown_step": lambda theta, v, *, k: updown.expected_updown_step(
                with_tied_recognition(theta), v, k=k
            )
        },
    },
)
def wake_phase_ascends_the_bound(impl: Implementation, case: Tuned) -> None:
    """The mean direction of the generative weights is the gradient of the mean variational bound."""
    own, law = numbers(case.theta), brute.empirical_law(case.v)
    slope = gradient(lambda theta: mean_bound(theta, law), own).generative
    for what, _, ours in directions(impl, case):
        agree_in(ours.generative, slope, what)


def data_for_draws(theta: DBN, v: Array, *, k: int, rng: Any) -> Any:
    """Start the sleep phase where the wake phase ended."""
    step, info = updown.updown_step(theta, v, k=k, rng=rng)
    asleep = [info.awake[-1]]
    for layer in reversed(theta.generative):
        asleep.insert(0, rng.bernoulli(sigmoid(dbn.inputs(layer, asleep[0]))))
    pairs = zip(theta.recognition, asleep[1:], asleep[:-1], strict=True)
    return step._replace(recognition=tuple(updown.delta_rule(*pair) for pair in pairs)), info


def mean_log_recognition(drawn: Table, up: Sigmoid) -> Any:
    """Return the mean of log q(h | x) under a joint law of (h, x)."""
    return (drawn * log_given(up).T).sum()


def descending_top(theta: DBN, v: Array, *, k: int) -> DBN:
    """Take the top machine the wrong way."""
    step = updown.expected_updown_step(theta, v, k=k)
    return step._replace(top=RBM(*(-x for x in step.top)))


@check(
    "BA.alg3.2",
    "BA.alg3.3",
    of=(updown,),
    cases=tuned(),
    examples=15,
    evidence=EXACTLY,
    mutants={
        "wake and sleep exchanged": {"updown_step": exchanged},
        "no Gibbs steps before the pass down": {"updown_step": data_for_draws},
        "one Gibbs step, whatever is asked": {
            "expected_updown_step": lambda theta, v, *, k: updown.expected_updown_step(theta, v, k=1)
        },
        "top machine descends": {"expected_updown_step": descending_top},
    },
)
def top_learns_as_a_machine_and_sleep_teaches_recognition(impl: Implementation, case: Tuned) -> None:
    """Top: CD-k on what was passed up.  Sleep: the gradient of E[log q(h | x)] from the chain's end down."""
    own, v = numbers(case.theta), case.v
    for what, k, ours in directions(impl, case):
        law = awake(own, v)[-1]
        agree_in(ours.top, brute.expected_cd(own.top, law, k), f"{what}: top")
        law = brute.law_after(own.top, law, k)
        for level in reversed(range(len(own.generative))):
            drawn = law[:, None] * np.exp(log_given(own.generative[level]))  # of (h, x)
            slope = gradient(partial(mean_log_recognition, drawn), own.recognition[level])
            agree_in(ours.recognition[level], slope, f"{what}: recognition {level}")
            law = drawn.sum(axis=0)


# --- explaining away --------------------------------------------------------------------------------------


class Causes(NamedTuple):
    """An effect of two causes, and a machine over the causes."""

    effect: Sigmoid  # (1, 2)
    top: RBM  # two visible units
    v: Any  # (1, 1)


@st.composite
def causes(draw: DrawFn) -> Causes:
    """Causes that both raise, both lower, or differently change the probability of the effect."""
    size = hundredths(0.25, 3)
    W = draw(arrays((1, 2), size)) * draw(st.sampled_from(([1, 1], [-1, -1], [1, -1])))
    H = draw(st.sampled_from((1, 3)))
    top = RBM(*(draw(weights(*s, saturation=2.0)) for s in ((2, H), (2,), (H,))))
    return Causes(Sigmoid(W, draw(arrays((1,), hundredths(-2, 2)))), top, draw(binary_rows(1, max_rows=1)))


def log_odds_ratio(table: Any) -> float:
    """Return log p(11) p(00) / p(10) p(01) of two bits: positive where one makes the other more likely."""
    p = np.log(to_numpy(table).astype(float).ravel())
    return float(p[3] + p[0] - p[2] - p[1])


def independent(top: RBM) -> Sigmoid:
    """Return independent causes."""
    xp = array_namespace(top.b)
    return Sigmoid(xp.zeros((2, 0), dtype=top.b.dtype, device=top.b.device), top.b)


@check(
    "BA.sec3.2a",
    of=(belief, dbn),
    cases=causes(),
    examples=40,
    evidence=EXACTLY,
    mutants={
        "the effect ignored": {"posterior": lambda net, x: belief.state_law(net[1:])[None, :]},
        "posterior of independent causes": {
            "posterior": lambda net, x: belief.posterior((net[0], independent(net[1])), x)
        },
        "biases not exchanged": {
            "upside_down": lambda machine: dbn.upside_down(machine._replace(b=0 * machine.b + 1))
        },
    },
)
def dependence_of_causes_adds_up(impl: Implementation, case: Causes) -> None:
    """Explaining away, its sign, what a top machine adds to it, and the one top that cancels it.

    Log odds ratios add, posterior = prior + likelihood: causes that change the effect the same way become
    dependent given it, and the machine upside down, where training starts, cancels that exactly.  That the
    algorithm "alleviates" explaining away is covered no further than this.
    """
    W, b = (to_numpy(x).astype(float) for x in case.effect)
    given = log_given(Sigmoid(W, b))[:, int(to_numpy(case.v)[0, 0])]
    explained = log_odds_ratio(np.exp(given))
    at_most(explained * W[0, 0] * W[0, 1], 0.0, "sign of explaining away, same-signed causes negative")
    free = impl.posterior((case.effect, independent(case.top)), case.v)
    agree(log_odds_ratio(free), explained, "dependence of independent causes, given the effect", atol=1e-8)
    prior = log_odds_ratio(np.exp(brute.log_visible(brute.numbers(case.top))))
    both = impl.posterior((case.effect, case.top), case.v)
    agree(
        log_odds_ratio(both), prior + explained, "dependence under the machine, given the effect", atol=1e-8
    )
    machine = RBM(case.effect.W, case.effect.b, case.top.b)
    tied = impl.posterior((case.effect, impl.upside_down(machine)), case.v)
    agree(log_odds_ratio(tied), 0.0, "dependence under the machine upside down", atol=1e-8)
