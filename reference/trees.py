"""Arithmetic of parameters: trees (NamedTuples and tuples, nested) with arrays as leaves.

A gradient is a tree of its parameters' form, so ``add(theta, scale(rate, gradient))`` is a step along it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..backends.arrays import Array

Tree = TypeVar("Tree")


def add(a: Tree, b: Tree) -> Tree:
    """Return a + b, leaf by leaf.   Raises: ValueError where their forms or the shapes of leaves differ."""
    return tree_map(lambda x, y: x + y, a, b)


def difference(a: Tree, b: Tree) -> Tree:
    """Return a - b, leaf by leaf.   Raises: ValueError where their forms or the shapes of leaves differ."""
    return tree_map(lambda x, y: x - y, a, b)


def scale(factor: Any, tree: Tree) -> Tree:
    """Return ``factor`` times each leaf; ``factor`` is a number, or an array of shape ()."""
    return tree_map(lambda x: factor * x, tree)


def tree_map(f: Callable[..., Any], tree: Tree, *others: Any) -> Tree:
    """Return the tree of ``f(leaf, ...)`` of the leaves that stand at one place of all the trees.

    Raises: ValueError where the forms of the trees, or the shapes of such leaves, differ, naming the place.
    """
    for other in others:
        _check_alike(tree, other, type(tree).__name__)
    return rebuild(tree, map(f, leaves(tree), *map(leaves, others)))


def leaves(tree: Any) -> Iterator[Array]:
    """Yield the arrays of a NamedTuple (or nested tuples) in order."""
    if isinstance(tree, tuple):
        for part in tree:
            yield from leaves(part)
    else:
        yield tree


def rebuild(tree: Tree, arrays: Iterable[Any]) -> Tree:
    """Return a tuple of the form of ``tree`` with the next of ``arrays`` for each of its own."""
    made: Tree = _rebuild(tree, iter(arrays))
    return made


def _rebuild(tree: Any, arrays: Iterator[Any]) -> Any:
    if not isinstance(tree, tuple):
        return next(arrays)
    parts = [_rebuild(part, arrays) for part in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)


def _check_alike(a: Any, b: Any, place: str) -> None:
    if not (isinstance(a, tuple) or isinstance(b, tuple)):
        forms = [tuple(getattr(x, "shape", ())) for x in (a, b)]
        if forms[0] != forms[1]:
            raise ValueError(f"trees must have leaves of one shape, got {forms[0]} and {forms[1]} at {place}")
        return
    if type(a) is not type(b) or len(a) != len(b):
        raise ValueError(f"trees must have one form, got {_form(a)} and {_form(b)} at {place}")
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        _check_alike(x, y, f"{place}.{a._fields[k]}" if hasattr(a, "_fields") else f"{place}[{k}]")


def _form(tree: Any) -> str:
    return f"{type(tree).__name__} of {len(tree)}" if isinstance(tree, tuple) else type(tree).__name__
