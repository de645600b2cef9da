"""The audit's machinery: the right machine passes, mistakes do not, the command keeps to its schema."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from exactgen.proofs_check.audit import TargetError, command
from exactgen.proofs_check.audit.adapters import adapt, load
from exactgen.proofs_check.audit.command import cited
from exactgen.proofs_check.audit.engine import Report, audit, audit_at
from exactgen.proofs_check.audit.protocol import Adapter, Declares, table
from exactgen.proofs_check.quantity import Ask
from exactgen.proofs_check.quantity import load as load_quantities
from exactgen.reference.boltzmann import gibbs, partition, rbm
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.trees import scale

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json.loads((ROOT / "data" / "schemas" / "audit.schema.json").read_text("utf-8"))
QUANTITIES = load_quantities()
GROUPS = sorted({quantity.group for quantity in QUANTITIES.values()})


def _right(group: str, **declared: str) -> Adapter:
    """Return the reference as an adapter of a group of quantities, with what it declares."""

    def method(quantity: Any) -> Any:
        def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
            own = {name: getattr(self.declares, name) for name in quantity.split({})[2]}
            return quantity.function(*args, **kwargs, **own)

        return answer

    methods = {name: method(q) for name, q in QUANTITIES.items() if q.group == group}
    return type("Right", (Adapter,), {**methods, "declares": Declares().but(**declared)})()


@pytest.mark.parametrize(
    ("group", "declared"),
    [
        *((group, {}) for group in GROUPS),
        ("boltzmann_quantities", {"chain": "hidden"}),
        ("boltzmann_quantities", {"negative_visible": "mean", "chain": "hidden"}),
        ("layerwise_quantities", {"tied_weights": "yes"}),
    ],
)
def test_the_reference_is_right_under_every_convention(group: str, declared: dict[str, str]) -> None:
    report = audit(_right(group, **declared))
    assert (report.findings, report.not_covered, report.notes) == ([], {}, [])
    assert set(report.right) == {name for name, q in QUANTITIES.items() if q.group == group}


def test_the_protocol_is_listed_from_the_declarations() -> None:
    listed = table()
    for name, quantity in QUANTITIES.items():
        assert f"  {name}({', '.join(quantity.asked)})\n      {quantity.words}" in listed


@pytest.mark.parametrize(
    ("statement", "words"),
    [("BA.alg2", "[BA] alg. 2"), ("BP.eq38", "[BP] eq. 38"), ("AO.fn3", "[AO] footnote 3"),
     ("BA.sec2.1e", "[BA] 2.1e")],
)  # fmt: skip
def test_statements_are_cited(statement: str, words: str) -> None:
    assert cited(statement) == words


def test_a_finding_cites_the_statements_that_it_violates() -> None:
    class Negated(Adapter):
        def log_likelihood_grad(self, theta: Any, v: Any) -> Any:
            return scale(-1.0, QUANTITIES["log_likelihood_grad"].function(theta, v))

    (finding,) = audit(Negated()).findings
    assert (finding.name, finding.statements) == ("wrong-sign", ("BA.eq7",))


def test_what_is_not_offered_is_not_covered() -> None:
    class MeansOnly(Adapter):
        mean_hidden = staticmethod(rbm.mean_hidden)

    report = audit(MeansOnly())
    assert report.right == ["mean_hidden"]
    assert set(report.not_covered) == {
        name for name, q in QUANTITIES.items() if q.group == "boltzmann_quantities"
    } - {"mean_hidden"}
    assert report.verdict == "0 findings; 1 quantities right; 15 not covered"


def test_a_result_of_another_shape_does_not_overflow() -> None:
    class Nothing(Adapter):
        def free_energy(self, theta: Any, v: Any) -> None:
            return None

    (finding,) = audit(Nothing()).findings
    assert finding.name == "shape"


@pytest.mark.parametrize(
    ("returned", "name", "expected", "actual"),
    [
        (None, "shape", "real numbers", "NoneType"),
        ("-1.5", "shape", "real numbers", "str"),
        (np.zeros(2) + 1j, "shape", "real numbers", "complex128 numbers"),
        ({"F": np.zeros(2)}, "shape", "real numbers", "dict"),
        ([[1.0], [1.0, 2.0]], "shape", "real numbers", "list: setting an array element with a sequence"),
        (np.zeros((2, 1)), "shape", "(2,)", "(2, 1)"),
        ([float("nan"), 0.0], "overflow", "-", "nan"),
    ],
)
def test_what_is_no_value_is_told_by_its_kind(returned: Any, name: str, expected: Any, actual: Any) -> None:
    class Odd(Adapter):
        def free_energy(self, theta: Any, v: Any) -> Any:
            return returned if v.shape == (2, 1) else rbm.free_energy(theta, v)

    (finding,) = audit(Odd()).findings
    assert (finding.name, finding.quantity, finding.case) == (name, "free_energy", "1 x 2")
    assert (str(finding.expected)[: len(expected)], str(finding.actual)[: len(actual)]) == (expected, actual)


@pytest.mark.parametrize(
    ("returned", "entry", "expected", "actual"),
    [
        (None, "sample_hidden", "real numbers", "NoneType"),
        (np.zeros((1, 2)), "shape of sample_hidden", "(1, 1)", "(1, 2)"),
        (np.zeros(1), "shape of sample_hidden", "(1, 1)", "(1,)"),
    ],
)
def test_a_draw_of_another_shape_is_told_by_it(returned: Any, entry: str, expected: Any, actual: Any) -> None:
    class Odd(Adapter):
        def sample_hidden(self, theta: Any, v: Any, rng: Any) -> Any:
            return returned if len(theta.c) == 1 else QUANTITIES["sample_hidden"].function(theta, v, rng=7)

    (finding,) = audit(Odd()).findings
    assert (finding.name, finding.case) == ("shape", "2 x 1, 1 rows")
    assert (finding.entry, finding.expected, finding.actual) == (entry, expected, actual)


@pytest.mark.parametrize(
    ("returned", "expected", "actual"),
    [
        ([np.zeros((1, 1))] * 3, "(inference ", "list of 3"),
        (({}, []), "(Dense(W (1, 1), b (1,)),)", "dict"),
        (
            ([(np.ones((1, 1)), None)], [(np.ones((1, 1)), np.ones(1))]),
            "real numbers",
            "NoneType",
        ),
    ],
)
def test_a_gradient_is_built_as_the_parameters_are(returned: Any, expected: str, actual: str) -> None:
    class Odd(Adapter):
        def log_mean_pass_grad(self, theta: Any, x: Any) -> Any:
            return returned

    (finding,) = audit(Odd()).findings
    assert (finding.name, finding.quantity) == ("shape", "log_mean_pass_grad")
    assert finding.expected.removeprefix("AutoEncoder").startswith(expected)
    assert finding.actual == actual


def test_code_that_exits_is_a_finding_of_its_quantity() -> None:
    class Leaves(Adapter):
        energy = staticmethod(rbm.energy)

        def free_energy(self, theta: Any, v: Any) -> Any:
            sys.exit(3)

        def sample_hidden(self, theta: Any, v: Any, rng: Any) -> Any:
            np.random.standard_normal()  # noqa: NPY002 (out of reach: it is run many times)
            raise SystemExit("enough")

    report = audit(Leaves())
    assert report.right == ["energy"]
    assert [(f.name, f.quantity, f.expected, f.actual) for f in report.findings] == [
        ("raises", "free_energy", "a value", "SystemExit: 3"),
        ("raises", "sample_hidden", "a value", "SystemExit: enough"),
    ]


def test_a_mistake_at_trained_parameters_is_named_so() -> None:
    class Forgets(Adapter):
        def free_energy(self, theta: Any, v: Any) -> Any:
            return -np.logaddexp(0, v @ theta.W + theta.c).sum(1)

    report = Report("forgets.py:Forgets")
    theta = RBM(np.full((3, 2), 0.5), np.array([0.1, -0.2, 0.3]), np.zeros(2))
    ask = Ask("3 x 2, its own trained parameters", {"theta": theta, "v": np.eye(3)})
    audit_at(Forgets(), QUANTITIES["free_energy"], ask, report, trained_on="digits")
    (finding,) = report.findings
    assert (finding.name, finding.quantity) == ("missing-visible-bias", "free_energy at trained parameters")
    assert finding.reproduce == "exactgen audit forgets.py:Forgets --only free_energy --train digits"


def test_a_plain_update_that_returns_no_chains_is_a_finding(tmp_path: Path) -> None:
    body = GOOD + "    def pcd(self, v, chain):\n        pass\n"
    report = audit(adapt(load(_file(tmp_path, body)), options={}, declares={}), only=["pcd_update"])
    (finding,) = report.findings
    assert (finding.name, finding.quantity) == ("raises", "pcd_update")
    assert str(finding.actual).startswith("TypeError: cannot unpack")


def test_an_interrupt_ends_the_audit_and_tells_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endless = GOOD + "    def free_energy(self, v):\n        raise KeyboardInterrupt\n"
    with pytest.raises(KeyboardInterrupt):
        _run(_file(tmp_path, endless))
    assert "while measuring free_energy, case 1 x 2" in capsys.readouterr().err


def test_a_constant_in_the_free_energy_is_a_convention() -> None:
    class Shifted(Adapter):
        def free_energy(self, theta: Any, v: Any) -> Any:
            return rbm.free_energy(theta, v) + 2.5

    report = audit(Shifted())
    assert report.findings == []
    assert "constant" in report.notes[0]


def test_statistical_comparison_without_a_bound_is_not_covered() -> None:
    class Noisy(Adapter):
        def free_energy(self, theta: Any, v: Any) -> Any:
            return rbm.free_energy(theta, v) + np.random.randn(len(v))  # noqa: NPY002

    report = audit(Noisy(), only=["free_energy"])
    assert report.right == []
    assert "no interval" in report.not_covered["free_energy"]


# --- the command


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return command.run(parser.parse_args(["audit", *words]))


def _file(tmp_path: Path, body: str) -> str:
    file = tmp_path / "foreign.py"
    file.write_text(body, "utf-8")
    return f"{file}:Foreign"


GOOD = """
import numpy as np
class Foreign:
    def __init__(self, nv, nh):
        self.W, self.b, self.c = np.zeros((nv, nh)), np.zeros(nv), np.zeros(nh)
    def energy(self, v, h):
        return -((v @ self.W) * h).sum(1) - v @ self.b - h @ self.c
