"""The audit rejects every mutant with the right name, and accepts every control without a finding."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from exactgen.proofs_check.audit.adapters import adapt, load
from exactgen.proofs_check.audit.engine import Report, audit

TESTS = Path(__file__).parent.parent


def _classes(folder: str) -> list[Any]:
    targets = []
    for file in sorted((TESTS / folder).glob("*.py")):
        framework = file.stem.split("_")[0]
        if framework == "torch" and importlib.util.find_spec("torch") is None:
            continue
        names = [
            line.split()[1] for line in file.read_text("utf-8").splitlines() if line.startswith("class ")
        ]
        public = [name.split("(")[0].rstrip(":") for name in names if not name.startswith("_")]
        targets += [pytest.param(f"{file}:{name}", id=f"{framework}-{name}") for name in public]
    return targets


MUTANTS, CONTROLS = _classes("mutants"), _classes("controls")


def _audit(target: str) -> tuple[Any, Report]:
    kind = load(target)
    declares = getattr(kind, "declares", {})
    declared = declares if isinstance(declares, dict) else {}
    return kind, audit(adapt(kind, options={}, declares=declared), target=target)


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 20
    assert len(CONTROLS) >= 8


@pytest.mark.parametrize("target", MUTANTS)
def test_a_mutant_is_rejected_by_name(target: str) -> None:
    kind, report = _audit(target)
    assert (kind.mistake, ()) in {(finding.name, finding.alternatives) for finding in report.findings}
    for finding in report.findings:
        assert kind.mistake in (finding.name, *finding.alternatives)
        assert finding.expected != finding.actual


@pytest.mark.parametrize("target", CONTROLS)
def test_a_control_passes(target: str) -> None:
    kind, report = _audit(target)
    assert [(f.name, f.quantity, f.case, f.expected, f.actual) for f in report.findings] == []
    assert report.right
    assert bool(report.statistical) == getattr(kind, "statistical", False)
