"""Every public function of the mathematics, found and called with what its contract makes: the same numbers
on every backend, arguments left as they were, every argument that the contract forbids refused by name.

What the numbers ought to be is the business of the other tests; here no function may be missed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import pkgutil
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exactgen import reference
from exactgen.backends.arrays import device, to_numpy
from exactgen.backends.streams import HostStream
from exactgen.proofs_check.examples import Arguments, called, example, spoilt
from exactgen.proofs_check.runner import map_arrays
from exactgen.reference import distributions, graphs, laws, numerics, optimizers, states
from exactgen.reference.boltzmann import contrastive, machine, rbm, tempering
from exactgen.reference.chains import kernels
from exactgen.reference.contracts import Arrays, contract
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
from exactgen.reference.layerwise import criteria, incorporation, marginal, passes, recipes, selection, stacks
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


BY_NAME: Arguments = {
    "rng": HostStream(7),
    "stream": HostStream(7),
    "betas": (0.0, 0.4, 1.0),
    "rate": 0.1,
    "optimizer": optimizers.adam(0.1, mean_decay=0.9, square_decay=0.99, epsilon=1e-8),
}
"""What no declaration can say, by the name of the argument."""

KNOWN = {machine.BM: MACHINE, graphs.Graph: LINK}
"""Records whose fields must suit each other."""

GIVEN: dict[Callable[..., Any], Arguments] = {
    contrastive.pcd_step: {"chains": CHAINS},
    contrastive.expected_pcd_step: {"chains": CHAINS},
    tempering.tempering_step: {"v": bits(N, 3, V)},
    kernels.kernel_matrix: {"sampler": lambda x, rng: x, "states": CUBE_STATES},
    kernels.single_site_kernel: {"site": 1},
    kernels.systematic_scan_gibbs_kernel: {"order": (1, 0)},
    kernels.random_scan_gibbs_kernel: {"scan": law(2)},
    kernels.random_scan_gibbs_step: {"table": CUBE, "scan": law(3)},
    numerics.x_log_y: {"x": law(3), "y": law(N, 3)},
    numerics.log_mean_exp: {"axis": (0, 1)},
    states.state_index: {"states": bits(N, 3), "radices": (2, 3, 2)},
    distributions.log_bernoulli: {"logits": normal(3)},
    laws.log_table: {"p": JOINT},
    laws.marginal: {"axes": (1,)},
    laws.conditional: {"given": (1,)},
    laws.is_independent: {"tolerance": 0.5},
    graphs.bayes_net_joint: {"graph": GRAPH, "tables": [law(2), law(2, 3)]},
    graphs.unnormalised: {"factors": FACTORS},
    graphs.partition: {"factors": FACTORS},
    graphs.markov_net_joint: {"factors": FACTORS},
    graphs.multiply: {"factors": FACTORS},
    graphs.eliminate: {"factors": FACTORS, "keep": (1,)},
    graphs.parents: {"graph": GRAPH, "v": 1},
    graphs.neighbours: {"u": 1},
    graphs.has_edge: {"u": 1, "v": 0},
    graphs.is_clique: {"nodes": (0, 1)},
    graphs.is_path: {"nodes": (0, 1)},
    graphs.topological_order: {"graph": GRAPH},
    graphs.is_acyclic: {"graph": GRAPH},
    optimizers.exponential: {"factor": 0.5},
    training.begin: {"theta": THETA},
    training.fit: {
        "patience": None,
        "start": training.begin(THETA, optimizer=BRIEFLY["optimizer"]),
        "data": VISIBLE,
        "step": lambda theta, rows, memory, stream: (theta, memory),
        **{name: value for name, value in BRIEFLY.items() if name != "k"},
    },
}
"""And by the function."""

ROOMS: dict[Callable[..., Any], tuple[tuple[Any, ...], dict[str, Any]]] = {
    # networks
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
    stacks.tied_grad: ((stacks.AutoEncoder(LAYERS[:1], LAYERS[1:]),), {}),
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
"""Nets, deep nets and auto-encoders: layers that chain."""

STANDS_IN: dict[Callable[..., Any], tuple[Callable[..., Any], Arguments]] = {
    training.fit: (fitted, {"theta": THETA, "v": VISIBLE}),
    kernels.kernel_matrix: (moves, {"table": CUBE, "scan": law(3), "grid": CUBE_STATES}),
    selection.grow: (grown, {"train": VISIBLE, "valid": CHAINS, "lower": LOWER, "upper": THETA}),
    states.state_blocks: (blocks, {"like": REAL}),
    **{
        maker: (stepped, {"theta": THETA, "gradient": THETA, "method": maker(0.1, **options)})
        for maker, options in {
            optimizers.sgd: {},
            optimizers.momentum: {"decay": 0.9},
            optimizers.rmsprop: {"decay": 0.9, "epsilon": 1e-8},
            optimizers.adam: {"mean_decay": 0.9, "square_decay": 0.99, "epsilon": 1e-8},
        }.items()
    },
    **{
        maker: (
            stepped,
            {"theta": THETA, "gradient": THETA, "method": optimizers.sgd(maker(0.1, **options))},
        )
        for maker, options in {
            optimizers.inverse_time: {"delay": 3.0},
            optimizers.exponential: {"factor": 0.5},
            optimizers.linear: {"steps": 4},
        }.items()
    },
}
"""Calls that try on a backend what takes or returns functions."""


def public_functions() -> Iterator[Callable[..., Any]]:
    for info in pkgutil.walk_packages(reference.__path__, reference.__name__ + "."):
        module = importlib.import_module(info.name)
        if info.name.rpartition(".")[2] not in ("contracts", "arguments", "trees"):  # of trees, not of arrays
            for name, thing in vars(module).items():
                own = inspect.isfunction(thing) and thing.__module__ == module.__name__
                if own and name[0] != "_" and not name.startswith("check_"):
                    yield thing


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__.removeprefix('exactgen.reference.')}.{function.__name__}"


FUNCTIONS = list(public_functions())
DECLARED = [function for function in FUNCTIONS if hasattr(function, "__contract__")]


def arguments_of(function: Callable[..., Any]) -> Arguments:
    """Return the arguments that the contract makes, with what it cannot say."""
    takes = inspect.signature(function).parameters
    given = {name: value for name, value in BY_NAME.items() if name in takes} | GIVEN.get(function, {})
    if function in ROOMS:
        positional, options = ROOMS[function]
        given |= inspect.signature(function).bind_partial(*positional, **options).arguments
        for name in [name for name in given if takes[name].kind is inspect.Parameter.VAR_KEYWORD]:
            given |= given.pop(name)
    if function in DECLARED:
        return example(function, given, known=KNOWN)
    if function in ROOMS or not takes.keys() - given.keys():
        return given
    raise ValueError(f"{name_of(function)} declares nothing")


def call(function: Callable[..., Any], arguments: Arguments) -> Any:
    """Return what it returns, its randomness from a host stream: the same on every backend."""
    takes = inspect.signature(function).parameters
    source = {name: HostStream(7) for name in ("rng", "stream") if name in takes}
    arguments = {**arguments, **source}
    result = called(function, arguments)
    return list(result) if inspect.isgenerator(result) else result


def tried(function: Callable[..., Any]) -> tuple[Callable[..., Any], Arguments]:
    """Return what is called on every backend, and with what."""
    return STANDS_IN[function] if function in STANDS_IN else (function, arguments_of(function))


def is_made(function: Callable[..., Any]) -> bool:
    """Return whether arguments can be made of the declaration and of what is given above."""
    try:
        return bool(arguments_of(function))
    except ValueError:
        return False


CHAINED = (recipes.net, recipes.code_means, stacks.parts_grad)
"""Their layers must chain, which no declaration says."""
SPOKEN = [function for function in FUNCTIONS if is_made(function) and function not in CHAINED]
MADE = [function for function in FUNCTIONS if function in SPOKEN or function in STANDS_IN]
each_function = pytest.mark.parametrize("function", MADE, ids=name_of)
each_declared = pytest.mark.parametrize("function", [f for f in SPOKEN if f in DECLARED], ids=name_of)

PIECES = """
directed.annealed: sweep
directed.dbn: net inputs
directed.kinds: kind_of
directed.layers: state_numbers state_values states_below states_above bits_of
directed.mixtures: mean_ratio data_law where_true
directed.products: half_laws mean_errors halves square
layerwise.passes: output_error
layerwise.stacks: generative_net parameter_count
"""
"""Inner pieces that check nothing, called by functions that do."""
UNCHECKED = {f"{room}.{name}" for room, names in re.findall("(.*): (.*)", PIECES) for name in names.split()}


def arrays_in(thing: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the place and the value of every array in nested tuples, lists and dicts."""
    if isinstance(thing, (tuple, list, dict)):
        for key, part in thing.items() if isinstance(thing, dict) else enumerate(thing):
            yield from arrays_in(part, (*place, key))
    elif hasattr(thing, "dtype"):
        yield place, thing