"""


def test_clean_is_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(_file(tmp_path, GOOD)) == 0
    assert "0 findings; 1 quantities right; 15 not covered" in capsys.readouterr().out


def test_a_finding_is_one_and_its_json_is_as_the_schema_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = (
        GOOD.replace("- v @ self.b", "+ v @ self.b")
        + "    def free_energy(self, v):\n        raise KeyError('x')\n"
    )
    file = tmp_path / "report.json"
    assert _run(_file(tmp_path, wrong), "--json", str(file)) == 1
    printed = capsys.readouterr().out
    report = json.loads(file.read_text("utf-8"))
    jsonschema.validate(report, SCHEMA)
    assert [(f["name"], f["quantity"]) for f in report["findings"]] == [
        ("bias-of-wrong-sign", "energy"),
        ("raises", "free_energy"),
    ]
    assert report["findings"][1]["actual"] == "KeyError: 'x'"
    assert "the wrong sign" in printed
    theta = report["findings"][0]["given"]
    v, h, W, b, c = (np.array(theta[name]) for name in ("v", "h", "W", "b", "c"))
    row = int(report["findings"][0]["entry"].removeprefix("energy [").strip("]"))
    by_hand = -v[row] @ W @ h[row] - v[row] @ b - h[row] @ c
    assert report["findings"][0]["expected"] == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    ("body", "words", "message"),
    [
        ("class Other: pass", (), "no class 'Foreign'; it has Other"),
        ("import nowhere_at_all", (), "cannot be imported: ModuleNotFoundError"),
        ("def f(:", (), "cannot be imported: SyntaxError"),
        ("class Foreign:\n    def __init__(self, nv, nh):\n        1 / 0", (), "Foreign raises while it"),
        ("class Foreign:\n    def __init__(self, nv, nh):\n        pass", (), "could be W"),
        (GOOD.replace("energy", "nothing_usual"), (), "offers nothing under a usual name"),
        (GOOD, ("--option", "free_energy=F"), "no method 'F'"),
        (GOOD, ("--option", "colour=F"), "unknown option colour"),
        (GOOD, ("--declare", "reduction=median"), "one of mean, sum is wanted"),
        (GOOD, ("--declare", "taste=good"), "cannot declare 'taste'"),
        (GOOD, ("--declare", "reduction"), "NAME=VALUE is wanted"),
        (GOOD, ("--only", "temperature"), "is wanted"),
        (GOOD, ("--json", "/nowhere/at/all.json"), "cannot be written"),
        (GOOD + "    def cd(self, v):\n        pass\n", (), "unknown rate"),
        ("from exactgen.proofs_check.audit.protocol import Adapter as Foreign", (), "without a quantity"),
        (GOOD, ("--train", "digits"), "no training of its own"),
    ],
)
def test_wrong_usage_is_two_with_a_clear_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, words: tuple[str, ...], message: str
) -> None:
    assert _run(_file(tmp_path, body), *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("target", ["nonsense", "no.such.module:X", "no_such_file.py:X", ":X", "json:"])
def test_targets_that_are_none(target: str) -> None:
    with pytest.raises(TargetError, match=r"target|cannot be imported|not a file"):
        load(target)


def test_options_name_what_is_unusual(tmp_path: Path) -> None:
    body = GOOD.replace("energy", "cost").replace("self.b", "self.q").replace("self.c", "self.r")
    kind = load(_file(tmp_path, body))
    report = audit(adapt(kind, options={"energy": "cost"}, declares={}))
    assert report.right == ["energy"]


def test_a_finding_is_reproduced_with_what_was_said_of_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = _file(tmp_path, GOOD.replace("def energy", "def cost").replace("-((v", "((v"))
    flags = ["--declare", "dtype=float32", "--option", "energy=cost"]
    assert _run(target, *flags) == 1
    again = f"exactgen audit {target} {' '.join(flags)} --only energy"
    assert f"reproduce: {again}" in capsys.readouterr().out
    assert _run(*again.split()[2:]) == 1


def test_the_manuals_example_prints_what_the_manual_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = (ROOT / "docs" / "audit.md").read_text("utf-8").split("```")
    at = next(k for k, block in enumerate(blocks) if "class Audited" in block)
    code = blocks[at].removeprefix("python\n")
    monkeypatch.chdir(tmp_path)
    Path("coder.py").write_text(code, "utf-8")
    assert _run("coder.py:Audited") == 1
    printed = [line.rstrip() for line in capsys.readouterr().out.rstrip().splitlines()]
    assert printed == blocks[at + 2].strip().splitlines()
    Path("coder.py").write_text(code.replace("(x - y) * y * (1 - y)", "x - y"), "utf-8")
    assert _run("coder.py:Audited") == 0


def test_functions_of_the_reference_are_audited_under_their_own_names_by_all_checks_that_ask() -> None:
    class Half(Adapter):
        def hidden_law(self, theta: Any, law: Any) -> Any:
            return gibbs.hidden_law(theta, law)[::-1]

        def marginal_visible(self, theta: Any) -> Any:
            return partition.marginal_visible(theta)

    report = audit(Half())
    assert [finding.quantity for finding in report.findings] == ["hidden_law"]
    assert report.right == ["marginal_visible"]
    assert report.findings[0].statements
