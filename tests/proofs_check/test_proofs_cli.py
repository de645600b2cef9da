"""The command line: exit statuses, JSON that programs can read, and nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
import referencing
from exactgen.proofs_check import check as registry
from exactgen.proofs_check import checks, cli, mistakes, results, runner
from exactgen.proofs_check.check import JUDGED, agree, judged
from exactgen.proofs_check.ledger import DOCUMENTS
from exactgen.proofs_check.status import STATUSES


def schema(name: str) -> jsonschema.Draft202012Validator:
    folder = resources.files("exactgen.data.schemas")
    documents = {
        kind: json.loads((folder / f"{kind}.schema.json").read_text())
        for kind in ("verify", "coverage", "explain")
    }
    every = referencing.Registry().with_resources(
        (document["$id"], referencing.Resource.from_contents(document)) for document in documents.values()
    )
    jsonschema.Draft202012Validator.check_schema(documents[name])
    return jsonschema.Draft202012Validator(documents[name], registry=every)


def of_registry(statements: Any = None) -> dict[str, Any]:
    """Return the checks of these statements that are registered, and import none."""
    found = registry.REGISTRY.items()
    return {n: c for n, c in found if statements is None or set(c.statements).intersection(statements)}


@pytest.fixture
def run(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Return what runs the command line on a registry of five checks: (exit status, stdout, stderr)."""

    def refuted(impl, x):
        make_sure(impl, x)

    def make_sure(impl, x):
        odd = impl.softplus(x) - impl.softplus(-x)
        agree(odd, x, "the odd part of softplus, doubled", of=("BA.eq1", "BA.eq3"))

    def printed(impl, x):
        agree(impl.softplus(x), x, "softplus")

    def wrong(impl, x):
        agree(impl.softplus(x), np.abs(x), "softplus")

    def needy(impl, x):
        from exactgen.data import mnist

        mnist()

    def experiment(impl, x):
        make_sure(impl, x)
        return {
            "AO.exp1": judged(["confirmed", "undecided"], "by 9 models\ntea  undecided  this beats that"),
            "AO.fig5": judged(["contradicted"], "by 9 models\ntea  contradicted  that beats this"),
        }

    monkeypatch.delenv("EXACTGEN_DATA", raising=False)
    make(experiment, "AO.exp1", "AO.fig5", evidence=JUDGED, cases=[np.ones(3)])
    make(make_sure, "BA.eq1", "BA.eq3")
    make(refuted, "BA.eq2", printed=printed, correction="its odd part is x/2")
    make(wrong, "AO.prop7")
    make(needy, "SH.sec2.5a", needs_data="mnist")
    monkeypatch.setattr(checks, "load_checks", of_registry)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        if arguments[0] != "audit":  # in one process: others do not know this registry
            arguments = (*arguments, "--results", str(tmp_path / "results.json"), "--jobs", "1")
        try:
            code = cli.main(arguments)
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run


def test_verify_is_clean_where_all_that_ran_passed(run):
    code, out, err = run("verify", "BA.eq1", "BA.eq2", "SH.sec2.5a")
    assert (code, err) == (0, "")
    for word in ("holds exactly", "fails as printed", "skipped", "its odd part is x/2"):
        assert word in out


def test_verify_reports_a_failure_with_its_case(run):
    code, out, _ = run("verify", "AO.prop7")
    assert code == 1
    assert "smallest case: [0.0, 0.0, 0.0]" in out
    assert "expected 0.0, got 0.693147" in out


def test_an_open_statement_is_not_called_verified(run):
    code, out, _ = run("verify", "AL.eq1.1")
    assert code == 0
    assert "1 statements are open, without a check: AL.eq1.1" in out
    assert "holds" not in out


def test_an_experiment_that_does_not_confirm_its_claims_is_no_failure_but_told(run):
    code, out, _ = run("verify", "AO.exp1", "AO.fig5", "--teeth", "--json", "found.json")
    assert code == 0
    assert "AO.exp1       undecided by 9 models\n" in out
    assert "AO.fig5       not reproduced by 9 models\n" in out
    assert "1 undecided  1 not reproduced" in out
    found = json.loads(Path("found.json").read_text())
    schema("verify").validate(found)
    assert found["summary"] == {"undecided": 1, "not reproduced": 1}
    assert found["statements"][0]["evidence"].startswith("not reproduced by 9 models\ntea")
    code, out, _ = run("explain", "AO.fig5", "--json", "told.json")
    assert code == 0
    assert "status       not reproduced by 9 models\n" in out
    assert "tea  contradicted  that beats this" in out
    assert "this beats that" not in out
    schema("explain").validate(json.loads(Path("told.json").read_text()))


def test_a_surviving_mistake_fails_the_run(run):
    registry.REGISTRY.pop("wrong")
    mistakes.mistake(
        "wrong-away-from-zero: Wrong.", {runner_numerics().softplus: lambda right, x: np.log(2.0) + x}
    )
    toothless = registry.check(
        "AO.prop7",
        of=[runner_numerics()],
        cases=[np.zeros(1)],
        evidence=registry.EXACTLY,
        rejects=["test:wrong-away-from-zero"],
    )

    @toothless
    def only_at_zero(impl, x):
        agree(impl.softplus(x), np.log(2.0) + 0 * x, "softplus")

    assert run("verify", "AO.prop7")[0] == 0
    code, out, _ = run("verify", "AO.prop7", "--teeth")
    assert code == 1
    assert "wrong-away-from-zero (survives)" in out


