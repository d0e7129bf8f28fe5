"""The door to everyone else: Gemini, Grok, DeepSeek, Mistral, OpenRouter, Ollama, vLLM and many more, through litellm.

What: `LiteLLMMember`, a language model behind `kind: litellm`; `model` is litellm's name, provider first
(`gemini/…`, `xai/…`, `ollama/…`; any server that speaks chat completions: `openai/…` with `base_url`). Why a library:
each of these differs in small ways. How to extend: a provider whose key has an unusual name gets its line in `KEYS`.
litellm is imported at the first call, with its look-ups on the network, its retries and its own sessions off.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from council.members.llm import LLMMember
from council.members.provider import Clients, Request
from council.members.provider_counts import number
from council.members.provider_stream import Counts, Gathered, StreamedProvider, total
from council.members.provider_wire import cap_response

KEYS = {
    "together_ai": "TOGETHERAI_API_KEY",
    "huggingface": "HF_TOKEN",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "vertex_ai": "GOOGLE_APPLICATION_CREDENTIALS",
    "bedrock": "AWS_ACCESS_KEY_ID",
    "moonshot": "MOONSHOT_API_KEY",
    "zai": "ZAI_API_KEY",
}
"""Key variables that are not the provider's name followed by _API_KEY."""
KEYLESS = ("ollama", "ollama_chat", "lm_studio", "hosted_vllm", "llamafile")
OWN_CREDENTIALS = ("vertex_ai", "bedrock")
"""Providers whose credentials litellm finds itself; the variable only says whether they are there."""
OWN_PATHS = ("gemini", "vertex_ai", "bedrock", "azure", "azure_ai", "cohere", "replicate", "watsonx", "sagemaker")
"""Providers whose addresses do not end in /v1."""
MARKS_CACHE = ("anthropic/", "openrouter/anthropic/", "bedrock/", "vertex_ai/claude")


class LiteLLMProvider(StreamedProvider):
    """One chat completion at a time."""

    kind = "litellm"
    shared: ClassVar[Clients] = {}

    def __init__(self, *, api_key: str | None, base_url: str | None = None) -> None:
        super().__init__(api_key=api_key, base_url=base_url)
        self._clients = self.shared  # the library keeps its sessions in globals, so all members share one

    def connect(self) -> Any:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import httpx
        import litellm
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

        litellm.suppress_debug_info = True
        # what it finds odd in a reply is the council's to judge, and stands in the record
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        litellm.telemetry = False
        litellm.disable_aiohttp_transport = True
        _guard(AsyncHTTPHandler)
        litellm.in_memory_llm_clients_cache.flush_cache()  # clients of an event loop that is gone
        litellm.aclient_session = httpx.AsyncClient(
            event_hooks={"response": [cap_response]}, headers={"Accept-Encoding": "identity"}, timeout=None
        )
        return litellm

    def public(self, request: Request) -> dict[str, Any]:
        marks = request.model.startswith(MARKS_CACHE)
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": _part(request.system, marks)},
            {"role": "user", "content": request.prefix + request.prompt},
        ]
        if marks and request.prefix:
            messages[1]["content"] = [*_part(request.prefix, marks), {"type": "text", "text": request.prompt}]
        for answer, comment in request.dialogue:
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": comment}]
        sent: dict[str, Any] = {"model": request.model, "messages": messages, "max_tokens": request.max_tokens}
        if isinstance(request.reasoning, str):
            sent["reasoning_effort"] = request.reasoning
        elif request.reasoning is not None:
            sent["thinking"] = {"type": "enabled", "budget_tokens": request.reasoning}
        if request.temperature is not None:
            sent["temperature"] = request.temperature
        return sent | dict(request.options)

    def address(self, model: str) -> str | None:
        """The base address as litellm wants it for this provider."""
        if not self.base_url:
            return None
        base, provider = self.base_url.rstrip("/"), model.partition("/")[0]
        if provider in ("anthropic", "ollama", "ollama_chat"):
            return base.removesuffix("/v1")
        bare = not urlsplit(base).path and provider not in OWN_PATHS
        return f"{base}/v1" if bare else base

    async def open(self, client: Any, request: Request, seconds: float) -> Any:
        return await client.acompletion(
            **self.public(request),
            stream=True,
            stream_options={"include_usage": True},
            api_key=self.api_key,
            api_base=self.address(request.model),
            timeout=seconds,
            num_retries=0,
            max_retries=0,
        )

    def take(self, event: Any, found: Gathered) -> None:
        for name in ("id", "model"):
            found.said[name] = found.said.get(name) or getattr(event, name, "") or ""
        found.use(getattr(event, "usage", None))
        for choice in event.choices[:1]:
            delta = choice.delta
            found.add(getattr(delta, "content", None))
            found.think(getattr(delta, "reasoning_content", None))
            found.stop = choice.finish_reason or found.stop

    def whole(self, body: Mapping[str, Any], found: Gathered) -> None:
        found.said |= {name: body.get(name) or "" for name in ("id", "model")}
        found.use(body.get("usage"))
        choice: Mapping[str, Any] = next(iter(body.get("choices") or ()), {})
        message = choice.get("message") or {}
        found.add(message.get("content"))
        found.think(message.get("reasoning_content"))
        found.stop = choice.get("finish_reason") or ("stop" if found.length else "")

    def counts(self, usage: Mapping[str, Any]) -> Counts:
        read, written = number(usage.get("prompt_tokens")), number(usage.get("completion_tokens"))
        details = usage.get("prompt_tokens_details")
        cached = number(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
        return Counts(read, cached, number(usage.get("cache_creation_input_tokens")), total(usage, read, written))


def _guard(handler: Any) -> None:
    """Every client of litellm's own handler keeps the council's rules: bytes counted, no redirect, no second try."""
    made = handler.create_client
    if getattr(made, "guarded", False):
        return

    def create_client(self: Any, *args: Any, **more: Any) -> Any:
        client = made(self, *args, **more)
        client.follow_redirects = False
        client.headers["Accept-Encoding"] = "identity"
        client.event_hooks = {**client.event_hooks, "response": [cap_response]}
        return client

    async def no_second_try(self: Any, *args: Any, **more: Any) -> Any:
        raise sys.exception() or ConnectionError("the connection broke off")

    create_client.guarded = True  # type: ignore[attr-defined]
    handler.create_client, handler.single_connection_post_request = create_client, no_second_try


def _part(text: str, marked: bool) -> Any:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}] if marked else text


class LiteLLMMember(LLMMember):
    """A model of any provider that litellm speaks to."""

    kind = "litellm"
    provider = LiteLLMProvider

    @property
    def key_variable(self) -> str:  # type: ignore[override]
        """The variable that holds the key of the provider in front of the model's name; none for a local one."""
        provider = self.model_name.partition("/")[0] if "/" in self.model_name else "openai"
        if provider in KEYLESS:
            return ""
        return KEYS.get(provider, f"{provider.upper()}_API_KEY")

    def key(self) -> str | None:
        found = super().key()
        return None if self.model_name.partition("/")[0] in OWN_CREDENTIALS else found
