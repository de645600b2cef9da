"""Mistakes in graphs, Bayesian networks, Markov networks and variable elimination."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference import graphs
from ...reference.graphs import Factor, Graph
from . import mistake
from .patterns import given, returning

# --- graphs


def _reversed(graph: Graph) -> Graph:
    return graph._replace(edges=frozenset((v, u) for u, v in graph.edges))


def _undirected(graph: Graph) -> Graph:
    return graph._replace(directed=False)


def _without_cycles_of_two(graph: Graph) -> bool:
    return not any((v, u) in graph.edges for u, v in graph.edges)


mistake("children-for-parents: Children are called parents.", {graphs.parents: given(_reversed)})
mistake("paths-against-arrows: Paths go against the arrows too.", {graphs.is_path: given(_undirected)})
mistake(
    "longer-cycles-unnoticed: Only cycles of two nodes are noticed.",
    {graphs.is_acyclic: lambda right, graph: _without_cycles_of_two(graph)},
)
mistake(
    "path-for-clique: Nodes along a path are called a clique.",
    {graphs.is_clique: lambda right, graph, nodes: graphs.is_path(_undirected(graph), nodes)},
)
mistake(
    "lines-from-one-end: A line is seen from its first node alone.",
    {graphs.neighbours: lambda right, graph, u: tuple(sorted(v for w, v in graph.edges if w == u))},
)

# --- networks


def _ones(factor: Factor) -> Factor:
    return factor._replace(table=0 * factor.table + 1)


def _last_table_uniform(right: Callable[..., Array], graph: Graph, tables: Sequence[Array]) -> Array:
    *rest, last = tables
    return right(graph, [*rest, 0 * last + 1 / last.shape[-1]])


def _factors_exponentiated(right: Callable[..., Array], graph: Graph, factors: Sequence[Factor]) -> Array:
    return right(graph, [f._replace(table=array_namespace(f.table).exp(f.table)) for f in factors])


def _largest_term(right: Callable[..., Array], graph: Graph, factors: Sequence[Factor]) -> Array:
    table = graphs.unnormalised(graph, factors)
    return array_namespace(table).max(table)


def _maximised(right: Callable[..., Factor], factors: Sequence[Factor], *, keep: Sequence[int]) -> Factor:
    product = graphs.multiply(factors)
    others = tuple(axis for axis, v in enumerate(product.variables) if v not in keep)
    return Factor(tuple(sorted(keep)), array_namespace(product.table).max(product.table, axis=others))


def _first_alone(right: Callable[..., Factor], factors: Sequence[Factor], **options: Any) -> Factor:
    return right([factors[0], *map(_ones, factors[1:])], **options)


def _last_forgotten(right: Callable[..., Any], factors: Sequence[Factor], **options: Any) -> Any:
    return right([*factors[:-1], _ones(factors[-1])], **options)


mistake(
    "conditional-left-out: One conditional of the product is left out.",
    {graphs.bayes_net_joint: _last_table_uniform},
)
mistake(
    "joint-smoothed: The joint law is averaged with the uniform one.",
    {graphs.bayes_net_joint: returning(lambda joint: joint / 2 + 1 / (2 * math.prod(joint.shape)))},
)
mistake(
    "joint-rooted: The joint law is the root of the product.",
    {graphs.bayes_net_joint: returning(lambda joint: joint**0.5)},
)
mistake(
    "log-factors: The factors are taken for their logarithms.", {graphs.unnormalised: _factors_exponentiated}
)
mistake(
    "factor-forgotten: A factor is forgotten.",
    {graphs.unnormalised: lambda right, graph, factors: right(graph, [_ones(factors[0]), *factors[1:]])},
)
mistake("largest-term-for-z: Z is the largest term of its sum.", {graphs.partition: _largest_term})
mistake(
    "z-left-out: The product of the factors is not normalised.",
    {graphs.markov_net_joint: lambda right, graph, factors: graphs.unnormalised(graph, factors)},
)

# --- elimination

mistake(
    "other-factors-forgotten: The message is the first factor alone.",
    {graphs.eliminate: _first_alone},
)
mistake("maximised-for-summed: Variables are maximised out, not summed out.", {graphs.eliminate: _maximised})
mistake(
    "evidence-forgotten: The last factor, a piece of evidence, is forgotten.",
    {graphs.eliminate: _last_forgotten},
)
