"""Reproduction: what is measured of a model, what a claim's verdict rests on, and the command."""

from __future__ import annotations

import json
import re
from itertools import product
from math import comb, log
from pathlib import Path
from typing import Any

import exactgen
import numpy as np
import pytest
from exactgen.backends.streams import HostStream
from exactgen.proofs_check import cli, ledger
from exactgen.proofs_check.reproduce import claims, command, judging, kept, models, pictures
from exactgen.proofs_check.reproduce.models import Trained, measure, plan
from exactgen.reference.directed.layers import Sigmoid
from exactgen.reference.layerwise.selection import TABLE_1, Lower
from scipy.stats import spearmanr

STORED = Path(exactgen.__file__).parent / "docs" / "reproduction"

# --- models ------------------------------------------------------------------------------------------------


def test_a_longer_search_begins_with_a_shorter_and_no_two_share_settings() -> None:
    for kind, data in product(models.KINDS, models.DATA):
        long = plan(kind, data, 30, seed=1)
        assert plan(kind, data, 7, seed=1) == long[:7]
        for setting in long:
            assert set(setting) == {"kind", "data", "rates", *models.CHOICES[data], *TABLE_1[kind]}
            assert all(p.low <= setting[name] <= p.high for name, p in TABLE_1[kind].items())
    rates = [plan(kind, data, 1, seed=1)[0]["cd_rate"] for kind, data in product(models.KINDS, models.DATA)]
    assert len(set(rates)) == 8


