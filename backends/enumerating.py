"""Exact expectations of samplers: a stream that hands out every outcome, each with its probability.

``expect`` runs the very code that users run.  Its rows are replicated once per joint outcome of all the
draws, each replica is handed its own outcome, and the log-probability of what it was handed is
accumulated.  The sum of ``exp(log_weight) * f(values)`` over a row's replicas is then the exact expectation
of ``f``, not an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from .arrays import Array, array_namespace, device, from_numpy

MAX_REPLICAS = 2**22
"""More replicated rows than this are refused, before they are made."""

MAX_CALLS = 2**16
"""More calls than this of a function without rows are refused."""


@dataclass(frozen=True)
class Outcomes:
    """Every outcome of a sampler: replica ``o`` of row ``i`` is row ``i * R + o`` of ``values``."""

    values: Any  # what the function returned for all n * R replicas
    log_weight: Array  # (n, R) float64, log-probability of each outcome; minus infinity where impossible

    @property
    def total_weight(self) -> Array:
        """Return the mass enumerated, (n,): one to rounding unless a geometric was cut off."""
        xp = array_namespace(self.log_weight)
        return xp.sum(xp.exp(self.log_weight), axis=1)

    def mean(self, f: Callable[[Any], Array] = lambda values: values) -> Array:
        r"""Return :math:`\sum_o w_{io} f_{io}` for each row; impossible outcomes count for nothing.

        Shapes: f(values) (n R, ...) -> (n, ...) float64.   Exactness: exact; nodes and terms to their order.
        """
        x, xp = f(self.values), array_namespace(self.log_weight)
        n, R = self.log_weight.shape
        if x.ndim == 0 or x.shape[0] != n * R:
            raise ValueError(
                f"f(values) must have {n * R} rows, one for each replica, got shape {tuple(x.shape)}"
            )
        x = xp.reshape(xp.astype(x, xp.float64), (n, R, *x.shape[1:]))
        w = xp.reshape(self.log_weight, (n, R) + (1,) * (x.ndim - 2))
        # An infinite value that has no probability must not turn into 0 * inf = NaN.
        x = xp.where(w == -float("inf"), xp.zeros_like(x), x)
        return xp.sum(xp.exp(w) * x, axis=1)


def expect(
    function: Callable[..., Any],
    *rows: Array,
    nodes: int | None = None,
    terms: int | None = None,
    limit: int | None = None,
) -> Outcomes:
    r"""Return every outcome of ``function(*rows, rng=stream)`` with its probability.

    ``function`` is called twice: once to count, on the rows as they are and with outcome 0 everywhere; then
    once with each row replicated R times, R the number of joint outcomes of the draws made *for one row*.
    Every draw must have the rows as its first axis, and what is drawn (not with which probability) must be
    the same in both calls.

    Without rows nothing carries the replicas, so ``function(rng=stream)`` is called once for each joint
    outcome of all its draws, and its results (arrays, numbers, or tuples and dicts of them) are stacked,
    n = 1.  That serves functions that mix their rows, or shuffle them: ``permutation`` is possible only here.

    A Bernoulli counts 2 outcomes per unit, a categorical K, a normal ``nodes`` (Gauss-Hermite: polynomials of
    degree up to 2 nodes - 1 are exact), a geometric ``terms`` (1..terms; the mass beyond is missing from
    ``total_weight``).

    Shapes: rows (n, ...) each.   Cost: n R rows at once, or R calls; at most ``limit`` (2^22 or 2^16).
    Raises: ValueError, with bits, states and bytes, where that is exceeded; where a draw lacks the axis of
    rows, where the draws depend on outcomes, or where probabilities are none.
    """
    n = _common_length(rows)
    counting = EnumeratingStream(n, range(1), None, nodes=nodes, terms=terms)
    function(*rows, rng=counting)
    plan = counting.asked
    R = _states(plan)
    _refuse_too_many(n, R, plan, rows, limit)

    if n is None:
        results, log_weights = [], []
        for outcome in range(R):
            stream = EnumeratingStream(n, range(outcome, outcome + 1), plan, nodes=nodes, terms=terms)
            results.append(function(rng=stream))
            stream.check_used_up()
            log_weights.append(stream.log_weight)
        values = _stack(results)
        log_weight = np.asarray([log_weights])
        like = _first_array(values)
        return Outcomes(values, log_weight if like is None else from_numpy(log_weight, like=like))

    stream = EnumeratingStream(n, range(R), plan, nodes=nodes, terms=terms)
    values = function(*(_replicate(row, R) for row in rows), rng=stream)
    stream.check_used_up()
    xp = array_namespace(rows[0])
    return Outcomes(values, stream.log_weight + xp.zeros((n, R), dtype=xp.float64, device=device(rows[0])))


class EnumeratingStream:
    """A stream that hands replica ``o`` the digits of outcome ``o``, the first draw most significant.

    ``plan`` lists (radix, units per row) of each draw to come; None records them instead, outcome 0
    everywhere. ``n`` rows have all of ``outcomes`` each; None stands for one call that has one outcome.
    """

    def __init__(
        self,
        n: int | None,
        outcomes: range,
        plan: Sequence[tuple[int, int]] | None,
        *,
        nodes: int | None,
        terms: int | None,
    ) -> None:
        self.n, self.outcomes, self.plan = n, outcomes, plan
        self.nodes, self.terms = nodes, terms
        self.asked: list[tuple[int, int]] = []
        self.log_weight: Array = 0.0  # (n, R) from the first draw on; one number throughout if n is None
        self._period = _states(plan or ())

    def bernoulli(self, p: Array) -> Array:
        """Return zeros and ones: each of both for every unit."""
        xp = array_namespace(p)
        _require(xp.all((p >= 0) & (p <= 1)), "probabilities in [0, 1]")
        x = xp.astype(self._digits(2, p.shape, like=p), p.dtype)
        q = xp.astype(p, xp.float64)
        self._weigh(_log(xp.where(x == 1, q, 1 - q)))
        return x

    def categorical(self, logits: Array) -> Array:
        """Return indices: each of the K for every unit."""
        xp = array_namespace(logits)
        top = xp.max(logits, axis=-1, keepdims=True)
        _require(xp.all(xp.isfinite(top)), "logits of which the largest is finite")
        K = logits.shape[-1]
        index = self._digits(K, logits.shape[:-1], like=logits)
        z = xp.astype(logits - top, xp.float64)
        log_p = z - xp.log(xp.sum(xp.exp(z), axis=-1, keepdims=True))
        chosen = index[..., None] == xp.arange(K, dtype=xp.int64, device=device(logits))
        self._weigh(xp.sum(xp.where(chosen, log_p, xp.zeros_like(log_p)), axis=-1))
        return index

    def normal(self, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return Gauss-Hermite nodes: each of them for every unit."""
        if self.nodes is None:
            raise ValueError("a normal is drawn: say how many Gauss-Hermite nodes, expect(..., nodes=)")
        xp = array_namespace(like)
        points, weights = np.polynomial.hermite_e.hermegauss(self.nodes)
        digit = self._digits(self.nodes, shape, like=like)
        flat = xp.reshape(digit, (-1,))
        log_weights = from_numpy(np.log(weights / weights.sum()), like=like)
        self._weigh(xp.reshape(xp.take(log_weights, flat), shape))
        return xp.astype(xp.reshape(xp.take(from_numpy(points, like=like), flat), shape), like.dtype)

    def geometric(self, p: Array) -> Array:
        """Return numbers of trials: each of 1..terms for every unit."""
        if self.terms is None:
            raise ValueError(
                "a geometric is drawn: say how many of its values to enumerate, expect(..., terms=)"
            )
        xp = array_namespace(p)
        _require(xp.all((p > 0) & (p <= 1)), "probabilities in (0, 1]")
        failures = self._digits(self.terms, p.shape, like=p)
        q = xp.astype(p, xp.float64)
        log_miss = xp.where(failures == 0, xp.zeros_like(q), _log(1 - q))  # 0 log 0 := 0 at p = 1
        self._weigh(xp.astype(failures, xp.float64) * log_miss + xp.log(q))
        return failures + 1

    def permutation(self, n: int, *, like: Array) -> Array:
        """Return the orders of 0..n-1, each of the n!; only for a function without rows."""
        if self.n is not None:
            raise ValueError(
                "a permutation mixes the rows, so it cannot be enumerated row by row: "
                "pass no rows to expect, then the function is called once for each of the orders"
            )
        xp, left, order = array_namespace(like), list(range(n)), []
        for radix in range(n, 0, -1):
            order.append(left.pop(int(self._digits(radix, (1,), like=like)[0])))
            self._weigh(xp.full((1,), -math.log(radix), dtype=xp.float64, device=device(like)))
        return xp.asarray(order, dtype=xp.int64, device=device(like))

    def check_used_up(self) -> None:
        """Raise ValueError where fewer draws were made than planned."""
        if self.plan is not None and len(self.asked) < len(self.plan):
            raise ValueError(
                f"{_DEPENDS}: {len(self.plan)} draws were counted, then {len(self.asked)} were made"
            )

    def _digits(self, radix: int, shape: tuple[int, ...], *, like: Array) -> Array:
        """Return this draw's part of each replica's outcome, as digits of base ``radix``."""
        xp, dev, shape = array_namespace(like), device(like), tuple(shape)
        if self.n is None:
            units = math.prod(shape)
        else:
            replicas = self.n * len(self.outcomes)
            if not shape or shape[0] != replicas:
                raise ValueError(
                    f"a draw under enumeration must have the {replicas} replicated rows as its first axis, "
                    f"got shape {shape}; if rows are mixed before drawing, pass no rows to expect"
                )
            units = math.prod(shape[1:])
        self.asked.append((radix, units))
        if self.plan is None:
            return xp.zeros(shape, dtype=xp.int64, device=dev)
        counted = self.plan[len(self.asked) - 1] if len(self.asked) <= len(self.plan) else "nothing"
        if counted != (radix, units):
            raise ValueError(
                f"{_DEPENDS}: draw {len(self.asked)} was counted as {counted}, "
                f"then {(radix, units)} was asked for (radix, units for one row)"
            )
        self._period //= radix**units
        outcome = xp.arange(self.outcomes.start, self.outcomes.stop, dtype=xp.int64, device=dev)
        place = xp.asarray(
            [self._period * radix**u for u in reversed(range(units))], dtype=xp.int64, device=dev
        )
        digits = (outcome[:, None] // place[None, :]) % radix
        return xp.reshape(xp.broadcast_to(digits, (self.n or 1, *digits.shape)), shape)

    def _weigh(self, log_p: Array) -> None:
        """Multiply each replica's weight by the probabilities of its units."""
        xp = array_namespace(log_p)
        if self.plan is None:
            return
        if self.n is None:
            self.log_weight = self.log_weight + float(xp.sum(log_p))
        else:
            units = self.asked[-1][1]
            rows = xp.reshape(log_p, (self.n, len(self.outcomes), units))
            self.log_weight = self.log_weight + xp.sum(rows, axis=-1)


_DEPENDS = "what is drawn must not depend on outcomes"


def _states(plan: Sequence[tuple[int, int]]) -> int:
    return math.prod(radix**units for radix, units in plan)


def _refuse_too_many(
    n: int | None, R: int, plan: Sequence[tuple[int, int]], rows: Sequence[Array], limit: int | None
) -> None:
    most = limit if limit is not None else MAX_CALLS if n is None else MAX_REPLICAS
    total = R * (n or 1)
    if total <= most:
        return
    units = sum(units for _, units in plan)
    width = units + sum(math.prod(row.shape[1:]) for row in rows)
    what = f"{_count(R)} outcomes"
    what += ", each a call" if n is None else f" for each of {n} rows, {_count(8 * total * width)} bytes"
    raise ValueError(
        f"too much to enumerate: {units} random units ({math.log2(R):.1f} bits) make {what}; "
        f"the limit is {most:,} {'calls' if n is None else 'replicated rows'}"
    )


def _count(n: int) -> str:
    return f"{n:,}" if n < 10**15 else f"10^{math.log10(n):.1f}"


def _require(condition: Array, wanted: str) -> None:
    if not bool(condition):
        raise ValueError(f"a draw under enumeration must be given {wanted}")


def _log(p: Array) -> Array:
    """Return log p, minus infinity at zero without a warning."""
    xp = array_namespace(p)
    log_p = xp.log(xp.where(p > 0, p, xp.ones_like(p)))
    return xp.where(p > 0, log_p, xp.full_like(p, -float("inf")))


def _common_length(rows: Sequence[Array]) -> int | None:
    if not rows:
        return None
    array_namespace(*rows)
    lengths = {row.shape[0] if row.ndim else 0 for row in rows}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(
            f"rows must share their first length, at least 1, got {[tuple(r.shape) for r in rows]}"
        )
    return int(lengths.pop())


def _replicate(row: Array, R: int) -> Array:
    xp = array_namespace(row)
    n, *rest = row.shape
    return xp.reshape(xp.broadcast_to(row[:, None, ...], (n, R, *rest)), (n * R, *rest))


def _stack(results: Sequence[Any]) -> Any:
    """Stack equal structures of arrays along a new first axis."""
    first = results[0]
    if isinstance(first, dict):
        return {key: _stack([result[key] for result in results]) for key in first}
    if isinstance(first, (tuple, list)):
        parts = [_stack(part) for part in zip(*results, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if array_api_compat.is_array_api_obj(first):
        return array_namespace(first).stack(list(results))
    return np.asarray(results) if isinstance(first, (bool, int, float)) else list(results)


def _first_array(values: Any) -> Array | None:
    if array_api_compat.is_array_api_obj(values):
        return values
    parts = (
        values.values() if isinstance(values, dict) else values if isinstance(values, (tuple, list)) else ()
    )
    return next((a for a in map(_first_array, parts) if a is not None), None)
