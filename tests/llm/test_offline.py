"""Who sits in a council without a network: what stands on this machine, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from council.assembly import members_of
from council.config import load

FREE = "price: {input: 0, output: 0}"


def present(folder: Path, entry: str, *, offline: bool = True) -> tuple[bool, str]:
    """(whether a member of that entry sits, why it does not)."""
    file = folder / "council.yaml"
    file.write_text(f"members:\n  - {{name: ann, {entry}}}\n")
    members, absent = members_of(load(file), offline=offline)
    return "ann" in members, absent.get("ann", "")


@pytest.mark.parametrize("host", ["127.0.0.1:11434", "localhost:8000", "LOCALHOST/v1", "[::1]:8000", "127.0.1.1"])
@pytest.mark.parametrize("kind", ["anthropic", "openai", "litellm"])
def test_offline_a_model_on_this_machine_sits(kind: str, host: str, tmp_path: Path) -> None:
    entry = f"kind: {kind}, model: openai/m, base_url: 'http://{host}', {FREE}"
    assert present(tmp_path, entry) == (True, "")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "base_url: 'http://192.168.0.5:8000', ",
        "base_url: 'http://localhost.example.com', ",
        "base_url: 'http://[', ",
    ],
)
def test_offline_any_other_model_is_absent(address: str, tmp_path: Path) -> None:
    entry = f"kind: litellm, model: ollama/m, {address}{FREE}"
    assert present(tmp_path, entry) == (False, "needs the network, and the run is offline")
    assert present(tmp_path, entry, offline=False) == (True, "")


def test_offline_a_model_without_a_price_is_absent_rather_than_refused(tmp_path: Path) -> None:
    assert present(tmp_path, "kind: openai, model: unheard-of")[1].startswith("needs the network")