def test_numbers_are_those_of_loops_over_states() -> None:
    rng = np.random.default_rng(4)
    W, b, U = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(5, 3))
    law = rng.dirichlet(np.ones(8))
    train, valid = (rng.integers(0, 2, (n, 5)).astype(float) for n in (6, 4))
    model = Trained(Lower(Sigmoid(W, b), lambda x: 1 / (1 + np.exp(-x @ U))), law, 20)
    found = measure(model, train, valid, HostStream(3))

    states = np.array(list(product((0.0, 1.0), repeat=3)))

    def p(x: Any, h: Any) -> float:
        on = 1 / (1 + np.exp(-(W @ h + b)))
        return float(np.prod(np.where(x == 1, on, 1 - on)))

    for name, rows in (("train", train), ("valid", valid)):
        q = 1 / (1 + np.exp(-rows @ U))
        own = [np.mean([np.prod(np.where(h == 1, m, 1 - m)) for m in q]) for h in states]
        for key, weights in ((name, law), (f"bound_{name}", own)):
            wanted = np.mean(
                [log(sum(w * p(x, h) for w, h in zip(weights, states, strict=True))) for x in rows]
            )
            assert found[key] == pytest.approx(wanted, rel=1e-12)
    h = HostStream(3).bernoulli(1 / (1 + np.exp(-train @ U)))
    wanted = np.mean([log(np.mean([p(x, one) for one in h])) for x in train])
    assert found["estimate_train"] == pytest.approx(wanted, rel=1e-12)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training be of two epochs on a few rows of Tea."""
    everything = models.rows("tea", 0)
    monkeypatch.setattr(models, "epochs", lambda rows: 2)
    monkeypatch.setattr(models, "rows", lambda data, split: tuple(part[:12] for part in everything))


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("kind", models.KINDS)
def test_models_have_the_document_s_sizes_and_bounds(kind: str) -> None:
    setting = {**plan(kind, "tea", 1, seed=3)[0], "hidden": 4}
    found = models.run(setting, 9)
    assert found == models.run(setting, 9)
    assert found != models.run(setting, 10)
    deep = 100 * 4 + 100 + (4 * setting.get("hidden2", 0) + 4 + setting.get("hidden2", 0))
    assert found["parameters"] == (100 * 4 + 100 + 4 if kind == "rbm" else deep)
    assert all(-200 < found[name] < 0 for name in models.NUMBERS)
    if kind == "rbm":  # [AO] 2.5: data incorporation never lowers the likelihood
        assert found["bound_train"] >= found["train"]


@pytest.mark.usefixtures("little")
def test_a_rate_of_a_row_is_batch_times_that_of_a_mean() -> None:
    (setting,) = plan("ae", "tea", 1, seed=3, rates="mean")
    times = {**setting, **{name: setting["batch"] * setting[name] for name in ("cd_rate", "bp_rate")}}
    of_row, of_mean = models.run(plan("ae", "tea", 1, seed=3, rates="row")[0], 9), models.run(times, 9)
    assert [of_row[name] for name in models.NUMBERS] == [of_mean[name] for name in models.NUMBERS]


def test_the_largest_models_are_of_nearly_one_size() -> None:
    """[AO] 3.1: 19 hidden units for a single RBM, 16 + 16 for a deep net."""
    assert (19 * 100 + 100 + 19, 16 * 100 + 100 + 16 * 16 + 16 + 16) == (2019, 1988)
    assert judging._BINS[0] <= 201
    assert judging._BINS[-1] > 2019


# --- claims ------------------------------------------------------------------------------------------------


def some(n: int, seed: int, **columns: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(210, 2000, n)
    noise = rng.normal(size=n)
    return [
        {"parameters": int(size), **{name: f(size, e) for name, f in columns.items()}}
        for size, e in zip(sizes, noise, strict=True)
    ]


def pair(lift: float, seed: int = 0, n: int = 60) -> dict[str, Any]:
    """Scores rise with size, whatever the kind; the first kind is better by ``lift``."""
    one = some(n, 2 * seed, valid=lambda size, e: size / 100 + e + lift)
    return {"one": one, "other": some(n, 2 * seed + 1, valid=lambda size, e: size / 100 + e)}


@pytest.mark.parametrize("judge", [judging.best_is_better, judging.typical_is_better])
def test_orderings_are_judged_at_equal_size(judge: Any) -> None:
    assert judge(pair(3.0), "one", "other")[0] == "confirmed"
    assert judge(pair(-3.0), "one", "other")[0] == "contradicted"
    assert judge(pair(0.0), "one", "other")[0] == "undecided"
    # Larger models are better here; that the first ones are larger must not count.
    models_ = pair(0.0)
    models_["one"] = [m for m in models_["one"] if m["parameters"] > 900]
    models_["other"] = [m for m in models_["other"] if m["parameters"] < 1500]
    assert judge(models_, "one", "other")[0] == "undecided"


def test_ranges_without_both_kinds_do_not_count() -> None:
    small = [{"parameters": 250, "valid": -1.0}] * 5
    large = [{"parameters": 1900, "valid": -9.0}] * 5
    assert judging.best_is_better({"a": small, "b": large}, "a", "b") == ("undecided", {"ranges": 0.0})


@pytest.mark.parametrize("judge", [judging.best_is_better, judging.typical_is_better])
def test_a_difference_that_is_not_there_is_seldom_confirmed(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each verdict errs with probability 0.01 at most: 13 of 100 would be a chance below 1e-9."""
    monkeypatch.setattr(judging, "_ROUNDS", 199)
    found = [judge(pair(0.0, seed, n=25), "one", "other")[0] for seed in range(100)]
    assert found.count("confirmed") < 13
    assert sum(comb(100, k) * 0.01**k * 0.99 ** (100 - k) for k in range(13, 101)) < 1e-9


def test_evidence_of_an_ordering_is_what_it_says() -> None:
    models_ = {
        "a": [{"parameters": 300, "valid": v} for v in (-1.0, -5.0)] + [{"parameters": 1200, "valid": -7.0}],
        "b": [{"parameters": 310, "valid": v} for v in (-2.0, -3.0, -9.0)]
        + [{"parameters": 1210, "valid": -4.0}],
    }
    _, best = judging.best_is_better(models_, "a", "b")
    assert (best["ranges"], best["ranges_won"], best["mean_gap_of_best"]) == (2, 1, (1.0 - 3.0) / 2)
    _, typical = judging.typical_is_better(models_, "a", "b")
    # First range: -1 beats 3, -5 beats 1 and loses to 2, of six pairs; second range: lost.
    assert typical["won_minus_lost"] == pytest.approx(((4 - 2) / 6 - 1) / 2)


def test_rank_correlation_is_spearman_s() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 9, 40).astype(float), rng.normal(size=40)
    assert judging.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, rel=1e-12)
    assert judging.spearman(np.ones(5), b[:5]) == 0.0


