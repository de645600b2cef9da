"""Each quantity of an RBM: how it is called, what is exact, and the cases that tell mistakes apart.

Draws are compared by how many entries are not binary, and by the expectations of all products of their
units: for binary units these determine the whole law.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...reference.boltzmann.contrastive import DOCUMENT, expected_pcd_step
from ...reference.boltzmann.gibbs import gibbs_law, hidden_law, visible_law
from ...reference.boltzmann.likelihood import log_likelihood, log_likelihood_grad, pseudo_log_likelihood
from ...reference.boltzmann.partition import log_partition
from ...reference.boltzmann.rbm import RBM, data_statistics, energy, free_energy, mean_hidden, mean_visible
from ...reference.states import binary_states, state_index
from ...reference.trees import difference
from .cases import Array, Blocks, Case, Quantity, Unfit, by_name, in_all, numbers, table, value
from .protocol import Declares
from .rbm_mistakes import MISTAKES

# --- models: small, awkward, the smallest first


def _model(visible: int, hidden: int, *, scale: float = 1.0, seed: int = 0) -> RBM:
    rng = np.random.default_rng([seed, visible, hidden])
    shapes = ((visible, hidden), (visible,), (hidden,))
    return RBM(*(np.round(scale * rng.normal(0.3, 1.0, shape), 2) for shape in shapes))


def _extreme() -> RBM:
    return RBM(
        np.array([[800.0, -800.0], [5.0, 3.0], [-700.0, 2.0]]),
        np.array([1.0, -800.0, 0.5]),
        np.array([-0.5, 30.0]),
    )


_SHAPES = ((1, 2), (2, 1), (2, 3), (3, 2), (3, 3))


def _rows(n: int, units: int, seed: int = 0) -> Array:
    """Return n rows, the first neither all zero nor all one where that can be."""
    bits = np.random.default_rng([seed, n, units]).integers(0, 2, (n, units)).astype(float)
    bits[0] = np.arange(units) % 2 == 0
    return bits


def _all(units: int) -> Array:
    return binary_states(units, like=np.zeros(1))


def _value_cases(make: Callable[[RBM], dict[str, Any]]) -> tuple[Case, ...]:
    cases = [Case(f"{v} x {h}", theta := _model(v, h), make(theta)) for v, h in _SHAPES]
    zero = RBM(np.zeros((3, 2)), np.zeros(3), np.zeros(2))
    cases.append(Case("3 x 2, all parameters zero", zero, make(zero)))
    cases.append(Case("4 x 3, saturating weights", theta := _model(4, 3, scale=15.0), make(theta)))
    cases.append(Case("3 x 2, inputs of 800", theta := _extreme(), make(theta)))
    single = RBM(*(x.astype(np.float32) for x in _model(3, 2)))
    cases.append(Case("3 x 2, single precision", single, make(single), single=True))
    large = RBM(*(x.astype(np.float32) for x in _model(3, 2, scale=60.0)))
    cases.append(Case("3 x 2, single precision, inputs of 100", large, make(large), single=True))
    return tuple(cases)


def _visible(theta: RBM) -> dict[str, Any]:
    return {"v": _all(len(theta.b)).astype(theta.b.dtype)}


def _hidden(theta: RBM) -> dict[str, Any]:
    return {"h": _all(len(theta.c)).astype(theta.c.dtype)}


def _pairs(theta: RBM) -> dict[str, Any]:
    v, h = (_all(len(x)).astype(x.dtype) for x in (theta.b, theta.c))
    return {"v": np.repeat(v, len(h), axis=0), "h": np.tile(h, (len(v), 1))}


def _batch_cases() -> tuple[Case, ...]:
    """Return cases of gradients: one row, duplicate rows, a batch."""
    cases = [
        Case(f"{v} x {h}, {n} rows", _model(v, h), {"v": _rows(n, v)}, batch_size=n)
        for v, h, n in ((1, 2, 1), (2, 1, 1), (3, 2, 3), (2, 2, 1), (3, 3, 4))
    ]
    cases.append(
        Case("2 x 3, duplicate rows", _model(2, 3), {"v": np.repeat(_rows(1, 2), 3, axis=0)}, batch_size=3)
    )
    cases.append(
        Case("4 x 3, saturating weights", _model(4, 3, scale=15.0), {"v": _rows(2, 4)}, batch_size=2)
    )
    return tuple(cases)


# --- draws, by their moments


def _subsets(units: int) -> list[tuple[int, ...]]:
    return [s for size in range(1, units + 1) for s in itertools.combinations(range(units), size)]


def moments(x: Any) -> Array:
    """Return the product over every non-empty set of units of each row, (n, 2^units - 1)."""
    x = np.asarray(x, dtype=np.float64)
    return np.stack([x[:, s].prod(axis=1) for s in _subsets(x.shape[1])], axis=1)


def _not_binary(x: Any) -> int:
    x = np.asarray(x, dtype=np.float64)
    return int(np.sum((x != 0) & (x != 1)))


def _joint(x: Any) -> Blocks:
    """Return the products over all sets of units of all rows together."""
    x = numbers(x)
    return _law(moments(x.reshape(1, -1))[0], x.shape, _not_binary(x))


def _independent(p: Array) -> Blocks:
    return _law(moments(p.reshape(1, -1))[0], p.shape)


def _law(product: Array, shape: tuple[int, ...], not_binary: int = 0) -> Blocks:
    return {
        "rows, units": shape,
        "entries neither 0 nor 1": not_binary,
        "mean product of units": product,
    }


def _one_hot(rows: Array) -> Array:
    index = state_index(rows, (2,) * rows.shape[1])
    return np.eye(2 ** rows.shape[1])[index]


# --- calls and exact values


def _call_gibbs(adapter: Any, case: Case, rng: Any) -> Blocks:
    return _joint(adapter.gibbs_step(case.theta, case.given["v"], rng=rng))


def _exact_gibbs(case: Case, _: Declares) -> Blocks:
    v = case.given["v"]
    law = gibbs_law(case.theta, _one_hot(v)[0], steps=1)
    return _law(law @ moments(_all(v.shape[1])), v.shape)


def _call_log_partition(adapter: Any, case: Case, rng: Any) -> Blocks:
    value = numbers(adapter.log_partition(case.theta))
    if adapter.declares.free_energy_offset == "yes":  # a shift of F is one of log Z, the other way
        v = np.zeros((1, len(case.theta.b)))
        shift = numbers(adapter.free_energy(case.theta, v)) - free_energy(case.theta, v)
        value = value + shift[0]
    return {"": value}


def _exact_log_partition(case: Case, _: Declares) -> Blocks:
    return {"": log_partition(case.theta)}


def _call_cd(adapter: Any, case: Case, rng: Any) -> Blocks:
    return by_name(case.theta, adapter.cd_update(case.theta, case.given["v"], k=case.given["k"], rng=rng))


def _call_pcd(adapter: Any, case: Case, rng: Any) -> Blocks:
    chains = case.given["h chains" if adapter.declares.chain == "hidden" else "v chains"]
    pair = adapter.pcd_update(case.theta, case.given["v"], chains.copy(), k=case.given["k"], rng=rng)
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or np.ndim(pair[1]) != 2:
        raise Unfit("(the update, the chains afterwards as rows)", type(pair).__name__)
    update, after = pair
    return {**by_name(case.theta, update), **_chain_law(moments(after), _not_binary(after))}


def _chain_law(product: Array, not_binary: int = 0) -> Blocks:
    return {"chain entries neither 0 nor 1": not_binary, "chains afterwards, mean product of units": product}


def _exact_cd(case: Case, declares: Declares) -> Blocks:
    variant = DOCUMENT._replace(negative_visible=declares.negative_visible)
    v = case.given["v"]
    update = expected_pcd_step(case.theta, v, v, k=case.given["k"], variant=variant)
    return in_all(by_name(case.theta, update), case, declares)


def _exact_pcd(case: Case, declares: Declares) -> Blocks:
    """Return the PCD direction, from the law of the hidden units that each chain's last v is drawn from."""
    theta, v, k = case.theta, case.given["v"], case.given["k"]
    hidden = declares.chain == "hidden"

    def last_hidden(start: Array) -> Array:
        if hidden and k == 1:
            return start
        law, steps = (visible_law(theta, start), k - 2) if hidden else (start, k - 1)
        return hidden_law(theta, gibbs_law(theta, law, steps=steps))

    before = [last_hidden(start) for start in _one_hot(case.given["h chains" if hidden else "v chains"])]
    ends = [visible_law(theta, law) for law in before]
    after = [hidden_law(theta, law) for law in ends] if hidden else ends
    x, weight = _all(v.shape[1]), np.mean(ends, axis=0)
    if declares.negative_visible == "mean":
        x, weight = mean_visible(theta, _all(len(theta.c))), np.mean(before, axis=0)
    h = mean_hidden(theta, x)
    model = RBM(x.T @ (weight[:, None] * h), weight @ x, weight @ h)
    update = difference(data_statistics(theta, v), model)
    carried = np.array(after) @ moments(_all(len(theta.c if hidden else theta.b)))
    return {**in_all(by_name(theta, update), case, declares), **_chain_law(carried)}


