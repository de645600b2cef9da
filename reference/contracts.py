r'''Contracts: shapes, dtypes and domains of arguments, declared once, in signatures.

How to declare
    class RBM(NamedTuple):
        """Parameters of a binary restricted Boltzmann machine; a gradient is an RBM too."""

        W: Real[Array, "V H"]  # couplings
        b: Real[Array, "V"]  # visible biases
        c: Real[Array, "H"]  # hidden biases

    @checked
    def energy(theta: RBM, v: Bits[Array, "n V"], h: Bits[Array, "n H"]) -> Real[Array, "n"]:
        """Return ...      Exactness: exact."""

Of arrays: ``Bits`` (0 or 1), ``Prob`` ([0, 1]), ``Law`` (sums to one along its last axis), ``Real`` (finite),
    ``Numbers`` (not NaN), ``LogWeights`` (below infinity), ``NotNegative``, ``Positive``, ``Floats`` (any
    floating numbers), ``Indices`` (``Indices[Array, "N", "X"]``: integers in 0..X-1), ``Raw`` (any array).
    ``Law[Array, "X n", 0]`` sums to one along axis 0, ``Law[Array, "*S", None]`` over all axes.
Shapes: ``"n V"`` names lengths, at least 1 (``K?`` may be 0); a name means one length in all arguments and
    their fields.  ``""`` is 0-d, ``3`` is 3, ``_`` any length, ``2**H`` or ``K+1`` computed, ``...`` any
    lengths, ``*S`` any lengths of one name, ``*#S`` lengths that broadcast.
Trees: ``Tree[tuple, "theta"]`` is taken apart as its NamedTuples declare, whatever they are; arrays beside
    them are finite.  A type variable means its bound.
Of others: ``Count[int, 1]`` (an integer of at least 1, and a length of the argument's name),
    ``Number[float, "[0, inf)"]`` (an interval), ``Choice[str, "mean", "sample"]`` or ``Literal``; all of it
    also ``| None``, in ``Sequence[...]``, in tuples, for ``*arguments``, and in unions of NamedTuples.
NamedTuples declare their fields; those that hold arrays are taken apart: ``theta.W``.  Each in a sequence has
    lengths of its own; so has ``Own[RBM, "top_"]``, whose V is ``top_V`` outside.  What fields must satisfy
    together (a symmetric matrix), a method ``relation(name)`` checks.  What else no declaration can say is
    one explicit check in the body, perhaps by ``conform``.  Plain annotations (``int``, ``Rng``) say nothing.

What it does
    Only the outermost call checks: inside a checked function all others are called as if they were not.  A
    function that is given functions (a ``Callable``, perhaps in a field, or objects of a class that says
    ``__called_back__``) calls them as if from outside.
    All floating arrays have one dtype, that of the first; all arrays one backend and device.
    ``with unchecked_values():`` leaves out what needs values: then JAX's ``jit``, ``grad`` and ``vmap`` and
    ``torch.func`` run through.  ``contract(energy)`` gives the declaration; the docstring's Shapes line is
    made of it.

Why a module of our own: jaxtyping with beartype and with typeguard were tried on two functions of an RBM.
    beartype took 74 microseconds a call and twice that where one checked function calls another: there is no
    outermost call.  Fields of a NamedTuple it did not look into: a bias of a wrong length fell through to
    ``matmul``, and [[0.5]] passed for bits; what it refused, it named by argument and shape, without value or
    index.  typeguard could not compile a shape in an annotation.  Both take one array type (NumPy's), where
    any backend is wanted and a mixture of two is not.  Bits, laws, indices, counts, one dtype a call, values
    left out when tracing would all be code of ours on top of two dependencies.
'''

from __future__ import annotations

import functools
import inspect
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from numbers import Real as RealNumber
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, TypeVar

from ..backends.arrays import Array, Namespace, array_namespace, is_array

P = ParamSpec("P")
R = TypeVar("R")

