"""[BA] 3.1: what a second machine, and a third, can improve of a deep belief net."""

from __future__ import annotations

import numpy as np

from ...backends.arrays import array_namespace, to_numpy
from ...reference.boltzmann.rbm import RBM
from ...reference.directed import belief, dbn, dbn_bound, dbn_training
from ...reference.directed.layers import Sigmoid
from ...reference.trees import add, scale
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..oracle import boltzmann
from ..oracle import directed as oracle
from ..oracle.boltzmann import Table, like
from ..oracle.derivative import derivative
from ..oracle.directed import rows_of
from ..strategies.directed import Stacked, stacked


@check(
    "BA.sec3.1b",
    of=(dbn, dbn_bound),
    cases=stacked(),
    evidence=EXACTLY,
    rejects=("recognition-without-biases", "recognition-halved"),
    uncovered="what training makes of q: it is exact for every machine, trained or not",
)
def posterior_of_the_machine_makes_the_bound_tight(
    impl: Implementation, case: Stacked, plain: Stacked
) -> None:
    """The q of a machine is its p(h | v): the bound of that machine is an equality.

    It is the posterior of the net only as long as the layers above leave p(h) as it is.
    """
    theta = impl.stack([case.machine])
    q = impl.recognise(theta, case.v)
    agree(q, rows_of(np.exp(boltzmann.log_up(plain.machine)), plain.v), "q(h | v)")
    exact = rows_of(boltzmann.log_visible(plain.machine), plain.v)
    agree(impl.elbo(q, impl.log_joint_first(theta, case.v)), exact, "bound of one machine")


@check(
    "BA.eq22",
    of=(dbn, dbn_bound, dbn_training),
    cases=stacked(),
    evidence=DEFINITION,
    rejects=("target-of-another-machine", "target-of-likeliest-states", "entropy-kept-in-the-objective"),
)
def second_machine_learns_the_average_posterior(impl: Implementation, case: Stacked, plain: Stacked) -> None:
    """The part of the mean bound that the second machine changes is its likelihood of h ~ q(h | v)."""
    theta = impl.stack([case.machine, case.top])
    q, prior = impl.recognise(theta, case.v), impl.log_prior(theta)
    law = rows_of(np.exp(boltzmann.log_up(plain.machine)), plain.v)
    agree(impl.next_target(case.machine, case.v), law.mean(axis=0), "average of q(h1 | v)")
    objective = impl.mean_log(q, prior)
    log_h = boltzmann.log_visible(plain.top)
    agree(objective, law @ log_h, "objective")
    rest = impl.elbo(q, impl.log_joint_first(theta, case.v)) - objective
    given = rows_of(oracle.log_given(Sigmoid(plain.machine.W, plain.machine.b)).T, plain.v)
    frozen = (law * given).sum(axis=1) - (law * oracle.log_or_zero(law)).sum(axis=1)
    agree(rest, frozen, "what the second machine leaves of the bound")


def weights_alone_are_transposed(impl: Implementation, case: Stacked, plain: Stacked) -> None:
    """As printed: the second machine begins with the transposed weights; of its biases nothing is said."""
    machine = case.machine
    W = array_namespace(machine.W).matrix_transpose(machine.W)
    start = impl.stack([machine, RBM(W, 0 * machine.c, 0 * machine.b)])
    single = rows_of(boltzmann.log_visible(plain.machine), plain.v)
    agree(impl.log_likelihood(impl.net(start), case.v), single, "log p(v) of the start")


