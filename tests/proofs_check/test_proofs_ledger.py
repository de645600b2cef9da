"""The ledger: all statements of the five documents, and a loader that refuses a broken list."""

from collections import Counter

import pytest
from exactgen.proofs_check import ledger

GOOD = {"id": "AO.x", "kind": "equation", "where": "1", "says": "1 = 1"}


def test_all_statements_of_the_five_documents_are_present():
    counts = Counter(statement.document for statement in ledger.load().values())
    assert counts == {"AO": 155, "SH": 187, "BP": 74, "BA": 111, "AL": 309}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([GOOD, GOOD], "twice"),
        ([{**GOOD, "says": " "}], "fields must be"),
        ([{k: v for k, v in GOOD.items() if k != "where"}], "fields must be"),
        ([{**GOOD, "status": "holds"}], "fields must be"),
        ([{**GOOD, "id": "BA.x"}], "begins with the document's key"),
    ],
    ids=["id twice", "empty field", "missing field", "typed-in status", "id of another document"],
)
def test_a_broken_list_is_refused(entries, words):
    with pytest.raises(ValueError, match=words):
        ledger.parse("AO", entries)


def test_an_id_selects_itself_and_a_prefix_all_that_begin_with_it():
    assert [s.id for s in ledger.select(["BA.eq1"])] == ["BA.eq1"]
    assert [s.id for s in ledger.select(["AO.prop3"])] == ["AO.prop3"]
    assert {s.id for s in ledger.select(["BA.alg"])} == {
        "BA.alg1", "BA.alg2", "BA.alg3.1", "BA.alg3.2", "BA.alg3.3", "BA.alg4"
    }  # fmt: skip
    assert len(ledger.select(["BP", "BP.eq1"])) == 74
    assert len(ledger.select([])) == 836


@pytest.mark.parametrize(
    ("name", "near"), [("AO.porp7", "AO.prop7"), ("ba.eq7", "BA.eq7"), ("", "documents")]
)
def test_an_unknown_name_suggests_near_ones(name, near):
    with pytest.raises(ledger.UnknownStatementError, match=near):
        ledger.select([name])
