"""Every public function of the mathematics, called: the same numbers on every backend, nothing bad taken.

What the numbers ought to be is the business of the other tests; here no function may be missed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exactgen import reference
from exactgen.backends.arrays import device, to_numpy
from exactgen.backends.streams import HostStream
from exactgen.proofs_check.runner import map_arrays
from exactgen.reference import (
    distributions,
    graphs,
    importance,
    laws,
    losses,
    numerics,
    optimizers,
    states,
)
from exactgen.reference.boltzmann import (
    annealing,
    contrastive,
    gaussian,
    gibbs,
    likelihood,
    machine,
    partition,
    rbm,
    tempering,
    trajectories,
)
from exactgen.reference.chains import kernels
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
from exactgen.reference.layerwise import criteria, incorporation, marginal, passes, selection, stacks
from exactgen.reference.networks import errors, interpolant, nets, normalisation
from exactgen.reference.networks import layers as kinds
from exactgen.reference.training import fit as training

TESTS = Path(__file__).resolve().parents[1]
DRAW = np.random.default_rng(20)
V, H, N, M = 3, 2, 5, 4


def law(*shape: int) -> np.ndarray:
    p = DRAW.random(shape) + 0.1
    return p / p.sum(-1, keepdims=True)


def normal(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape)


def bits(*shape: int) -> np.ndarray:
    return DRAW.integers(0, 2, shape).astype(float)


def integers(below: int, *shape: int) -> np.ndarray:
    return DRAW.integers(0, below, shape)


THETA, BASE, BETAS = rbm.RBM(normal(V, H), normal(V), normal(H)), normal(V), (0.0, 0.4, 1.0)
COUPLINGS = np.triu(normal(4, 4), 1)
MACHINE = machine.BM(COUPLINGS + COUPLINGS.T, normal(4))
VISIBLE, HIDDEN, CHAINS, REAL = bits(N, V), bits(N, H), bits(M, V), normal(N, V)
JOINT, CUBE = law(6).reshape(2, 3), law(8).reshape(2, 2, 2)
LAYERS = (kinds.Dense(normal(3, 2), normal(2)), kinds.Dense(normal(2, 3), normal(3)))
MLP = nets.mlp("softplus", "identity")
VALUES = nets.forward(MLP, LAYERS, REAL)
RUN = annealing.AIS(normal(M), np.asarray(2.5), bits(M, V))
FACTORS = [graphs.Factor((0, 1), JOINT), graphs.Factor((1,), law(3))]
GRAPH = graphs.Graph(2, frozenset({(0, 1)}), True)
LINK = graphs.Graph(2, frozenset({(0, 1)}), False)


def fitted(theta: rbm.RBM, v: Any) -> training.Fit:
    """Two epochs of CD-1: ``fit`` takes functions, and this is the call that tries it on a backend."""

    def step(theta: Any, rows: Any, memory: Any, stream: Any) -> Any:
        return contrastive.cd_step(theta, rows, k=1, rng=stream)[0], memory

    method = optimizers.sgd(0.1)
    return training.fit(
        training.begin(theta, optimizer=method),
        v,
        step=step,
        optimizer=method,
        batch_size=2,
        epochs=2,
        seed=1,
        stream_of=HostStream,
    )


def stepped(theta: Any, gradient: Any, method: optimizers.Optimizer) -> Any:
    """Two steps, so that averages matter."""
    state = method.start(theta)
    for _ in range(2):
        theta, state = method.ascend(state, theta, gradient)
    return theta, state


def blocks(like: Any) -> list[Any]:
    return list(states.state_blocks((2, 3), like=like, rows=4))


def moves(table: Any, scan: Any, grid: Any) -> Any:
    step = kernels.random_scan_gibbs_step
    return kernels.kernel_matrix(lambda x, rng: step(table, x, scan=scan, rng=rng), grid)


CUBE_STATES = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], dtype=float)
LOGITS, X = normal(N, 3), normal(N)

SIGMOID, OTHER = (layers.Sigmoid(normal(V, H), normal(V)) for _ in range(2))
TOP = rbm.RBM(normal(H, 4), normal(H), normal(4))
NET = (SIGMOID, layers.Table(np.log(law(1, 2**H)).T))
DEEP = dbn.DBN((SIGMOID,), (layers.Sigmoid(normal(H, V), normal(H)),), TOP)
TABLE = np.log(law(N, 4))
LIKELIHOODS = mixtures.likelihoods(SIGMOID, VISIBLE)
BEST = marginal.best_marginal(LIKELIHOODS, tolerance=1e-6)
BEST = BEST._replace(log_likelihood=np.asarray(BEST.log_likelihood))
ENCODER = stacks.AutoEncoder(LAYERS[:1], LAYERS[1:])
NEXT = stacks.AutoEncoder((kinds.Dense(normal(2, 4), normal(4)),), (kinds.Dense(normal(4, 2), normal(2)),))
LOWER = selection.Lower(SIGMOID, lambda x: 0.3 + 0 * x[:, :H])
BRIEFLY = {
    "k": 1,
    "optimizer": optimizers.sgd(0.1),
    "batch_size": 2,
    "epochs": 1,
    "seed": 1,
    "stream_of": HostStream,
}


def one_epoch(machine: rbm.RBM, rows: Any, level: int) -> rbm.RBM:
    return dbn_training.train_machine(machine, rows, **BRIEFLY)


def grown(train: Any, valid: Any, lower: selection.Lower, upper: rbm.RBM, *, rng: Any) -> Any:
    """One level of a growing model: ``grow`` takes functions too."""
    options = {"depth": 1, "least": 99.0, "errors": 1.0, "rng": rng}
    return selection.grow(train, valid, lowers=lambda _: [lower], uppers=lambda _: [upper], **options)[0][:3]


CALLS: dict[Callable[..., Any], tuple[tuple[Any, ...], dict[str, Any]]] = {
    # boltzmann
    rbm.energy: ((THETA, VISIBLE, HIDDEN), {}),
    rbm.free_energy: ((THETA, VISIBLE), {}),
    rbm.hidden_input: ((THETA, VISIBLE), {}),
    rbm.visible_input: ((THETA, HIDDEN), {}),
    rbm.visible_term: ((THETA, VISIBLE), {}),
    rbm.hidden_on: ((normal(N, H),), {}),
    rbm.visible_on: ((normal(N, V),), {}),
    rbm.draw_hidden: ((law(N, H),), {}),
    rbm.draw_visible: ((law(N, V),), {}),
    rbm.mean_hidden: ((THETA, VISIBLE), {}),
    rbm.mean_visible: ((THETA, HIDDEN), {}),
    rbm.sample_hidden: ((THETA, VISIBLE), {}),
    rbm.sample_visible: ((THETA, HIDDEN), {}),
    rbm.data_statistics: ((THETA, VISIBLE), {"weights": law(N)}),
    partition.log_joint_table: ((THETA,), {}),
    partition.log_partition: ((THETA,), {}),
    partition.log_hidden_weights: ((THETA,), {}),
    partition.marginal_hidden: ((THETA,), {}),
    partition.marginal_visible: ((THETA,), {}),
    partition.model_statistics: ((THETA,), {}),
    partition.law_of_bits: ((law(3, N), law(3, N)), {}),
    likelihood.log_likelihood: ((THETA, VISIBLE), {}),
    likelihood.log_normalised: ((THETA, VISIBLE, np.array(3.25)), {}),
    likelihood.log_likelihood_grad: ((THETA, VISIBLE), {"weights": law(N)}),
    likelihood.pseudo_log_likelihood: ((THETA, VISIBLE), {}),
    gibbs.gibbs_step: ((THETA, VISIBLE), {}),
    gibbs.gibbs_kernel: ((THETA,), {}),
    gibbs.gibbs_law: ((THETA, law(2**V)), {"steps": 2}),
    gibbs.hidden_law: ((THETA, law(2**V)), {}),
    gibbs.visible_law: ((THETA, law(2**H)), {}),
    gibbs.law_of_units: ((REAL,), {}),
    contrastive.cd_step: ((THETA, VISIBLE), {"k": 2}),
    contrastive.pcd_step: ((THETA, VISIBLE, CHAINS), {"k": 2}),
    contrastive.expected_cd_step: ((THETA, VISIBLE), {"k": 2}),
    contrastive.expected_pcd_step: ((THETA, VISIBLE, CHAINS), {"k": 2}),
    annealing.base_rate: ((VISIBLE,), {"pseudo_count": 0.5}),
    annealing.intermediate: ((THETA, BASE, 0.4), {}),
    annealing.ais: ((THETA, BASE), {"betas": BETAS, "chains": M}),
    annealing.reverse_ais: ((THETA, BASE, VISIBLE), {"betas": BETAS}),
    annealing.log_partition_below: ((RUN,), {}),
    annealing.log_partition_above: ((RUN,), {}),
    annealing.log_expected_ais_weight: ((THETA, BASE), {"betas": BETAS}),
    annealing.log_density: ((THETA, BASE, VISIBLE, normal(N, H), 0.4), {}),
    annealing.log_weight: ((THETA, BASE, VISIBLE, normal(N, H), 0.4, 0.7), {}),
    annealing.move: ((THETA, BASE, normal(N, H), 0.4), {}),
    tempering.swap_log_ratio: ((THETA, BASE, CHAINS, bits(M, V)), {"beta_hot": 0.3, "beta_cold": 0.8}),
    tempering.tempering_step: ((THETA, BASE, bits(N, 3, V)), {"betas": BETAS}),
    gaussian.energy: ((THETA, REAL, HIDDEN), {}),
    gaussian.free_energy: ((THETA, REAL), {}),
    gaussian.mean_visible: ((THETA, HIDDEN), {}),
    gaussian.sample_visible: ((THETA, HIDDEN), {}),
    gaussian.gibbs_step: ((THETA, REAL), {}),
    gaussian.log_partition: ((THETA,), {}),
    gaussian.marginal_hidden: ((THETA,), {}),
    gaussian.model_statistics: ((THETA,), {}),
    gaussian.log_likelihood: ((THETA, REAL), {}),
    gaussian.log_likelihood_grad: ((THETA, REAL), {"weights": law(N)}),
    machine.from_rbm: ((THETA,), {}),
    machine.energy: ((MACHINE, bits(N, 4)), {}),
    machine.log_partition: ((MACHINE,), {}),
    machine.state_law: ((MACHINE,), {}),
    machine.log_likelihood: ((MACHINE, VISIBLE), {}),
    machine.log_likelihood_grad: ((MACHINE, VISIBLE), {}),
    trajectories.log_forward: ((THETA,), {"k": 2}),
    trajectories.log_backward: ((THETA,), {"k": 1}),
    trajectories.log_encoder: ((THETA, law(2**V)), {"k": 1}),
    trajectories.log_decoder: ((THETA, law(2**V)), {"k": 1}),
    trajectories.path_kl: ((THETA, law(2**V), law(2**V)), {"k": 1}),
    trajectories.path_kl_grad: ((THETA, law(2**V), law(2**V)), {"k": 1}),
    # chains
    kernels.kernel_matrix: ((CUBE, law(3), CUBE_STATES), {}),
    kernels.law_after: ((law(4, 4), law(2, 4)), {"steps": 3}),
    kernels.stationary_law: ((law(4, 4),), {}),
    kernels.detailed_balance_residual: ((law(4, 4), law(4)), {}),
    kernels.total_variation: ((law(2, 4), law(4)), {}),
    kernels.second_eigenvalue: ((law(4, 4),), {}),
    kernels.single_site_kernel: ((JOINT,), {"site": 1}),
    kernels.random_scan_gibbs_kernel: ((JOINT, law(2)), {}),
    kernels.systematic_scan_gibbs_kernel: ((JOINT,), {"order": (1, 0)}),
    kernels.random_scan_gibbs_step: ((CUBE, VISIBLE), {"scan": law(3)}),
    # training
    training.begin: (
        (THETA,),
        {"optimizer": optimizers.adam(0.1, mean_decay=0.9, square_decay=0.99, epsilon=1e-8)},
    ),
    training.fit: ((THETA, VISIBLE), {}),
    optimizers.sgd: ((THETA, THETA), {"method": optimizers.sgd(0.1)}),
    optimizers.momentum: ((THETA, THETA), {"method": optimizers.momentum(0.1, decay=0.9)}),
    optimizers.rmsprop: ((THETA, THETA), {"method": optimizers.rmsprop(0.1, decay=0.9, epsilon=1e-8)}),
    optimizers.adam: (
        (THETA, THETA),
        {
            "method": optimizers.adam(
                optimizers.inverse_time(0.1, delay=3.0), mean_decay=0.9, square_decay=0.99, epsilon=1e-8
            )
        },
    ),
    optimizers.exponential: (
        (THETA, THETA),
        {"method": optimizers.sgd(optimizers.exponential(0.1, factor=0.5))},
    ),
    optimizers.linear: ((THETA, THETA), {"method": optimizers.sgd(optimizers.linear(0.1, steps=4))}),
    optimizers.inverse_time: (
        (THETA, THETA),
        {"method": optimizers.sgd(optimizers.inverse_time(0.1, delay=2.0))},
    ),
    # numerics and states
    numerics.sigmoid: ((REAL,), {}),
    numerics.softplus: ((REAL,), {}),
    numerics.log_sigmoid: ((REAL,), {}),
    numerics.log_sum_exp: ((REAL,), {"axis": 1}),
    numerics.log_mean_exp: ((REAL,), {"axis": (0, 1)}),
    numerics.x_log_y: ((law(3), law(N, 3)), {}),
    states.binary_states: ((3,), {"like": REAL}),
    states.categorical_states: (((2, 3),), {"like": REAL}),
    states.state_blocks: ((REAL,), {}),
    states.state_index: ((bits(N, 3), (2, 3, 2)), {}),
    # distributions
    distributions.log_bernoulli: ((VISIBLE, LOGITS), {}),
    distributions.log_bernoulli_of_probability: ((VISIBLE, law(N, 3)), {}),
    distributions.log_categorical: ((integers(3, N), LOGITS), {}),
    distributions.log_softmax: ((LOGITS,), {}),
    distributions.log_gaussian: ((REAL, LOGITS, normal(3)), {}),
    distributions.bernoulli_entropy: ((LOGITS,), {}),
    distributions.bernoulli_entropy_of_probability: ((law(N, 3),), {}),
    distributions.categorical_entropy: ((LOGITS,), {}),
    distributions.gaussian_entropy: ((LOGITS,), {}),
    # laws and importance
    laws.log_table: ((JOINT,), {}),
    laws.marginal: ((JOINT,), {"axes": (1,)}),
    laws.conditional: ((JOINT,), {"given": (1,)}),
    laws.product_law: ((law(2), law(3)), {}),
    laws.is_independent: ((JOINT,), {"tolerance": 0.5}),
    laws.expectation: ((JOINT, normal(2, 3)), {}),
    laws.variance: ((JOINT, normal(2, 3)), {}),
    laws.monte_carlo: ((law(N, 3), LOGITS), {"samples": 4}),
    laws.draw: ((law(N, 3),), {"samples": 4}),
    laws.gather: ((LOGITS, integers(3, N, 4)), {}),
    laws.entropy: ((JOINT,), {}),
    laws.cross_entropy: ((law(3), law(3)), {}),
    laws.kl: ((law(3), law(3)), {}),
    laws.bhattacharyya_coefficient: ((law(3), law(3)), {}),
    laws.bhattacharyya_distance: ((law(3), law(3)), {}),
    laws.log_evidence: ((law(3), normal(3)), {}),
    laws.posterior: ((law(3), normal(3)), {}),
    laws.predictive: ((law(2), law(2, 3)), {}),
    laws.elbo: ((law(3), normal(3)), {}),
    laws.likelihood: ((law(3), integers(3, N)), {}),
    laws.negative_log_likelihood: ((law(3), integers(3, N)), {}),
    laws.negative_log_likelihood_grad: ((law(3), integers(3, N)), {}),
    laws.empirical_law: ((integers(3, N),), {"like": law(3)}),
    importance.importance_log_weights: ((law(N, 3), law(N, 3)), {}),
    importance.importance_sampling: ((law(N, 3), law(N, 3), LOGITS), {"samples": 4}),
    importance.importance_estimate: ((LOGITS, REAL), {}),
    importance.self_normalised_estimate: ((LOGITS, REAL), {}),
    importance.normalised_weights: ((LOGITS,), {}),
    importance.log_mean_weight: ((LOGITS,), {}),
    importance.effective_sample_size: ((LOGITS,), {}),
    # graphs
    graphs.bayes_net_joint: ((GRAPH, [law(2), law(2, 3)]), {}),
    graphs.unnormalised: ((LINK, FACTORS), {}),
    graphs.partition: ((LINK, FACTORS), {}),
    graphs.markov_net_joint: ((LINK, FACTORS), {}),
    graphs.multiply: ((FACTORS,), {}),
    graphs.eliminate: ((FACTORS,), {"keep": (1,)}),
    # networks and losses
    nets.forward: ((MLP, LAYERS, REAL), {}),
    nets.pullback: ((MLP, LAYERS, VALUES, normal(N, 3)), {}),
    nets.pushforward: ((MLP, LAYERS, VALUES, LAYERS, normal(N, 3)), {}),
    nets.squared_norms: ((MLP, LAYERS, VALUES, normal(N, 3)), {}),
    nets.jacobian: ((MLP, LAYERS, REAL), {}),
    kinds.softmax: ((LOGITS,), {}),
    normalisation.moments: ((REAL,), {}),
    errors.softmax_cross_entropy: ((LOGITS, law(N, 3)), {}),
    errors.softmax_cross_entropy_grad: ((LOGITS, law(N, 3)), {}),
    errors.squared_error: ((REAL, LOGITS), {}),
    errors.squared_error_grad: ((REAL, LOGITS), {}),
    errors.reconstruction_error: ((MLP, LAYERS, REAL), {}),
    errors.denoising_error: ((MLP, LAYERS, REAL, normal(N, 3)), {}),
    interpolant.relu_interpolant: ((np.array([0.0, 1.0, 3.0]), normal(3)), {}),
    losses.training_loss: ((LOGITS, X), {}),
    losses.empirical_risk: ((LOGITS,), {}),
    losses.ridge_loss: ((normal(3), REAL, X), {"penalty": 0.5}),
    losses.ridge_grad: ((normal(3), REAL, X), {"penalty": 0.5}),
    losses.ridge_hessian: ((REAL,), {"penalty": 0.5}),
    stacks.tied_grad: ((stacks.AutoEncoder(LAYERS[:1], LAYERS[1:]),), {}),
    losses.newton_step: ((normal(3), normal(3), np.diag([1.0, 2.0, 4.0])), {}),
    # directed
    layers.table_layer: ((law(H, 4).T,), {}),
    layers.log_conditional_table: ((SIGMOID,), {}),
    layers.log_conditional: ((SIGMOID, VISIBLE), {}),
    products.log_bits: ((VISIBLE, normal(M, V)), {}),
    layers.law_below: ((SIGMOID, law(2**H)), {}),
    layers.mean_below: ((SIGMOID, law(2**V)), {}),
    layers.layer_grad: ((SIGMOID, law(2**V), law(2**H)), {}),
    products.log_bits_of_rows: ((VISIBLE, normal(N, V)), {}),
    products.law_of_means: ((law(N, H), law(N)), {}),
    products.logit_grad: ((normal(N, H), law(2**H)), {}),
    layers.sample_below: ((SIGMOID, integers(2**H, N)), {}),
    layers.state_numbers: ((SIGMOID, VISIBLE), {}),
    layers.bits_of: ((integers(2**H, N), H), {"like": REAL}),
    mixtures.likelihoods: ((SIGMOID, VISIBLE), {}),
    mixtures.likelihoods_of_table: ((TABLE,), {}),
    mixtures.columns: ((LIKELIHOODS, integers(2**H, 3)), {}),
    mixtures.log_mixture: ((LIKELIHOODS, law(2**H)), {}),
    mixtures.log_mixture_of_logs: ((LIKELIHOODS, law(2**H)), {}),
    mixtures.half_posteriors: ((LIKELIHOODS, law(2**H)), {}),
    mixtures.mean_ratio: ((LIKELIHOODS, -law(N), law(N)), {}),
    mixtures.mixture_grad: ((SIGMOID, VISIBLE, law(2**H)), {"weights": law(N)}),
    mixtures.where_true: ((REAL[:, 0] > 0,), {}),
    belief.state_law: ((NET,), {}),
    belief.log_law: ((NET,), {}),
    belief.laws_above: ((NET,), {}),
    belief.joint_law: ((NET,), {}),
    belief.posterior: ((NET, VISIBLE), {}),
    belief.compose: ((NET,), {}),
    belief.log_likelihood: ((NET, VISIBLE), {}),
    belief.log_likelihood_grad: ((NET, VISIBLE), {"weights": law(N)}),
    belief.sample: ((NET,), {"samples": 4}),
    dbn.stack: (([THETA, TOP],), {}),
    dbn.upside_down: ((THETA,), {}),
    dbn.net: ((DEEP,), {}),
    dbn.log_joint: ((DEEP, VISIBLE, HIDDEN, bits(N, 4)), {}),
    dbn.log_marginal: ((DEEP, VISIBLE), {}),
    dbn.inputs: ((SIGMOID, HIDDEN), {}),
    dbn.pass_up: ((DEEP, VISIBLE), {"how": "sample"}),
    dbn.generate: ((DEEP, HIDDEN), {"steps": 2}),
    dbn.reconstruct: ((DEEP, VISIBLE), {"steps": 2}),
    dbn.generated_law: ((DEEP, law(2**H)), {"steps": 2}),
    dbn_bound.log_prior: ((DEEP,), {}),
    dbn_bound.log_joint_first: ((DEEP, VISIBLE), {}),
    dbn_bound.recognise: ((DEEP, VISIBLE), {}),
    dbn_bound.elbo: ((law(N, 3), normal(N, 3)), {}),
    dbn_bound.elbo_by_entropy: ((law(N, 3), normal(N, 3)), {}),
    dbn_bound.mean_log: ((law(N, 3), normal(3)), {}),
    dbn_bound.entropy: ((law(N, 3),), {}),
    dbn_bound.bound_log_likelihood: ((DEEP, VISIBLE), {}),
    updown.updown_step: ((DEEP, VISIBLE), {"k": 2}),
    updown.delta_rule: ((SIGMOID, VISIBLE, HIDDEN), {}),
    updown.expected_updown_step: ((DEEP, VISIBLE), {"k": 2}),
    updown.expected_delta_rule: ((SIGMOID, VISIBLE, bits(M, H), law(N * M).reshape(N, M)), {}),
    dbn_training.next_target: ((THETA, VISIBLE), {"weights": law(N)}),
    dbn_training.train_stack: (([THETA, TOP], VISIBLE), {"up": "sample", "train": one_epoch}),
    dbn_training.train_machine: ((THETA, VISIBLE), {**BRIEFLY, "chains": CHAINS}),
    # layerwise
    incorporation.log_likelihood: ((LIKELIHOODS, law(2**H)), {"weights": law(N)}),
    incorporation.inferred: ((LIKELIHOODS, law(2**H)), {}),
    incorporation.incorporate: ((LIKELIHOODS, law(2**H)), {"weights": law(N)}),
    incorporation.certify: ((LIKELIHOODS, law(2**H)), {"weights": law(N)}),
    incorporation.expectation_maximisation: (
        (LIKELIHOODS, law(2**H)),
        {"weights": law(N), "tolerance": 0.0, "most_steps": 3},
    ),
    marginal.best_marginal: ((LIKELIHOODS,), {"tolerance": 1e-3}),
    marginal.face_marginal: ((LIKELIHOODS, (0, 2)), {"weights": law(N), "tolerance": 1e-3}),
    marginal.upper_bound_grad: ((SIGMOID, VISIBLE), {"weights": law(N), "tolerance": 1e-3}),
    marginal.best_optimistic_layer: (([SIGMOID, OTHER], VISIBLE), {"weights": law(N), "tolerance": 1e-3}),
    marginal.in_model_bound: ((LIKELIHOODS, law(3, 2**H)), {"weights": law(N)}),
    criteria.aggregate: ((law(N, 3),), {"weights": law(N)}),
    criteria.aggregate_logits: ((normal(N, H),), {"form": "bits", "weights": law(N)}),
    criteria.criterion_grad: ((SIGMOID, VISIBLE, normal(N, H)), {"form": "bits", "weights": law(N)}),
    criteria.loss_bounds: ((LIKELIHOODS, BEST, law(2**H)), {"weights": law(N)}),
    criteria.sampled_bound: ((-np.abs(normal(N, N, 2)),), {"weights": law(N)}),
    criteria.sampled_bound_printed: ((-np.abs(normal(N, N, 2)), -np.abs(normal(N, 2))), {"weights": law(N)}),
    criteria.drawn_bound: ((SIGMOID, VISIBLE, bits(N, 2, H)), {"weights": law(N)}),
    selection.draw: ((selection.TABLE_1["aeri"],), {"like": REAL}),
    selection.empirical_bound: ((LOWER, VISIBLE), {"weights": law(N)}),
    selection.another_layer: ((normal(N), normal(N)), {"least": 0.0, "errors": 1.0}),
    selection.grow: ((VISIBLE, CHAINS, LOWER, THETA), {}),
    selection.pareto_front: ((X, normal(N)), {"dominance": "standard"}),
    stacks.initial: (((V, 4, H), (H, V)), {"deviation": 0.5, "like": REAL}),
    stacks.untie: ((THETA,), {}),
    stacks.join: (([ENCODER, NEXT],), {}),
    stacks.generative_net: ((ENCODER,), {}),
    passes.inference_means: ((ENCODER, VISIBLE), {}),
    passes.inference_logits: ((ENCODER, VISIBLE), {}),
    passes.output_error: ((VISIBLE, normal(N, V)), {}),
    passes.log_mean_pass: ((ENCODER, VISIBLE), {}),
    passes.log_mean_pass_grad: ((ENCODER, VISIBLE), {}),
    passes.log_sampled_pass: ((ENCODER, VISIBLE), {}),
    passes.log_sampled_pass_grad: ((ENCODER, VISIBLE), {}),
    passes.log_sum_pass: ((ENCODER, VISIBLE), {}),
    passes.log_sum_pass_grad: ((ENCODER, VISIBLE), {"weights": law(N)}),
    passes.criterion: ((ENCODER, VISIBLE), {"weights": law(N)}),
}
STANDS_IN = {
    training.fit: fitted,
    kernels.kernel_matrix: moves,
    selection.grow: grown,
    states.state_blocks: blocks,
    **dict.fromkeys(
        [
            getattr(optimizers, name)
            for name in ("sgd", "momentum", "rmsprop", "adam", "exponential", "linear", "inverse_time")
        ],
        stepped,
    ),
}
NO_ARRAYS = {
    "graphs": "has_edge parents neighbours is_clique is_path topological_order is_acyclic",
    "trees": "add difference scale tree_map leaves rebuild",
    "states": "check_enumerable",
    "networks.nets": "mlp",
    "contracts": "checked conform contract unchecked_values",
}
"""Functions of graphs, trees and numbers: the same whatever the backend."""


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__.removeprefix('exactgen.reference.')}.{function.__name__}"


def call(function: Callable[..., Any], arguments: Any, options: Any) -> Any:
    """Return what it returns, its randomness from a host stream: the same on every backend."""
    target = STANDS_IN.get(function, function)
    takes = inspect.signature(target).parameters
    source = {name: HostStream(7) for name in ("rng", "stream") if name in takes}
    return target(*arguments, **options, **source)


def arrays_in(thing: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the place and the value of every array in nested tuples, lists and dicts."""
    if isinstance(thing, (tuple, list, dict)):
        for key, part in thing.items() if isinstance(thing, dict) else enumerate(thing):
            yield from arrays_in(part, (*place, key))
    elif hasattr(thing, "dtype"):
        yield place, thing


