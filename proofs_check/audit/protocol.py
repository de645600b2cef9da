"""What an implementation may offer to the audit: an adapter has whichever of these methods it can.

All are optional. What is missing is reported as not covered, never as passed. ``theta`` is the reference's
RBM of NumPy arrays, rows are samples, and an update is an RBM of *ascent directions* (to be added to the
parameters, learning rate one). ``rng`` stands for a NumPy ``Generator``: pass it on, or leave it where the
code draws from module-level randomness, which is intercepted.

=====================  ===============================  =================================================
quantity               arguments                        returns
=====================  ===============================  =================================================
energy                 theta, v (n, V), h (n, H)        E(v, h) of each row
free_energy            theta, v                         F(v) of each row, p(v) = exp(-F(v)) / Z
mean_hidden            theta, v                         p(h_j = 1 | v), (n, H)
mean_visible           theta, h                         p(v_i = 1 | h), (n, V)
sample_hidden          theta, v, rng                    a draw of p(h | v)
sample_visible         theta, h, rng                    a draw of p(v | h)
gibbs_step             theta, v, rng                    v' of one step v -> h -> v'
log_partition          theta                            log Z
log_likelihood         theta, v                         log p(v) of each row
log_likelihood_grad    theta, v                         its gradient, an RBM
pseudo_log_likelihood  theta, v, rng                    sum_i log p(v_i | v_-i), or an unbiased estimate
cd_update              theta, v, k, rng                 the CD-k direction, an RBM
pcd_update             theta, v, chains, k, rng         (the PCD-k direction, the chains afterwards)
ais_log_weights        theta, base, betas, chains, rng  log weights (chains,), mean weight Z / Z_base
ais_log_partition      theta, base, betas, chains, rng  the estimate of log Z from that many chains
train                  rows, hidden, seed               the parameters after the code's own training
=====================  ===============================  =================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_type_hints

QUANTITIES = (
    "energy",
    "free_energy",
    "mean_hidden",
    "mean_visible",
    "sample_hidden",
    "sample_visible",
    "gibbs_step",
    "log_partition",
    "log_likelihood",
    "log_likelihood_grad",
    "pseudo_log_likelihood",
    "cd_update",
    "pcd_update",
    "ais_log_weights",
    "ais_log_partition",
)


@dataclass(frozen=True)
class Declares:
    """What is a matter of choice: declared, it is not a mistake.

    Whether h beside the data, or beside the end of the chain, is a mean or a draw needs no declaration: the
    expected update is the same.
    """

    # of gradients and updates over the n data rows
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


def offered(adapter: Any) -> tuple[str, ...]:
    """Return the names of the quantities that the adapter has."""
    return tuple(name for name in QUANTITIES if callable(getattr(adapter, name, None)))
