"""Graphs, Bayesian networks and Markov networks, and exact inference on them."""

from __future__ import annotations

import math
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ...backends.arrays import to_numpy
from ...reference import graphs
from ...reference.graphs import Factor, Graph
from ..check import DEFINITION, EXACTLY, Implementation, agree, check, ensure
from ..oracle import laws as oracle
from ..oracle.boltzmann import like
from ..strategies import arrays
from ..strategies import laws as law_tables

SIZES = (2, 3, 2)  # the values of the three variables of all networks here
PAIRS = ((0, 1), (0, 2), (1, 2))


# --- graphs -----------------------------------------------------------------------------------------------


def some_graphs(nodes: int, *, directed: bool) -> SearchStrategy[Graph]:
    """Graphs of so many nodes."""
    ends = [(u, v) for u in range(nodes) for v in range(nodes) if u < v or (directed and u != v)]
    return st.frozensets(st.sampled_from(ends)).map(lambda edges: Graph(nodes, edges, directed))


ring = Graph(3, frozenset({(0, 1), (1, 2), (2, 0)}), directed=True)


@check(
    "SH.sec2.1a",
    of=graphs,
    cases=st.integers(2, 4).flatmap(
        lambda n: some_graphs(n, directed=True) | some_graphs(n, directed=False) | st.just(ring)
    ),
    evidence=DEFINITION,
    examples=100,
    rejects=(
        "children-for-parents",
        "paths-against-arrows",
        "longer-cycles-unnoticed",
        "path-for-clique",
        "lines-from-one-end",
    ),
)
def graph_vocabulary(impl: Implementation, graph: Graph) -> None:
    """Parents, neighbours, cliques, paths and cycles are what the sets of edges say.

    The "<->" of an edge of a path is read as an edge in the direction of the path, and a cycle as having at
    least one edge: with edges of either direction, or none, every directed graph with an edge would have one.
    """
    n = graph.nodes
    e = graph.edges if graph.directed else graph.edges | {(v, u) for u, v in graph.edges}
    for v in range(n):
        said = impl.parents(graph, v) if graph.directed else impl.neighbours(graph, v)
        expected = {u for u in range(n) if (u, v) in e}
        ensure(set(said) == expected, f"parents or neighbours of {v}", expected=expected, actual=said)
    for nodes in product(range(n), repeat=3):
        path, said = all((u, v) in e for u, v in pairwise(nodes)), impl.is_path(graph, nodes)
        ensure(said == path, f"{nodes} is a path", expected=path, actual=said)
        clique = all((u, v) in e or (v, u) in e for u in nodes for v in nodes if u != v)
        said = impl.is_clique(graph, nodes)
        ensure(said == clique, f"{nodes} is a clique", expected=clique, actual=said)
    if graph.directed:
        step = np.array([[(u, v) in e for v in range(n)] for u in range(n)], dtype=int)
        closed = any(np.trace(np.linalg.matrix_power(step, length)) for length in range(1, n + 1))
        ensure(impl.is_acyclic(graph) != closed, "the graph is acyclic", expected=not closed, actual=closed)


# --- Bayesian networks ------------------------------------------------------------------------------------


class BayesNet(NamedTuple):
    """A directed acyclic graph and p(i | parents of i) for each node, the node on the last axis."""

    graph: Graph
    tables: tuple[Any, ...]


@st.composite
def bayes_nets(draw: DrawFn) -> BayesNet:
    """Networks of three variables, of any order: zeros in the tables, parents that come later in number."""
    order = draw(st.permutations(range(3)))
    edges = draw(st.frozensets(st.sampled_from([(order[a], order[b]) for a, b in PAIRS])))
    graph = Graph(3, edges, directed=True)
    tables = []
    for i in range(3):
        above = [SIZES[u] for u in range(3) if (u, i) in edges]
        rows = [draw(law_tables(SIZES[i])) for _ in range(int(np.prod(above)))]
        tables.append(np.array(rows).reshape(*above, SIZES[i]))
    return BayesNet(graph, tuple(tables))


