"""Importance sampling and its effective sample size."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...backends.arrays import array_namespace, to_numpy
from ...reference import importance, laws
from ..check import DEFINITION, EXACTLY, Implementation, agree, at_most, check
from ..strategies.common import arrays, functions, hundredths
from ..strategies.common import laws as law_tables
from ..strategies.finite import Supported, supported


class Several(NamedTuple):
    """A target, a proposal, a function, and how many samples are drawn."""

    case: Supported
    samples: int


def within(case: Supported) -> Supported:
    """Return the case with a proposal that leaves out what the target leaves out, if that is possible."""
    q = case.q * (case.p > 0)
    return case._replace(q=q / q.sum())


@check(
    "SH.sec2.4b",
    of=(importance, laws),
    cases=supported(),
    evidence=EXACTLY,
    rejects=("weights-upside-down", "weights-all-one"),
)
def change_of_measure(impl: Implementation, case: Supported) -> None:
    """E_p[f] = E_q[f w] with w = p / q, for q positive everywhere: the text needs w(x) for every x."""
    xp = array_namespace(case.p)
    weights = xp.exp(impl.importance_log_weights(case.p, case.q))
    there = impl.expectation(case.q[0, :], (case.f * weights)[0, :])
    agree(there, impl.expectation(case.p[0, :], case.f[0, :]), "E_q[f w]")
    agree(impl.expectation(case.q[0, :], weights[0, :]), 1.0, "E_q[w]")


def samples_of_q_do_not_see_where_it_is_zero(impl: Implementation, several: Several, plain: Several) -> None:
    """As printed, for any q: no denominator is zero at a sample, so it is defined; here its mean."""
    p, q, f = (a[0] for a in plain.case)
    seen = q > 0
    agree(q[seen] @ (f[seen] * p[seen] / q[seen]), p @ f, "mean of the estimate", atol=1e-10)


@check(
    "SH.sec2.4c",
    "SH.sec2.4d",
    of=importance,
    cases=st.builds(Several, supported() | supported().map(within), st.integers(1, 3)),
    evidence=EXACTLY,
    assuming="q is positive wherever p f is not zero (the text asks it of the samples, which never show it)",
    without=st.builds(
        Several,
        st.builds(
            lambda p, f: Supported(p[None], np.array([[1.0, 0.0]]), f[None]),
            law_tables(2, zeros=False),
            functions(2),
        ),
        st.just(1),
    ),
    printed=samples_of_q_do_not_see_where_it_is_zero,
    rejects=(
        "weights-normalised-by-their-sum",
        "weighted-sum-for-mean",
        "samples-not-weighted",
        "one-sample-for-all",
        "weights-upside-down",
    ),
)
def importance_sampling_is_unbiased(impl: Implementation, several: Several, plain: Several) -> None:
    """(1/N) sum f w over N samples of q has mean E_p[f] and variance Var_q(f w) / N, over all N-tuples.

    So more samples reduce the variance.
    """
    (p, q, f), N = (a[0] for a in plain.case), several.samples
    outcomes = impl.law("importance_sampling", samples=N, rows=tuple(several.case))
    seen, target = q > 0, float(p @ f)
    agree(float(outcomes.mean()[0]), target, "mean of the estimate", of="SH.sec2.4c")
    spread = float(outcomes.mean(lambda estimate: (estimate - target) ** 2)[0])
    of_one = q[seen] @ (f[seen] * p[seen] / q[seen] - target) ** 2
    agree(spread, of_one / N, "variance of the estimate", of="SH.sec2.4d")


# --- effective sample size --------------------------------------------------------------------------------

log_weights = st.integers(1, 4).flatmap(lambda n: arrays((n,), hundredths(-3, 3)))


@check(
    "SH.eq2.5",
    of=importance,
    cases=log_weights,
    evidence=DEFINITION,
    rejects=("ess-upside-down", "ess-per-sample", "ess-of-roots", "ess-by-the-largest", "ess-counts-samples"),
)
def effective_sample_size(impl: Implementation, log_w: Any, plain: Any) -> None:
    """ess = (sum w)^2 / sum w^2, between 1 and N, N for equal weights, and blind to their scale."""
    w, N = np.exp(plain), len(plain)
    ess = impl.effective_sample_size(log_w)
    agree(ess, sum(w) ** 2 / sum(w**2), "ess")
    at_most(1.0, ess, "one, against ess", slack=1e-9)
    at_most(ess, N, "ess, against N", slack=1e-9)
    agree(impl.effective_sample_size(0 * log_w), float(N), "ess of equal weights")
    agree(impl.effective_sample_size(log_w + 7.5), ess, "ess of rescaled weights")


def information(log_w: Any) -> float:
    """Return how many plain samples tell as much: var(f) over the variance of the weighted mean.

    By the sum over all outcomes of independent values, 3 with probability 1/4 and -1 else, of mean zero.
    """
    share = np.exp(log_w) / np.exp(log_w).sum()
    outcomes = [
        (np.prod([0.25 if x == 3 else 0.75 for x in f]), share @ np.array(f))
        for f in product((3.0, -1.0), repeat=len(share))
    ]
    return 3.0 / float(sum(p * mean**2 for p, mean in outcomes))


def larger_ess_tells_more_per_sample(impl: Implementation, pair: Any, plain: Any) -> None:
    """As printed: of two sets of weights, that of larger ess has more information per sample."""
    ess = [float(to_numpy(impl.effective_sample_size(log_w))) for log_w in pair]
    per_sample = [information(log_w) / len(log_w) for log_w in plain]
    less, more = sorted(range(2), key=lambda i: ess[i])
    at_most(per_sample[less], per_sample[more], "information per sample, where ess is less", slack=0.01)


@check(
    "SH.sec2.4e",
    of=importance,
    cases=st.tuples(log_weights, log_weights),
    evidence=EXACTLY,
    printed=larger_ess_tells_more_per_sample,
    correction="ess is the information of all N samples together, var(f) over the variance of their weighted "
    "mean; that of one sample is ess / N, so a larger ess tells more per sample at equal N only",
    rejects=("ess-counts-samples", "ess-by-the-largest", "ess-per-sample"),
    uncovered="that it can tell whether to go on: weights that all missed a part of the target look equal",
)
def ess_is_the_information_in_the_samples(impl: Implementation, pair: Any, plain: Any) -> None:
    """The weighted mean of independent values has variance var(f) / ess, that of ess plain ones."""
    for log_w, own in zip(pair, plain, strict=True):
        what = "ess, against var(f) / var(weighted mean)"
        agree(impl.effective_sample_size(log_w), information(own), what)
