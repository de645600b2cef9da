"""[AO] 1.2, 3: search spaces, layer-wise selection, Pareto fronts, and what the bounds of 3.3 bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import Array, array_namespace
from ...backends.enumerating import expect
from ...backends.streams import HostStream, ReplayStream
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, mixtures
from ...reference.directed.layers import Sigmoid
from ...reference.laws import draw, log_table
from ...reference.layerwise import criteria, incorporation, marginal, selection
from ...reference.layerwise.selection import Lower
from ...reference.numerics import sigmoid
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check, ensure, to_tolerance
from ..oracle.boltzmann import like, states
from ..oracle.directed import bits
from ..oracle.layerwise import Numbers, dual_bound, log_lik, numbers
from ..strategies import (
    Bottom,
    Candidate,
    arrays,
    binary_rows,
    bottoms,
    candidates,
    hundredths,
    laws,
    weights,
)
from .layerwise_marginal import best, explained

SOLVERS = ("em-stopped-early", "data-alike (of the best marginal)", "best-state-for-law")

# --- the search space (table 1) ---------------------------------------------------------------------------

RATE = ("log", 1e-5, 5e-2)
PRINTED = {  # one row of the table in each entry: which classes use it, and its prior
    "RBM hidden": ({"rbm"}, ("int", 1, 19)),
    "hidden 1": ({"srbm", "ae", "aeri"}, ("int", 1, 16)),
    "hidden 2": ({"srbm", "ae", "aeri"}, ("int", 1, 16)),
    "inference hidden": ({"aeri"}, ("int", 1, 500)),
    "CD rate": ({"rbm", "srbm", "ae", "aeri"}, RATE),
    "BP rate": ({"ae", "aeri"}, RATE),
    "initial deviation": ({"ae", "aeri"}, ("uniform", 0.0, 1.0)),
}
KINDS = {selection.Integer: "int", selection.LogUniform: "log", selection.Uniform: "uniform"}


def at(prior: tuple[str, float, float], u: float) -> float:
    """Return the prior's quantile at u."""
    kind, low, high = prior
    if kind == "log":
        return float(low * (high / low) ** u)
    return low + u * (high - low) if kind == "uniform" else low + math.floor(u * (high - low + 1))


@check(
    "AO.tab1",
    of=selection,
    cases=st.tuples(*(st.integers(0, 2**16 - 1) for _ in range(7)), st.integers(1, 200_000)),
    examples=40,
    evidence=DEFINITION,
    rejects=("rates-uniform", "largest-size-left-out", "epochs-for-any-data", "epochs-of-batches"),
)
def search_space_is_that_of_the_table(impl: Implementation, case: tuple[int, ...]) -> None:
    """Each class's settings and priors; a draw is the quantile of its uniform; 20 * 10000 / N epochs.

    The table does not say how epochs are rounded, nor that the logarithm's base does not matter.
    """
    *codes, rows = case
    wanted = 20 * 10_000 / rows
    at_most(abs(impl.epochs(rows) - wanted), max(0.5, 1 - wanted), f"rounding of {wanted} epochs")
    for model, space in selection.TABLE_1.items():
        printed = sorted(prior for classes, prior in PRINTED.values() if model in classes)
        ours = sorted((KINDS[type(prior)], prior.low, prior.high) for prior in space.values())
        ensure(ours == printed, f"priors of {model}", expected=printed, actual=ours)
        uniforms, expected = [], {}
        for code, name in zip(codes, sorted(space), strict=False):
            prior, u = space[name], code / 2**16
            uniforms += [u]
            if not isinstance(prior, selection.Integer):  # its binary digits: a coin is one where u < 1/2
                digits = [int(code >> (15 - k) & 1) if k < 16 else 0 for k in range(53)]
                uniforms[-1:] = [0.25 if digit else 0.75 for digit in digits]
            expected[name] = at((KINDS[type(prior)], prior.low, prior.high), u)
        drawn = impl.draw(space, rng=ReplayStream(uniforms), like=np.zeros(1))
        ensure(set(drawn) == set(expected), "settings", expected=sorted(expected), actual=sorted(drawn))
        for name, value in drawn.items():
            agree(value, expected[name], f"{name} of {model}")


# --- Pareto fronts (footnote 7), and averages of logarithms (footnote 8) ----------------------------------