__all__ = [
    "Bits",
    "Choice",
    "Contract",
    "Count",
    "Floats",
    "Indices",
    "Law",
    "LogWeights",
    "NotNegative",
    "Number",
    "Numbers",
    "Own",
    "Positive",
    "Prob",
    "Raw",
    "Real",
    "Tree",
    "checked",
    "conform",
    "contract",
    "unchecked_values",
]

_inside: ContextVar[bool] = ContextVar("inside", default=False)  # a checked function
_values: ContextVar[bool] = ContextVar("values", default=True)  # are looked at


# --- what is declared ------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """What the entries of an array must be."""

    name: str
    words: str  # in the Shapes line
    dtype: str | None  # its kind, as the standard names it
    wanted: str = ""
    good: Callable[[Namespace, Array], Array] | None = None


FLOATING = "real floating"
KINDS = [
    Kind("Raw", "", None),
    Kind("Floats", "", FLOATING),
    Kind("Numbers", "", FLOATING, "numbers", lambda xp, x: x == x),  # infinities are values here
    Kind("Real", "", FLOATING, "finite numbers", lambda xp, x: xp.isfinite(x)),
    Kind(
        "Bits",
        "binary",
        FLOATING,
        "zeros and ones only (sample or threshold grey levels first)",
        lambda xp, x: (x == 0) | (x == 1),
    ),
    Kind("Prob", "in [0, 1]", FLOATING, "probabilities in [0, 1]", lambda xp, x: (x >= 0) & (x <= 1)),
    # An entry of a law may exceed one by rounding: the sum bounds it.
    Kind("Law", "summing to one", FLOATING, "probabilities, none negative", lambda xp, x: x >= 0),
    Kind(
        "NotNegative", "", FLOATING, "finite numbers, none negative", lambda xp, x: (x >= 0) & xp.isfinite(x)
    ),
    Kind("Positive", "positive", FLOATING, "positive finite numbers", lambda xp, x: (x > 0) & xp.isfinite(x)),
    Kind(
        "LogWeights", "", FLOATING, "finite numbers or minus infinity", lambda xp, x: x < float("inf")
    ),  # of zero
    Kind("Indices", "indices", "integral"),
]


class _Said(NamedTuple):
    """What stands in the brackets of a declaration."""

    kind: Any
    about: tuple[Any, ...]


class _Maker:
    """``kind[type, ...]`` is the annotated type."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def __getitem__(self, item: tuple[Any, ...]) -> Any:
        return typing.Annotated[item[0], _Said(self.kind, tuple(item[1:]))]


if TYPE_CHECKING:
    from typing import Annotated as Bits
    from typing import Annotated as Choice
    from typing import Annotated as Count
    from typing import Annotated as Floats
    from typing import Annotated as Indices
    from typing import Annotated as Law
    from typing import Annotated as LogWeights
    from typing import Annotated as NotNegative
    from typing import Annotated as Number
    from typing import Annotated as Numbers
    from typing import Annotated as Own
    from typing import Annotated as Positive
    from typing import Annotated as Prob
    from typing import Annotated as Raw
    from typing import Annotated as Real
    from typing import Annotated as Tree
else:
    globals().update({kind.name: _Maker(kind) for kind in KINDS})
    Choice, Count, Number, Own, Tree = map(_Maker, ("Choice", "Count", "Number", "Own", "Tree"))


class Declared:
    """What is declared of an argument, of a field or of a result; this class: nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def accepts(self, value: Any) -> bool:
        """Return whether the value is of this sort at all: which member of a union is meant."""
        return True

    def visit(self, value: Any, call: Call) -> None:
        """Raise where the value alone is wrong, and hand its arrays to the call."""

    def parts(self) -> Iterator[Declared]:
        """Yield what it is made of."""
        yield from ()

    def words(self) -> str:
        """Return what the Shapes line says of it: nothing where there is nothing to say."""
        return ""

    def walk(self) -> Iterator[Declared]:
        """Yield it and all that it is made of."""
        yield self
        for part in self.parts():
            yield from part.walk()


