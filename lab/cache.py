"""The prepared corpus on disk: tokens of every split and the tokenizer, made once.

Why a checksum at every start: a cache cut short by a full disk, or damaged, must be rebuilt and never trusted. It
guards against accidents alone: the sums lie in the same folder, where no box can write. Why a lock and a rename: two
runs may prepare at the same moment, and nothing half-written may ever be seen under its final name.

    prepared = prepare(open_corpus("sympy"), vocab_size=2048)
    prepared.tokens["train"]           # int16, read-only

The folder is $COUNCIL_LAB_CACHE, by default ~/.cache/council-lab. It may be deleted at any time.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.corpus import SPLITS, Corpus
from lab.duplicates import without_duplicates
from lab.errors import LabError
from lab.tokenizer import RECIPE, Tokenizer

FORMAT = 2  # change it whenever the files below change their meaning


@dataclass(frozen=True)
class Prepared:
    """A corpus ready for measuring."""

    corpus: str  # its name
    text_digest: str  # SHA-256 of the texts
    tokenizer: Tokenizer
    tokens: dict[str, np.ndarray]  # int16 per split, read-only
    readable_in_box: bool  # whether a box could read the training text before `start`
    near_duplicates: dict[str, int]  # documents dropped from validation and vault, since they stand elsewhere too


def cache_folder() -> Path:
    """Where prepared corpora lie."""
    return Path(os.environ.get("COUNCIL_LAB_CACHE") or Path.home() / ".cache" / "council-lab")


def prepare(corpus: Corpus, vocab_size: int) -> Prepared:
    """Load the prepared corpus, building it first if it is missing or damaged.

    Raises LabError if the cache folder cannot be written.
    """
    digest = corpus.digest()
    key = _sha256(json.dumps([FORMAT, RECIPE, corpus.name, digest, vocab_size]).encode())[:24]
    folder = cache_folder() / f"{re.sub(r'[^A-Za-z0-9._-]', '-', corpus.name)[:60]}-{vocab_size}-{key}"
    try:
        loaded = _load(folder)
        if loaded is None:
            with _locked(folder.with_suffix(".lock")):
                loaded = _load(folder) or _build(corpus, vocab_size, folder)
    except OSError as error:
        raise LabError(
            f"cannot prepare the corpus in {folder.parent}: {error.strerror or error}; "
            "nothing half-written is kept; free space or set COUNCIL_LAB_CACHE to another folder"
        ) from error
    tokenizer, tokens, dropped = loaded
    return Prepared(corpus.name, digest, tokenizer, tokens, getattr(corpus, "readable_in_box", False), dropped)


Loaded = tuple[Tokenizer, dict[str, np.ndarray], dict[str, int]]


def _build(corpus: Corpus, vocab_size: int, folder: Path) -> Loaded:
    """Write the cache under a temporary name, then give it its own name in one step."""
    texts, dropped = without_duplicates({split: corpus.documents(split) for split in SPLITS})
    for split, documents in texts.items():
        if not documents:
            also = f" ({dropped[split]} stand in other splits too)" if dropped.get(split) else ""
            raise LabError(
                f"the corpus {corpus.name} has no document for {split}{also}; it is too small to measure with: "
                "add text, some megabytes at least"
            )
    tokenizer = Tokenizer.train(texts["train"], vocab_size)
    files = {f"{split}.bin": tokenizer.encode_documents(documents).tobytes() for split, documents in texts.items()}
    files["tokenizer.json"] = tokenizer.to_json().encode()
    files["dropped.json"] = json.dumps(dropped).encode()
    files["meta.json"] = json.dumps({name: _sha256(data) for name, data in files.items()}, indent=1).encode()
    for leftover in folder.parent.glob(f".building-{folder.name}-*"):  # of a run that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".building-{folder.name}-", dir=folder.parent))
    try:
        for name, data in files.items():
            _write(scratch / name, data)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    loaded = _load(folder)
    if loaded is None:
        raise LabError(f"the corpus cache {folder} changed while it was written; delete it and try again")
    return loaded


def _load(folder: Path) -> Loaded | None:
    """The cache at `folder` if every byte of it is as it was written, else None."""
    try:
        sums = json.loads((folder / "meta.json").read_bytes())
        names = ("tokenizer.json", "dropped.json", *(f"{split}.bin" for split in SPLITS))
        data = {name: (folder / name).read_bytes() for name in names}
        if any(_sha256(content) != sums[name] for name, content in data.items()):
            return None
        tokenizer = Tokenizer.from_json(data["tokenizer.json"].decode())
        dropped = json.loads(data["dropped.json"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tokenizer, {split: np.frombuffer(data[f"{split}.bin"], dtype=np.int16) for split in SPLITS}, dropped


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock at `path`; it is released by the kernel if this process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
