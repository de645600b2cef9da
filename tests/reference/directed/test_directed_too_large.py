"""More hidden units than can be enumerated: told of, in states and bytes, before anything is allocated."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.directed import (
    belief,
    dbn,
    dbn_bound,
    dbn_training,
    layers,
    mixtures,
    products,
    updown,
)
from exactgen.reference.directed.layers import Sigmoid
from exactgen.reference.layerwise import criteria, marginal, passes, selection, stacks
from exactgen.reference.networks.layers import Dense

V, N = 5, 3
X, SHORT = np.zeros((N, V)), np.zeros(4)


def layer(below: int, above: int) -> Sigmoid:
    return Sigmoid(np.zeros((below, above)), np.zeros(below))


def net(H: int) -> Any:
    return layer(V, H), RBM(np.zeros((H, 4)), np.zeros(H), np.zeros(4))


def deep(H: int) -> dbn.DBN:
    bottom, top = net(H)
    return dbn.DBN((bottom,), (layer(H, V),), top)


def encoder(H: int) -> stacks.AutoEncoder:
    return stacks.AutoEncoder(
        (Dense(np.zeros((V, H)), np.zeros(H)),), (Dense(np.zeros((H, V)), np.zeros(V)),)
    )


CALLS: dict[str, Callable[[int], Any]] = {
    "log_conditional": lambda H: layers.log_conditional(layer(V, H), X),
    "log_conditional_table": lambda H: layers.log_conditional_table(layer(V, H)),
    "law_below": lambda H: layers.law_below(layer(V, H), SHORT),
    "mean_below": lambda H: layers.mean_below(layer(V, H), np.zeros(2**V)),
    "mean_below, large below": lambda H: layers.mean_below(layer(H, 2), SHORT),
    "layer_grad": lambda H: layers.layer_grad(layer(V, H), np.zeros(2**V), SHORT),
    "law_of_means": lambda H: products.law_of_means(np.full((N, H), 0.5), np.full(N, 1 / N)),
    "likelihoods": lambda H: mixtures.likelihoods(layer(V, H), X),
    "state_law": lambda H: belief.state_law(net(H)),
    "joint_law": lambda H: belief.joint_law(net(H)),
    "posterior": lambda H: belief.posterior(net(H), X),
    "compose": lambda H: belief.compose(net(H)[:1]),
    "log_likelihood": lambda H: belief.log_likelihood(net(H), X),
    "log_likelihood_grad": lambda H: belief.log_likelihood_grad(net(H), X),
    "sample": lambda H: belief.sample(net(H), samples=2, rng=1),
    "log_prior": lambda H: dbn_bound.log_prior(deep(H)),
    "log_joint_first": lambda H: dbn_bound.log_joint_first(deep(H), X),
    "recognise": lambda H: dbn_bound.recognise(deep(H), X),
    "bound_log_likelihood": lambda H: dbn_bound.bound_log_likelihood(deep(H), X),
    "expected_updown_step": lambda H: updown.expected_updown_step(deep(H), X, k=1),
    "next_target": lambda H: dbn_training.next_target(RBM(np.zeros((V, H)), np.zeros(V), np.zeros(H)), X),
    "aggregate_logits": lambda H: criteria.aggregate_logits(np.zeros((N, H)), form="bits"),
    "criterion_grad": lambda H: criteria.criterion_grad(layer(V, H), X, np.zeros((N, H)), form="bits"),
    "upper_bound_grad": lambda H: marginal.upper_bound_grad(layer(V, H), X, tolerance=1e-3),
    "best_optimistic_layer": lambda H: marginal.best_optimistic_layer([layer(V, H)], X, tolerance=1e-3),
    "empirical_bound": lambda H: selection.empirical_bound(
        selection.Lower(layer(V, H), lambda x: np.full((N, H), 0.5)), X
    ),
    "log_sum_pass": lambda H: passes.log_sum_pass(encoder(H), X),
    "log_sum_pass_grad": lambda H: passes.log_sum_pass_grad(encoder(H), X),
    "criterion": lambda H: passes.criterion(encoder(H), X),
}


@pytest.mark.parametrize("units", [31, 64, 20_000])
@pytest.mark.parametrize("name", CALLS)
def test_too_many_units_are_refused_before_anything_is_allocated(name: str, units: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"has [^ ]+( 10\^\d+)? states \(.* bytes as one table\)"):
            CALLS[name](units)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_tables_of_rows_by_states_are_counted() -> None:
    rows = np.zeros((2**12, 1))
    with pytest.raises(
        ValueError, match=r"table of log P\(x \| h\) has 2,147,483,648 states \(17,179,869,184 b"
    ):
        layers.log_conditional(layer(1, 19), rows)
    with pytest.raises(ValueError, match=r"table of q\(h1 \| v\) has 134,217,728 states \(1,073,741,824 b"):
        dbn_bound.recognise(dbn.DBN((layer(1, 15),), (layer(15, 1),), net(15)[1]), rows)