@check(
    "AO.fn7",
    of=selection,
    cases=st.lists(st.tuples(st.integers(1, 5), st.integers(-5, -1)), min_size=1, max_size=6).map(
        lambda models: np.array(models, float)
    ),
    examples=80,
    evidence=DEFINITION,
    rejects=("more-parameters-preferred", "ties-subsume", "best-only"),
)
def front_of_the_footnote_is_the_weak_one(impl: Implementation, case: Array) -> None:
    """Subsumed: strictly more parameters and a strictly worse likelihood than another.  It is a definition.

    Taken to the letter it keeps ties: of two models of one size both may be on the front, and every model of
    the smallest size is, however bad.  The usual (strong) front is within it, and they differ at ties alone.
    """
    models = [tuple(m) for m in numbers(case).tolist()]
    weak = [not any(m > a and v < b for a, b in models) for m, v in models]
    strong = [not any((m, v) != (a, b) and m >= a and v <= b for a, b in models) for m, v in models]
    for words, front in (("printed", weak), ("standard", strong)):
        found = impl.pareto_front(case[:, 0], case[:, 1], dominance=words)
        ensure([bool(f) for f in numbers(found)] == front, f"front, {words}", expected=front, actual=found)
    for (m, v), is_weak, is_strong in zip(models, weak, strong, strict=True):
        ensure(is_weak or not is_strong, "the strong front within the weak one")
        tied = any((m == a and v < b) or (m > a and v == b) for a, b in models)
        ensure(is_strong == (is_weak and not tied), "the fronts differ at ties alone")


def log_bits(logits: Numbers, x: Numbers) -> Numbers:
    """Return sum_j log s((2 x_j - 1) a_j) over the last axis."""
    return -np.logaddexp(0, (1 - 2 * x) * logits).sum(axis=-1)


@check(
    "AO.fn8",
    of=belief,
    cases=st.tuples(
        arrays((12,), st.sampled_from((0.0, 1.0))),
        arrays((12, 2), hundredths(-1, 1)),
        arrays((2,), hundredths(-3, 3)),
        st.integers(1, 20),
        st.sampled_from((40.0, 80.0, 300.0)),
    ),
    evidence=EXACTLY,
    rejects=("underflow", "rounded-up"),
)
def one_impossible_row_ruins_the_average(impl: Implementation, case: Any, plain: Any) -> None:
    """A model that expects 12 bits by a nats each, give or take its hidden units: all bits wrong cost 12 a.

    On up to twenty rows as it expects them it is better than the uniform code's -12 log 2, with one wrong row
    more it is worse, the lower the larger a.  From a = 80 on that row's probability is zero in floating
    point, and a plain logarithm of it minus infinity.
    """
    (x, W, c, copies, a), xp = plain, array_namespace(case[0])
    b, V = a * (2 * x - 1), x.size
    rows = np.vstack([np.tile(x, (copies, 1)), 1 - x])
    net = (
        Sigmoid(case[1], like(b, case[1])),
        Sigmoid(xp.zeros((2, 0), dtype=case[1].dtype), case[2]),
    )
    found = numbers(impl.log_likelihood(net, like(rows, case[0])))
    h = states(2)
    joint = log_bits(h @ W.T + b, rows[:, None, :]) + log_bits(c, h)
    expected = np.logaddexp.reduce(joint, axis=1)
    agree(found, expected, "log P(x)")
    at_most(-V * math.log(2), found[:-1].mean(), "the uniform code, against the average of what is expected")
    at_most(found.mean(), -V * (a - 2) / (copies + 1), "average with one row more")
    at_most(found.mean(), -V * math.log(2), "average with one row more, against the uniform code")
    with np.errstate(divide="ignore"):
        plain_logarithm = np.log(np.exp(expected[-1]))
    ensure((plain_logarithm == -math.inf) == (a >= 80), "where the plain logarithm is minus infinity")


# --- layer-wise selection (1.2, 3.3.2) --------------------------------------------------------------------


def negator(V: int, weight: float, *, like: Array) -> Lower:
    """Return a layer that turns bits over, sharp at large weights; its inference errs one time in ten."""
    xp = array_namespace(like)
    W = -weight * xp.eye(V, dtype=like.dtype)
    return Lower(Sigmoid(W, xp.full((V,), weight / 2, dtype=like.dtype)), lambda x: 0.9 - 0.8 * x)