def _log_likelihood(case: Case) -> Array:
    return log_likelihood(case.theta, case.given["v"])


def _log_ratio(case: Case) -> Array:
    base = RBM(0 * case.theta.W, case.given["base"], 0 * case.theta.c)
    return log_partition(case.theta) - log_partition(base)


# --- the table


def _draw_cases(units: str, sizes: tuple[tuple[int, int, int], ...]) -> tuple[Case, ...]:
    cases = []
    for v, h, n in sizes:
        rows = {"v": _rows(n, v)} if units == "v" else {"h": _rows(n, h)}
        cases.append(Case(f"{v} x {h}, {n} rows", _model(v, h), rows, batch_size=n))
    return (*cases, _twice(cases[0]))


def _twice(case: Case) -> Case:
    return replace(case, name=f"{case.name}, called twice", calls=2)


def _gibbs_cases() -> tuple[Case, ...]:
    cases = [
        Case(f"{v} x {h}, from {row.astype(int)}", _model(v, h), {"v": row[None, :]})
        for v, h in ((1, 2), (2, 1), (2, 2))
        for row in _all(v)
    ]
    cases.append(Case("3 x 2", _model(3, 2), {"v": _rows(1, 3)}))
    cases.append(Case("3 x 2, saturating weights", _model(3, 2, scale=40.0), {"v": _rows(1, 3)}))
    return (*cases, _twice(cases[1]))


