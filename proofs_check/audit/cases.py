"""What every family of models shares: a case, a quantity, and a catalogue of named mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...reference.trees import leaves
from .protocol import Declares

Array = Any
Blocks = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """One model and the arguments of one call."""

    name: str
    theta: Any  # a NamedTuple of arrays, nested or not
    given: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 1
    single: bool = False  # arrays of single precision, for code that computes in whatever it is given
    when: dict[str, str] = field(default_factory=dict)  # asked only of code that declares this
    calls: int = 1  # two: the same call twice in a row, whose draws are to be independent

    @property
    def magnitude(self) -> float:
        """Return how large the terms are that are added up."""
        return 1.0 + float(sum(np.abs(x).sum() for x in leaves(self.theta)))


class Catalogue(list[Any]):
    """All named mistakes of a family, the specific before the general: its right machine, one piece wrong.

    A mistake's name is the name of its class, and its docstring is what a finding says.
    """

    def __init__(self, right: type) -> None:
        super().__init__()
        self.right = right

    def add(self, title: str, **pieces: Any) -> None:
        """Add the mistake that these pieces make of the right machine, by "name: words"."""
        name, words = title.split(": ", 1)
        self.append(type(name, (self.right,), {"__doc__": words, **pieces}))

    def scaled(self, factor: Callable[..., float], *names: str) -> dict[str, Any]:
        """Return the pieces that are wrong by a factor, which may depend on the arguments."""

        def times(name: str) -> Any:
            return lambda machine, *args, **kwargs: (
                factor(*args) * getattr(self.right(machine.declares), name)(*args, **kwargs)
            )

        return {name: times(name) for name in names}


@dataclass(frozen=True)
class Quantity:
    """One quantity, and what is exact of it."""

    name: str
    call: Callable[[Any, Case, Any], Blocks]  # of an adapter, a case and a generator
    exact: Callable[[Case, Declares], Blocks]
    cases: tuple[Case, ...]
    bound: float | None = None  # entries of the right quantity lie in [-bound, bound]; None: not bounded
    offset: bool = False  # a constant by which all values differ is a convention
    mistakes: Sequence[Any] = ()  # those of its family


def table(mistakes: Catalogue, *quantities: Quantity) -> dict[str, Quantity]:
    """Return the quantities of a family by name."""
    return {quantity.name: replace(quantity, mistakes=mistakes) for quantity in quantities}


def value(
    name: str,
    function: Callable[..., Any],
    cases: tuple[Case, ...],
    *,
    gradient: bool = False,
    reduced: bool = False,
    spread: bool = False,
    rng: bool = False,
    offset: bool = False,
) -> Quantity:
    """Return the quantity that ``function`` of theta and of what is given (or an unbiased estimate) is.

    A gradient is built as theta is. Gradients, and what is ``reduced``, are means or sums over the rows;
    ``spread`` hands the parts of theta over one by one.
    """

    def call(adapter: Any, case: Case, stream: Any) -> Blocks:
        theta = case.theta if spread else (case.theta,)
        extra = {"rng": stream} if rng else {}
        returned = getattr(adapter, name)(*theta, *case.given.values(), **extra)
        return by_name(case.theta, returned) if gradient else {"": numbers(returned)}

    def exact(case: Case, declares: Declares) -> Blocks:
        mean = function(case.theta, *case.given.values())
        blocks = by_name(case.theta, mean) if gradient else {"": numbers(mean)}
        return in_all(blocks, case, declares) if gradient or reduced else blocks

    return Quantity(name, call, exact, cases, offset=offset)


def in_all(blocks: Blocks, case: Case, declares: Declares) -> Blocks:
    """Return means over the rows (v, or x) as they are declared to be, means or sums."""
    scale = len(next(iter(case.given.values()))) if declares.reduction == "sum" else 1
    return {name: scale * x for name, x in blocks.items()}


class Unfit(Exception):  # noqa: N818 (it says of what came back that it does not fit)
    """What an implementation returned is not of the kind that the quantity is."""

    def __init__(self, wanted: str, got: str) -> None:
        super().__init__(wanted, got)
        self.wanted, self.got = wanted, got


def numbers(x: Any, name: str = "") -> Array:
    """Return double precision, of an array, a tensor or a list.

    Raises: Unfit where these are not real numbers.
    """
    wanted = f"real numbers as {name}" if name else "real numbers"
    try:
        array = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
    except ValueError as ragged:
        raise Unfit(wanted, f"{type(x).__name__}: {ragged}") from None
    if array.dtype.kind not in "biuf":
        raise Unfit(wanted, f"{array.dtype} numbers" if array.dtype.kind == "c" else type(x).__name__)
    return array.astype(np.float64)


def by_name(theta: Any, update: Any, name: str = "") -> Blocks:
    """Return the arrays of an update of ``theta`` by where they stand in it: "W", "inference[0].b".

    Raises: Unfit where the update is not built as ``theta`` is.
    """
    if not isinstance(theta, tuple):
        return {name: numbers(update, name)}
    if not isinstance(update, (tuple, list)) or len(update) != len(theta):
        length = f" of {len(update)}" if isinstance(update, (tuple, list)) else ""
        raise Unfit(f"{form(theta)}{' as ' if name else ''}{name}", f"{type(update).__name__}{length}")
    names = getattr(theta, "_fields", None)
    at = [f"{name}.{n}".lstrip(".") for n in names] if names else [f"{name}[{k}]" for k in range(len(theta))]
    blocks = (by_name(*pair, at[k]) for k, pair in enumerate(zip(theta, update, strict=True)))
    return {path: array for block in blocks for path, array in block.items()}


def form(theta: Any) -> str:
    """Return how parameters are built: "RBM(W (3, 2), b (3,), c (2,))"."""
    if not isinstance(theta, tuple):
        return str(theta.shape)
    if not hasattr(theta, "_fields"):
        return f"({', '.join(map(form, theta))},)"
    parts = (f"{name} {form(part)}" for name, part in zip(theta._fields, theta, strict=True))
    return f"{type(theta).__name__}({', '.join(parts)})"
