"""How many tokens a text has, counted without network.

What: `count` and `clip` by tiktoken's o200k encoding, which is near enough for every provider's budget; `bundled` finds
a file inside the litellm package without importing it. Why: tiktoken downloads its encodings, and litellm brings the
same files. How to extend: another encoding is another name for `_encoding`; a model that counts very differently
gives its own factor where its price is (`council/members/provider_price.py`).
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ENCODING = "o200k_base"
CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"
CHUNK = 2000
"""Characters encoded at a time: the time of one chunk grows faster than its length on text without spaces."""
CHARACTERS_PER_TOKEN = 3.0
"""Used where no encoding can be loaded."""


@cache
def bundled(name: str) -> Path | None:
    """A file or folder inside the installed litellm package, or None. Imports nothing."""
    found = find_spec("litellm")
    for place in (found.submodule_search_locations if found else None) or ():
        if (path := Path(place) / name).exists():
            return path
    return None


def count(text: str) -> int:
    """Tokens of a text. Special tokens in it are ordinary text."""
    encoding = _encoding()
    if encoding is None:
        return int(len(text) / CHARACTERS_PER_TOKEN) + 1 if text else 0
    return sum(len(encoding.encode_ordinary(text[at : at + CHUNK])) for at in range(0, len(text), CHUNK))


def clip(text: str, tokens: int, mark: str = "…") -> str:
    """The beginning of a text, at most that many tokens, with a mark where something was left out."""
    if len(text) <= tokens or count(text) <= tokens:
        return text
    low, high = 0, min(len(text), tokens * 24)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle]) <= tokens - 1 else (low, middle - 1)
    return text[:low].rstrip() + mark


@cache
def _encoding() -> Any:
    """The encoding from litellm's bundled files; None where they are missing, since nothing may be downloaded."""
    folder = bundled("litellm_core_utils/tokenizers")
    if folder is None:
        return None
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        import tiktoken

        return tiktoken.get_encoding(ENCODING)
    except Exception:  # whatever a missing file, a proxy or another version raises, an estimate will do
        return None
    finally:
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before
