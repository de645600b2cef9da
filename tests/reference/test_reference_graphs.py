"""Graphs and the networks on them against definitions written out as loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.reference import graphs
from exactgen.reference.graphs import Factor, Graph

ARROWS = [(u, v) for u in range(3) for v in range(3) if u != v]
DIGRAPHS = [
    Graph(3, frozenset(chosen), directed=True)
    for size in range(len(ARROWS) + 1)
    for chosen in itertools.combinations(ARROWS, size)
]


def test_acyclic_is_having_an_order_over_all_digraphs_of_three_nodes():
    assert len(DIGRAPHS) == 64
    acyclic = [
        graph
        for graph in DIGRAPHS
        if any(all(o.index(u) < o.index(v) for u, v in graph.edges) for o in itertools.permutations(range(3)))
    ]
    assert len(acyclic) == 25  # the number of labelled directed acyclic graphs of three nodes
    assert [graph for graph in DIGRAPHS if graphs.is_acyclic(graph)] == acyclic
    for graph in acyclic:
        order = graphs.topological_order(graph)
        assert sorted(order) == [0, 1, 2]
        assert all(order.index(u) < order.index(v) for u, v in graph.edges)


def test_vocabulary():
    directed = Graph(3, frozenset({(0, 2), (1, 2)}), directed=True)
    assert graphs.parents(directed, 2) == (0, 1)
    assert graphs.parents(directed, 0) == ()
    assert graphs.is_path(directed, (0, 2))
    assert not graphs.is_path(directed, (0, 2, 1))
    square = Graph(4, frozenset({(0, 1), (1, 2), (2, 3), (3, 0)}), directed=False)
    assert graphs.neighbours(square, 0) == (1, 3)
    assert graphs.is_clique(square, (1, 0))
    assert not graphs.is_clique(square, (0, 1, 2))
    assert graphs.is_path(square, (0, 3, 2))


def test_bayes_net_joint_against_a_loop(arr):
    # 2 -> 0 -> 1, 2 -> 1: parents are not before their children in the numbering; 2, 3 and 2 values
    graph = Graph(3, frozenset({(2, 0), (0, 1), (2, 1)}), directed=True)
    of_2 = np.array([0.3, 0.7])
    of_0 = np.array([[0.1, 0.9], [0.0, 1.0]])  # given 2
    of_1 = np.array([[[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], [[0.4, 0.4, 0.2], [0.25, 0.5, 0.25]]])  # given 0, 2
    joint = to_numpy(graphs.bayes_net_joint(graph, [arr(of_0), arr(of_1), arr(of_2)]))
    for a, b, c in itertools.product(range(2), range(3), range(2)):
        assert joint[a, b, c] == pytest.approx(of_2[c] * of_0[c, a] * of_1[a, c, b], abs=1e-16)
    assert joint.sum() == pytest.approx(1)


SQUARE = Graph(4, frozenset({(0, 1), (1, 2), (2, 3), (0, 3)}), directed=False)
SIZES = (2, 3, 2, 2)


def _square_factors(arr):
    rng = np.random.default_rng(3)
    pairs = [(0, 1), (2, 1), (2, 3), (3, 0)]  # some against the order of the variables
    tables = [rng.integers(0, 5, size=(SIZES[u], SIZES[v])).astype(float) for u, v in pairs]
    return tables, [Factor(pair, arr(table)) for pair, table in zip(pairs, tables, strict=True)]


def test_markov_net_against_a_loop(arr):
    tables, factors = _square_factors(arr)
    product = to_numpy(graphs.unnormalised(SQUARE, factors))
    for a, b, c, d in itertools.product(*map(range, SIZES)):
        assert product[a, b, c, d] == tables[0][a, b] * tables[1][c, b] * tables[2][c, d] * tables[3][d, a]
    assert float(graphs.partition(SQUARE, factors)) == product.sum()
    assert np.allclose(to_numpy(graphs.markov_net_joint(SQUARE, factors)), product / product.sum())


@pytest.mark.parametrize("keep", [(), (0,), (3, 1), (0, 1, 2, 3)])
def test_elimination_is_summing_the_product(arr, keep):
    tables, factors = _square_factors(arr)
    a, b, c, d = tables
    product = np.einsum("ab,cb,cd,da->abcd", a, b, c, d)
    result = graphs.eliminate(factors, keep=keep)
    assert result.variables == tuple(sorted(keep))
    rest = tuple(v for v in range(4) if v not in keep)
    assert np.allclose(to_numpy(result.table), product.sum(axis=rest), rtol=1e-14)


def test_elimination_on_a_long_chain_never_sees_the_joint(arr):
    step = np.array([[0.9, 0.1], [0.3, 0.7]])
    factors = [Factor((0,), arr([0.5, 0.5]))] + [Factor((t, t + 1), arr(step)) for t in range(200)]
    end = to_numpy(graphs.eliminate(factors, keep=(200,)).table)  # 2^201 joint states
    assert np.allclose(end, [0.5, 0.5] @ np.linalg.matrix_power(step, 200), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda arr: graphs.topological_order(Graph(2, frozenset({(0, 1), (1, 0)}), True)),
            r"cycle through \[0, 1\]",
        ),
        (lambda arr: graphs.is_acyclic(Graph(2, frozenset({(0, 2)}), True)), "edges must join"),
        (lambda arr: graphs.is_acyclic(Graph(2, frozenset({(1, 1)}), True)), "edges must join"),
        (lambda arr: graphs.parents(SQUARE, 0), "directed graph"),
        (lambda arr: graphs.neighbours(Graph(1, frozenset(), True), 0), "undirected graph"),
        (lambda arr: graphs.unnormalised(SQUARE, [Factor((0, 2), arr(np.ones((2, 2))))]), "clique"),
        (lambda arr: graphs.unnormalised(SQUARE, [Factor((0, 1), arr(np.ones((2, 2))))]), "cover the nodes"),
        (
            lambda arr: graphs.multiply([Factor((0,), arr([1.0, -1.0]))]),
            r"factors\[\d\]\.table must hold finite numbers, none negative",
        ),
        (lambda arr: graphs.multiply([Factor((0, 1), arr([1.0, 1.0]))]), "one axis for each"),
        (
            lambda arr: graphs.multiply([Factor((0,), arr([1.0])), Factor((0,), arr([1.0, 2.0]))]),
            "variable 0 has 1",
        ),
        (lambda arr: graphs.multiply([]), "at least one factor"),
        (lambda arr: graphs.eliminate([Factor((0,), arr([1.0]))], keep=(1,)), "keep must name"),
        (
            lambda arr: graphs.multiply([Factor((t,), arr([1.0, 1.0])) for t in range(40)]),
            "1,099,511,627,776 states",
        ),
        (
            lambda arr: graphs.bayes_net_joint(Graph(1, frozenset(), True), [arr([0.5, 0.6])]),
            r"tables\[0\] must sum to one",
        ),
        (lambda arr: graphs.bayes_net_joint(Graph(1, frozenset(), True), []), "one table per node"),
        (
            lambda arr: graphs.markov_net_joint(
                Graph(1, frozenset(), False), [Factor((0,), arr([0.0, 0.0]))]
            ),
            "vanishes everywhere",
        ),
    ],
)
def test_bad_input_is_named(arr, call, words):
    with pytest.raises(ValueError, match=words):
        call(arr)
