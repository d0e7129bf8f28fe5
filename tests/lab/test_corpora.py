"""Corpora of one's own, near-duplicates, and everything a folder can be that is no corpus."""

from __future__ import annotations

import random
import sys
import types
from pathlib import Path

import pytest

from lab.cache import prepare
from lab.corpus import named, open_corpus
from lab.corpus_files import LONGEST, TextFolder, pieces, split_of_text
from lab.data import fingerprint
from lab.duplicates import without_duplicates
from lab.errors import LabError
from lab.settings import SIZES

WORDS = [f"word{number}" for number in range(3000)]


def essay(seed: int, length: int = 300) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNCIL_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "texts"
    (root / "sub").mkdir(parents=True)
    for number in range(120):
        (root / ("sub" if number % 2 else ".") / f"{number}.txt").write_text(essay(number))
    return root


def test_a_text_folder_is_prepared_and_split_by_content(folder: Path) -> None:
    corpus = open_corpus(f"text:{folder}")
    prepared = prepare(corpus, 400)
    assert prepared.corpus == "text:texts"
    assert prepared.near_duplicates == {"validation": 0, "vault": 0}
    everything = [text for split in ("train", "validation", "vault") for text in corpus.documents(split)]
    assert sorted(everything) == sorted(essay(number) for number in range(120))
    for split in ("train", "validation", "vault"):
        assert corpus.documents(split)
        assert all(split_of_text(text) == split for text in corpus.documents(split))
    assert fingerprint(prepared, SIZES["cpu"])["near_duplicates"] == {"validation": 0, "vault": 0}


def test_a_new_file_moves_no_other_and_changes_the_digest(folder: Path) -> None:
    before = TextFolder(str(folder))
    (folder / "a.txt").write_text(essay(999))
    after = TextFolder(str(folder))
    assert before.digest() != after.digest()
    assert TextFolder(str(folder)).digest() == after.digest()
    assert set(before.documents("validation")) <= set(after.documents("validation")) | {essay(999)}


def test_one_huge_file_is_cut_into_documents(tmp_path: Path) -> None:
    (tmp_path / "huge").mkdir()
    text = "\n".join(essay(number, 40) for number in range(12_000))
    (tmp_path / "huge" / "all.txt").write_text(text)
    corpus = open_corpus(f"text:{tmp_path / 'huge'}")
    found = [piece for split in ("train", "validation", "vault") for piece in corpus.documents(split)]
    assert max(map(len, found)) <= LONGEST
    assert sum(map(len, found)) == len(text)
    assert corpus.documents("train") and corpus.documents("validation")


@pytest.mark.parametrize("text", ["", "a", "a\n" * 50, "x" * 95, "x" * 30 + "\n" + "y" * 30, "\n" * 31])
def test_pieces_are_the_text(text: str) -> None:
    parts = list(pieces(text, 10))
    assert "".join(parts) == text
    assert all(0 < len(part) <= 10 for part in parts)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: None, r"holds no text files; put some in"),
        (lambda root: (root / "x.png").write_bytes(b"\x89PNG\r\n"), r"x.png is not text: there is no UTF-8 at byte 0"),
        (lambda root: (root / "x.txt").write_bytes(b"ok\0ok"), r"x.txt is not text: there is no UTF-8 at byte 2"),
        (lambda root: (root / "x.txt").write_text(essay(1)), r"has no document for .*too small to measure with"),
        (lambda root: (root / "x.txt").write_text("  \n"), r"has no document for train"),
        (lambda root: (root / ".hidden").write_text(essay(1)), r"holds no text files"),
    ],
    ids=["empty", "binary", "zero byte", "one document", "blank", "hidden"],
)
def test_a_folder_that_is_no_corpus_says_why(tmp_path: Path, cache: Path, make: object, says: str) -> None:
    root = tmp_path / "bad"
    root.mkdir()
    make(root)  # type: ignore[operator]
    with pytest.raises(LabError, match=says):
        prepare(open_corpus(f"text:{root}"), 300)
    assert not cache.exists() or not [path for path in cache.iterdir() if path.is_dir()]


@pytest.mark.parametrize("name", ["text:/no/such/folder", "text:", "parquet:/no/such"])
def test_a_missing_folder_is_named(name: str) -> None:
    with pytest.raises(LabError, match="is no folder"):
        open_corpus(name)


def test_an_unreadable_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lab.corpus_files

    def refuse(path: Path, mode: str) -> None:  # root may read everything, so the refusal is made up
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(lab.corpus_files, "open", refuse, raising=False)
    with pytest.raises(LabError, match=r"cannot read .*0.txt: Permission denied"):
        open_corpus(f"text:{folder}").digest()


