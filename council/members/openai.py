"""The door to OpenAI: its own SDK, the Responses API, streamed.

What: `OpenAIMember`, a language model behind `kind: openai`, also for any server that speaks the Responses API. Why its
own SDK: it takes the effort of reasoning and reports cached tokens. How to extend: `options` of the member go into
every request as they are; a new kind of event gets its line in `take`. The SDK is imported at the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from council.members.llm import LLMMember
from council.members.provider import Request
from council.members.provider_counts import number
from council.members.provider_failures import StreamError
from council.members.provider_stream import Counts, Gathered, StreamedProvider, total
from council.members.provider_wire import cap_response

ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
THOUGHTS = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")


class OpenAIProvider(StreamedProvider):
    """One request to the Responses API at a time."""

    kind = "openai"

    def connect(self) -> Any:
        import openai

        http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [cap_response]}, follow_redirects=False)
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

    async def open(self, client: Any, request: Request, seconds: float) -> Any:
        return await client.responses.create(**_split(self.public(request)), stream=True, timeout=seconds)

    def take(self, event: Any, found: Gathered) -> None:
        kind = getattr(event, "type", "")
        if kind == "response.output_text.delta":
            found.add(event.delta)
        elif kind == "response.output_text.done" and not found.text().endswith(event.text or ""):
            found.add(event.text)  # a server that sends no deltas
        elif kind == "response.refusal.delta":
            found.refused = True
            found.add(event.delta)
        elif kind in THOUGHTS:
            found.think(event.delta)
        elif kind == "error":
            raise StreamError(f"{event.code}: {event.message}")
        elif kind in ENDS:
            found.ended = True
            if isinstance(event.response, Mapping):  # an end that the library does not know
                self.whole(event.response, found)
            else:
                _end(event.response, found)

    def whole(self, body: Mapping[str, Any], found: Gathered) -> None:
        from openai.types.responses import Response

        _end(Response.construct(**body), found)

    def counts(self, usage: Mapping[str, Any]) -> Counts:
        # some servers count in the words of chat completions
        read = number(usage.get("input_tokens")) or number(usage.get("prompt_tokens"))
        written = number(usage.get("output_tokens")) or number(usage.get("completion_tokens"))
        details = usage.get("input_tokens_details")
        cached = number(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
        return Counts(read, cached, 0, total(usage, read, written))


def _end(response: Any, found: Gathered) -> None:
    """Add what the end of a response says, and all its text where none was streamed."""
    why = getattr(response.incomplete_details, "reason", None) or ""
    found.said |= {"id": response.id or "", "model": response.model, "status": response.status, "incomplete": why}
    found.use(response.usage)
    if not found.length:
        for item in response.output or ():
            for part in getattr(item, "content", None) or ():
                found.refused = found.refused or part.type == "refusal"
                found.add(getattr(part, "text", None) or getattr(part, "refusal", None))
    if response.status in ("failed", "cancelled"):
        error = response.error
        raise StreamError(f"{error.code}: {error.message}" if error else "server_error: the response failed")
    found.stop = "stop" if response.status == "completed" else (why or "max_output_tokens")


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
