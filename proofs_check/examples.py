"""Arguments made of a declaration: a valid example of each, and every way to spoil one.

What a contract says is enough to call most functions; ``given`` says the rest (a ladder of temperatures, a
net whose layers chain), by the names of arguments.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..backends.arrays import is_array, to_numpy
from ..reference.contracts import (
    Arrays,
    Call,
    Declared,
    Either,
    Interval,
    Many,
    OneOf,
    Record,
    Together,
    Whole,
    contract,
)

Arguments = dict[str, Any]
NOTHING = object()

LENGTHS = {"V": 3, "H": 2, "n": 5, "m": 4, "N": 5, "X": 3}
"""The lengths of an example; other names get 2, 3, 4, 2, ... in order."""


class Maker:
    """Makes values of declarations; a name of a length means one length throughout."""

    def __init__(self, draw: np.random.Generator, known: Mapping[type, Any]) -> None:
        self.draw, self.known = draw, known
        self.lengths: dict[str, Any] = dict(LENGTHS)

    def take(self, said: Declared, value: Any) -> Any:
        """Return the value as it stands; its lengths are those of what is made."""
        call = Call()
        said.visit(value, call)
        call.settle()
        self.lengths.update({key: n for key, n in call.lengths.items() if isinstance(n, int)})
        return value

    def value(self, said: Declared) -> Any:
        """Return a value of this declaration, or ``NOTHING`` where it says too little."""
        if isinstance(said, Arrays):
            return self._array(said)
        if isinstance(said, Whole):
            return int(self.lengths.setdefault(said.name, max(said.least, 2)))
        if isinstance(said, Interval):
            return (said.low + said.high) / 2 if said.high < math.inf else said.low + 0.5
        if isinstance(said, OneOf):
            return said.choices[0]
        if isinstance(said, Record):
            if said.cls in self.known:
                return self.take(said, self.known[said.cls])
            fields = {field: self.value(part) for field, part in said.fields.items()}
            return NOTHING if NOTHING in list(map(_plain, fields.values())) else said.cls(**fields)
        if isinstance(said, Many):
            parts = [self.value(said.make(i)) for i in range(2)]
        elif isinstance(said, Together):
            parts = [self.value(part) for part in said.each]
        elif isinstance(said, Either):
            made = [value for option in said.options if (value := self.value(option)) is not NOTHING]
            return made[0] if made else NOTHING
        else:
            return NOTHING
        return NOTHING if NOTHING in list(map(_plain, parts)) else tuple(parts)

    def _array(self, said: Arrays) -> Any:
        shape: list[int] = []
        for token in said.tokens:
            if token.sort == "computed":
                shape.append(token.length(self.lengths))
            elif token.sort in ("any", "many", "broadcast"):
                shape.extend((2, 3))
            elif token.sort == "fixed":
                shape.append(token.value)
            else:
                shape.append(self._length(token.key))
        kind = said.kind.name
        if said.below is not None:
            if said.below.sort == "name":
                self._length(said.below.key)
            return self.draw.integers(0, said.below.length(self.lengths), shape)
        if kind == "Bits":
            return self.draw.integers(0, 2, shape).astype(float)
        if kind == "Law":
            p = self.draw.random(shape) + 0.1
            return p / np.sum(p, axis=said.axis, keepdims=True)
        if kind in ("Prob", "NotNegative", "Positive"):
            return self.draw.random(shape) * 0.9 + 0.05
        return self.draw.normal(size=shape)

    def _length(self, key: str) -> int:
        usual = LENGTHS.get(key.rpartition(".")[2], 2 + len(self.lengths) % 3)
        return int(self.lengths.setdefault(key, usual))


def _plain(value: Any) -> Any:
    return None if is_array(value) else value


def example(
    function: Callable[..., Any],
    given: Mapping[str, Any] | None = None,
    *,
    known: Mapping[type, Any] | None = None,
    seed: int = 20,
) -> Arguments:
    """Return arguments by name that ``function`` takes, what is ``given`` or ``known`` as it stands.

    Raises: ValueError that names the argument of which a declaration says too little to make one.
    """
    declared, given = contract(function), given or {}
    maker, arguments = Maker(np.random.default_rng(seed), known or {}), Arguments()
    for name, value in given.items():
        if name in declared.arguments:
            maker.take(declared.arguments[name], value)
    for name, parameter in declared.parameters.items():
        if name in given:
            arguments[name] = given[name]
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        value = maker.value(declared.arguments[name])
        if value is not NOTHING:
            arguments[name] = value
        elif parameter.default is inspect.Parameter.empty:
            raise ValueError(f"{function.__module__}.{function.__name__} says too little of {name}")
    return {**given, **arguments}


def called(function: Callable[..., Any], arguments: Arguments) -> Any:
    """Return the function's value; an argument declared as ``*things`` is spread out."""
    names = list(inspect.signature(function).parameters.values())
    rest = next((i for i, p in enumerate(names) if p.kind is p.VAR_POSITIONAL), None)
    if rest is None:
        return function(**arguments)
    before = [p.name for p in names[:rest]]
    named = {name: x for name, x in arguments.items() if name not in (*before, names[rest].name)}
    return function(*(arguments[name] for name in before), *arguments[names[rest].name], **named)


