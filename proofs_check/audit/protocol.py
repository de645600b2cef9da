"""What an implementation may offer to the audit: an adapter has whichever quantities it can, as methods.

All are optional.  What is missing is reported as not covered, never as passed; groups of quantities of which
nothing is offered are not mentioned.  Arrays are NumPy's, rows are samples.  ``rng`` stands for a NumPy
``Generator``: pass it on, or leave it where the code draws from the module's own, which is intercepted.

``table()`` lists the quantities; ``exactgen audit --quantities`` prints it.  RBMs may offer ``train(rows,
hidden, seed)`` too, the parameters after the code's own training.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, replace
from typing import Literal, get_args, get_type_hints


def table() -> str:
    """Return every quantity with its arguments and what it returns, group by group, from its declaration."""
    from ..quantity import Quantity, load  # not for --help: it loads all

    groups: dict[str, list[Quantity]] = {}
    for quantity in load().values():
        groups.setdefault(quantity.function.__module__, []).append(quantity)
    blocks = []
    for module, quantities in groups.items():
        about = textwrap.fill(" ".join((sys.modules[module].__doc__ or "").split()), 100)
        lines = [f"  {q.name}({', '.join(q.asked)})\n      {q.words}" for q in quantities]
        blocks.append("\n".join([about, *lines]))
    return "\n\n".join(blocks)


@dataclass(frozen=True)
class Declares:
    """What is a matter of choice: declared, it is not a mistake.

    Whether h beside the data, or beside the end of the chain, is a mean or a draw needs no declaration: the
    expected update is the same.
    """

    # of gradients, updates and criteria over the n data rows
    reduction: Literal["mean", "sum"] = "mean"
    # v at the end of the chain; a mean feeds the negative h too
    negative_visible: Literal["sample", "mean"] = "sample"
    # the layer that a persistent chain carries
    chain: Literal["visible", "hidden"] = "visible"
    # whether energies, and with them log Z, are shifted by a constant
    free_energy_offset: Literal["no", "yes"] = "no"
    # what it computes in
    dtype: Literal["float64", "float32"] = "float64"
    # the k that can be asked for
    steps: Literal["any", "one"] = "any"
    # of auto-encoders: whether the generative weights are those of inference, transposed
    tied_weights: Literal["no", "yes"] = "no"
    # the base-rate model that AIS starts from: units of any biases, or always fair coins
    base: Literal["any", "zero"] = "any"
    # the number of data rows; fixed: always the batch size, and that of the chains
    rows: Literal["any", "fixed"] = "any"

    def but(self, **declared: str) -> Declares:
        """Return the declaration with other values of some fields.

        Raises: ValueError for an unknown field or value.
        """
        choices = {name: get_args(kind) for name, kind in get_type_hints(Declares).items()}
        for name, value in declared.items():
            if name not in choices:
                raise ValueError(f"cannot declare {name!r}; one of {', '.join(choices)} is wanted")
            if value not in choices[name]:
                raise ValueError(f"{name} is declared {value!r}; one of {', '.join(choices[name])} is wanted")
        return replace(self, **declared)  # type: ignore[arg-type]


class Adapter:
    """Base of adapters: subclass it, and write the quantities that your code has."""

    declares = Declares()
    batch_size: int | None = None  # set by the audit: the size that the code is configured for

    def restart(self) -> None:
        """Forget all state: called before each path of an enumeration."""
