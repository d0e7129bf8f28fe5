"""What `council doctor` says of language models, asked over a real loopback provider."""

import json

import pytest
from click.testing import CliRunner

from council.cli import cli
from council.testing.loopback import Fault, Loopback

YAML = """
members:
  - {{name: gpt, kind: openai, model: some-model, base_url: "{url}", price: {{input: 1, output: 2}}}}
  - {{name: opus, kind: anthropic, model: claude-opus-5-5}}
  - {{name: random, kind: random}}
"""


def doctor(tmp_path, url, *options):
    (tmp_path / "council.yaml").write_text(YAML.format(url=url))
    told = CliRunner().invoke(cli, ["-C", str(tmp_path), "doctor", "--json", *options])
    return {c["name"]: c for c in json.loads(told.output)["checks"] if c["name"].startswith("model ")}


@pytest.fixture
def provider():
    with Loopback() as found:
        yield found


def test_each_model_is_named_with_window_price_and_what_is_missing(tmp_path, provider):
    found = doctor(tmp_path, provider.url)
    assert found["model gpt"]["state"] == "ok" and "$1.00 in, $2.00 out" in found["model gpt"]["what"]
    assert found["model opus"]["state"] == "note" and "ANTHROPIC_API_KEY" in found["model opus"]["mend"]
    assert "model random" not in found
    assert not provider.asked


def test_online_asks_each_present_model_and_shows_how_long_it_took(tmp_path, provider):
    found = doctor(tmp_path, provider.url, "--online")
    assert "answered in" in found["model gpt"]["what"] and provider.asked
    assert "answered" not in found["model opus"]["what"]


def test_a_model_that_refuses_the_key_is_named_as_missing(tmp_path):
    with Loopback(replies=[Fault("401")]) as provider:
        found = doctor(tmp_path, provider.url, "--online")
    assert found["model gpt"]["state"] == "missing" and "does not answer" in found["model gpt"]["what"]


def test_a_key_that_the_provider_repeats_is_not_printed(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key := "my-own-key-0123456789")
    with Loopback(replies=[Fault("400")]) as provider:
        found = doctor(tmp_path, provider.url, "--online")
    assert provider.asked and key in " ".join(provider.asked[0].headers.values())
    assert "[redacted]" in found["model gpt"]["what"] and key not in repr(found)
