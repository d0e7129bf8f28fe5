"""`council simulate`: the mechanism in a documented world, as text and as data."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from council import simulate, simulate_table
from council.cli import cli
from council.simulate_world import WORLDS


def run(*args):
    return CliRunner().invoke(cli, ["simulate", "--nights", "12", "--experiments", "6", *args])


def test_it_needs_no_lab_and_prints_the_benchmarks_table(tmp_path):
    from dataclasses import replace

    done = CliRunner().invoke(cli, ["-C", str(tmp_path), "simulate", "--nights", "12", "--experiments", "6"])
    world = replace(WORLDS[0], rounds=6)
    expected = simulate_table.text(simulate.reports([(world, 12)]), [simulate.picks(world, 12)])
    assert done.exit_code == 0 and done.stdout == expected + "\n"
    assert "playing default" in done.stderr and "playing" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_data_hold_every_figure_with_its_interval_and_the_seed_repeats_them():
    first, again, other = (
        json.loads(run("--world", "null", "--seed", seed, "--json").stdout) for seed in ("7", "7", "8")
    )
    assert first == again != other and first["seed"] == 7
    world = first["worlds"][0]
    assert world["world"]["name"] == "null" and world["nights"] == 12
    assert world["claims"]["low"] <= world["claims"]["value"] <= world["claims"]["high"]
    assert list(first["picks"][0]["gains"]) == ["forecast", "borda", "schulze", "random"]
    assert {p["state"] for p in first["promises"]} <= {"kept", "open", "broken"}


def test_rules_named_are_compared_with_the_first():
    found = json.loads(run("--rule", "schulze", "--rule", "borda", "--json").stdout)["picks"][0]
    assert list(found["gains"]) == ["schulze", "borda"] and list(found["ahead"]) == ["schulze − borda"]


def test_all_plays_every_documented_world():
    found = json.loads(run("--world", "all", "--rule", "random", "--json").stdout)
    assert [one["world"]["name"] for one in found["worlds"]] == [world.name for world in WORLDS]


def test_a_dash_may_stand_for_a_space():
    assert json.loads(run("--world", "g5-T10", "--json").stdout)["worlds"][0]["world"]["name"] == "g5 T10"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--world", "paradise"), "there is no world 'paradise'; there are default, useless"),
        (("--nights", "1"), "1 is not in the range"),
        (("--nights", "900000"), "900000 nights are 5400000 experiments; at most 2000000"),
    ],
)
def test_what_cannot_be_played_is_named(args, said):
    done = run(*args)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split()) and done.stdout == ""


def contrary(slates, ballots):
    """A rule that likes what judges forecast lowest."""
    seen = {p for labels in slates.values() for p in labels.values()}
    said = {p: [b.forecasts[k] for j, b in ballots.items() for k, q in slates[j].items() if q == p] for p in seen}
    return {p: -sum(x) / len(x) for p, x in said.items()}


def test_a_rule_of_ones_own_is_compared_by_its_path():
    path = f"{__name__}:contrary"
    found = json.loads(run("--rule", "borda", "--rule", path, "--nights", "40", "--json").stdout)["picks"][0]
    assert list(found["gains"]) == ["borda", path] and found["ahead"][f"borda − {path}"]["low"] > 0


def test_a_rule_that_is_not_there_is_named_before_anything_is_played():
    done = run("--rule", "dictator")
    assert done.exit_code == 2 and isinstance(done.exception, SystemExit) and "playing" not in done.stderr
    assert "there is no rule 'dictator'" in done.stderr and "forecast, borda, schulze" in done.stderr
