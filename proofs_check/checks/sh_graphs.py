"""[SH] 2.1: graphs, Bayesian networks and Markov networks; exact inference on them (2.3)."""

from __future__ import annotations

import math
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ...backends.arrays import array_namespace, to_numpy
from ...reference import graphs, laws
from ...reference.graphs import Factor, Graph
from ..check import DEFINITION, EXACTLY, Implementation, agree, check, ensure
from ..strategies import arrays
from ..strategies import laws as law_tables
from .brute import like

SIZES = (2, 3, 2)  # the values of the three variables of all examples here
PAIRS = ((0, 1), (0, 2), (1, 2))


# --- graphs -----------------------------------------------------------------------------------------------

arrows = [(u, v) for u in range(3) for v in range(3) if u != v]
digraphs = st.frozensets(st.sampled_from(arrows)).map(lambda edges: Graph(3, edges, directed=True))
ring = Graph(3, frozenset({(0, 1), (1, 2), (2, 0)}), directed=True)
undirected = st.frozensets(st.sampled_from(PAIRS)).map(lambda edges: Graph(3, edges, directed=False))


def transposed(graph: Graph) -> Graph:
    """Return the graph with every arrow reversed."""
    return graph._replace(edges=frozenset((v, u) for u, v in graph.edges))


def undirect(graph: Graph) -> Graph:
    """Return the graph with its arrows taken for lines."""
    return graph._replace(directed=False)


@check(
    "SH.sec2.1a",
    of=(graphs,),
    cases=digraphs | undirected | st.just(ring),
    evidence=DEFINITION,
    examples=100,
    mutants={
        "children for parents": {"parents": lambda graph, v: graphs.parents(transposed(graph), v)},
        "paths against the arrows": {"is_path": lambda graph, nodes: graphs.is_path(undirect(graph), nodes)},
        "only cycles of two noticed": {
            "is_acyclic": lambda graph: not any((v, u) in graph.edges for u, v in graph.edges)
        },
        "a path taken for a clique": {
            "is_clique": lambda graph, nodes: graphs.is_path(undirect(graph), nodes)
        },
        "lines seen from one end": {
            "neighbours": lambda graph, u: tuple(v for v in range(3) if (u, v) in graph.edges)
        },
    },
)
def graph_vocabulary(impl: Implementation, graph: Graph) -> None:
    """Parents, neighbours, cliques, paths and cycles are what the sets of edges say.

    A path follows the direction of directed edges, and a cycle has at least one edge: the text writes "<->"
    for an edge of a path, and by that letter every graph with an edge, or even a node, would have a cycle.
    """
    e = graph.edges if graph.directed else graph.edges | transposed(graph).edges
    for v in range(3):
        said = impl.parents(graph, v) if graph.directed else impl.neighbours(graph, v)
        ensure(
            set(said) == {u for u in range(3) if (u, v) in e}, f"parents or neighbours of {v}", actual=said
        )
    for nodes in product(range(3), repeat=3):
        path = all((u, v) in e for u, v in pairwise(nodes))
        ensure(impl.is_path(graph, nodes) == path, f"{nodes} is a path", expected=path, actual=not path)
        clique = all((u, v) in e or (v, u) in e for u in nodes for v in nodes if u != v)
        ensure(
            impl.is_clique(graph, nodes) == clique, f"{nodes} is a clique", expected=clique, actual=not clique
        )
    if graph.directed:
        one_step = np.array([[(u, v) in e for v in range(3)] for u in range(3)], dtype=int)
        closed = any(np.trace(np.linalg.matrix_power(one_step, length)) for length in (1, 2, 3))
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
    of=(graphs,),
    cases=bayes_nets(),
    evidence=EXACTLY,
    mutants={
        "a factor left out": {
            "bayes_net_joint": lambda graph, tables: graphs.bayes_net_joint(
                graph, [*tables[:2], 0 * tables[2] + 1 / SIZES[2]]
            )
        },
        "not a product but an average": {
            "bayes_net_joint": lambda graph, tables: (
                graphs.bayes_net_joint(graph, tables) / 2 + 1 / (2 * math.prod(SIZES))
            )
        },
    },
)
def bayes_net_is_the_product_of_its_conditionals(impl: Implementation, net: BayesNet) -> None:
    """p(x) = prod p(x_i | Pa(x_i)) is a law, and its own conditionals given the parents are the tables."""
    joint = to_numpy(impl.bayes_net_joint(*net))
    agree(joint.sum(), 1.0, "mass of the joint")
    parents = [[u for u in range(3) if (u, i) in net.graph.edges] for i in range(3)]
    tables = [to_numpy(table) for table in net.tables]
    for x in product(*map(range, SIZES)):
        local = [
            table[(*(x[u] for u in above), x[i])]
            for i, (above, table) in enumerate(zip(parents, tables, strict=True))
        ]
        agree(joint[x], np.prod(local), f"p{x}")
    for i, (above, table) in enumerate(zip(parents, tables, strict=True)):
        letters = "".join("abc"[u] for u in above)
        family = np.einsum(f"abc->{letters}{'abc'[i]}", joint)
        agree(family, table * family.sum(axis=-1, keepdims=True), f"p({i}, parents) against its conditional")


