"""Greedy layer-wise training of a deep belief net: each machine learns what the one below makes of data.

import numpy as np
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed.belief import log_likelihood
from exactgen.reference.directed.dbn import net, upside_down
from exactgen.reference.directed.dbn_training import train_machine, train_stack
from exactgen.reference.optimizers import sgd

def train(machine, rows, level):
    return train_machine(machine, rows, k=1, optimizer=sgd(0.1), batch_size=20, epochs=200, seed=level)

# data (n, 100): bits, as floating-point numbers
W = 0.01 * np.random.default_rng(0).normal(size=(100, 8))
machine = RBM(W, b=np.zeros(100), c=np.zeros(8))
theta = train_stack((machine, upside_down), data, up="sample", train=train, rng=1)
log_likelihood(net(theta), data)  # exact, of each row
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...backends.arrays import Array
from ...backends.streams import Rng, Stream, as_stream
from ..boltzmann.contrastive import cd_step, pcd_step
from ..boltzmann.rbm import RBM, hidden_input
from ..contracts import Bits, Choice, Count, Law, Prob, checked
from ..numerics import sigmoid
from ..optimizers import Optimizer
from ..training.fit import begin, fit
from .dbn import DBN, stack
from .mixtures import Weights, data_law
from .products import law_of_means

Train = Callable[[RBM, Array, int], RBM]
"""``train(machine, rows, level)`` returns the machine after training; levels count from 0 at the bottom."""


@checked
def next_target(machine: RBM, v: Bits[Array, "n V"], *, weights: Weights = None) -> Law[Array, "2**H"]:
    r"""Return :math:`Q_D(h) = \sum_n w_n\, p(h \mid v_n)` of all h: what the next machine is to learn.

    ``weights`` are a law over the rows, 1/n each where they are not given.      [AO] eq. 26, [BA] eq. 22
    Exactness: exact to rounding.   Raises: ValueError where there are too many states.
    """
    return law_of_means(sigmoid(hidden_input(machine, v)), data_law(v.shape[0], weights, like=v))


@checked
def train_stack(
    starts: Sequence[RBM | Callable[[RBM], RBM]],
    data: Prob[Array, "n V"],
    *,
    up: Choice[str, "sample", "mean"],
    train: Train,
    rng: Rng,
) -> DBN:
    """Return the net of machines trained one after the other, the weights below held.      [BA] 3.1

    A start is a machine, or makes one of the trained machine below.  ``upside_down`` does: from there,
    raising the mean of log p(h) under ``next_target`` cannot lower the likelihood of a net of two machines;
    of more, it raises a bound only.

    ``up`` says what a row becomes for the next machine: "sample", one draw of h, kept throughout; or "mean",
    its probabilities, from which every visit draws afresh.  Means of a second layer are those given the
    *means* of the first, not those given v.  Weights are tied.
    """
    stream, machines = as_stream(rng, like=data), list[RBM]()
    for level, start in enumerate(starts):
        if machines:
            means = sigmoid(hidden_input(machines[-1], data))
            data = means if up == "mean" else stream.bernoulli(means)
        machine = start(machines[-1]) if callable(start) else start
        machines.append(train(machine, data, level))
    return stack(machines)


@checked
def train_machine(
    machine: RBM,
    rows: Prob[Array, "n V"],
    *,
    k: Count[int, 1],
    optimizer: Optimizer,
    batch_size: int,
    epochs: int,
    seed: int,
    chains: Bits[Array, "m V"] | None = None,
    **options: Any,
) -> RBM:
    """Return the machine after ``epochs`` of CD-k, or of PCD-k where ``chains`` are given.

    Rows that are probabilities stand for bits drawn from them at every visit.  A step goes along the mean of
    its batch's rows.  ``options`` go to ``fit``.
    """

    def step(theta: RBM, means: Array, memory: Any, stream: Stream) -> tuple[RBM, Any]:
        v = stream.bernoulli(means)
        if chains is None:
            return cd_step(theta, v, k=k, rng=stream)[0], memory
        direction, info = pcd_step(theta, v, memory, k=k, rng=stream)
        return direction, info.chains

    start = begin(machine, optimizer=optimizer, memory=() if chains is None else chains)
    options |= {"batch_size": batch_size, "epochs": epochs, "seed": seed}
    done: RBM = fit(start, rows, step=step, optimizer=optimizer, **options).theta
    return done