def test_predictors_are_judged_by_the_limits_of_their_rank_correlation() -> None:
    def models_(noise: float) -> Any:
        return some(80, 5, valid=lambda size, e: size / 500, bound=lambda size, e: size / 500 + noise * e)

    assert judging.predicts(models_(0.05), "bound", "valid", least=0.8)[0] == "confirmed"
    assert judging.predicts(models_(9.0), "bound", "valid", least=0.8)[0] == "contradicted"
    verdict, evidence = judging.predicts(models_(1.0), "bound", "valid", least=0.8)
    assert verdict == "undecided"
    assert evidence["lower_limit"] < 0.8 < evidence["upper_limit"]
    assert evidence["lower_limit"] < evidence["rank_correlation"] < evidence["upper_limit"]


def test_a_share_is_judged_by_the_exact_binomial_law() -> None:
    models_ = [{"valid": 0.0, "bound": 1.0 if k < 38 else -1.0} for k in range(40)]
    _, evidence = judging.lies_above(models_, "bound", "valid", share=0.9)
    law = [comb(40, k) * 0.9**k * 0.1 ** (40 - k) for k in range(41)]
    assert evidence["p_for"] == pytest.approx(sum(law[38:]))
    assert evidence["p_against"] == pytest.approx(sum(law[:39]))
    assert judging.lies_above(models_[:38] * 3, "bound", "valid", share=0.9)[0] == "confirmed"
    assert judging.lies_above(models_[38:] * 2, "bound", "valid", share=0.9)[0] == "contradicted"


def test_the_nearer_estimate_is_judged_by_the_exact_sign_test() -> None:
    models_ = [{"v": 0.0, "near": 0.1, "far": -0.2} for _ in range(9)] + [{"v": 0.0, "near": 0.3, "far": 0.1}]
    models_ += [{"v": 0.0, "near": 0.5, "far": -0.5}]  # no difference: does not count
    verdict, evidence = judging.is_nearer(models_, "near", "far", "v")
    assert evidence["p_for"] == pytest.approx((1 + 10) / 2**10)
    assert (verdict, evidence["nearer"], evidence["models"]) == ("undecided", 9, 10)
    assert judging.is_nearer(models_[:9], "near", "far", "v")[0] == "confirmed"
    assert judging.is_nearer(models_[:9], "far", "near", "v")[0] == "contradicted"


def test_nearness_and_a_gap_of_a_size_are_shares() -> None:
    gaps = [2.0, 1.0, 0.9, -0.9, -1.0, -2.0]
    models_ = [{"valid": -3.0, "bound": -3.0 + gap} for gap in gaps]
    assert judging.lies_above(models_, "bound", "valid", share=0.5, by=1.0)[1]["above"] == 2
    assert judging.lies_near(models_, "bound", "valid", within=1.0, share=0.5)[1]["near"] == 2
    assert judging.lies_near(models_[2:4] * 4, "bound", "valid", within=1.0, share=0.5)[0] == "confirmed"
    assert judging.lies_near(models_[:2] * 4, "bound", "valid", within=1.0, share=0.5)[0] == "contradicted"


def test_models_below_their_bound_are_compared_with_the_others() -> None:
    def models_(lower: float) -> Any:
        bad = [{"train": -9.0 - k - lower, "bound": -9.5 - k - lower} for k in range(8)]
        return bad + [{"train": -9.0 - k, "bound": -8.0 - k} for k in range(8)]

    assert judging.worse_where_below(models_(20.0), "bound", "train")[0] == "confirmed"
    assert judging.worse_where_below(models_(-20.0), "bound", "train")[0] == "contradicted"
    verdict, evidence = judging.worse_where_below(models_(0.0), "bound", "train")
    assert (verdict, evidence["below"], evidence["won_minus_lost"]) == ("undecided", 8, 0)
    for all_or_none in (models_(1.0)[:8], models_(1.0)[8:]):
        assert judging.worse_where_below(all_or_none, "bound", "train")[0] == "undecided"


def test_a_wider_gap_is_found_and_a_violated_bound_named() -> None:
    wide = some(30, 1, train=lambda size, e: e, bound_train=lambda size, e: e + 5 + abs(e))
    narrow = some(30, 2, train=lambda size, e: e, bound_train=lambda size, e: e + abs(e))
    assert judging.gap_is_wider(wide, narrow, "bound_train", "train")[0] == "confirmed"
    assert judging.gap_is_wider(narrow, wide, "bound_train", "train")[0] == "contradicted"
    assert judging.always_above(wide, "bound_train", "train")[0] == "confirmed"
    assert (
        judging.always_above([*wide, {"bound_train": -3.0, "train": -2.9}], "bound_train", "train")[0]
        == "contradicted"
    )


