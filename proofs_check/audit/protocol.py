"""What an implementation may offer to the audit: an adapter has whichever of these methods it can.

All are optional.  What is missing is reported as not covered, never as passed.  ``theta`` is the reference's RBM of
NumPy arrays, rows are samples, and an update is an RBM of *ascent directions* (to be added to the parameters, learning
rate one).  ``rng`` stands for a NumPy ``Generator``: pass it on, or leave it where the code draws from module-level
randomness, which is intercepted.

=====================  =====================================  ==================================================
quantity               arguments                              returns
=====================  =====================================  ==================================================
energy                 theta, v (n, V), h (n, H)              E(v, h) of each row
free_energy            theta, v                               F(v) of each row, p(v) = exp(-F(v)) / Z
mean_hidden            theta, v                               p(h_j = 1 | v), (n, H)
mean_visible           theta, h                               p(v_i = 1 | h), (n, V)
sample_hidden          theta, v, rng                          a draw of p(h | v)
sample_visible         theta, h, rng                          a draw of p(v | h)
gibbs_step             theta, v, rng                          v' of one step v -> h -> v'
log_partition          theta                                  log Z
log_likelihood         theta, v                               log p(v) of each row
log_likelihood_grad    theta, v                               its gradient, an RBM
pseudo_log_likelihood  theta, v, rng                          sum_i log p(v_i | v_-i), or an unbiased estimate
cd_update              theta, v, k, rng                       the CD-k direction, an RBM
pcd_update             theta, v, chains, k, rng               (the PCD-k direction, the chains afterwards)
ais_log_weights        theta, base, betas, chains, rng        log weights (chains,) with mean weight Z / Z_base
ais_log_partition      theta, base, betas, chains, rng        the estimate of log Z from that many chains
train                  rows, hidden, seed                     the parameters after the code's own training
=====================  =====================================  ==================================================
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

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

    Whether h beside the data, or beside the end of the chain, is a mean or a draw needs no declaration: the expected
    update is the same.
    """

    reduction: str = "mean"  # of gradients and updates over the n data rows: mean | sum
    negative_visible: str = (
        "sample"  # v at the end of the chain: sample | mean (then it feeds the negative h too)
    )
    chain: str = "visible"  # the layer that a persistent chain carries: visible | hidden
    free_energy_offset: str = (
        "no"  # whether energies, and with them log Z, are shifted by a constant: no | yes
    )
    dtype: str = "float64"  # what it computes in: float64 | float32
    steps: str = "any"  # the k that can be asked for: any | one
    rows: str = (
        "any"  # the number of data rows: any | fixed (always the batch size, equal to the number of chains)
    )

    @classmethod
    def of(cls, **declared: str) -> Declares:
        """Return the declaration with these fields.

        Raises: ValueError for an unknown field or value.
        """
        for name, value in declared.items():
            if name not in _CHOICES:
                raise ValueError(f"cannot declare {name!r}; one of {', '.join(_CHOICES)} is wanted")
            if value not in _CHOICES[name]:
                raise ValueError(
                    f"{name} is declared {value!r}; one of {', '.join(_CHOICES[name])} is wanted"
                )
        return cls(**declared)


_CHOICES = {
    "reduction": ("mean", "sum"),
    "negative_visible": ("sample", "mean"),
    "chain": ("visible", "hidden"),
    "free_energy_offset": ("no", "yes"),
    "dtype": ("float64", "float32"),
    "steps": ("any", "one"),
    "rows": ("any", "fixed"),
}
assert set(_CHOICES) == {field.name for field in fields(Declares)}


class Adapter:
    """Base of adapters: subclass it, and write the quantities that your code has."""

    declares = Declares()
    batch_size: int | None = None  # set by the audit: the size that the code is configured for

    def restart(self) -> None:
        """Forget all state: called before each path of an enumeration."""


def offered(adapter: Any) -> tuple[str, ...]:
    """Return the names of the quantities that the adapter has."""
    return tuple(name for name in QUANTITIES if callable(getattr(adapter, name, None)))