@check(
    "BA.sec3.1c",
    of=(dbn, dbn_bound, belief),
    cases=stacked(),
    examples=60,
    evidence=EXACTLY,
    printed=weights_alone_are_transposed,
    correction=(
        "the biases have to be exchanged too, b2 = c1 and c2 = b1; then the law is that of the single "
        "machine, the bound is tight, and the likelihood gains at least what eq. 22 gains: a training that "
        "lowers eq. 22, as contrastive divergence may, has no guarantee"
    ),
    rejects=(
        "biases-not-exchanged",
        "upside-down-halved",
        "recognition-halved",
        "likelihood-of-the-start",
    ),
)
def upside_down_start_can_only_improve(impl: Implementation, case: Stacked, plain: Stacked) -> None:
    """Same law as the machine's own, bound tight; from there *any* top gains at least what eq. 22 gains."""
    start = impl.stack([case.machine, impl.upside_down(case.machine)])
    single = rows_of(boltzmann.log_visible(plain.machine), plain.v)
    before = to_numpy(impl.log_likelihood(impl.net(start), case.v)).astype(float)
    agree(before, single, "log p(v) of the start", rtol=1e-9)
    q = impl.recognise(start, case.v)
    agree(impl.elbo(q, impl.log_joint_first(start, case.v)), single, "bound of the start", rtol=1e-9)
    after = start._replace(top=case.top)
    gain = to_numpy(impl.log_likelihood(impl.net(after), case.v)).astype(float) - before
    law = rows_of(np.exp(boltzmann.log_up(plain.machine)), plain.v)
    turned = boltzmann.log_hidden(plain.machine)
    risen = law @ (boltzmann.log_visible(plain.top) - turned)
    found = impl.mean_log(q, impl.log_prior(after)) - impl.mean_log(q, impl.log_prior(start))
    agree(found, risen, "gain in eq. 22")
    at_most(risen, gain, "gain in eq. 22, of each row", slack=1e-9)


def ascended(machine: RBM, target: Table, *, rate: float, steps: int) -> RBM:
    """Return the machine after exact ascent on the mean of log p(v) under ``target``."""
    for _ in range(steps):
        slope = derivative(lambda m: (target * boltzmann.log_visible(m)).sum(), machine)
        machine = add(machine, scale(rate, slope))
    return machine


@check(
    "BA.sec3.1e",
    of=(dbn, dbn_bound),
    cases=[
        (
            RBM(np.array([[1.0]]), np.array([-1.0]), np.array([-2.0])),
            RBM(np.array([[-1.0]]), np.array([1.0]), np.array([1.0])),
            np.array([[1.0]]),
        )
    ],
    evidence=EXACTLY,
    rejects=("bound-for-likelihood", "biases-not-exchanged", "top-bias-counted-twice"),
)
def third_machine_may_lower_the_likelihood(
    impl: Implementation, case: tuple[RBM, RBM, Table], plain: tuple[RBM, RBM, Table]
) -> None:
    """A witness of one unit a layer: exact training of a third machine raises the bound, and lowers log p(v).

    The bound of three machines is not tight at the start, unless the second is the first upside down.
    """
    first, second, v = case
    start = impl.stack([first, second, impl.upside_down(second)])
    two = oracle.log_joint(dbn.DBN((Sigmoid(plain[0].W, plain[0].b),), (), plain[1]))
    exact = rows_of(oracle.log_marginal(two, 0), plain[2])
    agree(impl.log_marginal(start, v), exact, "log p(v) of the start")
    target = boltzmann.empirical_law(v)
    for machine in plain[:2]:
        target = target @ np.exp(boltzmann.log_up(machine))
    turned = RBM(plain[1].W.T, plain[1].c, plain[1].b)
    top = ascended(turned, target, rate=1.0, steps=20)
    trained = start._replace(top=RBM(*(like(x, v) for x in top)))
    bounds = [float(to_numpy(impl.bound_log_likelihood(net, v)).mean()) for net in (start, trained)]
    likelihoods = [float(to_numpy(impl.log_marginal(net, v)).mean()) for net in (start, trained)]
    rise = target @ (boltzmann.log_visible(top) - boltzmann.log_visible(turned))
    agree(bounds[1] - bounds[0], rise, "gain of the bound")
    at_most(1e-3, rise, "gain of the objective", slack=0)
    at_most(likelihoods[1], likelihoods[0] - 1e-3, "log p(v) after training", slack=0)
