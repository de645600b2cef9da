r"""Training recipes of layer-wise training: auto-encoder stacks with an RBM on top, optimistic lower layers.

    import numpy as np
    from exactgen.reference.boltzmann.rbm import RBM
    from exactgen.reference.directed.belief import log_likelihood
    from exactgen.reference.directed.dbn_training import train_machine
    from exactgen.reference.layerwise.recipes import fine_tune, net, train_deep, train_encoder
    from exactgen.reference.layerwise.stacks import initial
    from exactgen.reference.optimizers import sgd

    def train(encoder, rows, level):
        return train_encoder(encoder, rows, hidden="mean", visit="sample", optimizer=sgd(0.1), batch_size=20,
                             epochs=200, seed=level)

    def train_top(machine, rows, level):
        return train_machine(machine, rows, k=1, optimizer=sgd(0.1), batch_size=20, epochs=200, seed=level)

    # data (n, 100): bits, as floating-point numbers
    first = initial((100, 30, 8), (8, 100), deviation=0.1, like=data, rng=0)  # an AERI: 8 units h, 30 h'
    second = initial((8, 5), (5, 8), deviation=0.1, like=data, rng=1)  # weights untied
    W = 0.01 * np.random.default_rng(2).normal(size=(5, 4))
    machine = RBM(W, b=np.zeros(5), c=np.zeros(4))
    theta = train_deep((first, second), machine, data, up="sample", train=train, train_top=train_top, rng=3)
    theta = fine_tune(theta, data, train=train, train_top=train_top)
    log_likelihood(net(theta), data)  # exact, of each row

With one lower layer these are the recipes of [AO] 3.2: an ``RBM`` stands for the tied weights of a vanilla
auto-encoder, an ``AutoEncoder`` with an h' for an AERI.  Stacked RBMs have theirs in
``directed.dbn_training``, where ``train_machine`` is too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ...backends.arrays import Array
from ...backends.streams import Rng, Stream, as_stream
from ..boltzmann.rbm import RBM
from ..contracts import Choice, Count, Number, Own, Prob, Raw, Real, checked
from ..directed.dbn_training import Train as TrainTop
from ..directed.layers import L, Net
from ..directed.mixtures import Weights, likelihoods
from ..optimizers import Optimizer
from ..training.fit import begin, fit
from .incorporation import Marginal
from .marginal import best_marginal, upper_bound_grad
from .passes import Hidden, inference_means, reconstruction_step
from .stacks import Encoder, generative_net, join

Train: TypeAlias = Callable[[Any, Array, int], Any]
"""``train(encoder, rows, level)`` returns the encoder, or the tuple of them to be tuned, after training."""


Up: TypeAlias = Choice[str, "sample", "mean"]
"""What a row becomes for the next encoder: one draw of its code, kept throughout, or its means."""


class Deep(NamedTuple):
    """A deep generative auto-encoder: all that its training leaves."""

    encoders: tuple[Encoder, ...]  # from the bottom
    top: Own[RBM, "top_"]  # P(h) of the topmost code


@checked
def net(theta: Deep) -> Net:
    """Return the generative model of x, as ``directed.belief`` takes it; inference is not part of it."""
    return (*generative_net(join(theta.encoders)), theta.top)


@checked
def code_means(encoders: Sequence[Encoder], x: Real[Array, "n V"]) -> Prob[Array, "n H"]:
    """Return q(h_j = 1 | x) of the topmost code, all inference layers taken as one.      [AO] 2.6

    The codes below it are mean activations, so this is the q of ``join``, the same before and after tuning.
    Exactness: exact.
    """
    return inference_means(join(encoders), x)


# --- auto-encoder stacks ----------------------------------------------------------------------------------


@checked
def train_encoder(
    theta: Any,
    rows: Prob[Array, "n V"],
    *,
    hidden: Hidden,
    visit: Choice[str, "mean", "sample"],
    optimizer: Optimizer,
    batch_size: int,
    epochs: int,
    seed: int,
    **options: Any,
) -> Any:
    """Return an encoder, or a tuple of them as one, after ``epochs`` of backpropagation.      [AO] 2.6, 3.2

    ``hidden`` is what becomes of h, as in ``reconstruction_step``; ``visit`` what becomes of rows that are
    probabilities: "sample", bits are drawn from them at every visit, or "mean", they are taken as they stand
    (not where h is summed out: that needs bits).  A step goes along the mean of its batch's rows.
    ``options`` go to ``fit``.
    """
    ascend = reconstruction_step(hidden)

    def step(theta: Any, means: Array, memory: Any, stream: Stream) -> tuple[Any, Any]:
        return ascend(theta, means if visit == "mean" else stream.bernoulli(means), memory, stream)

    options |= {"batch_size": batch_size, "epochs": epochs, "seed": seed}
    return fit(begin(theta, optimizer=optimizer), rows, step=step, optimizer=optimizer, **options).theta


@checked
def train_encoders(
    starts: Sequence[Encoder], data: Real[Array, "n V"], *, up: Up, train: Train, rng: Rng
) -> tuple[Encoder, ...]:
    """Return auto-encoders trained one after the other, each on what the one below passes up.      [AO] 2.4

    ``up`` says what that is: "sample", one draw from q(h | x) of each row, kept throughout; or "mean", its
    probabilities.  Means of a second code are those given the *means* of the first.
    """
    if not starts:
        raise ValueError("starts must hold at least one encoder, got none")
    stream, encoders = as_stream(rng, like=data), list[Encoder]()
    for level, start in enumerate(starts):
        if encoders:
            means = code_means(encoders[-1:], data)
            data = means if up == "mean" else stream.bernoulli(means)
        encoders.append(train(start, data, level))
    return tuple(encoders)


@checked
def train_deep(
    starts: Sequence[Encoder],
    top: Own[RBM, "top_"],
    data: Real[Array, "n V"],
    *,
    up: Up,
    train: Train,
    train_top: TrainTop,
    rng: Rng,
) -> Deep:
    """Return a deep generative auto-encoder, trained layer by layer from the bottom.      [AO] 2.1, 2.4, 3.2

    Exactness: that of ``train`` and ``train_top``.
    """
    encoders = train_encoders(starts, data, up=up, train=train, rng=rng)
    return with_top(encoders, top, data, train_top=train_top)


@checked
def with_top(
    encoders: tuple[Encoder, ...], top: Own[RBM, "top_"], data: Real[Array, "n V"], *, train_top: TrainTop
) -> Deep:
    """Return encoders with a machine on top that is trained towards their q_D.      [AO] eq. 12

    It is given ``code_means``, and level = the number of encoders; ``train_machine`` draws bits from them at
    every visit, so what it learns from are draws from q_D, fresh ones always.
    Raises: ValueError where the machine has not the code's units.
    """
    means = code_means(encoders, data)
    if top.W.shape[0] != means.shape[1]:
        raise ValueError(
            f"top must have {means.shape[1]} visible units, those of the topmost code, got {top.W.shape[0]}"
        )
    return Deep(encoders, train_top(top, means, len(encoders)))


@checked
def fine_tune(theta: Deep, data: Real[Array, "n V"], *, train: Train, train_top: TrainTop) -> Deep:
    """Return the model after training all its encoders at once, and then its top anew.      [AO] 2.6, fig. 1

    ``train`` is given the tuple of encoders and the data, at level 0.  The top is trained again, from where
    it was, as the law of the code that it has learnt is no longer that of the code: tuning changes q_D and
    does not see the top.  It may be done at any stage, ``with_top`` of more encoders following.
    """
    return with_top(train(theta.encoders, data, 0), theta.top, data, train_top=train_top)


# --- the best optimistic lower layer ----------------------------------------------------------------------


@checked
def train_optimistic_layer(
    layer: L,
    x: Raw[Array, "n ..."],
    *,
    weights: Weights = None,
    tolerance: Number[float, "[0, inf)"],
    optimizer: Optimizer,
    steps: Count[int, 0],
    **options: Any,
) -> tuple[L, Marginal]:
    r"""Return the layer after ``steps`` up its bound U_D, and its best marginal.      [AO] 2.1, eq. 16-17

    Each step solves for the best marginal to a certificate of ``tolerance`` nats, from that of the step
    before, and goes along the gradient with it held.  All data count in every step: the best marginal of a
    minibatch is that batch's own.  ``options`` go to ``fit``; the ``memory`` that its callbacks see is the
    ``Marginal`` that the last step went by.
    ``weights`` are a law over the data, 1/n each where they are not given.
    Exactness: a local maximum of :math:`U_D`; its value there is certified, whether it is the largest is not.
    Raises: ValueError where a datum of positive weight is impossible given every h.
    """

    def known(memory: Any) -> Array | None:
        return memory.Q if isinstance(memory, Marginal) else None

    def step(theta: L, rows: Array, memory: Any, stream: Stream) -> tuple[L, Marginal]:
        best, grad = upper_bound_grad(theta, x, weights=weights, tolerance=tolerance, start=known(memory))
        return grad, best

    options |= {"batch_size": x.shape[0], "epochs": steps, "seed": 0}
    done = fit(begin(layer, optimizer=optimizer), x, step=step, optimizer=optimizer, **options)
    p = likelihoods(done.theta, x)
    return done.theta, best_marginal(p, weights=weights, tolerance=tolerance, start=known(done.memory))
