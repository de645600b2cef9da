"""Somebody else's quantity as checks ask for it: its randomness enumerated, its conventions undone.

Every call is recorded with what came back: the values, or the means that the check asked for.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...reference.trees import scale, tree_map
from ..comparing import Disagreement
from ..implementation import Foreign
from ..quantity import Quantity
from .scripted import ScriptedGenerator, Unscriptable, enumerate_runs, paths

Function = Callable[[Any], Any]
RUNS = 3000
"""Runs of a statistical comparison, where the randomness cannot be enumerated."""
ERROR = 1e-11
"""Probability that a right quantity fails on one case by chance: all cases together stay below 1e-9."""


class Declined(Exception):  # noqa: N818 (it says of a case that it is not asked)
    """The code declares that it cannot do what is asked."""


class Unmeasured(Exception):  # noqa: N818 (a limit of the method, not an error of the code)
    """What the code gives can be measured neither exactly nor statistically."""


@dataclass(frozen=True)
class Answer:
    """What came back of a call."""

    mean: Any = None  # a tree of arrays: values, or the means that the check asked for
    radius: Any = None  # a tree of confidence intervals, or None where the mean is exact
    misfit: tuple[str, str, str] | None = None  # where something else was wanted, what, and what came
    raised: str = ""


@dataclass(frozen=True)
class Call:
    """A call, and what came back."""

    given: Mapping[str, Any]
    f: Function | None  # whose mean was asked for; None: the value
    form: Any  # a right result, of any outcome: how it is built
    twice: bool  # whether two calls in a row were made, and the mean product of both asked for
    answer: Answer


class Estimate(np.ndarray[Any, Any]):
    """Means of many runs, with the radius of their confidence intervals."""

    radius: Any

    def __getitem__(self, index: Any) -> Any:
        return _estimate(np.asarray(self)[index], np.asarray(self.radius)[index])


@dataclass(eq=False)
class Asked(Foreign):
    """One quantity of an adapter."""

    adapter: Any
    quantity: Quantity
    shifted: bool = False  # whether a constant is taken off its values: a convention
    batch_size: int | None = None  # that the code is configured for; None: the number of rows
    twice: bool = False  # whether each call is made twice, and the mean product of both asked for
    calls: list[Call] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value, or the exact mean where something is drawn."""
        return self._ask(self._bound(args, kwargs), None, None)

    def law(self, *args: Any, **kwargs: Any) -> _Law:
        """Return the law of what the code gives, to be asked for means."""
        return _Law(self, self._bound(args, kwargs))

    def _bound(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        names = [name for name in self.quantity.parameters if name != "rng"]
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def _ask(self, given: dict[str, Any], f: Function | None, bound: float | None) -> Any:
        declined = _declines(self.adapter.declares, self.quantity, given)
        if declined:
            raise Declined(declined)
        form = reference_form(self.quantity, given)
        answer = self._measure(given, f, bound, form)
        self.calls.append(Call(given, f, form, self.twice, answer))
        if answer.raised:
            raise Disagreement(self.quantity.name, "a value", answer.raised)
        if answer.misfit:
            raise Disagreement(*answer.misfit)
        if answer.radius is None:
            return answer.mean
        return tree_map(_estimate, answer.mean, answer.radius)

    def _measure(self, given: dict[str, Any], f: Function | None, bound: float | None, form: Any) -> Answer:
        def once(rng: Any) -> Any:
            return self._fitted(self._call(given, rng), given, form)

        def run(rng: Any = None) -> Any:
            self.adapter.batch_size = self.batch_size or _batch(given)
            self.adapter.restart()
            rng = rng or ScriptedGenerator()
            return (once(rng), once(rng)) if self.twice else once(rng)

        if self.twice:
            f = products(f)

        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                try:
                    return Answer(mean(enumerate_runs(run), f))
                except Unscriptable as limit:
                    return self._sampled(run, f, bound, str(limit))
            except Disagreement as unfit:
                return Answer(misfit=(unfit.what, unfit.expected, unfit.actual))
            except (Exception, SystemExit) as error:
                if isinstance(error, Unmeasured):
                    raise
                return Answer(raised=traceback.format_exception_only(error)[-1].strip())

    def _call(self, given: Mapping[str, Any], rng: Any) -> Any:
        positional, keywords, _ = self.quantity.split(given)
        if self.quantity.draws:
            keywords["rng"] = rng
        args = [tree_map(np.copy, x) if isinstance(x, (tuple, np.ndarray)) else x for x in positional]
        return getattr(self.adapter, self.quantity.name)(*args, **keywords)

    def _fitted(self, returned: Any, given: Mapping[str, Any], form: Any) -> Any:
        """Return the arrays of what was returned, its conventions undone."""
        declares, name = self.adapter.declares, self.quantity.name
        value = fitted(returned, form, name)
        if self.quantity.over_rows and declares.reduction == "sum":
            value = scale(1 / rows_of(given), value)
        if self.shifted:
            value = value - (value - reference_form(self.quantity, given))[:1]
        if name == "log_partition" and declares.free_energy_offset == "yes":
            value = value + _shift(self.adapter, given["theta"])
        return value

    def _sampled(self, run: Callable[..., Any], f: Function | None, bound: float | None, why: str) -> Answer:
        """Return means of many runs, with empirical-Bernstein intervals (Maurer and Pontil, 2009)."""
        if bound is None:
            raise Unmeasured(f"{why}; and without a bound on the values there is no interval")
        rng, kept = np.random.default_rng(0), np.random.get_state()  # noqa: NPY002 (the code may draw from it)
        np.random.seed(0)  # noqa: NPY002
        try:
            samples = _values(stacked([run(rng) for _ in range(RUNS)]), f)
        finally:
            np.random.set_state(kept)  # noqa: NPY002
        log_term = np.log(4 * sum(np.size(x[0]) for x in _leaves(samples)) / ERROR)
        slack = 7 * 2 * bound * log_term / (3 * (RUNS - 1))
        return Answer(
            tree_map(lambda x: x.mean(axis=0), samples),
            tree_map(lambda x: np.sqrt(2 * x.var(axis=0, ddof=1) * log_term / RUNS) + slack, samples),
        )


class _Law:
    """The law of what foreign code gives: it is run for each mean."""

    def __init__(self, asked: Asked, given: dict[str, Any]) -> None:
        self.asked, self.given = asked, given

    def mean(self, f: Function = lambda values: values, *, bound: float | None = None) -> Any:
        """Return the mean of f as ``Law.mean`` does: a tree of arrays, their first axis of length one."""
        return tree_map(lambda x: x[None, ...], self.asked._ask(self.given, f, bound))


def mean(outcomes: Sequence[tuple[float, Any]], f: Function | None) -> Any:
    """Return the mean of f over all outcomes, each with its probability."""
    if len(outcomes) == 1 and f is None:
        return outcomes[0][1]
    weights = np.array([weight for weight, _ in outcomes])
    values = _values(stacked([value for _, value in outcomes]), f)
    return tree_map(lambda x: np.tensordot(weights, np.asarray(x, dtype=float), 1), values)


def products(f: Function | None) -> Function:
    """Return the products of all entries of f of two results; of independent ones, E factorises."""

    def of_both(pairs: Any) -> Any:
        first, second = (flat(_values(part, f)) for part in pairs)
        return np.einsum("ri,rj->rij", first, second)

    return of_both


def squares(f: Function | None) -> Function:
    """Return the products of all entries of f of one result: what two calls that repeat each other give."""
    return lambda outcomes: products(f)((outcomes, outcomes))


def flat(tree: Any) -> Any:
    """Return all entries of each row of a tree, (R, entries)."""
    return np.concatenate([np.reshape(x, (len(x), -1)) for x in _leaves(tree)], axis=1)


def _values(outcomes: Any, f: Function | None) -> Any:
    return outcomes if f is None else tree_map(np.asarray, f(outcomes))


def stacked(trees: Sequence[Any]) -> Any:
    """Return a tree of arrays stacked along a new first axis.

    Raises: ValueError where their shapes differ.
    """
    return tree_map(lambda *parts: np.stack(parts), *trees)


def _leaves(tree: Any) -> list[Any]:
    return [x for part in tree for x in _leaves(part)] if isinstance(tree, tuple) else [tree]


def _estimate(mean: Any, radius: Any) -> Estimate:
    estimate = np.asarray(mean).view(Estimate)
    estimate.radius = radius
    return estimate


# --- the reference's answers


def reference_form(quantity: Quantity, given: Mapping[str, Any]) -> Any:
    """Return what the reference gives of a call, of any one outcome: how an answer is built."""
    rng = {"rng": 0} if quantity.draws else {}
    return tree_map(np.asarray, quantity.function(**given, **rng))


def reference_answer(quantity: Quantity, call: Call) -> Answer:
    """Return what the reference, as it stands, answers to a call, by its own decision tree."""

    def once(**rng: Any) -> Any:
        result = tree_map(np.asarray, quantity.function(**call.given, **rng))
        return fitted(result, call.form, quantity.name)

    def run(stream: Any) -> Any:
        rng = {"rng": stream} if quantity.draws else {}
        return (once(**rng), once(**rng)) if call.twice else once(**rng)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return Answer(mean(paths(run), products(call.f) if call.twice else call.f))
        except Disagreement as unfit:
            return Answer(misfit=(unfit.what, unfit.expected, unfit.actual))
        except Exception as error:
            return Answer(raised=f"{type(error).__name__}: {error}")


# --- what is returned


def fitted(returned: Any, form: Any, name: str) -> Any:
    """Return the arrays of what was returned as ``form`` is built; parameters may be of other shapes yet.

    Raises: Disagreement where it is built otherwise, is not made of real numbers, or has another shape.
    """
    if not isinstance(form, tuple):
        value = numbers(returned, name)
        if value.shape != form.shape:
            raise Disagreement(f"shape of {name}", form.shape, value.shape)
        return value
    if not isinstance(returned, (tuple, list)) or len(returned) != len(form):
        length = f" of {len(returned)}" if isinstance(returned, (tuple, list)) else ""
        raise Disagreement(name, built(form), f"{type(returned).__name__}{length}")
    if not hasattr(form, "_fields"):
        pairs = enumerate(zip(returned, form, strict=True))
        return tuple(fitted(part, like, f"{name}[{k}]") for k, (part, like) in pairs)
    parts = []
    for field_name, part, like in zip(form._fields, returned, form, strict=True):
        at = f"{name}, {field_name}"
        parts.append(fitted(part, like, at) if isinstance(like, tuple) else numbers(part, at))
    return type(form)(*parts)


def numbers(x: Any, name: str) -> Any:
    """Return double precision, of an array, a tensor or a list.

    Raises: Disagreement where these are not real numbers.
    """
    try:
        array = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
    except ValueError as ragged:
        raise Disagreement(name, "real numbers", f"{type(x).__name__}: {ragged}") from None
    if array.dtype.kind not in "biuf":
        got = f"{array.dtype} numbers" if array.dtype.kind == "c" else type(x).__name__
        raise Disagreement(name, "real numbers", got)
    return array.astype(np.float64)


def built(form: Any) -> str:
    """Return how parameters are built: "RBM(W (3, 2), b (3,), c (2,))"."""
    if not isinstance(form, tuple):
        return str(form.shape)
    if not hasattr(form, "_fields"):
        return f"({', '.join(map(built, form))},)"
    parts = (f"{name} {built(part)}" for name, part in zip(form._fields, form, strict=True))
    return f"{type(form).__name__}({', '.join(parts)})"


# --- conventions


def _declines(declares: Any, quantity: Quantity, given: Mapping[str, Any]) -> str:
    """Return why the code is not asked this, or nothing: a convention or a limit that it declares."""
    for name, value in quantity.split(given)[2].items():
        if value != getattr(declares, name):
            return f"{name} is declared {getattr(declares, name)}"
    if declares.steps == "one" and given.get("k", 1) != 1:
        return "one step only"
    if declares.rows == "fixed" and "chains" in given and rows_of(given) != _batch(given):
        return "a fixed number of rows"
    if declares.base == "zero" and np.any(given.get("base", 0)):
        return "annealing from fair coins only"
    return ""


def rows_of(given: Mapping[str, Any]) -> int:
    """Return the number of rows of data of a call."""
    return len(given["v"] if "v" in given else given["x"])


def _batch(given: Mapping[str, Any]) -> int:
    """Return the batch size that suits a call: the number of chains, or of rows."""
    chains = given.get("chains")
    rows = chains if isinstance(chains, np.ndarray) else given.get("v", given.get("x"))
    return 1 if rows is None else len(rows)


def _shift(adapter: Any, theta: Any) -> Any:
    """Return by how much energies are shifted: log Z is, the other way."""
    from ...reference.boltzmann.rbm import free_energy

    v = np.zeros((1, len(theta.b)))
    return (numbers(adapter.free_energy(theta, v), "free_energy") - free_energy(theta, v))[0]