def spoilt(function: Callable[..., Any], arguments: Arguments) -> Iterator[tuple[str, str, Arguments]]:
    """Yield (argument as errors name it, what is wrong with it, arguments) of all that it forbids."""
    declared = contract(function)
    floating = sum(
        isinstance(part, Arrays) and part.kind.dtype == "real floating" and _at(arguments, part) is not None
        for name, value in arguments.items()
        if name in declared.arguments
        for part in _reached(declared.arguments[name], value)
    )
    for name, said in declared.arguments.items():
        if name in arguments:
            for part in _reached(said, arguments[name]):
                for how, value in _wrong(part, _at(arguments, part), floating):
                    yield part.name, how, _with(arguments, part.name, value)


def _reached(said: Declared, value: Any) -> Iterator[Declared]:
    """Yield the declarations that speak of the value and of its parts."""
    if isinstance(said, Either):
        for option in said.options:
            if value is not None and option.accepts(value):
                yield from _reached(option, value)
                return
    elif isinstance(said, Record):
        yield said
        for field, part in said.fields.items():
            yield from _reached(part, getattr(value, field))
    elif isinstance(said, (Many, Together)):
        for i, thing in enumerate(value):
            yield from _reached(said.make(i) if isinstance(said, Many) else said.each[i], thing)
    elif type(said) is not Declared and value is not None:
        yield said


def _wrong(said: Declared, value: Any, floating: int) -> Iterator[tuple[str, Any]]:
    if isinstance(said, Whole):
        yield from (
            ("too small", said.least - 1),
            ("a truth value", True),
            ("no integer", 1.5),
            ("none", None),
        )
    elif isinstance(said, Interval):
        yield from (("no number", "much"), ("not a number", math.nan))
        yield "too small", said.low - 1 if said.low > -math.inf else math.nan
        if said.high < math.inf:
            yield "too large", said.high + 1
    elif isinstance(said, OneOf):
        yield "an unknown choice", "another"
    elif isinstance(said, Record):
        yield "of another type", 3
    elif isinstance(said, Arrays):
        yield from _wrong_arrays(said, np.asarray(value), floating)


def _wrong_arrays(said: Arrays, x: Any, floating: int) -> Iterator[tuple[str, Any]]:
    yield "a list", x.tolist()
    yield "a word", "x"
    closed = said.open is None
    if closed:
        yield "an axis too many", x[None, ...]
    if closed and x.ndim:
        yield "an axis too few", x[0]
    for axis, token in enumerate(said.tokens if closed else []):
        if token.sort == "name" and token.least:
            yield f"no {token.text}", x[(slice(None),) * axis + (slice(0, 0),)]
        if token.sort in ("computed", "fixed"):
            yield f"another {token.text}", np.concatenate([x, x], axis=axis)
    kind, dtype = said.kind.name, said.kind.dtype
    if dtype == "integral":
        yield "no integers", x.astype(float)
        yield "an index too large", _first(x, 10**6)
        yield "an index below zero", _first(x, -1)
    if dtype != "real floating":
        return
    yield "whole numbers", np.abs(3 * np.nan_to_num(x)).astype("uint8")
    yield "complex numbers", x.astype(complex)
    if floating > 1:  # where it is the first, the others are of another
        yield "another precision", x.astype("float32")
    bad = {
        "Numbers": [math.nan],
        "Real": [math.nan, math.inf, -math.inf],
        "Bits": [math.nan, 2.0, 0.5],
        "Prob": [math.nan, -0.25, 1.25],
        "Law": [math.nan, -0.25, 1.25],
        "NotNegative": [math.nan, math.inf, -1.0],
        "Positive": [math.nan, math.inf, 0.0],
        "LogWeights": [math.nan, math.inf],
    }
    for value in bad.get(kind, []):
        yield f"{value}", _first(x, value)


def _first(x: Any, value: float) -> Any:
    x = x.copy()
    x[(0,) * x.ndim] = value
    return x


def _at(arguments: Arguments, said: Declared) -> Any:
    """Return what stands at ``theta.W`` or ``layers[0].b``."""
    value: Any = arguments
    for step in _steps(said.name):
        value = value[step] if not isinstance(step, str) or isinstance(value, dict) else getattr(value, step)
    return to_numpy(value) if is_array(value) else value


def _with(arguments: Arguments, place: str, value: Any) -> Arguments:
    first, *rest = _steps(place)
    return {**arguments, str(first): _replaced(arguments[str(first)], rest, value)}


def _replaced(thing: Any, steps: list[str | int], value: Any) -> Any:
    if not steps:
        return value
    first, *rest = steps
    if isinstance(first, str):
        return thing._replace(**{first: _replaced(getattr(thing, first), rest, value)})
    parts = [_replaced(part, rest, value) if i == first else part for i, part in enumerate(thing)]
    return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)


def _steps(place: str) -> list[str | int]:
    words = place.replace("[", ".").replace("]", "").split(".")
    return [int(word) if word.isdigit() else word for word in words]
