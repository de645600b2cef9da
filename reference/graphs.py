"""Graphs, Bayesian networks and Markov networks over finite variables: [SH] 2.1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..backends.arrays import Array, array_namespace
from .contracts import Count, Law, NotNegative, checked
from .states import check_enumerable


class Graph(NamedTuple):
    """Nodes 0..nodes-1 and edges: u -> v where directed, u - v otherwise."""

    nodes: Count[int, 0]
    edges: frozenset[tuple[int, int]]
    directed: bool

    def relation(self, name: str) -> None:
        """Raise ValueError where an edge leaves the nodes or joins a node to itself."""
        for u, v in sorted(self.edges):
            if not (0 <= u < self.nodes and 0 <= v < self.nodes) or u == v:
                wanted = f"{name}.edges must join two of the nodes 0..{self.nodes - 1}"
                raise ValueError(f"{wanted}, got ({u}, {v})")


class Factor(NamedTuple):
    """A non-negative function of some variables: axis i of ``table`` belongs to ``variables[i]``."""

    variables: tuple[int, ...]
    table: NotNegative[Array, "..."]

    def relation(self, name: str) -> None:
        """Raise ValueError unless each variable has an axis of its own."""
        if len(set(self.variables)) != len(self.variables) or self.table.ndim != len(self.variables):
            wanted = f"{name} must have one axis for each of its distinct variables {self.variables}"
            raise ValueError(f"{wanted}, got shape {tuple(self.table.shape)}")


def _check_nodes(graph: Graph, *nodes: int) -> None:
    for u in nodes:
        if u not in range(graph.nodes):
            raise ValueError(f"nodes must be among 0..{graph.nodes - 1}, got {u}")


@checked
def has_edge(graph: Graph, u: int, v: int) -> bool:
    """Return whether there is an edge u -> v, or u - v in an undirected graph."""
    return (u, v) in graph.edges or (not graph.directed and (v, u) in graph.edges)


@checked
def parents(graph: Graph, v: int) -> tuple[int, ...]:
    """Return the parents of v, ascending: the u with u -> v.      [SH] 2.1"""
    _check_nodes(graph, v)
    if not graph.directed:
        raise ValueError("parents are those of a directed graph, got an undirected one")
    return tuple(u for u in range(graph.nodes) if has_edge(graph, u, v))


@checked
def neighbours(graph: Graph, u: int) -> tuple[int, ...]:
    """Return the neighbourhood of u, ascending: the v with u - v.      [SH] 2.1"""
    _check_nodes(graph, u)
    if graph.directed:
        raise ValueError("neighbourhoods are those of an undirected graph, got a directed one")
    return tuple(v for v in range(graph.nodes) if has_edge(graph, u, v))


@checked
def is_clique(graph: Graph, nodes: Sequence[int]) -> bool:
    """Return whether the nodes are pairwise connected.      [SH] 2.1"""
    _check_nodes(graph, *nodes)
    return all(has_edge(graph, u, v) or has_edge(graph, v, u) for u in nodes for v in nodes if u != v)


@checked
def is_path(graph: Graph, nodes: Sequence[int]) -> bool:
    """Return whether each node is followed along an edge, in its direction, by the next.      [SH] 2.1"""
    _check_nodes(graph, *nodes)
    return all(has_edge(graph, u, v) for u, v in pairwise(nodes))


@checked
def topological_order(graph: Graph) -> tuple[int, ...]:
    """Return an order of the nodes in which every parent precedes its children.      [SH] 2.1

    Raises: ValueError where there is none, because the graph has a cycle.
    """
    order: list[int] = []
    while len(order) < graph.nodes:
        ready = [v for v in range(graph.nodes) if v not in order and set(parents(graph, v)) <= set(order)]
        if not ready:
            raise ValueError(
                f"a directed acyclic graph is wanted, got a cycle through {_remaining(graph, order)}"
            )
        order += ready
    return tuple(order)


@checked
def is_acyclic(graph: Graph) -> bool:
    """Return whether a directed graph is a DAG: no path along its edges comes back.      [SH] 2.1"""
    if not graph.directed:
        raise ValueError("acyclic is said of a directed graph, got an undirected one")
    try:
        topological_order(graph)
    except ValueError:
        return False
    return True


@checked
def bayes_net_joint(graph: Graph, tables: Sequence[Law[Array, "..."]]) -> Law[Array, "...", None]:
    r"""Return :math:`p(x) = \prod_i p(x_i \mid \mathrm{Pa}(x_i))`.      [SH] 2.1

    Exactness: exact.   Cost: the number of joint states.
    Raises: ValueError where the graph has a cycle or a table does not suit it.
    """
    topological_order(graph)
    if len(tables) != graph.nodes:
        raise ValueError(f"tables must hold one table per node, {graph.nodes}, got {len(tables)}")
    return multiply([Factor((*parents(graph, i), i), table) for i, table in enumerate(tables)]).table


@checked
def unnormalised(graph: Graph, factors: Sequence[Factor]) -> NotNegative[Array, "..."]:
    r"""Return :math:`\tilde p(x) = \prod_C \phi_C(x_C)`, a table over all nodes.      [SH] 2.1

    Exactness: exact.   Cost: the number of joint states.
    Raises: ValueError where a factor's variables are no clique, a factor is negative, or a node has none.
    """
    for factor in factors:
        if not is_clique(graph, factor.variables):
            raise ValueError(f"a factor's variables must be a clique of the graph, got {factor.variables}")
    product = multiply(factors)
    if product.variables != tuple(range(graph.nodes)):
        raise ValueError(f"factors must cover the nodes 0..{graph.nodes - 1}, got {product.variables}")
    return product.table


@checked
def partition(graph: Graph, factors: Sequence[Factor]) -> NotNegative[Array, ""]:
    r"""Return :math:`Z = \sum_x \tilde p(x)`.      [SH] 2.1

    Exactness: exact.   Cost: the number of joint states, exponential in the nodes.
    """
    table = unnormalised(graph, factors)
    return array_namespace(table).sum(table)


@checked
def markov_net_joint(graph: Graph, factors: Sequence[Factor]) -> Law[Array, "...", None]:
    r"""Return :math:`p(x) = \tilde p(x) / Z`.      [SH] 2.1

    Exactness: exact.   Cost: the number of joint states.
    Raises: ValueError where the product of the factors vanishes everywhere.
    """
    table, z = unnormalised(graph, factors), partition(graph, factors)
    if not float(z) > 0:
        raise ValueError("factors must allow some state, their product vanishes everywhere")
    return table / z


@checked
def multiply(factors: Sequence[Factor]) -> Factor:
    """Return the product of factors, over the union of their variables in ascending order.

    Exactness: exact.
    Raises: ValueError for a negative factor, or where two factors disagree on a variable's number of values.
    """
    sizes = _sizes(factors)
    variables = tuple(sorted(sizes))
    check_enumerable("the product of factors", [sizes[v] for v in variables])
    product = None
    for factor in factors:
        aligned = _align(factor, variables)
        product = aligned if product is None else product * aligned
    xp = array_namespace(product)
    return Factor(variables, xp.broadcast_to(product, tuple(sizes[v] for v in variables)))


@checked
def eliminate(factors: Sequence[Factor], *, keep: Sequence[int]) -> Factor:
    r"""Return the product of the factors summed over all other variables, one at a time.

    [SH] 2.3, variable elimination: each variable is summed out of the product of only those factors that
    mention it, first those of few neighbours.  Normalised, the result is the law of ``keep``, given what the
    factors say of evidence.

    Exactness: exact.
    Cost: exponential in the largest intermediate factor, on a chain linear in its length.
    """
    live, sizes = list(factors), _sizes(factors)
    missing = set(keep) - set(sizes)
    if missing:
        raise ValueError(f"keep must name variables of the factors, got {sorted(missing)}")
    left = set(sizes) - set(keep)
    while left:
        v = min(left, key=lambda u: (len(set().union(*(f.variables for f in live if u in f.variables))), u))
        product = multiply([f for f in live if v in f.variables])
        axis = product.variables.index(v)
        xp = array_namespace(product.table)
        summed = Factor(tuple(u for u in product.variables if u != v), xp.sum(product.table, axis=axis))
        live = [f for f in live if v not in f.variables] + [summed]
        left.remove(v)
    return multiply(live)


def _sizes(factors: Sequence[Factor]) -> dict[int, int]:
    if not factors:
        raise ValueError("at least one factor is wanted, got none")
    sizes: dict[int, int] = {}
    for factor in factors:
        for v, n in zip(factor.variables, factor.table.shape, strict=True):
            if sizes.setdefault(v, n) != n:
                raise ValueError(f"variable {v} has {sizes[v]} values in one factor and {n} in another")
    return sizes


def _align(factor: Factor, variables: tuple[int, ...]) -> Array:
    """Return the table with its axes in the order of ``variables``, absent ones of length one."""
    xp = array_namespace(factor.table)
    order = sorted(range(len(factor.variables)), key=lambda axis: factor.variables[axis])
    table = xp.permute_dims(factor.table, tuple(order)) if order else factor.table
    own = dict(zip(sorted(factor.variables), table.shape, strict=True))
    return xp.reshape(table, tuple(own.get(v, 1) for v in variables))


def _remaining(graph: Graph, order: Sequence[int]) -> list[int]:
    return [v for v in range(graph.nodes) if v not in order]
