"""How much a model is asked to read: what its server holds, as the list or council.yaml says."""

from __future__ import annotations

from council.members import prompt
from council.members.litellm import LiteLLMMember
from council.testing.contracts import brief_of


def test_a_prompt_fits_the_window_that_the_file_gives():
    given = {"model": "ollama/nobody-knows", "price": {"input": 0, "output": 0}}
    assumed, told = LiteLLMMember("a", **given), LiteLLMMember("b", **given, window=6144)
    assert (assumed.facts.window, assumed.facts.listed) == (128_000, False)
    assert (told.facts.window, told.facts.listed, told.max_tokens) == (6144, True, 3072)
    brief = brief_of(experiments=400)
    whole, fitted = (prompt.propose(brief, member._room()).tokens for member in (assumed, told))
    assert fitted <= told._room() < whole


def test_the_window_of_a_listed_model_can_be_corrected():
    model = "gemini/gemini-3.1-pro-preview"
    listed, told = LiteLLMMember("a", model=model), LiteLLMMember("b", model=model, window=65_536)
    assert told.facts.window == 65_536 != listed.facts.window and told.facts.price == listed.facts.price
