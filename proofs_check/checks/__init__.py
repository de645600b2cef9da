"""The checks: every module of this package, and of ``experiments``, registers some."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Collection
from functools import cache
from importlib import resources

from .. import check as registry
from .. import experiments, ledger
from ..check import Check


def load_checks(statements: Collection[str] | None = None) -> dict[str, Check]:
    """Return the checks of ``statements``, or all, by name, in the order of the statements.

    Only the modules that name one of them are imported: a check names its statements where it stands, each
    in double quotes.

    Raises: KeyError where, of all checks, one names a statement that the ledger does not hold.
    """
    for room in (sys.modules[__name__], experiments):
        for module in pkgutil.iter_modules(room.__path__):
            if statements is None or not _named_in(room.__name__, module.name).isdisjoint(statements):
                importlib.import_module(f"{room.__name__}.{module.name}")
    order = {name: place for place, name in enumerate(ledger.load() if statements is None else statements)}

    def place(check: Check) -> tuple[int, str]:
        return min(order[name] for name in check.statements if name in order), check.run.__module__

    for check in registry.REGISTRY.values() if statements is None else ():
        unknown = [name for name in check.statements if name not in order]
        if unknown:
            raise KeyError(f"check {check.name} names statements that are not in the ledger: {unknown}")
    checks = [check for check in registry.REGISTRY.values() if not order.keys().isdisjoint(check.statements)]
    return {check.name: check for check in sorted(checks, key=place)}


@cache
def _named_in(room: str, module: str) -> frozenset[str]:
    """Return the statements that the text of a module names."""
    text = resources.files(room).joinpath(f"{module}.py").read_text("utf-8")
    return frozenset(re.findall(rf'"((?:{"|".join(ledger.DOCUMENTS)})\.[^"\s]+)"', text))
