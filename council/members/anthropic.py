"""The door to Anthropic: its own SDK, the Messages API, streamed.

What: `AnthropicMember`, a language model behind `kind: anthropic`. Why its own SDK: it marks which part of a prompt to
cache and says how long to think, which generic clients do not pass on. How to extend: `options` of the member go into
every request as they are; a new kind of event gets its line in `take`. The SDK is imported at the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from council.members.llm import LLMMember
from council.members.provider import Request
from council.members.provider_counts import number
from council.members.provider_price import facts_of
from council.members.provider_stream import Counts, Gathered, StreamedProvider
from council.members.provider_wire import cap_response

CACHED = {"type": "ephemeral"}
ROOM_TO_ANSWER = 4000
"""Tokens left for the answer when a budget of thinking is given."""


class AnthropicProvider(StreamedProvider):
    """One request to the Messages API at a time."""

    kind = "anthropic"

    def connect(self) -> Any:
        import anthropic

        http = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [cap_response]}, follow_redirects=False)
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

    async def open(self, client: Any, request: Request, seconds: float) -> Any:
        return await client.messages.create(**_split(self.public(request)), stream=True, timeout=seconds)

    def take(self, event: Any, found: Gathered) -> None:
        kind = getattr(event, "type", "")
        if kind == "message_start":
            self._begin(event.message, found)
        elif kind == "content_block_start":
            _block(event.content_block, found)
        elif kind == "content_block_delta":
            _block(getattr(event, "delta", None), found)
        elif kind == "message_delta":
            found.use(getattr(event, "usage", None))
            found.stop = getattr(getattr(event, "delta", None), "stop_reason", None) or found.stop
        elif kind == "message_stop":
            found.stop, found.ended = found.stop or "end_turn", True

    def whole(self, body: Mapping[str, Any], found: Gathered) -> None:
        from anthropic.types import Message

        message = Message.construct(**body)
        self._begin(message, found)
        found.use(body.get("usage"))
        for block in message.content:
            _block(block, found)
        found.stop = message.stop_reason or "end_turn"

    def counts(self, usage: Mapping[str, Any]) -> Counts:
        cached, stored = number(usage.get("cache_read_input_tokens")), number(usage.get("cache_creation_input_tokens"))
        read = number(usage.get("input_tokens")) + cached + stored
        return Counts(read, cached, stored, number(usage.get("output_tokens")))

    def _begin(self, message: Any, found: Gathered) -> None:
        found.said |= {name: getattr(message, name, None) or "" for name in ("id", "model")}
        found.use(getattr(message, "usage", None))
        found.usage.pop("output_tokens", None)  # of a message that has only begun


def _block(block: Any, found: Gathered) -> None:
    """Add a block of content, or what is new of it, whatever kind it is of."""
    found.add(getattr(block, "text", None))
    found.think(getattr(block, "thinking", None))


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