def _asked_when(k: int, rows: int, batch_size: int) -> dict[str, str]:
    """Return what code must declare to be asked for k steps, and for rows beside a batch size."""
    return {**({"steps": "any"} if k != 1 else {}), **({"rows": "any"} if rows != batch_size else {})}


def _cd_cases() -> tuple[Case, ...]:
    cases = []
    for v, h, n, k, size in (
        (1, 1, 1, 1, 1), (1, 2, 1, 1, 1), (2, 1, 1, 1, 1), (1, 1, 2, 1, 3), (1, 1, 2, 1, 2),
        (2, 1, 1, 2, 1), (1, 1, 1, 3, 1), (2, 2, 1, 1, 1), (3, 2, 1, 1, 1),
    ):  # fmt: skip
        short = f", configured for {size}" if size != n else ""
        alike = ", alike" if n == size == 2 else ""
        name = f"{v} x {h}, {n} rows{alike}, k = {k}{short}"
        rows = np.ones((n, v)) if alike else _rows(n, v, seed=2)
        cases.append(Case(name, _model(v, h), {"v": rows, "k": k}, size, when=_asked_when(k, n, size)))
    saturated = _model(3, 2, scale=40.0)
    given = {"v": _rows(1, 3), "k": 2}
    cases.append(Case("3 x 2, saturating weights, k = 2", saturated, given, when=_asked_when(2, 1, 1)))
    return (*cases, _twice(cases[0]))


def _pcd_cases() -> tuple[Case, ...]:
    cases = []
    for v, h, n, m, k in (
        (1, 1, 1, 1, 1), (2, 1, 1, 1, 1), (1, 2, 1, 1, 1), (1, 1, 2, 2, 1), (1, 2, 1, 2, 1), (2, 1, 1, 2, 1),
        (2, 1, 3, 1, 1), (2, 1, 1, 1, 2), (1, 1, 1, 1, 3), (2, 2, 1, 1, 1), (3, 2, 1, 1, 1),
    ):  # fmt: skip
        given = {"v": _rows(n, v), "v chains": 1 - _rows(m, v), "h chains": _rows(m, h, seed=1), "k": k}
        name = f"{v} x {h}, {n} rows, {m} chains, k = {k}"
        cases.append(Case(name, _model(v, h), given, batch_size=m, when=_asked_when(k, n, m)))
    return (*cases, _twice(cases[0]))