@check(
    "SH.sec2.1b",
    of=graphs,
    cases=bayes_nets(),
    evidence=EXACTLY,
    rejects=("conditional-left-out", "joint-smoothed", "joint-rooted"),
)
def bayes_net_is_the_product_of_its_conditionals(
    impl: Implementation, net: BayesNet, plain: BayesNet
) -> None:
    """p(x) = prod p(x_i | Pa(x_i)) is a law, and its own conditionals given the parents are the tables."""
    joint = to_numpy(impl.bayes_net_joint(*net)).astype(float)
    agree(joint.sum(), 1.0, "mass of the joint")
    parents = [[u for u in range(3) if (u, i) in net.graph.edges] for i in range(3)]
    families = [(*above, i) for i, above in enumerate(parents)]
    for x in product(*map(range, SIZES)):
        local = [t[tuple(x[u] for u in family)] for family, t in zip(families, plain.tables, strict=True)]
        agree(joint[x], math.prod(local), f"p{x}")
    for family, table in zip(families, plain.tables, strict=True):
        law = oracle.margin(joint, family)
        agree(law, table * law.sum(axis=-1, keepdims=True), f"p{family} against its conditional")


# --- Markov networks --------------------------------------------------------------------------------------


class MarkovNet(NamedTuple):
    """An undirected graph of three variables and a factor on each of its edges, and on each node."""

    graph: Graph
    factors: tuple[Factor, ...]


@st.composite
def markov_nets(draw: DrawFn) -> MarkovNet:
    """Networks whose factors are small integers, zeros among them: one on each of some or all cliques."""
    edges = draw(st.lists(st.sampled_from(PAIRS), min_size=1, unique=True))
    cliques: list[tuple[int, ...]] = list(edges)
    cliques += [(i,) for i in range(3) if draw(st.booleans()) or all(i not in edge for edge in edges)]
    if len(edges) == 3 and draw(st.booleans()):
        cliques.append((0, 1, 2))
    entries = st.integers(0, 3).map(float)
    factors = tuple(Factor(c, draw(arrays(tuple(SIZES[i] for i in c), entries))) for c in cliques)
    return MarkovNet(Graph(3, frozenset(edges), directed=False), factors)


def by_hand(net: MarkovNet) -> Any:
    """Return the product of the factors, state by state."""
    table = np.zeros(SIZES)
    for x in product(*map(range, SIZES)):
        table[x] = math.prod(float(phi[tuple(x[i] for i in clique)]) for clique, phi in net.factors)
    return table


allowed = markov_nets().filter(lambda net: bool(by_hand(net).any()))
forbidden = st.tuples(markov_nets(), st.integers(0, 9)).map(lambda nk: _with_a_zero_factor(*nk))


def _with_a_zero_factor(net: MarkovNet, which: int) -> MarkovNet:
    """Return the network with one factor zero: no state is allowed."""
    k = which % len(net.factors)
    zero = net.factors[k]._replace(table=0 * net.factors[k].table)
    return net._replace(factors=(*net.factors[:k], zero, *net.factors[k + 1 :]))


def factors_are_clique_marginals(impl: Implementation, net: MarkovNet, plain: MarkovNet) -> None:
    """As printed: a factor on C, normalised, represents the marginal law of the variables of C."""
    table = by_hand(plain)
    for clique, phi in plain.factors if table.any() else ():
        agree(phi / phi.sum(), oracle.margin(table / table.sum(), clique), f"factor of {clique}, normalised")


@check(
    "SH.sec2.1c",
    of=graphs,
    cases=markov_nets(),
    evidence=EXACTLY,
    rejects=("log-factors", "factor-forgotten", "other-factors-forgotten", "maximised-for-summed"),
    printed=factors_are_clique_marginals,
    correction="the marginal of a clique is its factor times what the other factors send to it: "
    "p(x_C) = phi_C(x_C) m_C(x_C) / Z with m_C the sum over x outside C of the product of the other factors",
)
def clique_marginal_is_factor_times_message(impl: Implementation, net: MarkovNet, plain: MarkovNet) -> None:
    """p~(x) = prod phi_C(x_C), and Z p(x_C) = phi_C(x_C) m_C(x_C)."""
    table = by_hand(plain)
    agree(impl.unnormalised(*net), table, "product of the factors")
    for k, (clique, phi) in enumerate(net.factors):
        # in place of the factor itself stands a one, so that the message has its axes
        others = [*net.factors[:k], Factor(clique, 0 * phi + 1), *net.factors[k + 1 :]]
        message = impl.eliminate(others, keep=clique).table
        agree(phi * message, oracle.margin(table, clique), f"Z times the marginal of {clique}")


