"""The door to Anthropic: its own SDK, the Messages API, streamed.

What: `AnthropicMember`, a language model behind `kind: anthropic`. Why its own SDK: it marks which part of a prompt to
cache and says how long to think, which generic clients do not pass on. How to extend: `options` of the member go into
every request as they are; a new kind of event gets its line in `_take`. The SDK is imported at the first call.
"""

from __future__ import annotations

import asyncio
from typing import Any

from council.members.llm import LLMMember
from council.members.provider import Provider, Reply, Request
from council.members.provider_price import facts_of
from council.members.provider_wire import Gathered, cap_response, failure_of, finished

CACHED = {"type": "ephemeral"}
ROOM_TO_ANSWER = 4000
"""Tokens left for the answer when a budget of thinking is given."""


class AnthropicProvider(Provider):
    """One request to the Messages API at a time."""

    kind = "anthropic"

    def connect(self) -> Any:
        import anthropic

        http = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [cap_response]})
        headers = {"Accept-Encoding": "identity"}
        base_url = self.base_url.rstrip("/").removesuffix("/v1") if self.base_url else None
        return anthropic.AsyncAnthropic(
            api_key=self.api_key, base_url=base_url, max_retries=0, http_client=http, default_headers=headers
        )

    def public(self, request: Request) -> dict[str, Any]:
        first: list[dict[str, Any]] = [{"type": "text", "text": request.prompt}]
        if request.prefix:
            first.insert(0, {"type": "text", "text": request.prefix, "cache_control": CACHED})
        messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
        for answer, comment in request.dialogue:
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": comment}]
        sent: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "system": [{"type": "text", "text": request.system, "cache_control": CACHED}],
            "messages": messages,
            **_thinking(request),
        }
        if request.temperature is not None:
            sent["temperature"] = request.temperature
        return sent | dict(request.options)

    async def complete(self, request: Request, seconds: float) -> Reply:
        found = Gathered()
        stop = ""
        try:
            client = await self.client()
            async with asyncio.timeout(seconds):
                stream = await client.messages.create(**_split(self.public(request)), stream=True, timeout=seconds)
                found.fields["request_id"] = stream.response.headers.get("request-id") or ""
                async for event in stream:
                    stop = _take(event, found) or stop
        except Exception as error:
            raise failure_of(error, found.reply()) from None
        return finished(found.reply(), stop)


def _take(event: Any, found: Gathered) -> str:
    """Add one event of a stream; returns the reason for stopping once it is known."""
    if event.type == "message_start":
        used = event.message.usage
        cached, written = used.cache_read_input_tokens or 0, used.cache_creation_input_tokens or 0
        found.fields |= {
            "tokens_in": (used.input_tokens or 0) + cached + written,
            "tokens_cached": cached,
            "tokens_written": written,
            "tokens_out": used.output_tokens or 0,
            "raw": {"id": event.message.id, "model": event.message.model},
        }
        found.fields["request_id"] = found.fields.get("request_id") or event.message.id or ""
    elif event.type == "content_block_start" and event.content_block.type == "text":
        found.add(event.content_block.text)
    elif event.type == "content_block_delta" and event.delta.type == "text_delta":
        found.add(event.delta.text)
    elif event.type == "message_delta":
        used, stop = event.usage, event.delta.stop_reason or ""
        found.fields["tokens_out"] = (used.output_tokens if used else 0) or found.fields.get("tokens_out", 0)
        found.fields["raw"] = {
            **found.fields.get("raw", {}),
            "stop_reason": stop,
            "usage": used.to_dict() if used else {},
        }
        return stop
    return ""


def _thinking(request: Request) -> dict[str, Any]:
    """How long to think, in the words the model understands: an effort for newer ones, a budget for older ones."""
    if request.reasoning is None:
        return {}
    if isinstance(request.reasoning, str) and facts_of(request.model).adaptive:
        if request.reasoning == "none":
            return {"thinking": {"type": "disabled"}}
        effort = {"minimal": "low"}.get(request.reasoning, request.reasoning)
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
    if request.reasoning == "none":
        return {}
    shares = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.7, "xhigh": 0.8, "max": 0.9}
    wanted = shares[request.reasoning] * request.max_tokens if isinstance(request.reasoning, str) else request.reasoning
    budget = max(1024, min(int(wanted), request.max_tokens - ROOM_TO_ANSWER))
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget < request.max_tokens else {}


def _split(sent: dict[str, Any]) -> dict[str, Any]:
    """The request as arguments of the SDK; what it has no argument for goes into the body as it is."""
    known = {"model", "max_tokens", "system", "messages", "thinking", "output_config", "temperature"}
    own: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in sent.items():
        (own if key in known else extra)[key] = value
    return own | ({"extra_body": extra} if extra else {})


class AnthropicMember(LLMMember):
    """A model of Anthropic."""

    kind = "anthropic"
    provider = AnthropicProvider
    key_variable = "ANTHROPIC_API_KEY"