def _ais_cases(*, rows: bool = False) -> tuple[Case, ...]:
    cases = []
    for v, h, betas, chains in (
        (1, 1, (0.0, 1.0), 2), (1, 2, (0.0, 0.4, 1.0), 1), (2, 1, (0.0, 0.4, 1.0), 1),
        (1, 1, (0.0, 0.25, 0.6, 1.0), 1),
    ):  # fmt: skip
        for base in (np.array([0.7, -0.4])[:v], np.zeros(v)):
            given = {"base": base, "betas": np.array(betas), "chains": chains}
            given |= {"v": _rows(2, v)} if rows else {}
            coins = "" if base.any() else ", base of fair coins"
            name = f"{v} x {h}, {len(betas)} temperatures, {chains} chains{coins}"
            when = {"base": "any" if base.any() else "zero"}
            cases.append(Case(name, _model(v, h, seed=2), given, when=when))
    return tuple(cases)


def _annealed(name: str, block: str, log_of: Callable[[Case], Any], *, rows: bool = False) -> Quantity:
    """Return an estimate that is compared by the mean of its exponential, which is unbiased.

    That of log p(v) is unbiased for 1 / p(v), for log Z enters it with a minus.
    """
    sign = -1 if rows else 1

    def call(adapter: Any, case: Case, rng: Any) -> Blocks:
        given = dict(case.given)
        v = (given.pop("v"),) if rows else ()
        log_x = getattr(adapter, name)(case.theta, *v, **given, rng=rng)
        return {block: np.exp(sign * (numbers(log_x) - log_of(case)))}

    def exact(case: Case, _: Declares) -> Blocks:
        count = case.given["chains"] if name == "ais_log_weights" else np.shape(log_of(case))
        return {block: np.ones(count)}

    return Quantity(name, call, exact, _ais_cases(rows=rows))


def _drawn(name: str, given: str, mean: Callable[..., Any], sizes: Any) -> Quantity:
    """Return draws of one layer given the other."""

    def call(adapter: Any, case: Case, rng: Any) -> Blocks:
        return _joint(getattr(adapter, name)(case.theta, case.given[given], rng=rng))

    def exact(case: Case, _: Declares) -> Blocks:
        return _independent(mean(case.theta, case.given[given]))

    return Quantity(name, call, exact, _draw_cases(given, sizes), bound=1.0)


_AT_V, _AT_H = _value_cases(_visible), _value_cases(_hidden)
_AT_FEW = tuple(replace(c, given={"v": c.given["v"][1:4]}) for c in _AT_V)

TABLE = table(
    MISTAKES,
    value("energy", energy, _value_cases(_pairs), offset=True),
    value("free_energy", free_energy, _AT_V, offset=True),
    value("mean_hidden", mean_hidden, _AT_V),
    value("mean_visible", mean_visible, _AT_H),
    _drawn("sample_hidden", "v", mean_hidden, ((2, 1, 1), (1, 2, 1), (2, 2, 1), (3, 2, 2))),
    _drawn("sample_visible", "h", mean_visible, ((1, 2, 1), (2, 1, 1), (2, 2, 1), (2, 3, 2))),
    Quantity("gibbs_step", _call_gibbs, _exact_gibbs, _gibbs_cases(), bound=1.0),
    Quantity("log_partition", _call_log_partition, _exact_log_partition, _value_cases(lambda _: {})),
    value("log_likelihood", log_likelihood, _AT_V),
    value("log_likelihood_grad", log_likelihood_grad, _batch_cases(), gradient=True),
    value("pseudo_log_likelihood", pseudo_log_likelihood, _AT_FEW, rng=True),
    Quantity("cd_update", _call_cd, _exact_cd, _cd_cases(), bound=1.0),
    Quantity("pcd_update", _call_pcd, _exact_pcd, _pcd_cases(), bound=1.0),
    _annealed("ais_log_weights", "mean weight Z_base / Z", _log_ratio),
    _annealed("ais_log_partition", "mean estimate / Z", lambda case: log_partition(case.theta)),
    _annealed("ais_log_likelihood", "mean of p(v) / estimate", _log_likelihood, rows=True),
)
