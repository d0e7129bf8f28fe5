"""The door to everyone else: Gemini, Grok, DeepSeek, Mistral, OpenRouter, Ollama, vLLM and many more, through litellm.

What: `LiteLLMMember`, a language model behind `kind: litellm`; `model` is litellm's name, provider first
(`gemini/…`, `xai/…`, `ollama/…`; any server that speaks chat completions: `openai/…` with `base_url`). Why a library:
each of these differs in small ways. How to extend: a provider whose key has an unusual name gets its line in `KEYS`.
litellm is imported at the first call, with its look-ups on the network, its retries and its own sessions off.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar
from urllib.parse import urlsplit

from council import tokens
from council.members.llm import LLMMember
from council.members.provider import Clients, Provider, Reply, Request
from council.members.provider_wire import Gathered, cap_response, failure_of, finished

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


class LiteLLMProvider(Provider):
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

        litellm.suppress_debug_info = True
        litellm.telemetry = False
        litellm.disable_aiohttp_transport = True
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

    async def complete(self, request: Request, seconds: float) -> Reply:
        found = Gathered()
        stop = ""
        try:
            library = await self.client()
            async with asyncio.timeout(seconds):
                stream = await library.acompletion(
                    **self.public(request),
                    stream=True,
                    stream_options={"include_usage": True},
                    api_key=self.api_key,
                    api_base=self.address(request.model),
                    timeout=seconds,
                    num_retries=0,
                    max_retries=0,
                )
                async for chunk in stream:
                    stop = _take(chunk, found) or stop
        except Exception as error:
            raise failure_of(error, found.reply()) from None
        if not found.fields.get("tokens_out"):  # some servers count nothing
            found.fields["tokens_in"] = tokens.count(request.system + request.prefix + request.prompt)
            found.fields["tokens_out"] = tokens.count("".join(found.parts))
        return finished(found.reply(), stop)


def _take(chunk: Any, found: Gathered) -> str:
    """Add one chunk of a stream; returns the reason for stopping once it is known."""
    found.fields["request_id"] = found.fields.get("request_id") or getattr(chunk, "id", "") or ""
    used = getattr(chunk, "usage", None)
    if used is not None:
        details = getattr(used, "prompt_tokens_details", None)
        found.fields |= {
            "tokens_in": used.prompt_tokens or 0,
            "tokens_out": used.completion_tokens or 0,
            "tokens_cached": getattr(details, "cached_tokens", 0) or 0,
            "raw": {"model": getattr(chunk, "model", "") or "", "usage": used.model_dump(mode="json")},
        }
    for choice in chunk.choices[:1]:
        found.add(choice.delta.content if choice.delta else None)
        return choice.finish_reason or ""
    return ""


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