def test_every_public_function_declares_a_contract() -> None:
    assert len(FUNCTIONS) > 200
    assert {name_of(function) for function in FUNCTIONS if function not in DECLARED} == UNCHECKED


def names_used_with_the_fixture() -> set[str]:
    """Return the names in the code of tests that run over every backend, and in the functions beside them."""
    used = set()
    for path in (TESTS / "reference").rglob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        if path != Path(__file__) and any(a.arg in ("xp", "arr") for f in functions for a in f.args.args):
            used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used


def test_no_public_function_is_missed() -> None:
    """What is not called here, because its nets or its trainings are long to set up, other tests call."""
    used = names_used_with_the_fixture()
    while True:  # and what those call
        more = {name for f in FUNCTIONS if f.__name__ in used for name in inspect.unwrap(f).__code__.co_names}
        if more <= used:
            break
        used |= more
    rooms = ("directed.", "layerwise.")
    missed = [
        name_of(f)
        for f in FUNCTIONS
        if f not in MADE and not (name_of(f).startswith(rooms) and f.__name__ in used)
    ]
    assert not missed, "\n".join(missed)


@each_function
def test_every_backend_gives_the_numbers_of_numpy(xp: Any, function: Callable[..., Any]) -> None:
    target, arguments = tried(function)
    expected = dict(arrays_in(("", call(target, arguments))))
    given = map_arrays(lambda x: xp(x, str(x.dtype)), arguments)
    before = [to_numpy(x) for _, x in arrays_in(given)]
    found = dict(arrays_in(("", call(target, given))))
    assert found.keys() == expected.keys()
    kind = next((x for _, x in arrays_in(given)), None)
    for place, value in found.items():
        if kind is not None and xp.name != "numpy":
            assert type(value) is type(kind) or isinstance(value, np.generic)
            assert device(value) == device(kind)
        np.testing.assert_allclose(to_numpy(value), to_numpy(expected[place]), rtol=1e-9, atol=1e-12)
    for (_, x), old in zip(arrays_in(given), before, strict=True):
        np.testing.assert_array_equal(to_numpy(x), old, err_msg="an argument was changed")


