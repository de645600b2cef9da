"""Quantities that somebody else's code may offer, each with the check that it is what the oracle says.

    @quantity("BA.eq5", cases=..., expected=oracle.mean_hidden, rejects=("doubled-input",))
    def mean_hidden(theta: RBM, v: Array) -> Array:
        "p(h_j = 1 | v), (n, H)"
        return rbm.mean_hidden(theta, v)

The function is the reference's answer, its signature and first line are the protocol of adapters, and a check
``mean_hidden_as_offered`` is registered.  What an argument without a default is, an adapter is given;
keyword-only ones by their names, ``rng`` where the quantity draws.  Conventions have a default: code is asked
for the value that it declares.

Besides, code may offer any function of the reference under its own name that a check asks for: ``implied``.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, NamedTuple, TypeVar

from . import check as checks
from .comparing import agree
from .evidence import EXACTLY
from .implementation import AsItStands, Implementation

F = TypeVar("F", bound=Callable[..., Any])


class Ask(NamedTuple):
    """A case of a quantity: the arguments of one call."""

    name: str  # in words
    given: dict[str, Any]  # arguments by name, conventions among them


@dataclass(frozen=True, eq=False)
class Quantity:
    """What code may offer under a name."""

    name: str
    group: str  # the file that holds it: what offers one of its quantities is asked for all
    function: Callable[..., Any]  # the reference's answer
    checks: tuple[str, ...]  # that ask for it
    over_rows: bool = False  # a mean over the rows of data (a sum, if declared)
    offset: bool = False  # a constant by which all values differ is a convention

    @property
    def words(self) -> str:
        """What it returns, in words."""
        return inspect.cleandoc(self.function.__doc__ or "").partition("\n")[0].rstrip(".")

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its arguments by name."""
        return inspect.signature(self.function).parameters

    @property
    def draws(self) -> bool:
        """Whether it takes a source of randomness."""
        return "rng" in self.parameters

    @property
    def asked(self) -> list[str]:
        """The names of the arguments that an adapter is given."""
        return [name for name, p in self.parameters.items() if p.default is p.empty]

    def split(self, given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """Return the positional arguments, those by keyword, and the conventions of a call."""
        positional, keywords, conventions = [], {}, {}
        for name, p in self.parameters.items():
            if name in CONVENTIONS:
                conventions[name] = given.get(name, p.default)
            elif name in given:
                if p.kind is p.KEYWORD_ONLY:
                    keywords[name] = given[name]
                else:
                    positional.append(given[name])
        return positional, keywords, conventions


CONVENTIONS = ("negative_visible", "chain", "tied_weights")
"""Arguments that say what is a matter of choice: an adapter declares them, and is not given them."""
QUANTITIES: dict[str, Quantity] = {}
Observe = Callable[..., Any]


def value(impl: Implementation, name: str, **given: Any) -> Any:
    """The value, or the mean of an unbiased estimate."""
    return getattr(impl, name)(**given)


def mean_of(f: Callable[..., Any], *, bound: float | None = None, by_case: bool = False) -> Observe:
    """Return what observes the exact mean of f of what is drawn; with ``by_case``, of f(**arguments)."""

    def observe(impl: Implementation, name: str, **given: Any) -> Any:
        mean = impl.law(name, **given).mean(f(**given) if by_case else f, bound=bound)
        return first(mean)

    return observe


def first(tree: Any) -> Any:
    """Return the only row of every array of a tree."""
    if isinstance(tree, tuple):
        parts = [first(part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree[0]


def quantity(
    *statements: str,
    cases: Sequence[Ask],
    expected: Callable[..., Any],
    rejects: Sequence[str],
    observe: Observe = value,
    over_rows: bool = False,
    offset: bool = False,
) -> Callable[[F], F]:
    """Register the decorated function as a quantity, and the check of it.

    ``expected`` of the arguments is what ``observe`` of an implementation and the arguments must be.
    """

    def register(function: F) -> F:
        name = function.__name__
        if name in QUANTITIES:
            raise ValueError(f"two quantities are called {name}")

        def run(impl: Implementation, ask: Ask) -> None:
            agree(observe(impl, name, **ask.given), expected(**ask.given), name, of=statements, **SLACK)

        run.__name__, run.__module__ = f"{name}_as_offered", function.__module__
        run.__doc__ = (
            f"What {name} gives is what the oracle's tables give, at ordinary cases and awkward ones."
        )
        QUANTITIES[name] = Quantity(
            name, function.__module__.rpartition(".")[2], function, (run.__name__,), over_rows, offset
        )
        offered = Implementation({name: AsItStands(sys.modules[function.__module__], name)})
        checks.check(*statements, of=offered, cases=list(cases), evidence=EXACTLY, rejects=rejects)(run)
        return function

    return register


SLACK: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}
"""What naive code may lose to cancellation: tables of exponents cost the difference of their logarithms."""


def load() -> dict[str, Quantity]:
    """Return all quantities by name, having imported the files of checks that declare some."""
    for stem, text in _texts():
        if "\n@quantity(" in text:
            _import(stem)
    return QUANTITIES


def implied(names: Iterable[str]) -> dict[str, Quantity]:
    """Return those of these names under which checks ask for a function of the reference, as quantities."""
    wanted, found = set(names) - set(load()), {}
    for stem, text in _texts():
        if wanted & set(_asked_for(text)):
            _import(stem)
    for name in sorted(wanted):
        asking = [
            check
            for check in checks.REGISTRY.values()
            if name in check.implementation.names() and name in _asked_for(inspect.getsource(check.run))
        ]
        if asking:
            function = getattr(asking[0].implementation, name)
            group = function.__module__.rpartition(".")[2]
            found[name] = Quantity(name, group, function, tuple(check.name for check in asking))
    return found


def asked_for() -> list[str]:
    """Return the names of all functions that checks ask for."""
    return sorted({name for _, text in _texts() for name in _asked_for(text)} - set(load()))


def _asked_for(text: str) -> list[str]:
    found = re.findall(r"""\bimpl\.(?:law\(\s*"(\w+)"|(?!law\b)(\w+)\()""", text)
    return [by_law or called for by_law, called in found]


def _texts() -> Iterator[tuple[str, str]]:
    from . import checks as room

    for file in sorted(resources.files(room).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            yield file.name.removesuffix(".py"), file.read_text("utf-8")


def _import(stem: str) -> None:
    importlib.import_module(f"{__package__}.checks.{stem}")
