"""What a check asks its quantities of: the reference by default, or somebody else's code.

``impl.free_energy(theta, v)`` is a value, ``impl.law("cd_update", theta, v, k=1)`` the exact law of what a
sampler returns, every outcome with its probability, for our code and for foreign code alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..backends.enumerating import Outcomes, expect
from ..reference.trees import tree_map


class Law(Outcomes):
    """Every outcome of a sampler with its probability."""

    def __init__(self, outcomes: Outcomes) -> None:
        super().__init__(outcomes.values, outcomes.log_weight)

    def mean(self, f: Callable[[Any], Any] = lambda values: values, *, bound: float | None = None) -> Any:
        """Return the exact mean of f, an array or a tree of arrays with a row for each outcome.

        ``bound`` is the largest size of f: where foreign code can only be run, not enumerated, its mean is an
        estimate, whose ``radius`` (of a confidence interval) comparisons allow for.
        """
        return tree_map(lambda part: super(Law, self).mean(lambda _: part), f(self.values))


class Foreign:
    """A quantity of somebody else's code: called, it is a value; its law is found otherwise than ours."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value, in exact expectation over what is drawn in secret."""
        raise NotImplementedError

    def law(self, *args: Any, **kwargs: Any) -> Any:
        """Return what has the ``mean`` of a ``Law``."""
        raise NotImplementedError


class NotOffered(LookupError):  # noqa: N818
    """The implementation does not offer a quantity that a check needs."""


class Implementation:
    """The quantities that a check may call, by name; the reference's by default.

    ``Implementation.of(module, ...)`` offers the public functions of modules, as they stand when they are
    called: while a mistake is made, it is the mistake that answers.
    """

    def __init__(self, quantities: Mapping[str, Callable[..., Any]]) -> None:
        self._quantities = dict(quantities)
        self._used: set[str] = set()

    @classmethod
    def of(cls, *modules: ModuleType) -> Implementation:
        """Offer every public function that the modules define."""
        offered: dict[str, Any] = {}
        for module in modules:
            for name, thing in vars(module).items():
                if callable(thing) and not name.startswith("_") and thing.__module__ == module.__name__:
                    if name in offered and offered[name].thing is not thing:
                        raise ValueError(f"two modules offer {name!r}")
                    offered[name] = AsItStands(module, name)
        return cls(offered)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            quantity = self._quantities[name]
        except KeyError:
            raise NotOffered(name) from None
        self._used.add(name)
        return quantity.thing if isinstance(quantity, AsItStands) else quantity

    def law(self, quantity: str, *args: Any, rows: tuple[Any, ...] = (), **options: Any) -> Law:
        """Return every outcome of a sampler with its probability; ``.mean(f)`` is the exact E[f(outcome)].

        Without ``rows`` the quantity is called as it stands, ``quantity(*args, **options, rng=...)``, once
        for each joint outcome of its draws, and the outcomes are stacked.  ``rows`` (arrays of one length,
        the last positional arguments) are enumerated row by row instead, all at once: the quantity must
        then treat them independently.
        """
        function = getattr(self, quantity)
        if isinstance(function, Foreign):
            law: Law = function.law(*args, *rows, **options)
            return law
        return Law(expect(lambda *given, rng: function(*args, *given, **options, rng=rng), *rows))

    def recording(self) -> Implementation:
        """Return this implementation, with nothing used yet."""
        return type(self)(self._quantities)

    def used(self) -> tuple[str, ...]:
        """Return the names of the quantities that were asked for."""
        return tuple(sorted(self._used))

    def replace(self, **quantities: Any) -> Implementation:
        """Return this implementation with some quantities swapped.

        Raises: ValueError for a quantity that is not offered: to replace nothing proves nothing.
        """
        unknown = set(quantities) - set(self._quantities)
        if unknown:
            raise ValueError(f"not offered, so not replaceable: {', '.join(sorted(unknown))}")
        return Implementation({**self._quantities, **quantities})

    def names(self) -> tuple[str, ...]:
        """Return the names of the quantities offered."""
        return tuple(sorted(self._quantities))


class AsItStands:
    """A public function of a module, looked up when it is wanted."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self.module, self.name = module, name

    @property
    def thing(self) -> Any:
        """What the module holds under the name now."""
        return getattr(self.module, self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self.thing(*args, **kwargs)
