"""Pictures of statements, for ``exactgen explain ID --figure FILE``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..reference.boltzmann.rbm import RBM

Figure: TypeAlias = Callable[[Any], None]
FIGURES: dict[str, Figure] = {}


def figure(*statements: str) -> Callable[[Figure], Figure]:
    """Register the decorated function, which draws on Matplotlib axes, as the picture of ``statements``."""

    def register(draw: Figure) -> Figure:
        for statement in statements:
            if statement in FIGURES:
                raise ValueError(f"{statement} has two figures")
            FIGURES[statement] = draw
        return draw

    return register


def render(draw: Figure, suffix: str) -> bytes:
    """Return the picture as a file of the kind that ``suffix`` (png, svg, pdf) names.

    Raises: ValueError for a suffix that Matplotlib does not write.
    """
    import io

    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(6.4, 4.0), layout="constrained")
    draw(canvas.add_subplot())
    out = io.BytesIO()
    canvas.savefig(out, format=suffix, dpi=150)
    return out.getvalue()


def _example() -> RBM:
    """Return a 4x3 RBM with two modes, all off and all on, between which chains seldom move."""
    W = np.random.default_rng(7).normal(1.5, 0.6, (4, 3))
    return RBM(W, -W.sum(axis=1) / 2, -W.sum(axis=0) / 2 + 0.2)


@figure("BA.fig2", "BA.alg1")
def law_against_samples(axes: Any) -> None:
    """Draw the exact law of v beside the frequencies of Gibbs chains, after 1 and after 50 steps."""
    from ..reference.boltzmann.gibbs import gibbs_step
    from ..reference.boltzmann.partition import marginal_visible
    from ..reference.states import state_index

    theta, chains = _example(), 2000
    states = 2 ** theta.b.shape[0]
    exact = marginal_visible(theta)
    order = np.argsort(-exact)
    axes.bar(np.arange(states), exact[order], color="0.8", label="exact law")
    rng, v = np.random.default_rng(1), np.zeros((chains, theta.b.shape[0]))
    for step in range(1, 51):
        v, _ = gibbs_step(theta, v, rng=rng)
        if step in (1, 50):
            counts = np.bincount(state_index(v, (2,) * v.shape[1]), minlength=states)
            axes.plot(
                counts[order] / chains, "o" if step == 50 else "x", label=f"{chains} chains, step {step}"
            )
    axes.set(xlabel="visible states, the most likely first", ylabel="probability")
    axes.set_title("Gibbs chains started at zero, and the law they approach")
    axes.legend()


@figure("BA.sec2.2a", "BA.eq8", "BP.sec5.4a")
def bias_of_contrastive_divergence(axes: Any) -> None:
    """Draw how far the expected CD-k update is from the gradient, beside powers of the second eigenvalue."""
    from ..reference.boltzmann.contrastive import expected_cd_step
    from ..reference.boltzmann.gibbs import gibbs_kernel
    from ..reference.boltzmann.likelihood import log_likelihood_grad
    from ..reference.chains.kernels import second_eigenvalue

    theta = _example()
    v = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0]])
    gradient = log_likelihood_grad(theta, v)
    steps = np.arange(1, 31)
    bias = [
        np.sqrt(sum(np.sum((e - g) ** 2) for e, g in zip(update, gradient, strict=True)))
        for update in (expected_cd_step(theta, v, k=int(k)) for k in steps)
    ]
    rate = float(second_eigenvalue(gibbs_kernel(theta)))
    axes.semilogy(steps, bias, "o", label="|expected CD-k update - gradient|, exact")
    axes.semilogy(
        steps, bias[-1] * rate ** (steps - steps[-1]), label=f"second eigenvalue {rate:.3f} to the k"
    )
    axes.set(xlabel="k, Gibbs steps", ylabel="bias", title="The bias of CD-k decays as the chain mixes")
    axes.legend()


@figure("BA.eq3", "BA.sec2.1c")
def brackets_of_the_partition_function(axes: Any) -> None:
    """Draw forward and reverse annealed importance sampling closing in on the exact log Z."""
    from ..reference.boltzmann.annealing import ais, reverse_ais
    from ..reference.boltzmann.partition import log_partition, marginal_visible
    from ..reference.states import binary_states

    theta, base, chains, rng = _example(), np.zeros(4), 200, np.random.default_rng(5)
    # The reverse chains start at exact samples of the model.
    ends = binary_states(4, like=theta.W)[rng.choice(16, size=chains, p=marginal_visible(theta))]
    temperatures = 2 ** np.arange(1, 11)
    below, above = [], []
    for n in temperatures:
        betas = np.linspace(0, 1, n)
        forward = ais(theta, base, betas=betas, chains=chains, rng=rng)
        reverse = reverse_ais(theta, base, ends, betas=betas, rng=rng)
        below.append(float(forward.log_partition_base) + np.mean(forward.log_weights))
        above.append(float(reverse.log_partition_base) - np.mean(reverse.log_weights))
    axes.axhline(float(log_partition(theta)), color="0.4", label="exact")
    axes.semilogx(temperatures, above, "v-", base=2, label="reverse: above, in expectation")
    axes.semilogx(temperatures, below, "^-", base=2, label="forward: below, in expectation")
    axes.set(xlabel="temperatures", ylabel="log Z")
    axes.set_title(f"Annealed importance sampling: mean log weight of {chains} chains")
    axes.legend()


@figure("AO.eq14", "AO.eq32")
def certificate_by_step(axes: Any) -> None:
    """Draw the certified gap to the best latent marginal after each step, of EM and of Newton's method."""
    from ..reference.directed.layers import Sigmoid
    from ..reference.directed.mixtures import likelihoods
    from ..reference.layerwise.incorporation import certify, incorporate
    from ..reference.layerwise.marginal import best_marginal

    rng, steps = np.random.default_rng(3), 400
    x = np.asarray(rng.random((60, 30)) < rng.random((4, 30))[rng.integers(4, size=60)], dtype=np.float64)
    p = likelihoods(Sigmoid(rng.normal(0, 1.0, (30, 8)), np.zeros(30)), x)
    Q, em = np.full(256, 1 / 256), []
    for _ in range(steps):
        em.append(float(certify(p, Q).gap))
        Q = incorporate(p, Q)
    newton = [best_marginal(p, tolerance=1e-12, most_steps=k) for k in range(60)]
    done = newton[-1].steps
    axes.semilogy(em, label="data incorporation (EM), eq. 32", color="0.45")
    axes.semilogy([float(found.gap) for found in newton[: done + 1]], label="EM, then Newton's method")
    axes.set(
        xlabel="step",
        ylabel=r"certificate: $U_D - L(Q)$ is at most, in nats",
        title="the best latent marginal of a layer of 8 units",
        xlim=(0, steps),
    )
    axes.legend(fontsize=8)