@each_function
def test_single_precision_stays_single_and_near(function: Callable[..., Any]) -> None:
    def single(x: Any) -> Any:
        return x.astype("float32") if x.dtype.kind == "f" else x

    target, arguments = tried(function)
    random = {"rng", "stream"} & set(inspect.signature(target).parameters)
    random = random or function in (training.fit, dbn_training.train_machine, marginal.best_optimistic_layer)
    expected = dict(arrays_in(("", call(target, arguments))))
    for place, value in arrays_in(("", call(target, map_arrays(single, arguments)))):
        if function is not kernels.kernel_matrix and expected[place].dtype.kind == "f":
            assert value.dtype == np.float32
        if np.all(np.isfinite(expected[place])):
            assert np.all(np.isfinite(value))
        if not random:
            np.testing.assert_allclose(value, expected[place], rtol=2e-4, atol=2e-5)


@each_declared
def test_results_are_as_declared(function: Callable[..., Any]) -> None:
    """Shapes, dtypes and domains of results, as far as they are declared."""
    arguments = arguments_of(function)
    norms = function is nets.squared_norms  # a number per row in each field
    if not norms and not inspect.isgeneratorfunction(inspect.unwrap(function)):
        positional = [n for n, p in contract(function).parameters.items() if p.kind is p.VAR_POSITIONAL]
        rest = {name: value for name, value in arguments.items() if name not in positional}
        args = tuple(arguments[positional[0]]) if positional else ()
        contract(function).check_result(args, rest, call(function, arguments))