# --- Markov networks --------------------------------------------------------------------------------------


class MarkovNet(NamedTuple):
    """An undirected graph of three variables and a factor on each of its edges, and on each node."""

    graph: Graph
    factors: tuple[Factor, ...]


@st.composite
def markov_nets(draw: DrawFn, *, zeros: bool = True) -> MarkovNet:
    """Networks whose factors are small integers, with some state allowed by all of them."""
    entries = st.integers(0 if zeros else 1, 3).map(float)
    edges = draw(st.lists(st.sampled_from(PAIRS), min_size=1, unique=True))
    cliques = [
        *edges,
        *((i,) for i in range(3) if draw(st.booleans()) or all(i not in edge for edge in edges)),
    ]
    factors = tuple(Factor(c, draw(arrays(tuple(SIZES[i] for i in c), entries))) for c in cliques)
    net = MarkovNet(Graph(3, frozenset(edges), directed=False), factors)
    return (
        net
        if by_hand(net).any()
        else net._replace(factors=tuple(f._replace(table=f.table + 1) for f in factors))
    )


def by_hand(net: MarkovNet) -> Any:
    """Return the product of the factors, state by state."""
    table = np.zeros(SIZES)
    factors = [(f.variables, to_numpy(f.table)) for f in net.factors]
    for x in product(*map(range, SIZES)):
        table[x] = np.prod([phi[tuple(x[i] for i in clique)] for clique, phi in factors])
    return table


def factors_are_clique_marginals(impl: Implementation, net: MarkovNet) -> None:
    """As printed: a factor on C, normalised, represents the marginal law of the variables of C."""
    joint = impl.markov_net_joint(*net)
    for clique, phi in net.factors:
        agree(laws.marginal(joint, axes=clique), to_numpy(phi) / to_numpy(phi).sum(), f"marginal of {clique}")


@check(
    "SH.sec2.1c",
    of=(graphs,),
    cases=markov_nets(),
    evidence=EXACTLY,
    mutants={
        "factors added": {
            "unnormalised": lambda graph, factors: graphs.unnormalised(
                graph, [f._replace(table=array_namespace(f.table).exp(f.table)) for f in factors]
            )
        },
        "a factor forgotten": {
            "unnormalised": lambda graph, factors: graphs.unnormalised(
                graph, [factors[0]._replace(table=0 * factors[0].table + 1), *factors[1:]]
            )
        },
        "the other cliques forgotten": {"eliminate": lambda factors, keep: factors[0]},
    },
    printed=factors_are_clique_marginals,
    correction="the marginal of a clique is its factor times what the other factors send to it: "
    "p(x_C) = phi_C(x_C) m_C(x_C) / Z with m_C the sum over x outside C of the product of the other factors",
)
def clique_marginal_is_factor_times_message(impl: Implementation, net: MarkovNet) -> None:
    """p~(x) = prod phi_C(x_C), and p(x_C) = phi_C(x_C) m_C(x_C) / Z."""
    table = by_hand(net)
    agree(impl.unnormalised(*net), table, "product of the factors")
    for k, (clique, phi) in enumerate(net.factors):
        # the factor itself in place of which stands a one, so that the message has its axes
        others = [*net.factors[:k], Factor(clique, 0 * phi + 1), *net.factors[k + 1 :]]
        message = impl.eliminate(others, keep=clique).table
        letters = "".join("abc"[i] for i in clique)
        marginal = np.einsum(f"abc->{letters}", table) / table.sum()
        agree(to_numpy(phi * message) / table.sum(), marginal, f"marginal of {clique}")