class Arrays(Declared):
    """An array of some kind and shape."""

    def __init__(self, name: str, kind: Kind, shape: str, *about: Any, prefix: str = "") -> None:
        super().__init__(name)
        self.kind, self.shape, self.about, self.prefix = kind, shape, about, prefix
        self.tokens = [_token(text, prefix) for text in shape.split()]
        self.open = next((i for i, token in enumerate(self.tokens) if token.sort in _OPEN), None)
        self.computed = any(token.sort == "computed" for token in self.tokens)
        self.below = _token(str(about[0]), prefix) if kind.name == "Indices" else None
        self.axis = (about[0] if about else -1) if kind.name == "Law" else -1

    def accepts(self, value: Any) -> bool:
        return is_array(value)

    def visit(self, value: Any, call: Call) -> None:
        if not is_array(value):
            raise TypeError(f"{self.name} must be an array, got {type(value).__name__}")
        call.arrays.append((self, value))

    def words(self) -> str:
        lengths = [token.text for token in self.tokens]
        lengths = ["..." if text.startswith("*") else text for text in lengths]
        shape = (
            "0-d" if not lengths else f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"
        )
        below = f" below {self.below.text}" if self.below else ""
        return f"{shape.replace('(...,)', '(...)')} {self.kind.words}{below}".strip().replace("**", "^")

    def bind(self, x: Array, lengths: dict[str, Any]) -> None:
        """Raise unless the lengths that have a name, or are fixed, fit; name those that are new."""
        shape, tokens = x.shape, self.tokens
        if self.open is not None:
            after = len(tokens) - self.open - 1
            if len(shape) < len(tokens) - 1:
                raise self.misshapen(x, lengths)
            middle = tuple(shape[self.open : len(shape) - after])
            shape = (*shape[: self.open], *shape[len(shape) - after :])
            tokens = [*tokens[: self.open], *tokens[self.open + 1 :]]
            token = self.tokens[self.open]
            if token.sort == "broadcast":
                lengths.setdefault(token.key, []).append((self.name, middle))
            elif token.sort == "many" and lengths.setdefault(token.key, middle) != middle:
                raise self.misshapen(x, lengths)
        elif len(shape) != len(tokens):
            raise self.misshapen(x, lengths)
        new: dict[str, int] = {}
        for token, n in zip(tokens, shape, strict=True):
            if token.sort == "name":
                known = lengths.get(token.key)
                if known is None:
                    known = new.setdefault(token.key, n)
                if n != known or n < token.least:
                    raise self.misshapen(x, lengths, new)
            elif (token.sort == "fixed" and n != token.value) or n < 1:
                raise self.misshapen(x, lengths, new)
        if new:
            lengths.update(new)

    def compute(self, x: Array, lengths: dict[str, Any]) -> None:
        """Raise unless the lengths that are computed from others fit."""
        texts = self.tokens if self.open is None else self.tokens[: self.open]
        pairs = list(zip(texts, x.shape, strict=False))
        if self.open is not None:
            pairs += zip(self.tokens[: self.open : -1], x.shape[::-1], strict=False)
        if any(token.sort == "computed" and token.length(lengths) not in (n, None) for token, n in pairs):
            raise self.misshapen(x, lengths)

    def misshapen(
        self, x: Array, lengths: dict[str, Any], new: Mapping[str, int] = types.MappingProxyType({})
    ) -> ValueError:
        """Return the error that says which shape is wanted; a new name that stands twice is known."""
        keys = [token.key for token in self.tokens]
        known = {**lengths, **{key: n for key, n in new.items() if keys.count(key) > 1}}
        wanted = ", ".join(text for token in self.tokens if (text := token.wanted(known)))
        return ValueError(f"{self.name} must have shape ({wanted}), got {tuple(x.shape)}")

    def check_values(self, xp: Namespace, x: Array, lengths: dict[str, Any]) -> None:
        """Raise unless every entry is of the kind."""
        kind = self.kind
        if self.below is not None:
            count = self.below.length(lengths)
            if count is not None:
                self._require(xp, x, (x >= 0) & (x < count), f"indices in 0..{count - 1}")
        elif kind.good is not None:
            self._require(xp, x, kind.good(xp, x), kind.wanted)
        if kind.name == "Law":  # to half its digits: normalised exponentials carry the rounding of exponents
            excess = xp.abs((xp.sum(x) if self.axis is None else xp.sum(x, axis=self.axis)) - 1)
            if bool(xp.any(excess > float(xp.finfo(x.dtype).eps) ** 0.5)):
                along = "over all axes" if self.axis is None else f"along axis {self.axis}"
                worst = float(xp.max(excess))
                raise ValueError(f"{self.name} must sum to one {along}, the largest deviation is {worst:.3g}")

    def _require(self, xp: Namespace, x: Array, good: Array, wanted: str) -> None:
        if bool(good.all() if hasattr(good, "all") else xp.all(good)):  # the method takes half the time
            return
        first = int(xp.argmin(xp.astype(xp.reshape(good, (-1,)), xp.int8)))
        value = float(xp.reshape(x, (-1,))[first])
        index: list[int] = []
        for length in reversed(x.shape):
            first, i = divmod(first, length)
            index.insert(0, i)
        raise ValueError(f"{self.name} must hold {wanted}, got {value!r} at index {index}")