@check(
    "SH.sec2.1d",
    of=graphs,
    cases=allowed,
    evidence=EXACTLY,
    rejects=("largest-term-for-z", "z-left-out", "factor-forgotten"),
    assuming="some state is allowed by all factors, so that Z > 0",
    without=forbidden,
    uncovered="that the partition function may be intractable",
)
def partition_function_normalises(impl: Implementation, net: MarkovNet, plain: MarkovNet) -> None:
    """Z = sum p~(x), of prod |X_i| terms, and p = p~ / Z."""
    table = by_hand(plain)
    agree(impl.partition(*net), table.sum(), "Z")
    ensure(table.sum() > 0, "a law p~ / Z", expected="Z > 0", actual="Z = 0")
    agree(impl.markov_net_joint(*net), table / table.sum(), "p")


@check(
    "SH.sec2.1e",
    of=graphs,
    cases=st.tuples(allowed, bayes_nets()),
    evidence=EXACTLY,
    rejects=("z-left-out", "joint-rooted"),
    uncovered="that learning is much harder, and what the two kinds of networks express better",
)
def only_markov_nets_must_differentiate_z(
    impl: Implementation, case: tuple[MarkovNet, BayesNet], plain: tuple[MarkovNet, BayesNet]
) -> None:
    """Why learning is harder: raising a log-factor at one entry by s also moves log Z, by inference in full.

    p(x) is multiplied by e^(s 1[x_C]) / (1 + (e^s - 1) p(x_C)), so d log p / ds = 1[x_C] - p(x_C).  The
    product of a Bayesian network sums to one for all tables: no Z to differentiate.
    """
    net, directed = case
    (clique, phi), *rest = net.factors
    law = by_hand(plain[0]) / by_hand(plain[0]).sum()
    marginal = oracle.margin(law, clique)
    for at in np.ndindex(phi.shape):
        unit = np.zeros(phi.shape)
        unit[at] = 1.0
        raised = Factor(clique, phi * like(np.exp(unit), phi))
        rise = np.exp(unit.reshape([SIZES[i] if i in clique else 1 for i in range(3)]))
        expected = law * rise / (1 + (np.e - 1) * marginal[at])
        agree(
            impl.markov_net_joint(net.graph, [raised, *rest]),
            expected,
            f"p, with log phi_{clique}{at} raised",
        )
    agree(to_numpy(impl.bayes_net_joint(*directed)).sum(), 1.0, "sum of the product of a Bayesian network")


# --- inference --------------------------------------------------------------------------------------------


class Chain(NamedTuple):
    """p(h0), the transitions p(h_{t+1} | h_t), and at each time the probability of what was observed."""

    start: Any  # (2,)
    step: Any  # (2, 2)
    evidence: Any  # (T, 2)


chains = st.integers(1, 5).flatmap(
    lambda T: st.builds(
        lambda a, b, c, e: Chain(a, np.stack([b, c]), e),
        law_tables(2),
        law_tables(2),
        law_tables(2),
        arrays((T, 2), st.sampled_from((0.25, 0.5, 1.0, 0.0))),
    )
)


def chain_factors(chain: Chain) -> list[Factor]:
    """Return the factors of the joint of hidden states and evidence."""
    T = chain.evidence.shape[0]
    return [
        Factor((0,), chain.start),
        *(Factor((t, t + 1), chain.step) for t in range(T - 1)),
        *(Factor((t,), chain.evidence[t, :]) for t in range(T)),
    ]


@check(
    "SH.sec2.3o",
    of=graphs,
    cases=chains,
    evidence=EXACTLY,
    rejects=("maximised-for-summed", "evidence-forgotten"),
    uncovered="conditioning algorithms, Monte Carlo methods, and that few problems can be solved exactly",
)
def variable_elimination_is_bayes_rule(impl: Implementation, chain: Chain, plain: Chain) -> None:
    """p(H | D) p(D) = p(D | H) p(H): elimination on a hidden chain gives each posterior of the full table."""
    start, step, evidence = plain
    T = len(evidence)
    table = np.zeros((2,) * T)
    for h in product(range(2), repeat=T):
        moves = math.prod(float(step[h[t], h[t + 1]]) for t in range(T - 1))
        table[h] = start[h[0]] * moves * math.prod(float(evidence[t, h[t]]) for t in range(T))
    for t in range(T):
        message = to_numpy(impl.eliminate(chain_factors(chain), keep=(t,)).table).astype(float)
        agree(message, oracle.margin(table, (t,)), f"p(h{t}, D)")
        agree(message.sum(), table.sum(), "p(D)")
        if table.any():
            agree(message / message.sum(), oracle.margin(table, (t,)) / table.sum(), f"p(h{t} | D)")