def runner_numerics() -> Any:
    from exactgen.reference import numerics

    return numerics


# --- JSON and JUnit ----------------------------------------------------------------------------------------


def test_verify_json_on_standard_output_is_clean_and_valid(run):
    code, out, err = run("verify", "AO", "BA", "SH", "--json", "-", "--teeth")
    assert code == 1
    found = json.loads(out)
    schema("verify").validate(found)
    status = {entry["id"]: entry["status"] for entry in found["statements"]}
    assert status["BA.eq1"] == status["BA.eq3"] == "holds exactly"
    assert status["BA.eq2"] == "fails as printed"
    assert status["AO.prop7"] == "failed"
    assert status["SH.sec2.5a"] == "skipped"
    assert found["summary"]["open"] == 155 + 111 + 187 - 7
    assert "AO.prop7" in err, "the table goes to standard error"


def test_coverage_json_lists_every_statement(run, monkeypatch):
    code, out, _ = run("coverage", "--json")
    assert code == 1
    found = json.loads(out)
    schema("coverage").validate(found)
    assert len({entry["id"] for entry in found}) == len(found) == 836
    assert {"id", "kind", "status", "check"} <= set(found[0])
    assert [entry["check"] for entry in found if entry["id"] == "BA.eq1"] == [["make_sure"]]
    # The second time only what lacked its data is run: the results are known for these sources.
    again, really = [], cli._run
    monkeypatch.setattr(cli, "_run", lambda a, checks, o: again.extend(checks) or really(a, checks, o))
    assert run("coverage")[0] == 1
    assert again == ["needy"]


def test_coverage_of_names_counts_them_alone_and_says_which_is_which(run):
    code, out, _ = run("coverage", "AO.exp", "BA.eq2", "BA.eq1")
    assert code == 0
    assert "undecided: AO.exp1\n" in out
    assert "fails as printed: BA.eq2\n" in out
    assert "open: AO.exp2, AO.exp3, AO.exp4, AO.exp5, AO.exp6, AO.exp7\n" in out
    assert "SH" not in out
    code, out, _ = run("coverage", "AO.exp", "--json")
    assert [entry["id"] for entry in json.loads(out)] == [f"AO.exp{k}" for k in range(1, 8)]
    assert "AO.exp1" not in run("coverage")[1]


def test_explain_tells_and_its_json_is_valid(run):
    code, out, _ = run("explain", "BA.eq2", "--json", "told.json")
    assert code == 0
    assert "run now, quickly" in out
    assert "reference/numerics.py:" in out
    assert "its odd part is x/2" in out
    told = json.loads(Path("told.json").read_text())
    schema("explain").validate(told)
    where = told["checks"][0]["implementation"]["softplus"]
    file, line = where.rsplit(":", 1)
    source = resources.files("exactgen").joinpath(file).read_text().splitlines()
    assert source[int(line) - 1].startswith("def softplus(")
    assert "of 20" in run("explain", "BA.eq2")[1], "the second time the result is known"


def test_results_of_other_sources_are_said_to_be_stale(run, tmp_path):
    run("verify", "BA.eq1")
    file = tmp_path / "results.json"
    plain = json.loads(file.read_text())
    file.write_text(json.dumps({**plain, "source": "another", "when": "2001-01-01"}))
    assert "run now, quickly; that of 2001-01-01 was of other sources" in run("explain", "BA.eq1")[1]


def test_a_statement_without_check_is_explained(run):
    code, out, _ = run("explain", "AL.eq1.1")
    assert code == 0
    assert "none: no check yet" in out


def test_junit_counts_and_names_the_checks(run):
    assert run("verify", "AO", "BA", "SH", "--junit", "report.xml")[0] == 1
    suite = ElementTree.parse("report.xml").getroot()[0]
    assert [suite.get(k) for k in ("tests", "failures", "errors", "skipped")] == ["5", "1", "0", "1"]
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases["BA.eq1+BA.eq3-make_sure"] == []
    assert cases["AO.prop7-wrong"] == ["failure"]
    assert cases["SH.sec2.5a-needy"] == ["skipped"]


