"""What a model costs and how much fits into it: from council.yaml, or from the price list that litellm brings.

What: `Price` turns tokens into dollars, `facts_of` looks a model up. Why: a cap on dollars is worth nothing for a model
whose price is unknown or listed as $0, so such a model is refused before the first call. How to extend: a provider that
may be free gets its prefix in `LOCAL`. The list is read as a file; litellm itself is not imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from council import tokens
from council.errors import ConfigError
from council.members.provider import Reply

MILLION = 1e6
LONG_PROMPT = 200_000
"""Tokens from which some providers charge more."""
DEFAULT_WINDOW, DEFAULT_OUTPUT = 128_000, 32_000
"""Assumed of a model that no list knows."""
SAFETY = 1.3
"""Other tokenizers make up to this many times as many tokens of code as the one that is counted with."""
WRITING_FOR_CLAUDE = 1.25
"""https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching, for the cache of five minutes."""
LOCAL = ("ollama/", "ollama_chat/", "lm_studio/", "hosted_vllm/", "llamafile/")
"""Prefixes of models on the user's own machine, which may cost nothing."""


@dataclass(frozen=True)
class Price:
    """Dollars per token: read fresh, read from a cache, written to a cache, and written by the model."""

    input: float
    output: float
    cached: float
    written: float
    long_factor: float = 1.0
    """What prompts of more than LONG_PROMPT tokens cost, as a multiple."""

    def cost(self, reply: Reply) -> float:
        """Dollars for the tokens of a reply as the provider counted them."""
        cached = min(reply.tokens_cached, reply.tokens_in)
        written = min(reply.tokens_written, reply.tokens_in - cached)
        fresh = reply.tokens_in - cached - written
        spent = fresh * self.input + cached * self.cached + written * self.written + reply.tokens_out * self.output
        return spent * self.factor(reply.tokens_in)

    def at_most(self, tokens_in: int, tokens_out: int) -> float:
        """Dollars for a request, nothing of it cached and every token it may write written."""
        return (tokens_in * max(self.input, self.written) + tokens_out * self.output) * self.factor(tokens_in)

    def factor(self, tokens_in: int) -> float:
        return self.long_factor if tokens_in > LONG_PROMPT else 1.0


@dataclass(frozen=True)
class Facts:
    """What is known of a model. `price` is None where nobody says.

    One that `thinks` writes more than it shows, unless told not to; `adaptive` thinkers take an effort, not a budget.
    """

    price: Price | None
    window: int = DEFAULT_WINDOW
    output: int = DEFAULT_OUTPUT
    thinks: bool = False
    adaptive: bool = False
    listed: bool = False  # somebody says how large the window is


def facts_of(model: str, given: Mapping[str, float] | None = None, window: int | None = None) -> Facts:
    """Price, window and longest reply of a model; a price or window given in council.yaml wins over the list."""
    found = _entry(model)
    price = _given(given, _to_write(model, found)) if given is not None else _listed(model, found)
    if not found:
        return Facts(price, window or DEFAULT_WINDOW, listed=window is not None)
    output = int(found.get("max_output_tokens") or found.get("max_tokens") or DEFAULT_OUTPUT)
    window = window or int(found.get("max_input_tokens") or DEFAULT_WINDOW)
    thinks, adaptive = bool(found.get("supports_reasoning")), bool(found.get("supports_adaptive_thinking"))
    return Facts(price, window, output, thinks, adaptive, listed=True)


def known_price(name: str, model: str, facts: Facts) -> Price:
    """The price, or a ConfigError that says how to give one."""
    if facts.price is not None:
        return facts.price
    raise ConfigError(
        f"member {name}: nobody says what the model {model!r} costs, so no cap on dollars could hold",
        hint="Give its price in council.yaml, in dollars per million tokens: price: {input: 3, output: 15}\n"
        "A model of your own costs nothing: price: {input: 0, output: 0}",
    )


def _given(given: Mapping[str, float], to_write: float) -> Price:
    paid, output = float(given["input"]) / MILLION, float(given["output"]) / MILLION
    cached = given.get("cached_input")
    return Price(paid, output, paid if cached is None else cached / MILLION, paid * to_write)


def _to_write(model: str, entry: Mapping[str, Any]) -> float:
    """What writing a token to the cache costs, as a multiple of reading it fresh: more than 1 at Anthropic alone."""
    listed = _listed(model, entry)
    if listed is not None and listed.input:
        return listed.written / listed.input
    return WRITING_FOR_CLAUDE if "claude" in model.lower() else 1.0


def _listed(model: str, entry: Mapping[str, Any]) -> Price | None:
    paid, output = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if paid is None or output is None:
        return None
    if (paid <= 0 or output <= 0) and not model.startswith(LOCAL):
        return None  # a list that says $0 does not know
    cached = entry.get("cache_read_input_token_cost")
    # Anthropic takes more for what it writes to its cache; elsewhere the list may say 0, which means the same price
    written = max(float(entry.get("cache_creation_input_token_cost") or 0), float(paid))
    dearer = [
        float(entry[key]) / float(base)
        for name, base in (("input_cost_per_token", paid), ("output_cost_per_token", output))
        for key in (f"{name}_above_200k_tokens", f"{name}_above_272k_tokens")
        if base and entry.get(key)
    ]
    return Price(float(paid), float(output), float(paid if cached is None else cached), written, max([1.0, *dearer]))


def _entry(model: str) -> Mapping[str, Any]:
    """The list's entry of a model: under its own name, or without the provider in front."""
    listed = _price_list()
    names = [model, model.partition("/")[2], f"openrouter/{model}"] if "/" in model else [model]
    return next((listed[name] for name in names if name in listed), {})


@cache
def _price_list() -> Mapping[str, Mapping[str, Any]]:
    path = tokens.bundled("model_prices_and_context_window_backup.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
