r"""The one catalogue of mistakes: each is a name, words, and the pieces of the reference that it replaces.

It gives checks their teeth (``rejects=`` of a check) and an audit its names: the mistake under which the
reference answers as the foreign code did.

    mistake(
        "hidden-of-the-data: The negative phase pairs the chain's v with the hidden means of the data.",
        {contrastive._contrast: lambda right, rows, h_data, h_model: right(rows, h_data, h_data)},
    )

While a mistake is made, every module and class of ``reference`` (and of ``data``, ``reproduce``) that holds
the right piece holds the wrong one, which gets the right one as its first argument; value checks of arguments
are off, where foreign code goes on with a "probability" of 3.  A piece is a function that is looked up when
it is called: what a constant, a default or a ``partial`` bound at import stays right.

A mistake in drawing asks the stream for bits, as the reference does: teeth hand it the enumerating stream, an
audit the decision tree (``audit.scripted.TreeStream``), on which what is drawn may depend on outcomes.
Numbers that serve twice are ``uniforms.Uniforms``.

Mistakes stand in a file per model, ``mistakes/<model>.py``; a file's *family* is the part of its name before
the first underscore.  A name may have variants, told apart in brackets: ``"missing-sigmoid (on the way up
only): ..."``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...reference.contracts import unchecked_values

_PACKAGE = __name__.rpartition(".proofs_check")[0]
_ROOMS = tuple(f"{_PACKAGE}.{room}" for room in ("reference", "data", "proofs_check.reproduce"))

Wrong: TypeAlias = Callable[..., Any]
"""What stands in for a piece: called with the right piece, then with the arguments."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """One deliberate mistake in the reference."""

    name: str
    variant: str  # what tells it from others of its name, or empty
    words: str
    family: str
    pieces: Mapping[Callable[..., Any], Wrong]

    @property
    def label(self) -> str:
        """The name, with the variant in brackets where there is one."""
        return f"{self.name} ({self.variant})" if self.variant else self.name

    @contextmanager
    def made(self) -> Iterator[None]:
        """Within, the reference makes this mistake.  Not for threads: modules are changed."""
        with ExitStack() as undo:
            undo.enter_context(unchecked_values())
            for right, wrong in self.pieces.items():
                instead = _instead(right, wrong)
                for owner, name in _places(right):
                    undo.callback(setattr, owner, name, right)
                    setattr(owner, name, instead)
            yield


CATALOGUE: list[Mistake] = []
"""All mistakes, in the order of their files and, within a file, from the specific to the general."""


def mistake(title: str, *pieces: Mapping[Callable[..., Any], Wrong]) -> Mistake:
    """Add a mistake to the catalogue: "name: words" or "name (variant): words", and what it replaces.

    Raises: ValueError where the title is not of that form, the name and variant are taken in this family, a
    piece is replaced twice, or no module of ``reference`` holds it.
    """
    head, colon, words = title.partition(": ")
    name, _, variant = head.partition(" (")
    variant = variant.removesuffix(")")
    if not (colon and words and name and " " not in name):
        raise ValueError(f"'name: words' or 'name (variant): words' is wanted, got {title!r}")
    family = family_of(sys._getframe(1).f_globals["__name__"])
    if any((m.name, m.variant, m.family) == (name, variant, family) for m in CATALOGUE):
        raise ValueError(f"two mistakes in {family} are called {head!r}")
    replaced = [piece for some in pieces for piece in some]
    if not replaced or len(set(replaced)) < len(replaced):
        raise ValueError(f"mistake {head!r} replaces no piece, or one twice")
    for piece in replaced:
        if not _places(piece):
            raise ValueError(f"mistake {head!r}: no module of the reference holds {piece}")
    made = Mistake(name, variant, words, family, {k: v for some in pieces for k, v in some.items()})
    CATALOGUE.append(made)
    return made


def family_of(module: str) -> str:
    """Return the family that a module of mistakes or of checks belongs to; all experiments are one."""
    room, _, file = module.rpartition(".")
    return "experiments" if room.endswith(".experiments") else file.partition("_")[0]


def called(label: str, *, family: str) -> tuple[Mistake, ...]:
    """Return the mistakes of this name (all variants), or of this name and variant; "family:" may precede.

    Raises: KeyError where there is none.
    """
    wanted = label
    if ":" in label:
        family, label = label.split(":", 1)
    load(family)
    found = tuple(m for m in CATALOGUE if m.family == family and label in (m.name, m.label))
    if not found:
        near = ", ".join(dict.fromkeys(m.name for m in CATALOGUE if m.family == family))
        raise KeyError(f"no mistake {wanted!r} in the family {family}; it has {near or 'none'}")
    return found


def load(family: str = "") -> list[Mistake]:
    """Return the mistakes of a family, or all, having imported the files that hold them."""
    for module in pkgutil.iter_modules(__path__):
        if family in ("", family_of(module.name)):
            importlib.import_module(f"{__name__}.{module.name}")
    return [m for m in CATALOGUE if family in ("", m.family)]


def _places(piece: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Return the modules and classes of the reference that hold this very piece, and its name there."""
    modules = [m for name, m in list(sys.modules.items()) if name.startswith(_ROOMS)]
    size = (len(modules), sum(len(vars(m)) for m in modules))
    if _index.get("size") != size:  # what is imported later may hold it too
        owners = [*modules, *(c for m in modules for c in vars(m).values() if _own_class(m, c))]
        places: dict[int, list[tuple[Any, str]]] = {}
        for owner in owners:
            for name, thing in list(vars(owner).items()):
                if callable(thing):
                    places.setdefault(id(thing), []).append((owner, name))
        _index.update(size=size, places=places)
    return [
        (owner, name) for owner, name in _index["places"].get(id(piece), ()) if vars(owner)[name] is piece
    ]


_index: dict[str, Any] = {}
"""Where the reference holds what; looked up once for all mistakes."""


def _own_class(module: Any, thing: Any) -> bool:
    return isinstance(thing, type) and thing.__module__ == module.__name__


def _instead(right: Callable[..., Any], wrong: Wrong) -> Callable[..., Any]:
    @functools.wraps(right)
    def instead(*args: Any, **kwargs: Any) -> Any:
        return wrong(right, *args, **kwargs)

    return instead
