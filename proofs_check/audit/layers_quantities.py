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
from ...reference.layerwise import passes, stacks
from ...reference.layerwise.incorporation import incorporate
from ...reference.layerwise.stacks import AutoEncoder
from ...reference.networks.layers import Dense
from ...reference.trees import leaves, rebuild
from .cases import Array, Blocks, Case, Quantity, numbers, table, value
from .layers_machine import Coder
from .layers_mistakes import MISTAKES
from .protocol import Declares
from .rbm_machine import states


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
    """Return the states of all layers together; where they are many, some, in odd steps: no unit is idle."""
    ends = np.cumsum(sizes)
    rows = states(int(ends[-1]))[:: 2 ** int(ends[-1]) // 64 | 1]
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


def _incorporated(theta: Tables, weights: Array) -> Array:
    return incorporate(likelihoods_of_table(log_table(theta.P_x_given_h)), theta.P_h, weights=weights)


def _mixed(theta: Mixture, x: Array) -> Array:
    return log_mixture(likelihoods(theta.layer, x), theta.P_h)


def _log_likelihood(theta: DBN, x: Array) -> Array:
    return log_likelihood(net(theta), x)


def _untied(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of an auto-encoder, or of tied weights: a gradient adds up their two uses."""

    def of_either(theta: Coder, *given: Array) -> Any:
        if not isinstance(theta, RBM):
            return function(theta, *given)
        found = function(stacks.untie(theta), *given)
        return stacks.tied_grad(found) if isinstance(found, AutoEncoder) else found

    return of_either


def _criterion(theta: AutoEncoder, x: Array, weights: Array) -> Array:
    return passes.criterion(theta, x, weights=weights)


def _criterion_grad(theta: AutoEncoder, x: Array, weights: Array) -> Coder:
    """Return the gradient of the criterion, row by row: P_D(x) has none, and scales that of its row."""
    rows = [leaves(passes.log_sum_pass_grad(theta, row[None, :])) for row in x]
    return rebuild(theta, (np.tensordot(weights, np.stack(part), 1) for part in zip(*rows, strict=True)))


def _mean_sampled_grad(theta: AutoEncoder, x: Array) -> Coder:
    """Return the exact mean of backpropagation through a draw."""
    draws = expect(lambda *, rng: tuple(leaves(passes.log_sampled_pass_grad(theta, x, rng=rng))))
    return rebuild(theta, (draws.mean(itemgetter(k))[0] for k in range(len(draws.values))))


def _call_sampled(adapter: Any, case: Case, rng: Any) -> Blocks:
    x = case.given["x"]
    relative = numbers(adapter.log_sampled_pass(case.theta, x, rng=rng)) - _log_sum(case.theta, x)
    return {"mean of P(x | h) over its sum": np.exp(relative)}


def _exact_sampled(case: Case, _: Declares) -> Blocks:
    return {"mean of P(x | h) over its sum": np.ones(len(case.given["x"]))}


_NETS, _CODES, _FEW = _cases(lambda v, h, scale: _dbn(v, h, scale=scale)), _coders(), _coders(few=True)
_WEIGHTED, _log_sum = _coders(weighted=True), _untied(passes.log_sum_pass)

LATENT = table(
    MISTAKES,
    value("data_incorporation", _incorporated, _tables(), spread=True),
    value("mixture_log_likelihood", _mixed, _cases(_mixture), spread=True),
)
NETS = table(
    MISTAKES,
    value("two_layer_log_likelihood", _log_likelihood, _NETS),
    value("dbn_bound", bound_log_likelihood, _NETS),
    value("deep_log_joint", lambda theta, layers: dbn.log_joint(theta, *layers), _deep(layers=True)),
    value("deep_log_likelihood", _log_likelihood, _deep()),
    value("deep_bound", bound_log_likelihood, _deep()),
)
CODERS = table(
    MISTAKES,
    value("log_sum_pass", _log_sum, _CODES),
    value("log_mean_pass", _untied(passes.log_mean_pass), _CODES),
    Quantity("log_sampled_pass", _call_sampled, _exact_sampled, _FEW),
    value("autoencoder_criterion", _untied(_criterion), _WEIGHTED, reduced=True),
    value("log_sum_pass_grad", _untied(passes.log_sum_pass_grad), _CODES, gradient=True),
    value("log_mean_pass_grad", _untied(passes.log_mean_pass_grad), _CODES, gradient=True),
    value("log_sampled_pass_grad", _untied(_mean_sampled_grad), _FEW, gradient=True, rng=True),
    value("autoencoder_criterion_grad", _untied(_criterion_grad), _WEIGHTED, gradient=True),
)
TABLE = {**LATENT, **NETS, **CODERS}
