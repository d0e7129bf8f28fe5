"""The door to OpenAI: its own SDK, the Responses API, streamed.

What: `OpenAIMember`, a language model behind `kind: openai`, also for any server that speaks the Responses API. Why its
own SDK: it takes the effort of reasoning and reports cached tokens. How to extend: `options` of the member go into
every request as they are; a new kind of event gets its line in `_take`. The SDK is imported at the first call.
"""

from __future__ import annotations

import asyncio
from typing import Any

from council.members.llm import LLMMember
from council.members.provider import Provider, Reply, Request
from council.members.provider_wire import Gathered, cap_response, failure_of, finished

ENDS = ("response.completed", "response.incomplete", "response.failed")


class OpenAIProvider(Provider):
    """One request to the Responses API at a time."""

    kind = "openai"

    def connect(self) -> Any:
        import openai

        http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [cap_response]})
        base_url = self.base_url.rstrip("/") if self.base_url else None
        if base_url and "/v" not in base_url.split("://", 1)[1]:
            base_url += "/v1"
        return openai.AsyncOpenAI(
            api_key=self.api_key,
            base_url=base_url,
            max_retries=0,
            http_client=http,
            default_headers={"Accept-Encoding": "identity"},
        )

    def public(self, request: Request) -> dict[str, Any]:
        messages = [{"role": "user", "content": request.prefix + request.prompt}]
        for answer, comment in request.dialogue:
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": comment}]
        sent: dict[str, Any] = {
            "model": request.model,
            "instructions": request.system,
            "input": messages,
            "max_output_tokens": request.max_tokens,
            "store": False,
        }
        if isinstance(request.reasoning, str):
            sent["reasoning"] = {"effort": request.reasoning}
        if request.temperature is not None:
            sent["temperature"] = request.temperature
        return sent | dict(request.options)

    async def complete(self, request: Request, seconds: float) -> Reply:
        found = Gathered()
        stop = ""
        try:
            client = await self.client()
            async with asyncio.timeout(seconds):
                stream = await client.responses.create(**_split(self.public(request)), stream=True, timeout=seconds)
                found.fields["request_id"] = stream.response.headers.get("x-request-id") or ""
                async for event in stream:
                    said = _take(event, found)
                    stop = stop if stop == "refusal" else said or stop
        except Exception as error:
            raise failure_of(error, found.reply()) from None
        return finished(found.reply(), stop)


def _take(event: Any, found: Gathered) -> str:
    """Add one event of a stream; returns the reason for stopping once it is known."""
    if event.type == "response.output_text.delta":
        found.add(event.delta)
    elif event.type == "response.refusal.delta":
        found.add(event.delta)
        return "refusal"
    elif event.type == "error":
        raise StreamError(f"{event.code}: {event.message}")
    elif event.type in ENDS:
        return _end(event, found)
    return ""


def _end(event: Any, found: Gathered) -> str:
    response = event.response
    used = response.usage
    if used is not None:
        details = getattr(used, "input_tokens_details", None)
        found.fields |= {
            "tokens_in": used.input_tokens or 0,
            "tokens_cached": getattr(details, "cached_tokens", 0) or 0,
            "tokens_out": used.output_tokens or 0,
        }
    if not found.length and isinstance(response.output, list):
        found.add("".join(_texts(response.output)))
    why = response.incomplete_details.reason if response.incomplete_details else ""
    found.fields["raw"] = {
        "id": response.id,
        "model": response.model,
        "status": response.status,
        "incomplete": why,
        "usage": used.to_dict() if used is not None else {},
    }
    found.fields["request_id"] = found.fields.get("request_id") or response.id or ""
    if event.type == "response.failed":
        error = response.error
        raise StreamError(f"{error.code}: {error.message}" if error else "server_error: the response failed")
    return "stop" if event.type == "response.completed" else (why or "max_output_tokens")


def _texts(output: list[Any]) -> list[str]:
    """The texts of a response that sent no deltas."""
    parts = [part for item in output if item.type == "message" for part in item.content or ()]
    return [part.text for part in parts if part.type == "output_text"]


class StreamError(Exception):
    """The provider reported an error in the middle of a stream."""


def _split(sent: dict[str, Any]) -> dict[str, Any]:
    """The request as arguments of the SDK; what it has no argument for goes into the body as it is."""
    known = {"model", "instructions", "input", "max_output_tokens", "store", "reasoning", "temperature"}
    own: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in sent.items():
        (own if key in known else extra)[key] = value
    return own | ({"extra_body": extra} if extra else {})


class OpenAIMember(LLMMember):
    """A model of OpenAI, or of a server that speaks its Responses API."""

    kind = "openai"
    provider = OpenAIProvider
    key_variable = "OPENAI_API_KEY"
