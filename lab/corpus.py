"""Where the text comes from, and which of it is for training, validation or the vault.

Why the source of sympy is the default: torch brings it along, so it needs no download and has the same
bytes on every machine. Splits are by file and by hash of its path, so that they never depend on order,
machine or time. Only files that nothing imports while a box runs may be validation or vault: these can
be hidden from a box, the others could be read from disk.

To add a corpus, write a class with `name`, `digest()` and `documents(split)`, and name it in `open_corpus`.
"""

import hashlib
import importlib.util
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lab.errors import LabError

SPLITS = ("train", "validation", "vault")
HIDDEN_FOLDERS = frozenset({"physics", "stats", "vector", "categories", "holonomic", "codegen"})
VALIDATION_BELOW = 26  # first byte of SHA-256(path), of 256
VAULT_BELOW = 52


class Corpus(Protocol):
    """A named collection of documents, divided once and for all into splits."""

    name: str

    def digest(self) -> str:
        """SHA-256 (hex) over everything that decides `documents`."""

    def documents(self, split: str) -> list[str]:
        """The texts of one of `SPLITS`, in a fixed order."""


def can_hide(path: str) -> bool:
    """Whether no box ever imports the file at `path` (relative to the package, with `/`)."""
    *folders, _ = path.split("/")
    return "tests" in folders or bool(folders and folders[0] in HIDDEN_FOLDERS)


def split_of(path: str) -> str:
    """The split of a file of the package, from its relative path alone."""
    first = hashlib.sha256(path.encode()).digest()[0]
    if not can_hide(path) or first >= VAULT_BELOW:
        return "train"
    return "validation" if first < VALIDATION_BELOW else "vault"


class Sympy:
    """The `*.py` files of the installed sympy package; empty files are no documents."""

    name = "sympy"
    readable_in_box = True  # the training text lies on the disk, so time before `start` is charged too

    def __init__(self, root: Path | None = None) -> None:
        """Use the package at `root`, by default the installed one. Raises LabError if there is none."""
        self.root = root or _package_folder("sympy")
        self._texts: dict[str, str] | None = None

    def digest(self) -> str:
        """SHA-256 over every path and text, length-prefixed."""
        total = hashlib.sha256()
        for path, text in self._read().items():
            for part in (path.encode(), text.encode()):
                total.update(len(part).to_bytes(8, "big"))
                total.update(part)
        return total.hexdigest()

    def documents(self, split: str) -> list[str]:
        """Texts of `split`, sorted by path."""
        return [text for path, text in self._read().items() if split_of(path) == split]

    def paths(self, split: str) -> list[str]:
        """Relative paths of `split`, sorted; what a sandbox has to hide."""
        return [path for path in self._read() if split_of(path) == split]

    def _read(self) -> dict[str, str]:
        if self._texts is None:
            self._texts = dict(_python_files(self.root))
        return self._texts


def _python_files(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(item.relative_to(root).as_posix() for item in root.rglob("*.py")):
        try:
            text = (root / path).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"cannot read {root.name}/{path}: {error}; reinstall {root.name}") from error
        if text:
            yield path, text


def _package_folder(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise LabError(f"the corpus needs the package {name}, which is not installed: pip install {name}")
    return Path(next(iter(spec.submodule_search_locations)))


def open_corpus(name: str) -> Corpus:
    """The corpus called `name`: sympy, text:DIR or parquet:DIR. Raises LabError for anything else."""
    from lab.corpus_files import ParquetFolder, TextFolder

    kind, colon, folder = name.partition(":")
    if name == "sympy":
        return Sympy()
    if colon and kind in ("text", "parquet"):
        return TextFolder(folder) if kind == "text" else ParquetFolder(folder)
    raise LabError(f"there is no corpus {name!r}; there is: sympy, text:DIR, parquet:DIR")


def named(name: str, device: str, parquet: Path) -> str:
    """The corpus that `name` stands for: `auto` is sympy, and with a GPU the Parquet files in the folder `parquet`.

    Raises LabError with the commands that fetch some if there are none.
    """
    if name != "auto":
        return name
    if device != "cuda":
        return "sympy"
    if any(parquet.glob("*.parquet")):
        return f"parquet:{parquet}"
    raise LabError(
        "a GPU reads its default corpus, sympy, many times over in one run, so it needs a larger one and there is none "
        f"in {parquet}. To fetch and prepare it:\n"
        "  pip install pyarrow huggingface_hub\n"
        "  hf download karpathy/climbmix-400b-shuffle --repo-type dataset --include 'shard_0000*.parquet' "
        f"--local-dir {shlex.quote(str(parquet))}\n"
        "  python -m lab prepare --device cuda\n"
        "Or say --corpus sympy, parquet:DIR or text:DIR."
    )
