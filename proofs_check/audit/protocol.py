"""What an implementation may offer to the audit: an adapter has whichever of these methods it can.

All are optional. What is missing is reported as not covered, never as passed; families of models of which
nothing is offered are not mentioned. Arrays are NumPy's, rows are samples. ``rng`` stands for a NumPy
``Generator``: pass it on, or leave it where the code draws from the module's own, which is intercepted.

Of the RBM, ``theta`` is the reference's, and an update is an RBM of *ascent directions* (to be added to the
parameters, learning rate one):

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
ais_log_likelihood     theta, v, base, betas, chains,   log p(v) of each row, by that estimate of log Z
                       rng
train                  rows, hidden, seed               the parameters after the code's own training
=====================  ===============================  =================================================

Of directed layers, ``theta`` is the reference's ``DBN`` with one directed layer (``generative``,
``recognition``, ``top``) or ``AutoEncoder`` (``inference`` of any depth, one ``generative`` layer), ``layer``
its ``Sigmoid`` (W (V, H), b (V,)); states h are in the order of ``binary_states``, the rows of x differ, and
``weights`` are a law over them:

========================  ================================  ==============================================
quantity                  arguments                         returns
========================  ================================  ==============================================
data_incorporation        P_x_given_h (n, S), P_h, weights  the mean posterior, (S,): a step of EM
mixture_log_likelihood    layer, P_h (2^H,), x              log sum_h P(x | h) P(h) of each row
two_layer_log_likelihood  theta (DBN), x                    log p(x) of each row
dbn_bound                 theta (DBN), x                    E_q[log p(x | h) + log p(h)] + H(q) of each row
log_sum_pass              theta (AutoEncoder), x            log sum_h P(x | h) q(h | x) of each row
log_mean_pass             theta (AutoEncoder), x            log P(x | E_q h) of each row
log_sampled_pass          theta (AutoEncoder), x, rng       log P(x | h) of each row, h drawn from q
autoencoder_criterion     theta (AutoEncoder), x, weights   mean over x of log sum_h P(x|h) q(h|x) P_D(x)
========================  ================================  ==============================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args, get_type_hints


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
