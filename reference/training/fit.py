r"""One loop that fits any model: minibatches, progress, callbacks, early stopping, resuming.

What is fitted is told apart by ``step(theta, rows, memory, stream) -> (direction, memory)``: the direction in
which the objective rises, and whatever must live on (the chains of PCD; an empty tuple where nothing must).

    def step(theta, v, chains, stream):
        direction, info = pcd_step(theta, v, chains, k=1, rng=stream)
        return direction, info.chains

    done = fit(begin(theta, optimizer=sgd(0.1), memory=chains), data, step=step, optimizer=sgd(0.1),
               batch_size=100, epochs=20, seed=1)

The randomness of an epoch, its order of rows included, comes from a stream seeded by (seed, epoch) alone.  So
a ``Fit`` is all there is to save: resumed from it, the run ends bit for bit as if it had never stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...backends.arrays import Array, array_namespace
from ...backends.streams import Rng, Stream, as_stream
from ..contracts import Count, Raw, checked
from ..optimizers import Optimizer, OptimizerState

Step = Callable[[Any, Array, Any, Stream], tuple[Any, Any]]


class Fit(NamedTuple):
    """Where a fit stands after a number of whole epochs: arrays and numbers only."""

    theta: Any
    optimizer: OptimizerState
    memory: Any  # what the steps carry on, such as the chains of PCD
    epoch: int  # how many are done
    best_theta: Any  # of the highest score so far
    best_score: float
    best_epoch: int


@checked
def begin(theta: Any, *, optimizer: Optimizer, memory: Any = ()) -> Fit:
    """Return the state before the first epoch."""
    return Fit(theta, optimizer.start(theta), memory, 0, theta, -float("inf"), 0)


@checked
def fit(
    start: Fit,
    data: Raw[Array, "n ..."],
    *,
    step: Step,
    optimizer: Optimizer,
    batch_size: Count[int, 1],
    epochs: Count[int, 0],
    seed: int,
    score: Callable[[Any], float] | None = None,
    patience: Count[int, 1] | None = None,
    callbacks: Sequence[Callable[[Fit], None]] = (),
    progress: Callable[[int, int], None] | None = None,
    stream_of: Callable[[int], Rng] = int,
) -> Fit:
    """Return the fit after ``epochs`` epochs in all, those of ``start`` included, or where it stopped early.

    An epoch visits every row once in random order, ``batch_size`` at a time; a shorter last batch makes a
    step of its own, and as steps are means over their rows, its rows weigh more.  After each epoch
    ``score(theta)``, where given, is taken on the side (a validation log-likelihood: higher is better), then
    every callback gets the new state.  The run stops once ``patience`` epochs in a row brought no higher
    score ([AL] 1.3.3); ``best_theta`` is what early stopping is for.  ``progress(done, batches)`` is called
    after each step.

    Exactness: deterministic in ``seed``; ``stream_of`` makes the stream of an epoch
    from an int (``int`` itself: the backend's fast one; ``HostStream``: the same numbers on every backend).
    Raises: ValueError for no rows, counts below one, patience without a score, or a score that is NaN.
    """
    if patience is not None and score is None:
        raise ValueError("patience needs a score to watch")
    state = start
    while state.epoch < epochs and not _stalled(state, patience):
        stream = as_stream(stream_of(_epoch_seed(seed, state.epoch)), like=data)
        state = _epoch(state, data, step, optimizer, batch_size, stream, progress)
        state = _judge(state, score)
        for callback in callbacks:
            callback(state)
    return state


def _epoch(
    state: Fit,
    data: Array,
    step: Step,
    optimizer: Optimizer,
    batch_size: int,
    stream: Stream,
    progress: Callable[[int, int], None] | None,
) -> Fit:
    xp, n = array_namespace(data), data.shape[0]
    theta, moments, memory = state.theta, state.optimizer, state.memory
    order = stream.permutation(n, like=data)
    starts = range(0, n, batch_size)
    for done, first in enumerate(starts, start=1):
        rows = xp.take(data, order[first : min(first + batch_size, n)], axis=0)
        direction, memory = step(theta, rows, memory, stream)
        theta, moments = optimizer.ascend(moments, theta, direction)
        if progress is not None:
            progress(done, len(starts))
    return state._replace(theta=theta, optimizer=moments, memory=memory, epoch=state.epoch + 1)


def _judge(state: Fit, score: Callable[[Any], float] | None) -> Fit:
    """Return the state with the parameters of the highest score so far; without a score, the latest."""
    if score is None:
        return state._replace(best_theta=state.theta, best_epoch=state.epoch)
    value = float(score(state.theta))
    if value != value:
        raise ValueError(f"score must be a number, got NaN after epoch {state.epoch}")
    if value <= state.best_score:
        return state
    return state._replace(best_theta=state.theta, best_score=value, best_epoch=state.epoch)


def _stalled(state: Fit, patience: int | None) -> bool:
    return patience is not None and state.epoch - state.best_epoch >= patience


def _epoch_seed(seed: int, epoch: int) -> int:
    """Return 63 bits that depend on both: neighbouring seeds and epochs share no stream."""
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch}".encode()).digest()[:8], "big") >> 1