class Noted(HostStream):
    """A stream that notes which probabilities it was asked for, and what it drew."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.draws: list[tuple[Numbers, Numbers]] = []

    def bernoulli(self, p: Array) -> Array:
        """Return bits."""
        drawn = super().bernoulli(p)
        self.draws.append((numbers(p), numbers(drawn)))
        return drawn


def machines(V: int, biases: list[float], *, like: Array) -> list[RBM]:
    """Return machines without couplings, one for each bias."""
    xp = array_namespace(like)
    zeros, one = xp.zeros((V, 1), dtype=like.dtype), xp.zeros((1,), dtype=like.dtype)
    return [RBM(zeros, xp.full((V,), bias, dtype=like.dtype), one) for bias in biases]


def empirical(layer: Numbers, x: Numbers, means: Numbers) -> Numbers:
    """Return log sum_h P(x|h) q_D(h) of each row, q_D of the same rows, by tables; P(x|h) rows by states."""
    H = means.shape[1]
    h = states(H)
    q = np.where(h[None] == 1, means[:, None, :], 1 - means[:, None, :]).prod(axis=2)
    result: Numbers = np.log(layer @ q.mean(axis=0))
    return result


grown = st.tuples(
    binary_rows(3, max_rows=4).filter(lambda x: len(x) > 1),
    binary_rows(3, max_rows=5).filter(lambda x: len(x) > 1),
    st.lists(st.sampled_from((1.0, 3.0, 8.0, 30.0)), min_size=1, max_size=3),
    st.lists(hundredths(-3, 3), min_size=1, max_size=3),
)


@check(
    "AO.alg6",
    "AO.sec1.2b",
    of=selection,
    cases=grown,
    examples=30,
    evidence=EXACTLY,
    rejects=("scored-on-training-rows", "data-passed-up", "first-candidate"),
)
def layers_are_chosen_one_by_one(impl: Implementation, case: Any) -> None:
    """Lower layers by their bound on validation rows, upper ones by the likelihood of rows passed up.

    With m candidates of each kind and L levels m L lower layers are trained, where every combination would
    take m^L.  Both sets of rows are passed up by draws from q, which are noted.
    """
    train, valid, sharpness, biases = case
    V, depth, trained = train.shape[1], 3, []

    def lowers(x: Array) -> list[Lower]:
        trained.append(len(sharpness))
        return [negator(V, w, like=x) for w in sharpness]

    def uppers(x: Array) -> list[RBM]:
        return machines(V, biases, like=x)

    rng = Noted(1)
    options = {"depth": depth, "least": -1e9, "errors": 0.0, "rng": rng}
    levels = impl.grow(train, valid, lowers=lowers, uppers=uppers, **options)
    x, rows = numbers(valid), numbers(train)
    all_h = states(V)
    agree(len(levels), depth + 1, "levels", of="AO.alg6")
    agree(len(trained), depth, "times that lower layers were trained", of="AO.sec1.2b")
    agree(sum(trained), depth * len(sharpness), "lower layers trained: m L, not m^L", of="AO.sec1.2b")
    agree(len(rng.draws), 2 * depth, "draws of both sets of rows")
    for k, level in enumerate(levels):
        bounds = []
        for w in sharpness:
            table = bits(w / 2 - w * all_h, x).T
            bounds.append(float(empirical(table, x, 0.9 - 0.8 * x).mean()))
        likelihoods = [float((x * b - np.logaddexp(0, b)).sum(axis=1).mean()) for b in biases]
        if k < depth:
            agree(list(level.bounds), bounds, "bounds of the lower layers")
            agree(-numbers(level.lower.layer.W)[0, 0], sharpness[int(np.argmax(bounds))], "best lower layer")
            for below, (p, _) in zip((rows, x), rng.draws[2 * k :], strict=False):
                agree(p, 0.9 - 0.8 * below, "probabilities of what is passed up")
            (_, rows), (_, x) = rng.draws[2 * k : 2 * k + 2]
        agree(list(level.likelihoods), likelihoods, "likelihoods of the upper models")
        agree(numbers(level.top.b)[0], biases[int(np.argmax(likelihoods))], "the likeliest upper model")


@check(
    "AO.fn9",
    of=(selection, marginal, mixtures),
    cases=candidates(zeros=False),
    examples=30,
    evidence=to_tolerance("1e-9 nats, the certificate of the best marginal"),
    rejects=(*SOLVERS, "always-deeper", "never-deeper"),
)
def no_layer_helps_where_its_bound_is_no_higher(impl: Implementation, case: Candidate) -> None:
    """Whatever is put on a next layer gains at most U_D - L(now): where the rule says stop, nothing.

    On the data that U_D is of; "significantly" is left open (here: by more than nothing).  With U_{D,q} of a
    poor q in its place the rule may stop too early (3.3.1).
    """
    A, data = numbers(case.A), numbers(case.data)
    rows = np.repeat(np.arange(data.size), np.rint(data * 9).astype(int) + 1)
    D = np.bincount(rows, minlength=data.size) / rows.size
    found = best(impl, case.A, like(D, case.A))
    log_best, log_some = np.log(A @ numbers(found.Q)), np.log(A @ numbers(case.Q))
    now = 0.5 * log_best + 0.5 * log_some + (numbers(case.Q)[0] - 0.5) / 4
    U = float(D @ log_best)
    agree(U, dual_bound(A, D, numbers(found.Q)), "U_D", rtol=0, atol=1e-9)
    if rows.size > 1:
        adds = impl.another_layer(
            like(log_best[rows], case.A), like(now[rows], case.A), least=0.0, errors=0.0
        )
        promised = U - float(now[rows].mean())
        if abs(promised) > 1e-6:
            ensure(adds == (promised > 0), "the rule", expected=promised > 0, actual=adds)
        if not adds:
            at_most(
                float(log_some[rows].mean()), float(now[rows].mean()), "a model with the layer", slack=1e-6
            )


# --- what the bounds of 3.3.1 and 3.3.3 are no bounds of --------------------------------------------------

NOISY = [[0.9, 0.1], [0.1, 0.9]]


@check(
    "AO.def8",
    "AO.eq34",
    "AO.sec3.3.3b",
    of=selection,
    cases=st.tuples(
        st.integers(1, 3).flatmap(
            lambda V: st.tuples(
                weights(V, 2, saturation=4.0), weights(V), weights(V, 2, saturation=4.0), binary_rows(V)
            )
        ),
        laws(4),
    ),
    examples=30,
    evidence=DEFINITION,
    rejects=("data-weights-ignored", "law-of-mean-units"),
)
def empirical_bound_of_any_rows(impl: Implementation, case: Any) -> None:
    """U_{D,q} of any rows D, the layer and q held: of validation rows it is the validation bound."""
    (W, b, up, x), law = case
    data = numbers(law)[: x.shape[0]] + 0.25
    data = data / data.sum()
    lower = Lower(Sigmoid(W, b), lambda rows: sigmoid(rows @ up))
    found = impl.empirical_bound(lower, x, weights=like(data, W))
    h, rows = states(2), numbers(x)
    q_D = data @ bits(rows @ numbers(up), h)
    table = bits(h @ numbers(W).T + numbers(b), rows).T
    of = ("AO.def8", "AO.eq34", "AO.sec3.3.3b")  # the rows D may be training or validation rows
    agree(found, np.log(table @ q_D), "log sum_h P(x|h) q_D(h)", of=of)


@check(
    "AO.sec3.3.1b",
    "AO.sec3.3.1c",
    "AO.sec3.3.3c",
    of=(incorporation, criteria, marginal),
    cases=[np.array(NOISY)],
    evidence=EXACTLY,
    rejects=(
        "data-alike (of the best marginal)",
        "data-alike (of the log-likelihood)",
        "rows-of-q-alike",
    ),
)
def bounds_of_practice_err_on_either_side(impl: Implementation, A: Array) -> None:
    """One example each, h a copy of x right with probability 0.9: what is above and below what.

    U_D above the model's likelihood; U_{D,q} below U_D, and below the model itself where q is poor;
    U_D of training data above or below validation likelihood; the validation bound below a model too.
    """
    table, p = numbers(A), explained(A)
    skew, even, sure = np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([1.0, 0.0])

    def value(Q: Numbers, data: Numbers) -> float:
        found = float(impl.log_likelihood(p, like(Q, A), weights=like(data, A)))
        agree(found, log_lik(table, data, Q), "log-likelihood")
        return found

    def bound(q: Numbers, data: Numbers) -> float:
        return value(numbers(impl.aggregate(like(q, A), weights=like(data, A))), data)

    def ideal(data: Numbers) -> float:
        found = best(impl, A, like(data, A))
        agree(found.log_likelihood, dual_bound(table, data, numbers(found.Q)), "U_D")
        return float(found.log_likelihood)

    def below(low: float, high: float, what: str, of: str) -> None:
        ensure(low < high - 1e-3, what, of=of, expected=f"below {high}", actual=low)

    flat = np.full((2, 2), 0.5)
    below(value(even, skew), ideal(skew), "a model that is not perfect, against U_D", "AO.sec3.3.1b")
    below(bound(flat, skew), ideal(skew), "U_{D,q} of a q that knows nothing, against U_D", "AO.sec3.3.1b")
    model = value(np.array([0.95, 0.05]), skew)
    agree(bound(flat, skew), -math.log(2), "U_{D,q} of uniform q")
    below(bound(flat, skew), model, "U_{D,q}, against the model itself", "AO.sec3.3.1c")
    below(
        value(sure, even),
        ideal(even),
        "validation data, less likely than U_D says",
        "AO.sec3.3.1b",
    )
    below(
        ideal(even),
        value(sure, sure),
        "U_D of even data, against sure validation data",
        "AO.sec3.3.1b",
    )
    validation = bound(np.array(NOISY), skew)
    agree(
        validation, 0.9 * math.log(0.82 * 0.9 + 0.18 * 0.1) + 0.1 * math.log(0.82 * 0.1 + 0.18 * 0.9), "bound"
    )
    below(
        validation,
        value(sure, skew),
        "validation bound, against a model there",
        "AO.sec3.3.3c",
    )


# --- the estimate by draws (3.3.4) ------------------------------------------------------------------------


def chances(case: Bottom) -> Numbers:
    """Return a q(h | x) for the case: the posterior under uniform Q, uniform where x is impossible."""
    A = numbers(case.A)
    total = A.sum(axis=1, keepdims=True)
    result: Numbers = np.where(total > 0, A / np.where(total > 0, total, 1), 1 / A.shape[1])
    return result


def on_average(estimate: Callable[[Array, Array], Array], case: Bottom, q: Numbers, K: int) -> float:
    """Return the mean of an estimate over all joint draws of h; it is given log P(x|h) and log q(h|x~)."""
    xp = array_namespace(case.A)
    log_A, law = log_table(case.A), like(q, case.A)

    def run(rng: Any) -> Array:
        h = draw(law, samples=K, rng=rng)  # (n, K)
        log_p = xp.stack([xp.take(log_A, h[y, :], axis=1) for y in range(law.shape[0])], axis=1)
        return estimate(log_p, log_table(xp.take_along_axis(law, h, axis=1)))

    return float(numbers(expect(lambda rng: run(rng)).mean()).sum())


small = bottoms(most=2).filter(lambda case: bool((case.A.sum(axis=1) > 0).all()))


def of_row(log_p: Array, x: int) -> Array:
    """Return the likelihoods of datum x in every row: the mean of logs is then the logarithm for x."""
    return array_namespace(log_p).broadcast_to(log_p[x : x + 1, :, :], log_p.shape)


def inner(impl: Implementation, data: Array, x: int, log_p: Array, _: Array) -> Array:
    """Return what is inside the logarithm for datum x."""
    return array_namespace(log_p).exp(impl.sampled_bound(of_row(log_p, x), weights=data))


def inner_printed(impl: Implementation, data: Array, x: int, log_p: Array, log_q: Array) -> Array:
    """Return the same of the estimate as printed."""
    return array_namespace(log_p).exp(impl.sampled_bound_printed(of_row(log_p, x), log_q, weights=data))


def printed_estimate_is_right_on_average(impl: Implementation, case: Bottom) -> None:
    """As printed, with one draw (K = 1) for each datum: the sum inside the logarithm is P(x) on average."""
    q, A, D = chances(case), numbers(case.A), numbers(case.data)
    for x in range(A.shape[0]):
        mean = on_average(partial(inner_printed, impl, case.data, x), case, q, 1)
        agree(mean, (A @ (D @ q))[x], f"mean of the sum inside the logarithm, x = {x}")


BOTH = ("AO.def9", "AO.eq35")  # a definition, and its formula


@check(
    "AO.def9",
    "AO.eq35",
    of=criteria,
    cases=small,
    examples=100,
    evidence=EXACTLY,
    printed=printed_estimate_is_right_on_average,
    correction=(
        "h drawn from q(h|x~) must not be weighted by q(h|x~) again, and K draws are averaged: E_D log "
        "sum_x~ P_D(x~) (1/K) sum_k P(x|h_k).  What is inside the logarithm is then P(x) on average; the "
        "estimate is low on average, ever less so as K grows.  The printed form agrees for K = 1 and "
        "deterministic q, and grows by log K"
    ),
    rejects=("missing-log-draws", "logarithms-averaged", "alike-inside"),
)
def sampled_bound_is_unbiased_inside_the_logarithm(impl: Implementation, case: Bottom) -> None:
    """Over all draws: the sum inside has mean P(x), so the estimate is low on average, less so for K = 2.

    That a mean is not right is no quibble about bias: where h, fair, says nothing of a fair x, the bound is
    -log 2 and so is every estimate; as printed every one is -log 2 + log(K / 2).
    """
    half, never = like([0.5, 0.5], case.data), math.log(0.5)
    for K in (1, 2, 4):
        log_p, log_q = (like(np.full(shape, never), case.data) for shape in ((2, 2, K), (2, K)))
        agree(impl.sampled_bound(log_p, weights=half), never, f"where h says nothing, K = {K}", of=BOTH)
        as_printed = impl.sampled_bound_printed(log_p, log_q, weights=half)
        agree(
            as_printed,
            never + math.log(K / 2),
            f"as printed where h says nothing, K = {K}",
            of=BOTH,
        )
    q, A, D = chances(case), numbers(case.A), numbers(case.data)
    P, means = A @ (D @ q), []
    for K in (1, 2):
        for x in range(A.shape[0]):
            mean = on_average(partial(inner, impl, case.data, x), case, q, K)
            agree(mean, P[x], f"mean of the sum inside the logarithm, K = {K}", of=BOTH)
        means.append(on_average(lambda p, _: impl.sampled_bound(p, weights=case.data), case, q, K))
    at_most(means[0], means[1], "mean estimate, K = 1 against K = 2", of=BOTH, slack=1e-9)
    at_most(means[1], log_lik(A, D, D @ q), "mean estimate, K = 2 against the bound", of=BOTH, slack=1e-9)


@check(
    "AO.sec3.3.4a",
    of=criteria,
    cases=st.tuples(st.integers(1, 4), st.integers(1, 3)).flatmap(
        lambda nk: arrays((nk[0], nk[0], nk[1]), hundredths(-3, 0))
    ),
    evidence=EXACTLY,
    rejects=("own-draws-only", "first-draw-only"),
)
def estimate_uses_a_likelihood_for_each_pair_of_data_and_draw(impl: Implementation, log_p: Array) -> None:
    """K N^2 likelihoods P(x|h): each of them counts, by e^{...} / (its row's sum) / N of its logarithm."""
    table = numbers(log_p)
    n, _, K = table.shape
    agree(impl.sampled_bound(log_p), np.log(np.exp(table).mean(axis=(1, 2))).mean(), "estimate")
    used = 0
    for place in product(range(n), range(n), range(K)):
        moved = table.copy()
        moved[place] += 1.0
        change = float(impl.sampled_bound(like(moved, log_p))) - float(impl.sampled_bound(log_p))
        row = np.exp(table[place[0]])
        share = row[place[1:]] / row.sum()
        agree(change, math.log1p(share * math.expm1(1.0)) / n, f"effect of likelihood {place}")
        used += 1
    agree(used, K * n * n, "likelihoods used")


@st.composite
def drawn_codes(draw: DrawFn) -> Any:
    """A sigmoid layer, rows of x, K codes for each of them, and a law of the rows."""
    V, H = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    layer = Sigmoid(draw(weights(V, H)), draw(weights(V)))
    x, K = draw(binary_rows(V)), draw(st.integers(1, 3))
    codes = draw(arrays((x.shape[0], K, H), st.sampled_from((0.0, 1.0))))
    return layer, x, codes, draw(laws(x.shape[0]))


@check(
    "AO.sec3.3.4a",
    of=criteria,
    cases=drawn_codes(),
    evidence=EXACTLY,
    rejects=(
        "biases-left-out",
        "first-draw-only",
        "missing-log-draws",
        "data-weights-ignored",
        "own-draws-only",
    ),
)
def estimate_of_a_layer_is_that_of_its_likelihoods(impl: Implementation, case: Any) -> None:
    """In bounded memory too: E_D log of sum_x~ P_D(x~) (1/K) sum_k P(x|h_x~k), every likelihood by loops."""
    layer, x, codes, data = case
    W, b, rows, D = (numbers(a) for a in (*layer, x, data))
    expected = 0.0
    for n, share in enumerate(D):
        inside = 0.0
        for m, k in product(range(len(D)), range(codes.shape[1])):
            inputs = W @ numbers(codes)[m, k] + b
            inside += D[m] * math.exp(-np.log1p(np.exp(np.where(rows[n] == 1, -inputs, inputs))).sum())
        expected += share * math.log(inside / codes.shape[1]) if share > 0 else 0.0
    found = impl.drawn_bound(layer, x, codes, weights=data)
    agree(found, expected, "estimate")
