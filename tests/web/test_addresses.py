"""What an address may ask: known parameters alone reach the links, and neither length nor number is unbounded."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest

from council.web.guard import ADDRESS_BYTES, MOST_PARAMETERS
from tests.web.conftest import ask


def test_links_carry_known_parameters_alone(plain):
    body = ask(plain, "/rounds?session=2026-11-20&verdict=discard&q=a&evil=1&page=1&sort=bpb")[2]
    links = re.findall(r'href="(/rounds\?[^"]*)"', body)
    assert len(links) > 5 and any("verdict=discard" in link and "q=a" in link for link in links)
    assert not [link for link in links if "evil" in link]


def test_the_first_value_of_a_parameter_counts_and_an_empty_one_is_none(plain):
    assert ask(plain, "/rounds?page=1&page=x")[0] == 200 and ask(plain, "/rounds?page=x&page=1")[0] == 404
    assert ask(plain, "/?session=")[0] == 200


@pytest.mark.parametrize("path", ["/rounds", "/search", "/council/rounds", "/council/proposals.csv"])
def test_many_parameters_are_refused_in_words_and_at_once(plain, path):
    few, many = ("&".join(f"a{n}=1" for n in range(n)) for n in (MOST_PARAMETERS, MOST_PARAMETERS + 1))
    status, _, body = ask(plain, f"{path}?{many}")
    assert status == 400 and f"more than {MOST_PARAMETERS} parameters" in body
    begun = time.perf_counter()  # 3,000 took 8 s and more
    assert ask(plain, f"{path}?{few}")[0] == 200
    assert time.perf_counter() - begun < 5


def test_a_long_address_is_refused_in_words(plain):
    status, headers, body = ask(plain, "/search?q=" + "x" * ADDRESS_BYTES)
    assert status == 414 and f"longer than {ADDRESS_BYTES} bytes" in body and "content-security-policy" in headers
    assert ask(plain, "/" + "x" * ADDRESS_BYTES)[0] == 414
    assert ask(plain, "/council.json?sql=" + quote("select 1 --" + "x" * 7000))[0] == 200


def test_a_number_of_thousands_of_digits_is_no_round(plain):
    assert ask(plain, "/round/" + "0" * 9 + "9" * 5000)[0] == 404


@pytest.mark.parametrize("path", ["//evil.example/", "//evil.example/%5c", "/%2fevil.example/", "/%5cevil.example/"])
def test_no_address_leads_to_another_host(plain, path):
    status, headers, _ = ask(plain, path)
    assert status == 404 or not headers["location"].startswith(("//", "/\\", "http"))
