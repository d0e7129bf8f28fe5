"""Corpora of one's own: a folder of text files, or of Parquet files with a column `text`.

Why documents are cut: a single huge file would be one document, and one document cannot be divided into splits. A
text longer than 64 kB is cut at ends of lines. Which split a document is in follows from the SHA-256 of its text
alone, so that adding files moves none from one split to another.
"""

import hashlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.errors import LabError

LONGEST = 64 * 1024  # characters of one document
MOST_BYTES = 16 << 30  # of a whole corpus: texts are held in memory while it is prepared
HELD_OUT_BELOW = 13  # first byte of SHA-256(text), of 256, for each of validation and vault
COLUMN = "text"


def split_of_text(text: str) -> str:
    """The split of a document, from its text alone."""
    first = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0]
    if first < HELD_OUT_BELOW:
        return "validation"
    return "vault" if first < 2 * HELD_OUT_BELOW else "train"


def pieces(text: str, longest: int = LONGEST) -> Iterator[str]:
    """`text` in parts of at most `longest` characters, cut at ends of lines where there are any."""
    start = 0
    while start < len(text):
        end = start + longest
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or end
        yield text[start:end]
        start = end


class Folder:
    """Files of one kind in a folder, in the order of their names."""

    kind = ""  # what `--corpus` calls it
    readable_in_box = False  # a sandbox does not show it

    def __init__(self, folder: str) -> None:
        """Raises LabError if there is no such folder, or nothing in it."""
        self.root = Path(folder).expanduser().resolve()
        self.name = f"{self.kind}:{self.root.name}"
        self._splits: dict[str, list[str]] | None = None
        if not folder or not self.root.is_dir():
            raise LabError(f"the corpus {self.kind}:{folder} is no folder; name one that holds {self.kind} files")
        self._files = list(self._find())
        if not self._files:
            raise LabError(f"the folder {self.root} holds no {self.kind} files; put some in, or name another")
        size = sum(path.stat().st_size for path in self._files)
        if size > MOST_BYTES:
            raise LabError(
                f"the corpus {self.root} has {size >> 30} GiB, at most {MOST_BYTES >> 30} are taken; use fewer files"
            )

    def digest(self) -> str:
        """SHA-256 over names and contents of all files."""
        total = hashlib.sha256(self.kind.encode())
        for path in self._files:
            with self._opened(path) as file:
                part = hashlib.file_digest(file, "sha256").digest()
            total.update(hashlib.sha256(path.relative_to(self.root).as_posix().encode()).digest() + part)
        return total.hexdigest()

    def documents(self, split: str) -> list[str]:
        """Texts of `split`. Raises LabError if a file is not what it should be."""
        if self._splits is None:
            self._splits = {"train": [], "validation": [], "vault": []}
            for path in self._files:
                for text in self.texts(path):
                    for piece in pieces(text):
                        if piece.strip():
                            self._splits[split_of_text(piece)].append(piece)
        return self._splits[split]

    def texts(self, path: Path) -> Iterator[str]:
        """The texts in one file."""
        raise NotImplementedError

    def wants(self, path: Path) -> bool:
        """Whether the file belongs to the corpus."""
        raise NotImplementedError

    def _find(self) -> Iterator[Path]:
        def refuse(error: OSError) -> None:
            raise LabError(f"cannot read {error.filename}: {error.strerror}; make it readable or name another folder")

        for parent, folders, names in os.walk(self.root, onerror=refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(parent, name)
                if not name.startswith(".") and path.is_file() and self.wants(path):
                    yield path

    def _opened(self, path: Path) -> Any:
        try:
            return open(path, "rb")
        except OSError as error:
            raise LabError(
                f"cannot read {path}: {error.strerror}; make it readable or take it out; nothing was prepared"
            ) from error


class TextFolder(Folder):
    """Every file below a folder, as UTF-8 text; files whose name begins with a dot are left out."""

    kind = "text"

    def wants(self, path: Path) -> bool:
        return True

    def texts(self, path: Path) -> Iterator[str]:
        with self._opened(path) as file:
            data = file.read()
        try:
            text = data.decode()
            where = text.find("\0")
        except UnicodeDecodeError as error:
            text, where = "", error.start
        if where >= 0:
            raise LabError(
                f"{path} is not text: there is no UTF-8 at byte {where}; take it out of the folder or convert it; "
                "nothing was prepared"
            )
        yield text


class ParquetFolder(Folder):
    """The column `text` of every `*.parquet` file below a folder."""

    kind = "parquet"

    def wants(self, path: Path) -> bool:
        return path.suffix == ".parquet"

    def texts(self, path: Path) -> Iterator[str]:
        parquet = _pyarrow()
        try:
            file = parquet.ParquetFile(path)
        except Exception as error:
            raise LabError(f"{path} is no Parquet file ({str(error)[:200]}); take it out or fetch it again") from error
        if COLUMN not in file.schema_arrow.names:
            names = ", ".join(file.schema_arrow.names[:10])
            raise LabError(f"{path} has no column {COLUMN!r}, only: {names}; rename the one that holds the text")
        try:
            for batch in file.iter_batches(batch_size=1024, columns=[COLUMN]):
                yield from (text for text in batch.column(0).to_pylist() if text)
        except Exception as error:
            raise LabError(f"{path} is damaged ({str(error)[:200]}); fetch it again; nothing was prepared") from error


def _pyarrow() -> Any:
    """The Parquet reader, which nothing else here needs."""
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise LabError("Parquet files need the package pyarrow, which is not installed: pip install pyarrow") from error