# --- bad input ---------------------------------------------------------------------------------------------


@each_declared
def test_what_the_contract_forbids_is_refused_by_name(function: Callable[..., Any]) -> None:
    arguments = arguments_of(function)
    for where, how, bad in spoilt(function, arguments):
        with pytest.raises((ValueError, TypeError)) as caught:
            call(function, bad)
        assert is_ours(caught), f"{where}: {how}"
        named = where in str(caught.value)
        # where the first array has another precision, the next one differs from it
        assert named or how == "another precision", f"{where}: {how}: {caught.value}"


@each_declared
def test_arrays_of_two_backends_are_refused(function: Callable[..., Any]) -> None:
    strict = pytest.importorskip("array_api_strict")
    declared, arguments = contract(function), arguments_of(function)
    places = [
        place
        for place, x in arrays_in(arguments)
        if any(isinstance(part, Arrays) for part in declared.arguments[place[0]].walk())
    ]
    for place in places if len(places) > 1 else []:
        with pytest.raises(ValueError, match="arrays of one backend are wanted, got a mixture"):
            call(function, replaced(arguments, place, strict.asarray))


def replaced(thing: Any, place: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """Return ``thing`` changed at one place."""
    if not place:
        return change(thing)
    if isinstance(thing, dict):
        return {**thing, place[0]: replaced(thing[place[0]], place[1:], change)}
    parts = [replaced(part, place[1:], change) if i == place[0] else part for i, part in enumerate(thing)]
    return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)


def is_ours(caught: pytest.ExceptionInfo[Exception]) -> bool:
    """Return whether the error was raised on purpose: by a line of this package, in words of its own."""
    last = traceback.extract_tb(caught.tb)[-1]
    return Path(last.filename).resolve().is_relative_to(TESTS.parent) and str(last.line).startswith("raise ")


POINTWISE = [
    numerics.sigmoid,
    numerics.softplus,
    numerics.log_sigmoid,
    numerics.log_sum_exp,
    numerics.log_mean_exp,
    numerics.x_log_y,
    laws.log_table,
]


@pytest.mark.parametrize("function", POINTWISE, ids=name_of)
def test_nan_of_one_entry_stays_nan(function: Callable[..., Any]) -> None:
    arguments = arguments_of(function)
    for place, x in arrays_in(arguments):
        bad = x.copy()
        bad[(0,) * x.ndim] = math.nan
        assert np.isnan(call(function, replaced(arguments, place, lambda _, bad=bad: bad))).any(), place


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("function", [f for f in FUNCTIONS if ".boltzmann." in f.__module__], ids=name_of)
def test_saturated_machines_give_numbers(function: Callable[..., Any], dtype: str) -> None:
    def saturate(x: Any) -> Any:
        return (x * 800 if np.any(x < 0) else x).astype(dtype)

    for _, value in arrays_in(("", call(function, map_arrays(saturate, arguments_of(function))))):
        assert not np.isnan(value).any()