class Whole(Declared):
    """An integer of at least ``least``."""

    def __init__(self, name: str, least: int) -> None:
        super().__init__(name)
        self.least = least

    def visit(self, value: Any, call: Call) -> None:
        if isinstance(value, bool) or not isinstance(value, Integral) or value < self.least:
            raise ValueError(f"{self.name} must be an integer of at least {self.least}, got {value!r}")
        call.lengths[self.name] = value


class Interval(Declared):
    """A number between two others: ``[0, 1)``."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name)
        self.text = text
        self.low, self.high = (float(bound) for bound in text[1:-1].split(","))
        self.closed = text[0] == "[", text[-1] == "]"

    def holds(self, value: Any) -> bool:
        """Return whether the number lies in the interval."""
        above = self.low <= value if self.closed[0] else self.low < value
        return bool(above and (value <= self.high if self.closed[1] else value < self.high))

    def visit(self, value: Any, call: Call) -> None:
        if not isinstance(value, RealNumber):
            if _values.get():  # a traced number is an array
                raise TypeError(f"{self.name} must be a number, got {type(value).__name__}")
        elif _values.get() and not self.holds(value):
            raise ValueError(f"{self.name} must be a number {self.wanted()}, got {value!r}")

    def wanted(self) -> str:
        """Return the interval in words."""
        if self.closed == (True, True) and self.high < math.inf:
            return f"in {self.text}"
        low = f"{'at least' if self.closed[0] else 'above'} {self.low:g}"
        if self.high == math.inf:
            return low if self.closed[1] else f"{low} and finite"
        return f"{low} and {'at most' if self.closed[1] else 'below'} {self.high:g}"


class OneOf(Declared):
    """One of some words."""

    def __init__(self, name: str, choices: tuple[Any, ...]) -> None:
        super().__init__(name)
        self.choices = choices

    def visit(self, value: Any, call: Call) -> None:
        if value not in self.choices:
            wanted = ", ".join(map(repr, self.choices))
            raise ValueError(f"{self.name} must be one of {wanted}, got {value!r}")


class Function(Declared):
    """A function of the caller's."""

    def accepts(self, value: Any) -> bool:
        return callable(value)


