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

Of directed layers, ``layer`` is the reference's ``Sigmoid`` (W (V, H), b (V,)), states h are in the order of
``binary_states``, the rows of x differ, and ``weights`` are a law over them, P_D:

==========================  ================================  ============================================
quantity                    arguments                         returns
==========================  ================================  ============================================
data_incorporation          P_x_given_h (n, S), P_h, weights  the mean posterior, (S,): a step of EM
mixture_log_likelihood      layer, P_h (2^H,), x              log sum_h P(x | h) P(h) of each row
==========================  ================================  ============================================

Of deep belief nets, ``theta`` is the reference's ``DBN`` (``generative``, ``recognition``: a ``Sigmoid`` each
for each directed layer, from the bottom; ``top``: an RBM). The first two ask of one directed layer only:

==========================  ================================  ============================================
two_layer_log_likelihood    theta, x                          log p(x) of each row
dbn_bound                   theta, x                          E_q[log p(x | h) + log p(h)] + H(q), each row
deep_log_joint              theta, layers (x, h1, ..., hL)    log p(x, h1, ..., hL) of each row
deep_log_likelihood         theta, x                          log p(x) of each row
deep_bound                  theta, x                          the bound by q(h1 | x) q(h2 | h1) ..., each row
==========================  ================================  ============================================

Of auto-encoders, ``theta`` is the reference's ``AutoEncoder`` (``inference``: a ``Dense`` each for any number
of layers, W (inputs, outputs), b; ``generative``: one), or with ``Declares(tied_weights="yes")`` an RBM,
whose W infers and generates. A gradient is built as ``theta`` is, the mean over the rows, and ascends:

==========================  ================================  ============================================
log_sum_pass                theta, x                          log sum_h P(x | h) q(h | x) of each row
log_mean_pass               theta, x                          log P(x | E_q h) of each row
log_sampled_pass            theta, x, rng                     log P(x | h) of each row, h drawn from q
autoencoder_criterion       theta, x, weights                 mean of log sum_h P(x | h) q(h | x) P_D(x)
log_sum_pass_grad           theta, x                          the gradient of the mean of log_sum_pass
log_mean_pass_grad          theta, x                          that of log_mean_pass: backpropagation
log_sampled_pass_grad       theta, x, rng                     that of log_sampled_pass for h as drawn; for
                                                              inference by the derivative of h's mean
autoencoder_criterion_grad  theta, x, weights                 the gradient of the criterion
==========================  ================================  ============================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args, get_type_hints


class TargetError(Exception):
    """The target cannot be imported, built or understood: wrong usage, not a finding."""


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
