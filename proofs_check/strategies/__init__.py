"""Hypothesis strategies for models, rows, laws and seeds, a module per model.

The awkward is generated on purpose.

``from ..strategies.boltzmann import rbm_cases``; what ``..strategies`` itself is asked for is looked for in
its modules, so that the model of one check is not loaded for another.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .boltzmann import RBMCase, RBMLaw, rbm_cases, rbm_laws, rbms
    from .common import (
        arrays,
        binary_rows,
        bits,
        functions,
        hundredths,
        joint_laws,
        laws,
        probabilities,
        saturating,
        seeds,
        weights,
    )
    from .directed import Deep, nets
    from .finite import Data, Inference, Supported, data_sets, inferences, law_pairs, supported, values
    from .layerwise import Bottom, Candidate, Family, bottom_tables, bottoms, candidates, families

__all__ = [
    "Bottom",
    "Candidate",
    "Data",
    "Deep",
    "Family",
    "Inference",
    "RBMCase",
    "RBMLaw",
    "Supported",
    "arrays",
    "binary_rows",
    "bits",
    "bottom_tables",
    "bottoms",
    "candidates",
    "data_sets",
    "families",
    "functions",
    "hundredths",
    "inferences",
    "joint_laws",
    "law_pairs",
    "laws",
    "nets",
    "probabilities",
    "rbm_cases",
    "rbm_laws",
    "rbms",
    "saturating",
    "seeds",
    "supported",
    "values",
    "weights",
]

_MODULES = ("common", "boltzmann", "finite", "layerwise", "directed")


def __getattr__(name: str) -> Any:
    for module in () if name.startswith("_") else _MODULES:
        found = vars(importlib.import_module(f"{__name__}.{module}")).get(name)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