def replaced(thing: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return ``thing`` with another value at one place."""
    if not place:
        return value
    if isinstance(thing, dict):
        return {**thing, place[0]: replaced(thing[place[0]], place[1:], value)}
    parts = [replaced(part, place[1:], value) if i == place[0] else part for i, part in enumerate(thing)]
    return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)


each_function = pytest.mark.parametrize("function", CALLS, ids=name_of)


@each_function
def test_every_backend_gives_the_numbers_of_numpy(xp: Any, function: Callable[..., Any]) -> None:
    expected = dict(arrays_in(("", call(function, *CALLS[function]))))
    given = map_arrays(lambda x: xp(x, str(x.dtype)), CALLS[function])
    before = [to_numpy(x) for _, x in arrays_in(given)]
    found = dict(arrays_in(("", call(function, *given))))
    assert found.keys() == expected.keys()
    example = next((x for _, x in arrays_in(given)), None)
    for place, value in found.items():
        if example is not None and xp.name != "numpy":
            assert type(value) is type(example) or isinstance(value, np.generic)
            assert device(value) == device(example)
        np.testing.assert_allclose(to_numpy(value), to_numpy(expected[place]), rtol=1e-9, atol=1e-12)
    for (_, x), old in zip(arrays_in(given), before, strict=True):
        np.testing.assert_array_equal(to_numpy(x), old, err_msg="an argument was changed")


@each_function
def test_single_precision_stays_single_and_near(function: Callable[..., Any]) -> None:
    def single(x: Any) -> Any:
        return x.astype("float32") if x.dtype.kind == "f" else x

    random = {"rng", "stream"} & set(inspect.signature(function).parameters)
    random = random or function in (training.fit, dbn_training.train_machine, marginal.best_optimistic_layer)
    expected = dict(arrays_in(("", call(function, *CALLS[function]))))
    for place, value in arrays_in(("", call(function, *map_arrays(single, CALLS[function])))):
        if function is not kernels.kernel_matrix and expected[place].dtype.kind == "f":
            assert value.dtype == np.float32
        assert np.all(np.isfinite(value))
        if not random:
            np.testing.assert_allclose(value, expected[place], rtol=2e-4, atol=2e-5)


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for info in pkgutil.walk_packages(reference.__path__, reference.__name__ + "."):
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if inspect.isfunction(thing) and thing.__module__ == module.__name__ and name[0] != "_":
                yield info.name.removeprefix("exactgen.reference."), thing


def names_used_with_the_fixture() -> set[str]:
    """Return the names in the code of tests that run over every backend, and in the functions beside them."""
    used = set()
    for path in (TESTS / "reference").rglob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        if any(arg.arg in ("xp", "arr") for function in functions for arg in function.args.args):
            used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used


def test_no_public_function_is_missed() -> None:
    functions = list(public_functions())
    used = names_used_with_the_fixture()
    while True:  # and what those call
        more = {
            name for _, f in functions if f.__name__ in used for name in inspect.unwrap(f).__code__.co_names
        } - used
        if not more:
            break
        used |= more
    missed = [
        f"{module}.{function.__name__}"
        for module, function in functions
        if function not in CALLS
        and function.__name__ not in NO_ARRAYS.get(module, "").split()
        and not function.__name__.startswith("check_")
        and not (module.startswith(("directed.", "layerwise.")) and function.__name__ in used)
    ]
    assert not missed, "\n".join(missed)


# --- bad input ---------------------------------------------------------------------------------------------

UNCHECKED = {function for function in CALLS if "unchecked" in (function.__doc__ or "")} | {
    stacks.tied_grad,
    stacks.join,
}
POINTWISE = {
    numerics.sigmoid,
    numerics.softplus,
    numerics.log_sigmoid,
    numerics.log_sum_exp,
    numerics.log_mean_exp,
}
POINTWISE |= {numerics.x_log_y, laws.log_table, laws.gather}
LIKENESSES = {
    selection.draw,
    stacks.initial,
    laws.empirical_law,
    states.binary_states,
    states.categorical_states,
    states.state_blocks,
}
UNREAD = {
    annealing.log_partition_below: [(0, 0, 2)],
    annealing.log_partition_above: [(0, 0, 2)],
    passes.inference_means: [(0, 0, 1, 0, 0), (0, 0, 1, 0, 1)],
    passes.inference_logits: [(0, 0, 1, 0, 0), (0, 0, 1, 0, 1)],
}
MADE = (mixtures.Likelihoods, incorporation.Marginal)  # by functions that check; not to be made by hand
STEPS = set(STANDS_IN) - {kernels.kernel_matrix, training.fit, states.state_blocks} | {training.begin}
CHECKED = [function for function in CALLS if function not in UNCHECKED | STEPS]


def spoilt(function: Callable[..., Any], how: Callable[[Any], Any]) -> Iterator[tuple[Any, Any, str]]:
    """Yield the call with each of its floating arrays spoilt in turn."""
    for place, array in arrays_in(CALLS[function]):
        unread = place in UNREAD.get(function, ())
        made = isinstance(CALLS[function][0][place[1]] if place[0] == 0 else None, MADE)
        if array.dtype.kind == "f" and not unread and not made:
            arguments, options = replaced(CALLS[function], place, how(array))
            yield arguments, options, f"{name_of(function)} {place}"


def with_nan(x: Any) -> Any:
    x = x.copy()
    x[(0,) * x.ndim] = np.nan
    return x


@pytest.mark.parametrize("function", [f for f in CHECKED if f not in POINTWISE | LIKENESSES], ids=name_of)
def test_nan_is_refused(function: Callable[..., Any]) -> None:
    for arguments, options, where in spoilt(function, with_nan):
        with pytest.raises(ValueError) as caught:
            call(function, arguments, options)
        assert is_ours(caught), where


@pytest.mark.parametrize("function", sorted(POINTWISE, key=name_of), ids=name_of)
def test_nan_of_one_entry_stays_nan(function: Callable[..., Any]) -> None:
    for arguments, options, where in spoilt(function, with_nan):
        assert np.isnan(call(function, arguments, options)).any(), where


NO_REALS: dict[str, Callable[[Any], Any]] = {
    "whole numbers": lambda x: np.abs(3 * x).astype("uint8"),
    "complex numbers": lambda x: x.astype(complex),
    "a list": lambda x: x.tolist(),
    "None": lambda x: None,
}


@pytest.mark.parametrize("function", CHECKED, ids=name_of)
def test_what_is_no_array_of_reals_is_refused(function: Callable[..., Any]) -> None:
    for kind, how in NO_REALS.items():
        if kind.endswith("numbers") and function in (*LIKENESSES, laws.gather):
            continue
        for arguments, options, where in spoilt(function, how):
            if any(options.get(name, ...) is None for name in ("weights", "chains")):
                continue  # no weights are equal weights, and PCD without chains is CD
            with pytest.raises((ValueError, TypeError)) as caught:
                call(function, arguments, options)
            assert is_ours(caught), f"{where}: {kind}"


@pytest.mark.parametrize("function", CHECKED, ids=name_of)
def test_arrays_of_two_backends_are_refused(function: Callable[..., Any]) -> None:
    strict = pytest.importorskip("array_api_strict")
    if sum(1 for _ in arrays_in(CALLS[function])) > 1:
        for arguments, options, where in spoilt(function, strict.asarray):
            with pytest.raises(ValueError, match="arrays of one backend are wanted, got a mixture") as caught:
                call(function, arguments, options)
            assert is_ours(caught), where


def is_ours(caught: pytest.ExceptionInfo[Exception]) -> bool:
    """Return whether the error was raised on purpose: by a line of this package, in words of its own."""
    last = caught.traceback[-1]
    return last.path.is_relative_to(TESTS.parent) and str(last.statement).lstrip().startswith("raise ")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("function", [f for f in CALLS if ".boltzmann." in f.__module__], ids=name_of)
def test_saturated_machines_give_numbers(function: Callable[..., Any], dtype: str) -> None:
    def saturate(x: Any) -> Any:
        return (x * 800 if np.any(x < 0) else x).astype(dtype)

    for _, value in arrays_in(("", call(function, *map_arrays(saturate, CALLS[function])))):
        assert not np.isnan(value).any()
