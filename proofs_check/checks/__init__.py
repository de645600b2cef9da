"""The checks: every module of this package registers some."""

from __future__ import annotations

import importlib
import pkgutil

from .. import check as registry
from .. import ledger
from ..check import Check


def load_checks() -> dict[str, Check]:
    """Return all checks by name, having imported every module of this package.

    Raises: KeyError where a check names a statement that the ledger does not hold.
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    known = ledger.load()
    for check in registry.REGISTRY.values():
        unknown = [statement for statement in check.statements if statement not in known]
        if unknown:
            raise KeyError(f"check {check.name} names statements that are not in the ledger: {unknown}")
    return dict(registry.REGISTRY)
