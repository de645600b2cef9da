"""Mistakes in the recipes of layer-wise training: what is tuned, what the top learns, which law holds."""

from __future__ import annotations

from typing import Any

from ...backends.arrays import array_namespace
from ...backends.streams import HostStream
from ...reference.boltzmann.rbm import RBM
from ...reference.directed.layers import Sigmoid
from ...reference.directed.mixtures import likelihoods, mixture_grad
from ...reference.layerwise import incorporation, marginal, recipes, stacks
from ...reference.layerwise.stacks import AutoEncoder
from . import Wrong, mistake

# --- fine-tuning and training of stacks


def _topmost_alone(right: Any, theta: Any, data: Any, *, train: Any, train_top: Any) -> Any:
    below = theta.encoders[:-1]
    (last,) = train(theta.encoders[-1:], HostStream(1).bernoulli(recipes.code_means(below, data)), 0)
    return recipes.with_top((*below, last), theta.top, data, train_top=train_top)


def _top_of_before(right: Any, theta: Any, data: Any, *, train: Any, train_top: Any) -> Any:
    old = recipes.with_top(theta.encoders, theta.top, data, train_top=train_top)
    return old._replace(encoders=train(theta.encoders, data, 0))


def _counted_once(right: Any, theta: Any, rows: Any, **options: Any) -> Any:
    """What a tied weight does on the way up is forgotten."""
    single = isinstance(theta, (RBM, AutoEncoder))
    parts = (theta,) if single else theta
    free = tuple(stacks.untie(part) if isinstance(part, RBM) else part for part in parts)
    found = right(free, rows, **options)
    back = tuple(_tied(new) if isinstance(part, RBM) else new for part, new in zip(parts, found, strict=True))
    return back[0] if single else back


def _tied(theta: AutoEncoder) -> RBM:
    (down,) = theta.generative
    return RBM(array_namespace(down.W).matrix_transpose(down.W), down.b, theta.inference[-1].b)


def _generation_held(right: Any, theta: Any, rows: Any, **options: Any) -> Any:
    if isinstance(theta, (RBM, AutoEncoder)):
        return right(theta, rows, **options)
    return tuple(
        new._replace(b=old.b) if isinstance(old, RBM) else AutoEncoder(new.inference, old.generative)
        for new, old in zip(right(theta, rows, **options), theta, strict=True)
    )


def _hidden(how: str) -> Wrong:
    """h is treated so, whatever is asked for."""
    return lambda right, theta, rows, **options: right(theta, rows, **(options | {"hidden": how}))


mistake("topmost-alone: The topmost auto-encoder alone is tuned.", {recipes.fine_tune: _topmost_alone})
mistake(
    "top-of-before: The top learns the code from before the encoders were trained.",
    {
        recipes.fine_tune: _top_of_before,
        recipes.train_deep: lambda right, starts, top, data, *, up, train, train_top, rng: recipes.with_top(
            starts, top, data, train_top=train_top
        )._replace(encoders=recipes.train_encoders(starts, data, up=up, train=train, rng=rng)),
    },
)
mistake(
    "top-not-tuned: The top is left as it was.",
    {
        recipes.fine_tune: lambda right, theta, data, **trainings: theta._replace(
            encoders=right(theta, data, **trainings).encoders
        )
    },
)
mistake(
    "top-of-one-draw: The top learns one draw of the code, kept throughout.",
    {
        recipes.train_deep: lambda right, *given, train_top, **options: right(
            *given,
            train_top=lambda machine, rows, level: train_top(machine, HostStream(1).bernoulli(rows), level),
            **options,
        )
    },
)
mistake(
    "mean-for-sum: The code is passed on at its mean where it is to be summed.",
    {recipes.train_encoder: _hidden("mean")},
)
mistake("draw-for-mean: The code is drawn in backpropagation.", {recipes.train_encoder: _hidden("sample")})
mistake(
    "tied-counted-once: Of a tied weight only the use for generation counts.",
    {recipes.train_encoder: _counted_once},
)
mistake("generation-held: The generative part is not tuned.", {recipes.train_encoder: _generation_held})
mistake(
    "inference-in-the-model: The inference layer stands for the generative one.",
    {
        recipes.net: lambda right, theta: (
            *(
                Sigmoid(layer.W, array_namespace(layer.W).zeros_like(layer.W[:, 0]))
                for layer in stacks.join(theta.encoders).inference[-1:]
            ),
            theta.top,
        )
    },
)

# --- ascent of the bound


def _climbing(law: Any) -> Wrong:
    """The ascent goes by another law on h: ``law(layer, x, weights, the laws so far)``."""

    def wrong(
        right: Any, layer: Any, x: Any, *, weights: Any, tolerance: float, optimizer: Any, steps: int
    ) -> Any:
        state, used = optimizer.start(layer), list[Any]()
        for _ in range(steps):
            used.append(law(layer, x, weights, used))
            grad, _ = mixture_grad(layer, x, used[-1], weights=weights)
            layer, state = optimizer.ascend(state, layer, grad)
        return layer, marginal.best_marginal(likelihoods(layer, x), weights=weights, tolerance=tolerance)

    return wrong


def _best(layer: Any, x: Any, weights: Any) -> Any:
    return marginal.best_marginal(likelihoods(layer, x), weights=weights, tolerance=1e-9).Q


def _even(layer: Any, weights: Any) -> Any:
    xp, states = array_namespace(weights), 2 ** layer.W.shape[1]
    return xp.full((states,), 1 / states, dtype=weights.dtype)


def _uncertified(right: Any, layer: Any, x: Any, *, weights: Any, **options: Any) -> Any:
    layer, _ = right(layer, x, weights=weights, **options)
    found = incorporation.certify(likelihoods(layer, x), _even(layer, weights), weights=weights)
    return layer, found._replace(gap=0.0)


mistake(
    "uniform-law-held: The ascent goes by a uniform law of h.",
    {recipes.train_optimistic_layer: _climbing(lambda layer, x, weights, used: _even(layer, weights))},
)
mistake(
    "first-law-held: The ascent goes by the best marginal of the layer that it began with.",
    {
        recipes.train_optimistic_layer: _climbing(
            lambda layer, x, weights, used: used[0] if used else _best(layer, x, weights)
        )
    },
)
mistake(
    "law-of-equal-data: The best marginal is solved for data that count alike.",
    {
        recipes.train_optimistic_layer: _climbing(
            lambda layer, x, weights, used: _best(
                layer, x, array_namespace(x).ones_like(weights) / weights.shape[0]
            )
        )
    },
)
mistake(
    "bound-descends: The bound is gone down.",
    {
        recipes.train_optimistic_layer: lambda right, *given, optimizer, **options: right(
            *given, optimizer=optimizer._replace(rule=lambda _, g, t: ((), -g)), **options
        )
    },
)
mistake(
    "certificate-of-nothing: A certificate of zero comes with a law that nothing was done for.",
    {recipes.train_optimistic_layer: _uncertified},
)
