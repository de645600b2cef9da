"""Only what names a statement is loaded for it, and that makes no difference to what is found."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from exactgen.proofs_check import check as registry
from exactgen.proofs_check import checks, ledger
from exactgen.proofs_check.check import Check
from exactgen.proofs_check.runner import Options, describe, run_check

CHECKS = checks.load_checks()


def said(script: str, *arguments: str) -> str:
    """Return what a script prints in a process of its own."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_names_its_statements_where_it_stands(check: Check) -> None:
    room, _, module = check.run.__module__.rpartition(".")
    assert set(check.statements) <= checks._named_in(room, module), "each in double quotes"


def test_checks_come_in_the_order_of_the_documents() -> None:
    order = list(ledger.load())
    first = [min(map(order.index, check.statements)) for check in CHECKS.values()]
    assert first == sorted(first)
    some = ["BA.eq7", "BA.eq3", "AO.eq14"]
    assert list(checks.load_checks(some)) == sorted(
        (name for name, check in CHECKS.items() if set(some).intersection(check.statements)),
        key=lambda name: min(some.index(s) for s in CHECKS[name].statements if s in some),
    )


def test_one_statement_loads_the_modules_that_name_it_and_nothing_heavy() -> None:
    script = (
        "import sys; from exactgen.proofs_check.cli import main; main(sys.argv[1:])\n"
        "print('loaded', *(name.removeprefix('exactgen.proofs_check.checks.') for name in sys.modules))"
    )
    told = said(script, "verify", "BA.eq7", "--results", "/dev/null").partition("loaded ")[2].split()
    naming = {
        check.run.__module__.rpartition(".")[2] for n, check in CHECKS.items() if "BA.eq7" in check.statements
    }
    assert naming <= set(told)
    assert "layerwise_theorem" not in told
    assert not {"matplotlib", "scipy.stats", "scipy.signal", "scipy.optimize", "torch"}.intersection(told)


def test_the_ledger_of_another_document_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "load", lambda: pytest.fail("all documents were read"))
    assert [statement.id for statement in ledger.select(["BA.eq7", "AO.prop7"])] == ["AO.prop7", "BA.eq7"]


def test_cases_do_not_depend_on_the_modules_that_are_loaded() -> None:
    script = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from exactgen.proofs_check.checks import load_checks\n"
        "from exactgen.proofs_check.runner import Options, describe, run_check\n"
        "if sys.argv[1] == 'all': load_checks()\n"
        "for check in load_checks(['BA.eq7', 'BA.eq14']).values():\n"
        "    run_check(replace(check, run=lambda impl, case: print(describe(case))), Options(examples=60))\n"
    )
    alone = said(script, "alone")
    assert alone.count("\n") >= 120
    assert alone == said(script, "all")


def test_a_check_has_cases_of_its_own_by_its_name(make: Any) -> None:
    def cases(name: str) -> list[str]:
        seen = []

        def look(impl: Any, x: Any) -> None:
            seen.append(describe(x))

        look.__name__ = name
        make(look)
        assert run_check(registry.REGISTRY.pop(name), Options()).result == "passed"
        return seen

    assert cases("one") == cases("one") != cases("two")
