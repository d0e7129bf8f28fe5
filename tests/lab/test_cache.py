"""The prepared corpus: made once, never half, never trusted without its checksum."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lab.cache
from lab.cache import cache_folder, prepare
from lab.errors import LabError


class Small:
    """A corpus of a few sentences, which counts how often it is read."""

    name = "small"

    def __init__(self) -> None:
        self.reads = 0

    def digest(self) -> str:
        return "d" * 64

    def documents(self, split: str) -> list[str]:
        self.reads += 1
        return [" ".join(f"{split}{number} the quick {word} fox" for word in range(20)) for number in range(20)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNCIL_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def built(cache: Path) -> Path:
    return next(path for path in cache.iterdir() if path.is_dir())


def test_a_second_run_reads_the_cache(cache: Path) -> None:
    first, second = Small(), Small()
    one, two = prepare(first, 300), prepare(second, 300)
    assert cache_folder() == cache
    assert (first.reads, second.reads) == (3, 0)
    assert one.tokenizer == two.tokenizer
    assert all((one.tokens[split] == two.tokens[split]).all() for split in one.tokens)


@pytest.mark.parametrize("name", ["train.bin", "tokenizer.json", "dropped.json", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_cache_is_rebuilt(cache: Path, name: str, damage: str) -> None:
    good = prepare(Small(), 300)
    path = built(cache) / name
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    corpus = Small()
    again = prepare(corpus, 300)
    assert corpus.reads == 3
    assert (again.tokens["train"] == good.tokens["train"]).all()
    assert path.read_bytes() == data


def test_another_text_or_vocabulary_is_another_cache(cache: Path) -> None:
    prepare(Small(), 300)
    prepare(Small(), 310)
    other = Small()
    other.digest = lambda: "e" * 64  # type: ignore[method-assign]
    prepare(other, 300)
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 3


def test_prepared_tokens_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        prepare(Small(), 300).tokens["train"][0] = 1


def test_nothing_half_written_is_kept_when_the_disk_is_full(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lab.cache, "_write", full)
    with pytest.raises(LabError, match=r"No space left on device.*nothing half-written is kept"):
        prepare(Small(), 300)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


def test_what_a_killed_run_left_is_swept(cache: Path) -> None:
    prepare(Small(), 300)
    folder = built(cache)
    leftover = cache / f".building-{folder.name}-x1y2"
    folder.rename(leftover)
    prepare(Small(), 300)
    assert not leftover.exists()


def test_two_runs_that_prepare_at_once_build_it_once(cache: Path, root: Path) -> None:
    code = (
        "from tests.lab.test_cache import Small; from lab.cache import prepare;"
        "c = Small(); p = prepare(c, 300); print(c.reads, p.tokenizer.digest(), int(p.tokens['train'].sum()))"
    )
    environment = os.environ | {"PYTHONPATH": str(root)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code], cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    lines = [run.communicate(timeout=60)[0].split() for run in runs]
    assert sorted(line[0] for line in lines) == ["0", "0", "3"]
    assert len({tuple(line[1:]) for line in lines}) == 1


def test_an_unwritable_cache_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COUNCIL_LAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LabError, match="COUNCIL_LAB_CACHE"):
        prepare(Small(), 300)


def test_a_split_without_documents_is_an_error() -> None:
    corpus = Small()
    corpus.documents = lambda split: [] if split == "vault" else [f"text for {split}"]  # type: ignore[method-assign]
    with pytest.raises(LabError, match="no document for vault"):
        prepare(corpus, 300)


def test_tokens_fit_their_type() -> None:
    assert prepare(Small(), 300).tokens["train"].dtype == np.int16