# --- bad usage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "AO.porp7"), "no statement 'AO.porp7'; near: AO.prop7"),
        (("explain", "AO.prop"), "no id but a prefix"),
        (("explain", "AO.prop7", "--figure", "a.png"), "AO.prop7 has no picture"),
        (("explain", "BA.eq3", "--figure", "a.xyz"), "xyz"),
        (("verify", "AO.porp7", "BA.eq7"), "no statement 'AO.porp7'; near: AO.prop7"),
        (("verify", "ao.prop7"), "no statement 'ao.prop7'; near: AO.prop7"),
        (("verify", ""), "no statement ''"),
        (("verify", "XYZ"), "documents: AO, SH, BP, BA, AL"),
        (("explain", "AO.prop7a7"), "no statement 'AO.prop7a7'; near: AO.prop7"),
        (("explain", "BA"), "'BA' is no id but a prefix; the first it selects is BA."),
        (("verify", "--examples", "0"), "at least 1"),
        (("verify", "--jobs", "0"), "--jobs: a whole number of at least 1 is wanted, got '0'"),
        (("coverage", "-j", "-1"), "--jobs: a whole number of at least 1 is wanted, got '-1'"),
        (("explain", "BA.eq7", "-j", "two"), "--jobs: a whole number of at least 1 is wanted, got 'two'"),
        (("verify", "--jobs"), "--jobs: expected one argument"),
        (("verify", "--dtype", "float16"), "float16"),
        (("verify", "--results"), "--results: expected one argument"),
        (("verify", "--backend", "abacus"), "abacus"),
        (("verify", "--json", "nowhere/a.json"), "nowhere/a.json cannot be written"),
        (("verify", "--junit", "."), "cannot be written"),
        (("coverage", "--data-dir", "nowhere"), "nowhere is not a folder"),
        (("coverage", "AO", "BA.porp"), "no statement 'BA.porp'"),
    ],
)
def test_bad_usage_is_status_2_and_named(run, arguments, words, tmp_path):
    code, _, err = run(*arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("a.*"))


def test_a_missing_backend_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    code, _, err = run("verify", "BA.eq1", "--backend", "cupy")
    assert code == 2
    assert "pip install 'exactgen[cupy]'" in err


def test_a_missing_extra_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setitem(sys.modules, "rich", None)
    code, _, err = run("verify", "BA.eq1")
    assert code == 2
    assert "pip install 'exactgen[verify]'" in err


def test_no_command_is_bad_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main([])
    assert "usage: exactgen" in capsys.readouterr().err


# --- interrupts --------------------------------------------------------------------------------------------


def test_code_that_exits_is_not_called_clean(run, tmp_path):
    (tmp_path / "leaves.py").write_text("class Machine:\n    pass\n\n\nraise SystemExit(0)\n")
    code, out, err = run("audit", "leaves.py:Machine")
    assert (code, out) == (2, "")
    assert "stopped by exit(0) in the code at hand" in err


def test_an_interrupted_run_writes_nothing(run, make, tmp_path):
    def interrupted(impl, x):
        raise KeyboardInterrupt

    make(interrupted, "BA.eq7")
    code, _, err = run("verify", "BA", "--json", "a.json", "--junit", "a.xml")
    assert code == 130
    assert "interrupted" in err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_without_a_traceback(run, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run("verify", "BA.eq1", "--json", "a.json")
    assert code == 2
    assert "a.json cannot be written: [Errno 28] No space left on device" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"source": "x", "when": "y", "checks": [{}]}'])
def test_broken_results_are_as_good_as_none(tmp_path, content):
    file = tmp_path / "results.json"
    file.write_text(content)
    assert results.load(file) is None
    assert results.fresh(file) == {}


def test_a_skipped_check_does_not_replace_what_a_run_with_the_data_found(tmp_path):
    file = tmp_path / "new" / "results.json"
    passed = runner.Outcome("needy", ("SH.sec2.5a",), "passed")
    results.save(file, [passed])
    results.save(file, [runner.Outcome("needy", ("SH.sec2.5a",), "skipped")])
    assert results.fresh(file) == {"needy": passed}


# --- from outside ------------------------------------------------------------------------------------------


def outside(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exactgen", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_teaches_and_loads_nothing_heavy():
    script = (
        "import sys; from exactgen.proofs_check.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print('loaded', {'hypothesis', 'rich', 'matplotlib', 'yaml', 'scipy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.returncode == 0
    assert "exactgen explain BA.eq7" in found.stdout
    assert "loaded set()" in found.stdout


@pytest.mark.parametrize("command", ["verify", "coverage"])
def test_help_lists_all_documents_and_statuses_and_loads_nothing_heavy(command):
    script = (
        f"import sys; from exactgen.proofs_check.cli import main\ntry: main(['{command}', '--help'])\n"
        "finally: print('loaded', {'hypothesis', 'numpy', 'rich', 'yaml'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.stdout.endswith("loaded set()\n")
    told = " ".join(found.stdout.split())
    for words in (*DOCUMENTS, *DOCUMENTS.values(), *STATUSES):
        assert words in told


def test_usage_errors_exit_with_2():
    assert outside("verify", "XX.eq1").returncode == 2


def test_output_that_nobody_reads_is_no_trouble():
    """As under ``exactgen explain AO.exp2 | head -1``."""
    for options in ([], ["--json", "-"]):
        with subprocess.Popen(
            [sys.executable, "-m", "exactgen", "explain", "BA.fig2", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as command:
            command.stdout.close()
            told = command.stderr.read()  # the explanation itself, where JSON has the standard output
            assert command.wait() == 1
            assert bool(told) == bool(options)
            assert not any(word in told for word in (b"exactgen:", b"Traceback", b"ignored"))
