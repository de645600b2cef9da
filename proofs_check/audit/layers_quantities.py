"""Each quantity of directed layers, belief nets and auto-encoders: its call, its exact value, its cases.

The parameters are the reference's: ``DBN``, ``AutoEncoder`` with one generative layer (or, where the weights
are tied, the ``RBM`` that holds them), a ``Sigmoid`` layer under a table P(h).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from ...backends.enumerating import expect
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import dbn
from ...reference.directed.belief import log_likelihood
from ...reference.directed.dbn import DBN, net
from ...reference.directed.dbn_bound import bound_log_likelihood
from ...reference.directed.layers import Sigmoid
from ...reference.directed.mixtures import likelihoods, likelihoods_of_table, log_mixture
from ...reference.laws import log_table
from ...reference.layerwise import stacks
from ...reference.layerwise.incorporation import incorporate
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks import Dense
from ...reference.optimizers import leaves, rebuild
from .cases import Array, Blocks, Case, Quantity, by_name, numbers, value
from .layers_mistakes import MISTAKES, Coder
from .protocol import Declares
from .rbm_mistakes import states


class Tables(NamedTuple):
    """A latent variable by its tables."""

    P_x_given_h: Array  # (n, S), of the n data
    P_h: Array  # (S,)


class Mixture(NamedTuple):
    """A sigmoid layer under any law of the states above it."""

    layer: Sigmoid  # W (V, H), b (V,): p(x_i = 1 | h) = sigmoid(b_i + (W h)_i)
    P_h: Array  # (2^H,)


# --- cases: small, awkward, the smallest first


def _random(*shape: int, scale: float = 1.0, seed: int = 3) -> Array:
    return np.round(scale * np.random.default_rng([seed, *shape]).normal(0.2, 1.0, shape), 2)


def _law(n: int) -> Array:
    """Return a law that is not uniform, whose probabilities sum to one exactly."""
    parts = np.arange(1.0, n + 1)
    return parts / parts.sum()


def _rows(units: int) -> Array:
    """Return half of the states, and no row twice: whether P_D is by rows or by values is then the same."""
    return states(units)[1 :: 2 if units > 1 else 1]


def _tables() -> tuple[Case, ...]:
    cases = []
    for n, s in ((1, 2), (2, 2), (3, 2), (2, 4)):
        P = expit(_random(n, s, scale=2.0))
        for name, P_h in (("", _law(s)), (", a state without mass", _law(s) * (np.arange(s) > 0))):
            theta = Tables(P, P_h / P_h.sum())
            cases.append(Case(f"{n} data, {s} states{name}", theta, {"weights": _law(n)[::-1].copy()}))
    unlikely = Tables(np.array([[1e-200, 2e-200], [0.5, 0.25]]), np.array([0.5, 0.5]))
    cases.append(Case("2 data, one of them improbable", unlikely, {"weights": np.array([0.5, 0.5])}))
    return tuple(cases)


_SIZES = ((1, 1), (2, 1), (1, 2), (3, 2), (2, 3))


def _cases(make: Callable[[int, int, float], Any], *, weighted: bool = False) -> tuple[Case, ...]:
    kinds = [(f"{v} x {h}", v, h, 1.0) for v, h in _SIZES]
    kinds.append(("3 x 2, inputs of 800", 3, 2, 500.0))
    cases = []
    for name, v, h, scale in kinds:
        x = _rows(v)
        given = {"x": x, "weights": _law(len(x))} if weighted else {"x": x}
        cases.append(Case(name, make(v, h, scale), given))
    return tuple(cases)


def _mixture(v: int, h: int, scale: float) -> Mixture:
    return Mixture(Sigmoid(_random(v, h, scale=scale), _random(v, scale=scale)), _law(2**h))


def _dbn(*sizes: int, scale: float = 1.0) -> DBN:
    """Return a net with directed layers between these sizes, and two units above the last."""

    def layer(below: int, above: int, seed: int, scale: float) -> Sigmoid:
        return Sigmoid(_random(below, above, scale=scale, seed=seed), _random(below, seed=seed))

    pairs = list(enumerate(pairwise(sizes)))
    return DBN(
        tuple(layer(v, h, 3 + 10 * k, scale) for k, (v, h) in pairs),
        tuple(layer(h, v, 4 + 10 * k, 1.0) for k, (v, h) in pairs),
        RBM(*(_random(*shape, scale=scale, seed=5) for shape in ((sizes[-1], 2), (sizes[-1],), (2,)))),
    )


def _deep(*, layers: bool = False) -> tuple[Case, ...]:
    cases = []
    for sizes in ((1, 1), (1, 1, 1), (2, 2), (2, 2, 2), (3, 2, 2), (2, 3, 2), (2, 2, 2, 2)):
        theta, x = _dbn(*sizes), states(sizes[0])
        given = {"layers": _together((*sizes, 2))} if layers else {"x": x}
        cases.append(Case(f"{' x '.join(map(str, sizes))}, and 2 above", theta, given))
    return tuple(cases)


def _together(sizes: tuple[int, ...]) -> tuple[Array, ...]:
    """Return the states of all layers together, every other one where they are many."""
    ends = np.cumsum(sizes)
    rows = states(int(ends[-1]))[:: max(1, 2 ** int(ends[-1]) // 64)]
    return tuple(rows[:, end - size : end] for size, end in zip(sizes, ends, strict=True))


def _auto_encoder(v: int, h: int, scale: float) -> AutoEncoder:
    """Return a vanilla one, untied, or (where there are three units) one with a layer in between."""
    up: tuple[Dense, ...] = (Dense(_random(v, h, seed=4), _random(h)),)
    if v == 3:
        up = (Dense(_random(v, 4), _random(4)), Dense(_random(4, h), _random(h)))
    return AutoEncoder(up, (Dense(_random(h, v, scale=scale), _random(v)),))


def _tied(v: int, h: int, scale: float) -> RBM:
    return RBM(_random(v, h, scale=scale), _random(v), _random(h, seed=4))


def _coders(*, weighted: bool = False, few: bool = False) -> tuple[Case, ...]:
    """Return auto-encoders, and machines that are asked of code whose weights are tied."""
    cases = []
    for make, tied in ((_auto_encoder, "no"), (_tied, "yes")):
        some = _cases(make, weighted=weighted)[: None if tied == "no" else -1]  # inference is not to saturate
        if few:
            some = tuple(replace(case, given={"x": case.given["x"][:2]}) for case in some[:4])
        cases += [replace(case, when={"tied_weights": tied}) for case in some]
    return tuple(cases)


# --- calls and exact values


def _call_tables(adapter: Any, case: Case, rng: Any) -> Blocks:
    return {"": numbers(adapter.data_incorporation(*case.theta, case.given["weights"]))}


def _exact_tables(case: Case, _: Declares) -> Blocks:
    p = likelihoods_of_table(log_table(case.theta.P_x_given_h))
    return {"": incorporate(p, case.theta.P_h, weights=case.given["weights"])}


def _call_mixture(adapter: Any, case: Case, rng: Any) -> Blocks:
    return {"": numbers(adapter.mixture_log_likelihood(*case.theta, case.given["x"]))}


def _exact_mixture(case: Case, _: Declares) -> Blocks:
    return {"": log_mixture(likelihoods(case.theta.layer, case.given["x"]), case.theta.P_h)}


def _untied(theta: Coder) -> AutoEncoder:
    return stacks.untie(theta) if isinstance(theta, RBM) else theta


def _call_sampled(adapter: Any, case: Case, rng: Any) -> Blocks:
    x = case.given["x"]
    relative = numbers(adapter.log_sampled_pass(case.theta, x, rng=rng))
    return {"mean of P(x | h) over its sum": np.exp(relative - stacks.log_sum_pass(_untied(case.theta), x))}


def _exact_sampled(case: Case, _: Declares) -> Blocks:
    return {"mean of P(x | h) over its sum": np.ones(len(case.given["x"]))}


def _reduced(x: Array, case: Case, declares: Declares) -> Array:
    return len(case.given["x"]) * x if declares.reduction == "sum" else x


def _call_criterion(adapter: Any, case: Case, rng: Any) -> Blocks:
    return {"": numbers(adapter.autoencoder_criterion(case.theta, *case.given.values()))}


def _exact_criterion(case: Case, declares: Declares) -> Blocks:
    mean = stacks.criterion(_untied(case.theta), case.given["x"], weights=case.given["weights"])
    return {"": _reduced(mean, case, declares)}


def _gradient(
    name: str, function: Callable[..., Coder], cases: tuple[Case, ...], *, rng: bool = False
) -> Quantity:
    """Return the gradient that ``function`` gives; of tied weights, the sum of their two uses."""

    def call(adapter: Any, case: Case, stream: Any) -> Blocks:
        extra = {"rng": stream} if rng else {}
        return by_name(case.theta, getattr(adapter, name)(case.theta, *case.given.values(), **extra))

    def exact(case: Case, declares: Declares) -> Blocks:
        grad = function(_untied(case.theta), *case.given.values())
        grad = stacks.tied_grad(grad) if isinstance(case.theta, RBM) else grad
        return {path: _reduced(x, case, declares) for path, x in by_name(case.theta, grad).items()}

    return Quantity(name, MISTAKES, call, exact, cases)


def _criterion_grad(theta: AutoEncoder, x: Array, weights: Array) -> Coder:
    """Return the gradient of the criterion, row by row: P_D(x) has none, and scales that of its row."""
    rows = [leaves(stacks.log_sum_pass_grad(theta, row[None, :])) for row in x]
    return rebuild(theta, (np.tensordot(weights, np.stack(part), 1) for part in zip(*rows, strict=True)))


def _mean_sampled_grad(theta: AutoEncoder, x: Array) -> Coder:
    """Return the exact mean of backpropagation through a draw."""
    draws = expect(lambda *, rng: tuple(leaves(stacks.log_sampled_pass_grad(theta, x, rng=rng))))
    return rebuild(theta, (draws.mean(itemgetter(k))[0] for k in range(len(draws.values))))


_NETS, _CODES, _FEW = _cases(lambda v, h, scale: _dbn(v, h, scale=scale)), _coders(), _coders(few=True)

TABLE: dict[str, Quantity] = {
    q.name: q
    for q in (
        Quantity("data_incorporation", MISTAKES, _call_tables, _exact_tables, _tables()),
        Quantity("mixture_log_likelihood", MISTAKES, _call_mixture, _exact_mixture, _cases(_mixture)),
        value("two_layer_log_likelihood", MISTAKES, lambda t, x: log_likelihood(net(t), x), "x", _NETS),
        value("dbn_bound", MISTAKES, bound_log_likelihood, "x", _NETS),
        value(
            "deep_log_joint",
            MISTAKES,
            lambda t, layers: dbn.log_joint(t, *layers),
            "layers",
            _deep(layers=True),
        ),
        value("deep_log_likelihood", MISTAKES, lambda t, x: log_likelihood(net(t), x), "x", _deep()),
        value("deep_bound", MISTAKES, bound_log_likelihood, "x", _deep()),
        value("log_sum_pass", MISTAKES, lambda t, x: stacks.log_sum_pass(_untied(t), x), "x", _CODES),
        value("log_mean_pass", MISTAKES, lambda t, x: stacks.log_mean_pass(_untied(t), x), "x", _CODES),
        Quantity("log_sampled_pass", MISTAKES, _call_sampled, _exact_sampled, _FEW),
        Quantity(
            "autoencoder_criterion", MISTAKES, _call_criterion, _exact_criterion, _coders(weighted=True)
        ),
        _gradient("log_sum_pass_grad", stacks.log_sum_pass_grad, _CODES),
        _gradient("log_mean_pass_grad", stacks.log_mean_pass_grad, _CODES),
        _gradient("log_sampled_pass_grad", _mean_sampled_grad, _FEW, rng=True),
        _gradient("autoencoder_criterion_grad", _criterion_grad, _coders(weighted=True)),
    )
}