@check(
    "SH.sec2.1d",
    of=(graphs,),
    cases=markov_nets(),
    evidence=EXACTLY,
    mutants={
        "Z is the largest term": {
            "partition": lambda graph, factors: array_namespace(factors[0].table).max(
                graphs.unnormalised(graph, factors)
            )
        },
        "not normalised": {"markov_net_joint": graphs.unnormalised},
    },
)
def partition_function_normalises(impl: Implementation, net: MarkovNet) -> None:
    """Z = sum p~(x), of prod |X_i| terms, and p = p~ / Z.  That Z may be intractable is not covered."""
    table = by_hand(net)
    agree(impl.partition(*net), table.sum(), "Z")
    agree(impl.markov_net_joint(*net), table / table.sum(), "p")


@check(
    "SH.sec2.1e",
    of=(graphs,),
    cases=st.tuples(markov_nets(zeros=False), bayes_nets()),
    evidence=EXACTLY,
    mutants={
        "Z left out of the Markov network": {"markov_net_joint": graphs.unnormalised},
        "the root of the product of a Bayesian network": {
            "bayes_net_joint": lambda graph, tables: graphs.bayes_net_joint(graph, tables) ** 0.5
        },
    },
)
def only_markov_nets_must_differentiate_z(impl: Implementation, case: tuple[MarkovNet, BayesNet]) -> None:
    """Why learning is harder: raising a log-factor at one entry by s also moves log Z, by inference in full.

    log p(x) moves by s 1[x_C] - log(1 + (e^s - 1) p(x_C)), so its derivative is 1[x_C] - p(x_C).  The product
    of a Bayesian network sums to one for all tables: no Z to differentiate.  The judgement "much harder", and
    what the two kinds express better, are not covered.
    """
    net, directed = case
    (clique, phi), *rest = net.factors
    before = to_numpy(impl.markov_net_joint(*net)).astype(float)
    marginal = by_hand(net).sum(axis=tuple(i for i in range(3) if i not in clique)) / by_hand(net).sum()
    for at in np.ndindex(phi.shape):
        unit = np.zeros(phi.shape)
        unit[at] = 1.0
        raised = Factor(clique, phi * like(np.exp(unit), phi))
        after = to_numpy(impl.markov_net_joint(net.graph, [raised, *rest])).astype(float)
        of_z = np.log1p((np.e - 1) * marginal[at])
        indicator = unit.reshape([SIZES[i] if i in clique else 1 for i in range(3)])
        expected = np.broadcast_to(indicator - of_z, SIZES)
        agree(np.log(after / before), expected, f"log p, with log phi_{clique}{at} raised", atol=1e-10)
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
        arrays((T, 2), st.sampled_from((0.25, 0.5, 1.0))),
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
    of=(graphs,),
    cases=chains,
    evidence=EXACTLY,
    mutants={
        "maximised in place of summed": {
            "eliminate": lambda factors, keep: Factor(
                tuple(keep),
                array_namespace(factors[0].table).max(
                    graphs.multiply(factors).table,
                    axis=tuple(v for v in graphs.multiply(factors).variables if v not in keep),
                ),
            )
        },
        "the evidence of one time forgotten": {
            "eliminate": lambda factors, keep: graphs.eliminate(
                [*factors[:-1], factors[-1]._replace(table=0 * factors[-1].table + 1)], keep=keep
            )
        },
    },
)
def variable_elimination_is_bayes_rule(impl: Implementation, chain: Chain) -> None:
    """p(H | D) = p(D | H) p(H) / p(D): elimination on a hidden chain gives each posterior of the full table.

    The conditioning algorithms and the Monte Carlo methods that the text lists are not covered here.
    """
    start, step, evidence = (to_numpy(a).astype(float) for a in chain)
    T = len(evidence)
    table = np.zeros((2,) * T)
    for h in product(range(2), repeat=T):
        moves = np.prod([step[h[t], h[t + 1]] for t in range(T - 1)])
        table[h] = start[h[0]] * moves * np.prod([evidence[t, h[t]] for t in range(T)])
    for t in range(T):
        others = tuple(s for s in range(T) if s != t)
        message = to_numpy(impl.eliminate(chain_factors(chain), keep=(t,)).table)
        agree(message.sum(), table.sum(), "p(D)")
        agree(message / message.sum(), table.sum(axis=others) / table.sum(), f"p(h{t} | D)")
