"""The audit itself: measure each quantity on its cases, compare with the exact values, name the mistake."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...reference.trees import leaves, rebuild
from . import layers_quantities
from .cases import Blocks, Case, Quantity, Unfit
from .engine import Finding, Report
from .protocol import Declares
from .scripted import ScriptedGenerator, Unscriptable, enumerate_runs

FAMILIES = (layers_quantities.LATENT, layers_quantities.NETS, layers_quantities.CODERS)
TABLE = {name: quantity for family in FAMILIES for name, quantity in family.items()}
RUNS = 3000
"""Runs of a statistical comparison, where the randomness cannot be enumerated."""
ERROR = 1e-11
"""Probability that a right quantity fails on one case by chance: all cases together stay below 1e-9."""
ROUNDING = {"float64": 1e-10, "float32": 2e-5}


@dataclass(frozen=True)
class Measured:
    """What an implementation gave on a case: expectations by block, or why there are none."""

    blocks: Blocks = field(default_factory=dict)
    radius: Blocks = field(default_factory=dict)  # of the confidence intervals; empty where exact
    instead: tuple[str, str, str] | None = None  # where what was wanted, and what came or was raised instead
    raised: bool = False
    unmeasured: str = ""


def audit_quantity(adapter: Any, quantity: Quantity, report: Report, *, trained_on: str = "") -> None:
    """Add to the report what is found of one quantity on its cases."""
    declares = adapter.declares
    name = quantity.name + (" at trained parameters" if trained_on else "")
    again = f"exactgen audit {report.target}{report.flags} --only {quantity.name}"
    again += f" --train {trained_on}" if trained_on else ""
    cases = [case for case in quantity.cases if _asked(adapter, case)]
    results = {case: measure(adapter, quantity, case) for case in cases}
    unmeasured = [m.unmeasured for m in results.values() if m.unmeasured]
    results = {case: m for case, m in results.items() if not m.unmeasured}
    if not results:
        report.not_covered[name] = unmeasured[0]
        return
    if unmeasured:
        report.notes.append(f"{name}: {len(unmeasured)} cases not covered ({unmeasured[0]})")
    if any(m.radius for m in results.values()):
        report.statistical.append(name)
    if quantity.offset:
        given, results = results, _without_offset(quantity, results, declares)
        if results is not given and declares.free_energy_offset == "no":
            report.notes.append(f"{name} differs from the exact one by a constant: a convention, accepted")
    wrong = [case for case, m in results.items() if not right(quantity, case, m, declares)]
    if not wrong:
        report.right.append(name)
    overflown = [case for case in wrong if _overflows(results[case], exact(quantity.name, case, declares))]
    others = [case for case in wrong if case not in overflown]
    finite = {case: m for case, m in results.items() if case not in overflown}
    for some, diagnosis in (
        (overflown, OVERFLOW),
        (others, _diagnose(quantity, finite, others, declares) if others else None),
    ):
        if some and diagnosis:
            case, measured = some[0], results[some[0]]
            entry, expected, actual = measured.instead or _worst(quantity, measured, case, declares)
            found = Finding(
                *diagnosis[:2],
                quantity=name,
                statements=(),
                case=case.name,
                entry=entry or name,
                expected=expected,
                actual=actual,
                given=_as_given(case, declares),
                exactness="statistical" if measured.radius else "exact",
                reproduce=again,
                alternatives=diagnosis.alternatives,
            )
            report.findings.append(found)


def _asked(adapter: Any, case: Case) -> bool:
    """Return whether the case lies within what the implementation declares that it can do."""
    if case.single and not getattr(adapter, "single_precision", False):
        return False
    return all(getattr(adapter.declares, name) == value for name, value in case.when.items())


# --- measuring


def measure(adapter: Any, quantity: Quantity, case: Case) -> Measured:
    """Return what the adapter gives on a case, in exact expectation over its randomness where possible."""

    def run() -> Blocks:
        adapter.batch_size = case.batch_size
        adapter.restart()
        return _calls(adapter, quantity, case, ScriptedGenerator())

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            try:
                return Measured(_expectation(enumerate_runs(run)))
            except Unscriptable as limit:
                return _sampled(adapter, quantity, case, str(limit))
        except Unfit as unfit:
            return Measured(instead=("", unfit.wanted, unfit.got))
        except (Exception, SystemExit) as error:
            return Measured(instead=("", "a value", _last_line(error)), raised=True)
        except KeyboardInterrupt as stop:  # somebody waits: for what?
            stop.add_note(f"{quantity.name}, case {case.name}")
            raise


def _calls(adapter: Any, quantity: Quantity, case: Case, rng: Any) -> Blocks:
    first = quantity.call(adapter, case, rng)
    if case.calls == 1:
        return first
    second = quantity.call(adapter, case, rng)
    return {"mean product of two calls": np.outer(_flat(first), _flat(second))}


def _flat(blocks: Blocks) -> Any:
    return np.concatenate([np.ravel(x) for name, x in blocks.items() if name != "rows, units"])


def _expectation(outcomes: Sequence[tuple[float, Blocks]]) -> Blocks:
    shapes = {tuple((name, np.shape(x)) for name, x in blocks.items()) for _, blocks in outcomes}
    if len(shapes) > 1:
        raise ValueError(f"shapes differ from draw to draw: {shapes}")
    return {name: sum(w * np.asarray(blocks[name]) for w, blocks in outcomes) for name in outcomes[0][1]}


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def _sampled(adapter: Any, quantity: Quantity, case: Case, why: str) -> Measured:
    """Return means of many runs, with empirical-Bernstein intervals (Maurer and Pontil, 2009)."""
    if quantity.bound is None:
        return Measured(unmeasured=f"{why}; and without a bound on the values there is no interval")
    rng = np.random.default_rng(0)
    kept = np.random.get_state()  # noqa: NPY002 (the audited code may draw from it)
    np.random.seed(0)  # noqa: NPY002
    adapter.batch_size = case.batch_size
    adapter.restart()
    try:
        samples = [_calls(adapter, quantity, case, rng) for _ in range(RUNS)]
    finally:
        np.random.set_state(kept)  # noqa: NPY002
    scale = len(case.given["v"]) if adapter.declares.reduction == "sum" and "v" in case.given else 1
    span = 2 * quantity.bound * scale**case.calls
    entries = sum(np.size(x) for x in samples[0].values())
    log_term = np.log(4 * entries / ERROR)
    blocks, radius = {}, {}
    for name in samples[0]:
        x = np.stack([np.asarray(sample[name], dtype=float) for sample in samples])
        blocks[name] = x.mean(axis=0)
        radius[name] = np.sqrt(2 * x.var(axis=0, ddof=1) * log_term / RUNS)
        radius[name] += 7 * span * log_term / (3 * (RUNS - 1))
    return Measured(blocks, radius)


# --- comparing


@cache
def exact(quantity: str, case: Case, declares: Declares) -> Blocks:
    """Return the exact values of a quantity on a case."""
    double = rebuild(case.theta, (x.astype(np.float64) for x in leaves(case.theta)))
    given = {name: x.astype(np.float64) if isinstance(x, np.ndarray) else x for name, x in case.given.items()}
    blocks = TABLE[quantity].exact(replace(case, theta=double, given=given), declares)
    if case.calls == 1:
        return blocks
    return {"mean product of two calls": np.outer(_flat(blocks), _flat(blocks))}


def right(quantity: Quantity, case: Case, measured: Measured, declares: Declares) -> bool:
    """Return whether what was measured is exact, to rounding or within its interval."""
    return _agree(measured, Measured(exact(quantity.name, case, declares)), case, declares)


def _agree(actual: Measured, expected: Measured, case: Case, declares: Declares) -> bool:
    if actual.raised or expected.raised:
        return actual.raised and expected.raised
    if actual.instead or actual.blocks.keys() != expected.blocks.keys():
        return False
    return all(
        np.shape(a) == np.shape(expected.blocks[name])
        and bool(np.all(_close(a, expected.blocks[name], actual.radius.get(name, 0.0), case, declares)))
        for name, a in actual.blocks.items()
    )


def _close(actual: Any, expected: Any, radius: Any, case: Case, declares: Declares) -> Any:
    a, e = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    dtype = "float32" if case.single else declares.dtype
    slack = ROUNDING[dtype] * (1 + np.abs(e)) + 64 * np.finfo(dtype).eps * case.magnitude
    with np.errstate(invalid="ignore"):
        return (a == e) | (np.isnan(a) & np.isnan(e)) | (np.abs(a - e) <= slack + radius)


def _overflows(measured: Measured, expected: Blocks) -> bool:
    """Return whether a block of the right shape is not finite."""
    return any(
        block in expected and np.shape(x) == np.shape(expected[block]) and not np.all(np.isfinite(x))
        for block, x in measured.blocks.items()
    )


def _without_offset(
    quantity: Quantity, results: dict[Case, Measured], declares: Declares
) -> dict[Case, Measured]:
    """Return the results less a constant in each case, where that and only that makes them right."""
    moved = {}
    for case, measured in results.items():
        e, a = exact(quantity.name, case, declares)[""], np.asarray(measured.blocks.get("", np.nan))
        if a.shape != e.shape or not np.all(np.isfinite(a)):
            return results
        moved[case] = Measured({"": a - (a - e)[0]})

    def good(some: dict[Case, Measured]) -> bool:
        return all(right(quantity, case, measured, declares) for case, measured in some.items())

    return moved if good(moved) and not good(results) else results


# --- naming


@cache
def _predicted(mistake: Any, quantity: str, case: Case, declares: Declares) -> Measured:
    return _applied(measure(mistake(declares), TABLE[quantity], case), case)


def _applied(measured: Measured, case: Case) -> Measured:
    """Return an update as it arrives in the parameters: of a wrong shape, it is spread or it raises."""
    blocks = dict(measured.blocks)
    for name, parameter in case.theta._asdict().items():
        if name in blocks and np.shape(blocks[name]) != parameter.shape:
            try:
                blocks[name] = np.broadcast_to(blocks[name], parameter.shape)
            except ValueError as error:
                return Measured(instead=("", "a value", str(error)), raised=True)
    return replace(measured, blocks=blocks)


class Diagnosis(NamedTuple):
    """The name of a mistake, what it is in words, and other names that these cases cannot tell from it."""

    name: str
    words: str
    alternatives: tuple[str, ...] = ()


OVERFLOW = Diagnosis("overflow", "The value overflows: infinity or NaN where the exact value is finite.")


def _diagnose(
    quantity: Quantity, results: dict[Case, Measured], wrong: Sequence[Case], declares: Declares
) -> Diagnosis:
    """Return the mistake whose values agree with those measured on every case, or what else can be said."""
    order = [*wrong, *(case for case in results if case not in set(wrong))]
    applied = {case: _applied(measured, case) for case, measured in results.items()}

    def alike(mistake: Any, case: Case) -> bool:
        return _agree(applied[case], _predicted(mistake, quantity.name, case, declares), case, declares)

    matches = [kind for kind in quantity.mistakes if all(alike(kind, case) for case in order)]
    if matches:
        first, *others = dict.fromkeys(kind.__name__ for kind in matches)
        return Diagnosis(first, matches[0].__doc__, tuple(others))
    measured, expected = results[wrong[0]], exact(quantity.name, wrong[0], declares)
    if measured.instead and all(results[case].raised for case in wrong):
        return Diagnosis("raises", f"The code raises: {measured.instead[2]}")
    single = declares.but(dtype="float32")
    if all(_agree(results[c], Measured(exact(quantity.name, c, declares)), c, single) for c in wrong):
        words = "The values are right to single precision only (if meant: declare dtype=float32)."
        return Diagnosis("single-precision", words)
    misshapen = any(np.shape(x) != np.shape(expected.get(b, ())) for b, x in measured.blocks.items())
    if misshapen or (measured.instead and not measured.raised):
        return Diagnosis("shape", "The result has another shape, or is of another kind, than the quantity.")
    return Diagnosis("unrecognised", "The values are wrong, in a way that is not in the catalogue.")


def _worst(
    quantity: Quantity, measured: Measured, case: Case, declares: Declares
) -> tuple[str, float | str, float | str]:
    """Return the first entry that is wrong, what is exact there, and what was measured."""
    for name, e in exact(quantity.name, case, declares).items():
        a = measured.blocks.get(name)
        if a is None or np.shape(a) != np.shape(e):
            label = f"shape of {name}".removesuffix(" of ")
            return label, str(np.shape(e)), "absent" if a is None else str(np.shape(a))
        good = np.atleast_1d(_close(a, e, measured.radius.get(name, 0.0), case, declares))
        if not np.all(good):
            index = np.unravel_index(int(np.argmin(good)), good.shape)
            label = f"{name}[{', '.join(map(str, index))}]"
            return label, float(np.atleast_1d(e)[index]), float(np.atleast_1d(a)[index])
    raise AssertionError("nothing disagrees")


def _as_given(case: Case, declares: Declares) -> dict[str, Any]:
    unused = "v chains" if declares.chain == "hidden" else "h chains"
    used = {name: x for name, x in case.given.items() if name != unused}
    given = {name: _as_lists(x) for name, x in {**case.theta._asdict(), **used}.items()}
    return {**given, "batch size": case.batch_size, "calls": case.calls}


def _as_lists(x: Any) -> Any:
    """Return arrays as lists, and NamedTuples of them by field."""
    if hasattr(x, "_asdict"):
        return {name: _as_lists(part) for name, part in x._asdict().items()}
    return [_as_lists(part) for part in x] if isinstance(x, tuple) else np.asarray(x).tolist()