# --- the command -------------------------------------------------------------------------------------------


def test_names_select_figures_with_their_experiments() -> None:
    assert command.select(["AO.exp1"]) == ["AO.fig3", "AO.fig5", "AO.exp1"]
    assert command.select(["AO.fig10", "AO.fig2"]) == ["AO.fig2", "AO.fig10"]
    everything = command.select(["AO"])
    assert {f"AO.fig{k}" for k in (2, 3, 4, 5, *range(8, 24))} < set(everything)
    assert {"AO.tab1", *(f"AO.exp{k}" for k in range(1, 8))} < set(everything)
    for name in ("AO.fig1", "BA", "AO.prop7"):
        with pytest.raises(ValueError, match="cannot be reproduced; these can: AO, "):
            command.select([name])


def test_each_figure_has_its_experiment_s_kinds() -> None:
    for picture in pictures.PICTURES.values():
        assert set(picture.kinds) <= set(claims.kinds_of(picture.experiment))


@pytest.mark.usefixtures("little")
def test_the_command_trains_judges_draws_and_does_not_train_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ["reproduce", "AO.exp1", "AO.fig8", "AO.fig4", "AO.tab1", "--models", "3", "--out", str(tmp_path)]
    assert cli.main(call) == 0
    shown = capsys.readouterr().out
    assert "AO.exp1       tea     undecided     the best stacked RBM beats the best single RBM" in shown
    assert re.search(r"^AO\.fig8 +(undecided|not reproduced) by 3 models a class", shown, re.MULTILINE)
    assert "AO.exp2       undecided" not in shown.split("\n\n")[-1], "asked of one figure of it"
    assert "LogUniform" in shown
    figures = {path.name for path in tmp_path.glob("*.png")}
    assert figures == {"AO.fig3.png", "AO.fig4.png", "AO.fig5.png", "AO.fig8.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.png"))
    stored = kept.read_table((tmp_path / "tea-aeri.csv").read_text())
    assert stored == [models.run(s, _seed(k)) for k, s in enumerate(plan("aeri", "tea", 3, seed=1))]
    judged = json.loads((tmp_path / "AO.exp2.tea.json").read_text())
    assert {v["verdict"] for v in judged} <= {"confirmed", "contradicted", "undecided"}
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}

    def never(*_: Any) -> Any:
        raise AssertionError("trained again")

    never.__module__, never.__qualname__ = models.run.__module__, "run"
    monkeypatch.setattr(models, "run", never)
    assert cli.main(call) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def _seed(number: int) -> int:
    from exactgen.proofs_check.sweeps import job_seed

    return job_seed(command.SEED, number)