class Record(Declared):
    """A NamedTuple, field by field."""

    def __init__(self, name: str, cls: type, prefix: str) -> None:
        super().__init__(name)
        self.cls = cls
        hints = _hints(cls)
        fields = {field: _declared(hints.get(field), f"{name}.{field}", prefix) for field in cls._fields}  # type: ignore[attr-defined]
        self.fields = fields
        self.said = [
            (field, part) for field, part in fields.items() if type(part) not in (Declared, Function)
        ]
        self.related = hasattr(cls, "relation")

    def accepts(self, value: Any) -> bool:
        return isinstance(value, self.cls)

    def visit(self, value: Any, call: Call) -> None:
        if not isinstance(value, self.cls):
            raise TypeError(f"{self.name} must be of type {self.cls.__name__}, got {type(value).__name__}")
        for field, part in self.said:
            part.visit(getattr(value, field), call)
        if self.related:
            call.related.append((value, self.name))

    def parts(self) -> Iterator[Declared]:
        yield from self.fields.values()

    def words(self) -> str:
        return self.cls.__name__


class Many(Declared):
    """A sequence of things of one declaration."""

    def __init__(self, name: str, each: Any, prefix: str, least: int = 0) -> None:
        super().__init__(name)
        self.make = functools.cache(
            lambda i: _declared(
                each, f"{name}[{i}]", f"{prefix}{name}[{i}]." if _holds_record(each) else prefix
            )
        )

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Sequence)

    def visit(self, value: Any, call: Call) -> None:
        if is_array(value) or not isinstance(value, Sequence) or isinstance(value, str):
            raise TypeError(f"{self.name} must be a sequence, got {type(value).__name__}")
        for i, part in enumerate(value):
            self.make(i).visit(part, call)

    def parts(self) -> Iterator[Declared]:
        yield self.make(0)

    def words(self) -> str:
        each = self.make(0).words()
        return f"each {each}" if each else ""


