"""[BA] 2.4: a machine trained on binarised MNIST, and its reconstructions after five Gibbs steps; reduced."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends.arrays import Array
from ...backends.streams import Stream
from ...data.digits import mnist
from ...reference.boltzmann import contrastive, gibbs
from ...reference.boltzmann.contrastive import DOCUMENT
from ...reference.boltzmann.rbm import RBM
from ...reference.optimizers import sgd
from ...reference.training.fit import begin, fit
from ..check import Implementation, at_most, check, ensure, reproduced
from ..figures import figure

HIDDEN, ROWS, TESTS = 200, 2000, 500  # the document: 1000 hidden units, 60,000 rows
RATE, EPOCHS, BATCH, STEPS = 0.01, 20, 20, 5  # as in the document


def binary_digits() -> tuple[Array, Array]:
    """Return training and test digits as zeros and ones: one where the grey level is 128 or more."""
    digits = mnist()
    train, test = digits.train_images[:ROWS].reshape(ROWS, -1), digits.test_images[:TESTS].reshape(TESTS, -1)
    return (train >= 128).astype(np.float32), (test >= 128).astype(np.float32)


def trained(cd_step: Any, train: Array) -> RBM:
    """Return the machine after CD-1."""
    couplings = np.random.default_rng(0).normal(0, 0.01, (train.shape[1], HIDDEN)).astype(np.float32)
    start = RBM(couplings, np.zeros(train.shape[1], np.float32), np.zeros(HIDDEN, np.float32))

    def step(theta: RBM, v: Array, memory: Any, stream: Stream) -> tuple[RBM, Any]:
        return cd_step(theta, v, k=1, rng=stream, variant=DOCUMENT)[0], memory

    optimizer = sgd(RATE)
    options: dict[str, Any] = {
        "step": step,
        "optimizer": optimizer,
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "seed": 3,
    }
    done: RBM = fit(begin(start, optimizer=optimizer), train, **options).theta
    return done


def reconstructed(gibbs_step: Any, theta: RBM, v: Array) -> tuple[Array, Array]:
    """Return the state after the Gibbs steps, and the probabilities it was drawn with."""
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        v, info = gibbs_step(theta, v, rng=rng)
    return v, info.mean_visible


@check(
    "BA.exp2.4",
    "BA.fig3",
    of=(contrastive, gibbs),
    cases=[None],
    evidence=reproduced(
        "with rate 0.01, 20 epochs and batches of 20 as printed: 5 Gibbs steps rebuild unseen digits with a "
        "squared error at least 10 percent below that of the mean image, "
        "nearest to their own input ten times as often as by chance"
    ),
    uncovered="the size as printed: 200 of 1,000 hidden units and 2,000 of 60,000 digits are used",
    needs_data="MNIST",
    rejects=("cd-descends", "couplings-kept", "negative-phase-missing", "chain-forgets"),
)
def trained_machine_reconstructs_unseen_digits(impl: Implementation, case: None) -> None:
    """After CD-1, five Gibbs steps from an unseen digit end nearer to it than the mean image is."""
    train, test = binary_digits()
    ends, means = reconstructed(impl.gibbs_step, trained(impl.cd_step, train), test)
    error = float(np.mean((means - test) ** 2))
    at_most(
        error,
        0.9 * float(np.mean((train.mean(axis=0) - test) ** 2)),
        "squared error per pixel",
        of="BA.exp2.4",
        slack=0,
    )
    # Hamming distances of every end to every input, as |a| + |b| - 2 a.b
    distance = ends.sum(axis=1)[:, None] + test.sum(axis=1)[None, :] - 2 * ends @ test.T
    own = float(np.mean(np.argmin(distance, axis=1) == np.arange(len(test))))
    share = "share nearest to their own input"
    ensure(own > 10 / len(test), share, of="BA.fig3", expected=f"> {10 / len(test)}", actual=own)


@figure("BA.fig3", "BA.exp2.4")
def inputs_and_reconstructions(axes: Any) -> None:
    """Draw ten unseen digits above what five Gibbs steps make of them."""
    train, test = binary_digits()
    _, means = reconstructed(gibbs.gibbs_step, trained(contrastive.cd_step, train), test[:10])
    lines = [np.concatenate(list(rows.reshape(-1, 28, 28)), axis=1) for rows in (test[:10], means)]
    axes.imshow(np.concatenate(lines), cmap="gray_r", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[14, 42], yticklabels=["input", f"{STEPS} steps"])
    axes.set_title(f"{HIDDEN} hidden units, {ROWS} digits, {EPOCHS} epochs of CD-1")