@pytest.mark.usefixtures("little")
def test_an_interrupted_run_keeps_what_it_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, train = [], models.run

    def run(setting: Any, seed: int) -> Any:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(seed)
        return train(setting, seed)

    run.__module__, run.__qualname__ = train.__module__, "run"
    monkeypatch.setattr(models, "run", run)
    assert cli.main(["reproduce", "AO.fig5", "--models", "3", "--out", str(tmp_path)]) == 130
    assert "run it again to go on" in capsys.readouterr().err
    assert len(list((tmp_path / "models" / "tea-rbm-3").glob("[0-9]*.json"))) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["AO.eq1"], "'AO.eq1' cannot be reproduced"),
        (["AO.fig5", "--models", "0"], "must be at least 1"),
        (["AO.fig3", "--models", "1"], "train-images-idx3-ubyte"),
    ],
)
def test_bad_usage_is_told_and_nothing_is_trained(
    call: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXACTGEN_DATA", str(tmp_path))
    models.rows.cache_clear()
    assert cli.main(["reproduce", *call, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "models").exists()


# --- what statements tell of the experiments ---------------------------------------------------------------


def told(name: str) -> list[tuple[str, str]]:
    entry = kept.entries()[name]
    of_kinds = {kind: kept.kept_models("tea", kind) for kind in models.KINDS}
    baselines = {"uniform": -69.3, "bernoulli": -49.3, "perfect": -5.5}
    found = []
    for data in models.DATA:
        found += [v for v in claims.verdicts(entry.experiment, data, of_kinds, baselines) if entry.tells(v)]
    return [(v.data, v.says) for v in found]


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge by few rounds: what is judged is asked here, not how."""
    monkeypatch.setattr(judging, "_ROUNDS", 2)


@pytest.mark.usefixtures("quickly")
def test_a_figure_tells_of_the_data_and_classes_that_it_shows() -> None:
    assert {data for data, _ in told("AO.fig5")} == {"tea"}
    assert {data for data, _ in told("AO.exp1")} == {"tea", "cmnist"}
    assert not any("single RBM" in says for _, says in told("AO.fig8"))
    assert any("single RBM" in says for _, says in told("AO.exp2"))
    assert any("mostly beats" in says for _, says in told("AO.fig8"))
    assert all("best" in says for _, says in told("AO.fig10")), "a Pareto front shows no others"
    assert [says[-13:] for _, says in told("AO.fig12")] == [" stacked RBMs"]
    assert len(told("AO.fig16")) == 2, "beside the stacked machines that it does not show"


@pytest.mark.usefixtures("quickly")
def test_bad_aeris_are_a_claim_of_the_text_not_of_the_experiment() -> None:
    extra = {says for _, says in told("AO.sec3.3.3a")} - {says for _, says in told("AO.exp3")}
    assert len(extra) == 2
    assert all("AERI" in says for says in extra)


def test_every_experiment_and_figure_of_the_ledger_has_an_entry() -> None:
    known = ledger.load()
    figures = {f"AO.fig{k}" for k in (3, 5, *range(8, 24))}
    assert set(kept.entries()) == {*claims.EXPERIMENTS, *figures, "AO.sec3.3.3a"} <= set(known)


def test_kept_tables_are_read_as_they_were_written() -> None:
    rows_ = [{"kind": "ae", "hidden": 3, "train": -0.1 - 1e-17, "valid": float("-inf")}]
    assert kept.read_table(kept.table(rows_)) == rows_
    stored = (STORED / "tea-aeri.csv").read_text()
    assert kept.table(kept.read_table(stored)) == stored


# --- the stored results ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("claim", "data"), list(product(claims.EXPERIMENTS, models.DATA)))
def test_stored_verdicts_are_those_of_the_stored_models(claim: str, data: str) -> None:
    stored = json.loads((STORED / f"{claim}.{data}.json").read_text())
    tables = {kind: kept.kept_models(data, kind) for kind in claims.kinds_of(claim)}
    assert all(len(table) == command.QUICK for table in tables.values())
    # The baselines are in the evidence: those of CMNIST need the files.
    baselines = next((v["evidence"] for v in stored if "bernoulli" in v["evidence"]), {})
    baselines = {name: baselines[name] for name in ("uniform", "bernoulli", "perfect") if name in baselines}
    for found, wanted in zip(claims.verdicts(claim, data, tables, baselines), stored, strict=True):
        assert {**found._asdict(), "kinds": list(found.kinds), "evidence": 0} == {**wanted, "evidence": 0}
        assert found.evidence == pytest.approx(wanted["evidence"], rel=1e-9)


def test_stored_models_are_those_of_the_search() -> None:
    for kind, data in product(models.KINDS, models.DATA):
        settings = plan(kind, data, command.QUICK, seed=command.SEED)
        for model, setting in zip(kept.kept_models(data, kind), settings, strict=True):
            assert {name: model[name] for name in TABLE_1[kind]} == {
                name: setting[name] for name in TABLE_1[kind]
            }


def test_the_table_of_verdicts_is_what_was_found() -> None:
    text = (STORED.parent / "reproduction.md").read_text("utf-8")
    told = {}
    for says, *words in re.findall(r"^\| (.+?) \|(.*?)\|(.*?)\|(.*?)\|(.*?)\|$", text, flags=re.MULTILINE):
        told.update({(says, k): word.strip() for k, word in enumerate(words) if word.strip()})
    found = {}
    for k, (folder, data) in enumerate(product((STORED, STORED / "mean-rates"), models.DATA)):
        for file in folder.glob(f"AO.exp*.{data}.json"):
            found.update({(v["says"], k): v["verdict"] for v in json.loads(file.read_text())})
    assert {
        key: word for key, word in told.items() if word in ("confirmed", "undecided", "contradicted")
    } == found