class Together(Declared):
    """A tuple of things of their own declarations each."""

    def __init__(self, name: str, each: Sequence[Any], prefix: str) -> None:
        super().__init__(name)
        self.each = [_declared(hint, f"{name}[{i}]", prefix) for i, hint in enumerate(each)]

    def accepts(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def visit(self, value: Any, call: Call) -> None:
        if not isinstance(value, tuple) or len(value) != len(self.each):
            raise TypeError(f"{self.name} must be a tuple of {len(self.each)}, got {type(value).__name__}")
        for part, thing in zip(self.each, value, strict=True):
            part.visit(thing, call)

    def parts(self) -> Iterator[Declared]:
        yield from self.each

    def words(self) -> str:
        return ", ".join(words for part in self.each if (words := part.words()))


class Branches(Declared):
    """A tree of whatever NamedTuples, each taken apart as it declares; other leaves are finite arrays."""

    def visit(self, value: Any, call: Call) -> None:
        if _is_record(type(value)):
            _declared(type(value), self.name, f"{self.name}.").visit(value, call)
        elif isinstance(value, tuple):
            for i, part in enumerate(value):
                Branches(f"{self.name}[{i}]").visit(part, call)
        else:
            _declared(Real[Array, "..."], self.name).visit(value, call)


class Either(Declared):
    """One of several declarations; None may be one of them."""

    def __init__(self, name: str, options: Sequence[Any], prefix: str) -> None:
        super().__init__(name)
        self.optional = type(None) in options
        made = [_declared(option, name, prefix) for option in options if option is not type(None)]
        self.options = sorted(made, key=lambda option: type(option) is Declared)

    def accepts(self, value: Any) -> bool:
        return (value is None and self.optional) or any(option.accepts(value) for option in self.options)

    def visit(self, value: Any, call: Call) -> None:
        if value is None and self.optional:
            return
        for option in self.options:
            if option.accepts(value) or len(self.options) == 1:
                option.visit(value, call)
                return
        wanted = " or ".join(option.words() or type(option).__name__ for option in self.options)
        raise TypeError(f"{self.name} must be {wanted}, got {type(value).__name__}")

    def parts(self) -> Iterator[Declared]:
        yield from self.options

    def words(self) -> str:
        return " or ".join(words for option in self.options if (words := option.words()))


def _declared(hint: Any, name: str, prefix: str = "") -> Declared:
    """Return what a type annotation declares."""
    hint = getattr(hint, "__bound__", None) or hint  # of a type variable
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        plain, *said = typing.get_args(hint)
        kind, about = next((word for word in said if isinstance(word, _Said)), _Said(None, ()))
        if isinstance(kind, Kind):
            return Arrays(name, kind, *about, prefix=prefix)
        if kind == "Tree":
            return Branches(name)
        if kind == "Own":
            return _declared(plain, name, prefix + about[0])
        if kind is not None:
            return (
                {"Count": Whole, "Number": Interval}[kind](name, *about)
                if kind != "Choice"
                else OneOf(name, about)
            )
        hint, origin = plain, typing.get_origin(plain)
    if origin is Literal:
        return OneOf(name, typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        return Either(name, typing.get_args(hint), prefix)
    each = typing.get_args(hint)
    if origin is Callable or getattr(hint, "__called_back__", False):
        return Function(name)
    if origin in (Sequence, list) or (origin is tuple and each[1:] == (...,)):
        return Many(name, each[0], prefix)
    if origin is tuple:
        return Together(name, each, prefix)
    return Record(name, hint, prefix) if _is_record(hint) else Declared(name)


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def _holds_record(hint: Any) -> bool:
    """Return whether it declares a record, or a choice of several."""
    return _is_record(hint) or (
        typing.get_origin(hint) in (typing.Union, types.UnionType)
        and any(map(_is_record, typing.get_args(hint)))
    )


@functools.cache
def _hints(thing: Any) -> dict[str, Any]:
    """Return the annotations of a function or class, evaluated."""
    names = vars(sys.modules[thing.__module__])
    return {name: _evaluated(hint, names) for name, hint in thing.__annotations__.items()}


def _evaluated(hint: Any, names: dict[str, Any]) -> Any:
    text = hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else hint
    if not isinstance(text, str):
        return hint
    try:
        return _evaluated(eval(text, names), names)
    except NameError:  # an alias of types that are imported for mypy alone, such as Rng
        if "Array" in text:
            raise
        return None


# --- lengths ---------------------------------------------------------------------------------------------

_OPEN = ("any", "many", "broadcast")


class _Token(NamedTuple):
    """A length, or several, in a shape."""

    text: str
    sort: str  # fixed, name, computed, anonymous, any, many, broadcast
    key: str = ""
    value: Any = None  # the number, or the compiled expression
    prefix: str = ""
    least: int = 1

    def length(self, lengths: Mapping[str, Any]) -> Any:
        """Return the length, or None where that is not known."""
        if self.sort == "fixed":
            return self.value
        if self.sort == "computed":
            scope = _Scope(lengths, self.prefix)
            try:
                return eval(self.value, {"__builtins__": {}, "min": min, "max": max}, scope)
            except NameError:
                return None  # of an argument that is not given
        return lengths.get(self.key) if self.sort in ("name", "many") else None

    def wanted(self, lengths: Mapping[str, Any]) -> str:
        """Return what an error says of it."""
        length = self.length(lengths)
        if length is None:
            wanted = {"name": f"{self.text} >= {self.least}", "anonymous": "n >= 1"}
            return wanted.get(self.sort, self.text)
        if isinstance(length, tuple):
            return ", ".join(map(str, length))
        return str(length) if length < 2**62 else self.text


class _Scope(dict[str, Any]):
    """The names of lengths as they are called in one record."""

    def __init__(self, lengths: Mapping[str, Any], prefix: str) -> None:
        self.lengths, self.prefix = lengths, prefix

    def __missing__(self, name: str) -> Any:
        return self.lengths[self.prefix + name]


@functools.cache
def _token(text: str, prefix: str) -> _Token:
    if text == "...":
        return _Token(text, "any")
    if text.startswith("*#"):
        return _Token(text, "broadcast", f"{prefix}{text}")
    if text.startswith("*"):
        return _Token(text, "many", f"{prefix}{text}")
    if text == "_":
        return _Token(text, "anonymous")
    if text.isdigit():
        return _Token(text, "fixed", value=int(text))
    if text.rstrip("?").isidentifier():
        name = text.rstrip("?")
        return _Token(name, "name", f"{prefix}{name}", least=int(name == text))
    return _Token(text, "computed", value=compile(text, "<a length>", "eval"), prefix=prefix)


class Call:
    """The arrays of one call, and what the names of lengths mean in it."""

    def __init__(self) -> None:
        self.lengths: dict[str, Any] = {}
        self.arrays: list[tuple[Arrays, Array]] = []
        self.related: list[tuple[Any, str]] = []

    def settle(self) -> None:
        """Raise where an array does not suit its declaration, or the others."""
        if self.arrays:
            xp = self._namespace()
            for said, x in self.arrays:
                said.bind(x, self.lengths)
            for said, x in self.arrays:
                if said.computed:
                    said.compute(x, self.lengths)
            self._check_broadcast()
            self._check_dtypes(xp)
            if _values.get():
                for said, x in self.arrays:
                    said.check_values(xp, x, self.lengths)
        if _values.get():
            for value, name in self.related:
                value.relation(name)

    def _namespace(self) -> Namespace:
        try:
            return array_namespace(*(x for _, x in self.arrays))
        except ValueError as problem:
            said, first = self.arrays[0]
            for other, x in self.arrays:
                try:
                    array_namespace(first, x)
                except ValueError:
                    raise ValueError(f"{other.name} must be where {said.name} is: {problem}") from None
            raise

    def _check_dtypes(self, xp: Namespace) -> None:
        like: tuple[Arrays, Array] | None = None
        for said, x in self.arrays:
            if said.kind.dtype is None:
                continue
            if not _is_dtype(xp, x.dtype, said.kind.dtype):
                kind = "be a real floating-point array" if said.kind.dtype == FLOATING else "hold integers"
                convert = "; convert it first" if said.kind.dtype == FLOATING else ""
                raise ValueError(f"{said.name} must {kind}, got dtype {x.dtype}{convert}")
            if said.kind.dtype == FLOATING:
                like = like or (said, x)
                if x.dtype != like[1].dtype:
                    whose = "the parameters" if "." in like[0].name else like[0].name
                    raise ValueError(
                        f"{said.name} must have the dtype of {whose}, {like[1].dtype}, got {x.dtype}"
                    )

    def _check_broadcast(self) -> None:
        for key, found in self.lengths.items():
            if isinstance(found, list):
                names, shapes = [name for name, _ in found], [shape for _, shape in found]
                longest = max(map(len, shapes))
                columns = zip(*((1,) * (longest - len(shape)) + shape for shape in shapes), strict=True)
                if key and any(len(set(lengths) - {1}) > 1 for lengths in columns):
                    raise ValueError(f"{', '.join(names)} must have shapes that broadcast, got {shapes}")


@functools.cache
def _is_dtype(xp: Namespace, dtype: object, kind: str) -> bool:
    return bool(xp.isdtype(dtype, kind))  # to ask takes longer than to add a thousand numbers


# --- functions -------------------------------------------------------------------------------------------


class Contract:
    """The declaration of a function: ``arguments`` by name, ``returns``, and the ``shapes`` in words."""

    def __init__(self, function: Callable[..., Any]) -> None:
        hints, signature = _hints(function), inspect.signature(function)
        self.function, self.parameters = function, signature.parameters
        self.arguments: dict[str, Declared] = {}
        for name, parameter in self.parameters.items():
            hint = hints.get(name)
            if parameter.kind is parameter.VAR_POSITIONAL:
                hint = tuple[hint, ...]  # type: ignore[valid-type]
            self.arguments[name] = _declared(hint, name)
        self.returns = _declared(hints.get("return"), "the result")
        self.calls_back = any(
            isinstance(part, Function) for said in self.arguments.values() for part in said.walk()
        )
        self._positional = [
            name
            for name, p in self.parameters.items()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        self._rest = next((n for n, p in self.parameters.items() if p.kind is p.VAR_POSITIONAL), None)
        self._said = {n: said for n, said in self.arguments.items() if type(said) not in (Declared, Function)}

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Raise where arguments are not as declared; what is missing or too many is Python's to say."""
        call, given = Call(), dict(zip(self._positional, args, strict=False))
        if self._rest is not None:
            given[self._rest] = args[len(self._positional) :]
        given.update(kwargs)
        for name, said in self._said.items():
            if name in given:
                said.visit(given[name], call)
        call.settle()
        return call

    def check_result(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Raise where the result of a call is not as declared."""
        call = self.check(args, kwargs)
        call.related.clear()
        self.returns.visit(result, call)
        call.settle()

    @property
    def shapes(self) -> str:
        """What the docstring says: ``v (n, V) binary, h (n, H) binary -> (n,)``."""
        said: list[tuple[str, str]] = [
            (name, part.words())
            for name, part in self.arguments.items()
            if not isinstance(_bare(part), Record) and part.words()
        ]
        texts: list[str] = []
        for i, (name, words) in enumerate(said):
            same = i + 1 < len(said) and said[i + 1][1] == words
            texts.append(name if same else f"{name} {words}")
        result = self.returns.words()
        if not result:
            return ", ".join(texts)
        return f"{', '.join(texts)} -> {result}".strip()


def _bare(said: Declared) -> Declared:
    if isinstance(said, Either) and len(said.options) == 1:
        return said.options[0]
    return said


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function that checks its arguments against its signature, where it is the outermost call."""
    declared = Contract(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if _inside.get():
            return function(*args, **kwargs)
        token = _inside.set(True)
        try:
            declared.check(args, kwargs)
            return function(*args, **kwargs)
        finally:
            _inside.reset(token)

    @functools.wraps(function)
    def call_back(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _inside.get():
            declared.check(args, kwargs)
            return function(*args, **kwargs)
        token = _inside.set(False)
        try:
            return function(*args, **kwargs)
        finally:
            _inside.reset(token)

    made = call_back if declared.calls_back else call
    made.__doc__ = _documented(function.__doc__ or "", declared.shapes)
    made.__contract__ = declared  # type: ignore[attr-defined]
    return made


def conform(*said: tuple[str, Any, Any], **lengths: int) -> None:
    """Raise where a value is not as declared: (name, declaration, value), lengths shared, some known.

    For the body of a function whose signature cannot say it: a declaration that depends on an argument.
    """
    call = Call()
    call.lengths.update(lengths)
    for name, hint, value in said:
        _declared(hint, name).visit(value, call)
    call.settle()


def contract(function: Callable[..., Any]) -> Contract:
    """Return the declaration of a checked function.   Raises: TypeError where the function is none."""
    declared = getattr(function, "__contract__", None)
    if not isinstance(declared, Contract):
        raise TypeError(f"{getattr(function, '__qualname__', function)} declares no contract")
    return declared


@contextmanager
def unchecked_values() -> Iterator[None]:
    """Leave out, within, every check that looks at values: shapes and dtypes are still checked.

    For tracing (``jax.jit``, ``grad``, ``vmap``, ``torch.func``), and where values are known to be right.
    """
    token = _values.set(False)
    try:
        yield
    finally:
        _values.reset(token)


def _documented(text: str, shapes: str) -> str:
    """Return the docstring with its Shapes line: before the first of the others, else at the end."""
    if not shapes or "Shapes:" in text:
        return text
    line = f"Shapes: {shapes}."
    found = re.search(r"^( *)(?=(?:Exactness|Cost|Raises):)", text, re.MULTILINE)
    if found:
        return f"{text[: found.start()]}{found[1]}{line}\n{text[found.start() :]}"
    body = text.rstrip()
    indent = "    " if "\n" in text else ""
    return f"{body}\n\n    {line}\n{indent}"