def test_a_corpus_beyond_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.corpus_files.MOST_BYTES", 1000)
    with pytest.raises(LabError, match="use fewer files"):
        open_corpus(f"text:{folder}")


def test_near_duplicates_are_dropped_from_what_is_held_out_and_counted() -> None:
    train = [essay(number) for number in range(30)]
    copy, touched, mixed, fresh = train[3], train[4].replace("word7 ", "other "), train[5][:700] + essay(77), essay(78)
    vault = [essay(79), fresh, "# " + train[6] + " #"]
    kept, dropped = without_duplicates({"train": train, "validation": [copy, touched, mixed, fresh], "vault": vault})
    assert kept["train"] == train
    assert kept["validation"] == [mixed, fresh]
    assert kept["vault"] == [essay(79)]  # what validation holds is no secret to whoever chose by it
    assert dropped == {"validation": 2, "vault": 2}


@pytest.mark.parametrize("texts", [["short"], ["", "?!"], []])
def test_short_texts_are_compared_whole(texts: list[str]) -> None:
    kept, dropped = without_duplicates({"train": ["short", "other"], "validation": texts, "vault": ["new thing"]})
    assert dropped["validation"] == texts.count("short")
    assert kept["vault"] == ["new thing"]


def test_a_large_corpus_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.duplicates.SAMPLE_BYTES", 20_000)
    train = [essay(number) for number in range(60)]
    kept, dropped = without_duplicates({"train": train, "validation": train[:9] + [essay(99)], "vault": []})
    assert (dropped["validation"], kept["validation"]) == (9, [essay(99)])


class FakeParquet(types.ModuleType):
    """As much of pyarrow.parquet as is used: a file of lines, the first of which names the column."""

    def __init__(self) -> None:
        super().__init__("pyarrow.parquet")

    class ParquetFile:
        def __init__(self, path: Path) -> None:
            magic, name, *self.rows = path.read_text().split("\n")
            if magic != "PAR1":
                raise ValueError("Parquet magic bytes not found in footer")
            self.schema_arrow = types.SimpleNamespace(names=["id", name])

        def iter_batches(self, batch_size: int, columns: list[str]):
            if "damaged" in self.rows:
                raise OSError("Unexpected end of stream")
            column = types.SimpleNamespace(to_pylist=lambda: [row or None for row in self.rows])
            yield types.SimpleNamespace(column=lambda index: column)


@pytest.fixture
def parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(sys.modules, "pyarrow", types.ModuleType("pyarrow"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", FakeParquet())
    root = tmp_path / "shards"
    root.mkdir()
    return root


def test_parquet_is_read_by_its_column_text(parquet: Path) -> None:
    (parquet / "shard_0.parquet").write_text("\n".join(["PAR1", "text", "", *(essay(n) for n in range(120))]))
    (parquet / "README.md").write_text("not part of it")
    corpus = open_corpus(f"parquet:{parquet}")
    found = [text for split in ("train", "validation", "vault") for text in corpus.documents(split)]
    assert sorted(found) == sorted(essay(n) for n in range(120))
    assert prepare(corpus, 400).corpus == "parquet:shards"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("PAR1\nbody\nx", r"has no column 'text', only: id, body"),
        ("nonsense\n\n", r"is no Parquet file \(Parquet magic bytes"),
        ("PAR1\ntext\ndamaged", r"is damaged \(Unexpected end"),
    ],
)
def test_bad_parquet_says_why(parquet: Path, content: str, says: str) -> None:
    (parquet / "a.parquet").write_text(content)
    with pytest.raises(LabError, match=says):
        prepare(open_corpus(f"parquet:{parquet}"), 300)


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_text("x")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(LabError, match="pip install pyarrow"):
        prepare(open_corpus(f"parquet:{tmp_path}"), 300)


def test_real_parquet_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"id": list(range(120)), "text": [essay(n) for n in range(120)]})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    assert prepare(open_corpus(f"parquet:{tmp_path}"), 400).tokens["train"].size > 1000


def test_auto_is_sympy_on_a_cpu_and_parquet_on_a_gpu(tmp_path: Path) -> None:
    assert named("auto", "cpu", tmp_path) == "sympy"
    assert named("sympy", "cuda", tmp_path) == "sympy"
    with pytest.raises(LabError, match=r"(?s)there is none.*python -m lab prepare --device cuda.*--corpus sympy"):
        named("auto", "cuda", tmp_path)
    (tmp_path / "shard_00000.parquet").write_text("")
    assert named("auto", "cuda", tmp_path) == f"parquet:{tmp_path}"
