"""A second look at the same two codes: what it counts, how strict it is, and lies about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_audit_learning import closed_night, rows
from tests.test_audit_night import Fake, audited, run
from tests.test_audit_tamper import json_cell, tamper


def looked_twice(tmp_path: Path) -> Path:
    """The night, on whose best a worse edit was tried before it closed again: a second look at the same two codes."""
    folder = closed_night(tmp_path)
    script = [0.982, 1.050, *(1.001, 0.985, 0.990, 0.996, 1.006, 0.980)]
    assert run(folder, Fake(script), resume="night", rounds=5).exit_code == 0
    return folder


def test_a_second_look_counts_the_pairs_of_both_at_a_stricter_level_and_adds_up(tmp_path):
    folder = looked_twice(tmp_path)
    first, second = rows(folder, "closings")
    assert (first["pairs"], second["pairs"]) == (3, 6) and second["inputs"]["pooled"] == first["inputs"]["pairs"]
    assert (second["inputs"]["look"], second["inputs"]["level"]) == (2, 0.95)
    assert second["gain"] == pytest.approx(0.016)
    assert (first["inputs"]["freedom"], second["inputs"]["freedom"]) == (9, 15)
    assert audited(folder).problems == ()


LOOKS = [
    ("a look forgotten", lambda i: {**i, "look": 1}),
    ("a level of the first look", lambda i: {**i, "level": 0.9}),
    ("pairs of an earlier look left out", lambda i: {**i, "pooled": i["pooled"][:2]}),
    ("no pairs of an earlier look", lambda i: {**i, "pooled": []}),
]


@pytest.mark.parametrize("change", [c[1] for c in LOOKS], ids=[c[0] for c in LOOKS])
def test_a_lie_about_a_second_look_is_found(tmp_path, change):
    folder = looked_twice(tmp_path)
    tamper(folder, json_cell("closings", "inputs", "id = 2", change), rebuild=True)
    assert any(p.kind == "closing" and "closing 2" in p.where for p in audited(folder).problems)


def test_pairs_under_other_conditions_are_not_pooled_and_the_look_counts_all_the_same(tmp_path):
    folder = closed_night(tmp_path)
    # a replicate elsewhere, both codes anew, a trial, three pairs
    script = [0.9, 2.0, 2.004, 1.98, 1.984, 2.1, *(2.0, 1.98, 1.98, 2.0, 2.0, 1.98)]
    assert run(folder, Fake(script, {"device": "other"}), resume="night", rounds=5).exit_code == 0
    second = rows(folder, "closings")[-1]
    assert second["inputs"]["look"] == 2 and second["inputs"]["pooled"] == [] and second["pairs"] == 3
    assert audited(folder).problems == ()


def test_a_first_look_from_before_looks_were_counted_is_no_finding(tmp_path):
    folder = closed_night(tmp_path)

    def before(inputs):
        return {key: value for key, value in inputs.items() if key not in ("look", "pooled")}

    tamper(folder, json_cell("closings", "inputs", "id = 1", before), rebuild=True)
    assert {p.kind for p in audited(folder).problems} == {"trailer"}, "only git says that the row was another"
