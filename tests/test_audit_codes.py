"""Fingerprints that are taken in a process beside the audit."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from council.audit.codes import Codes
from council.running import code_of

TEXTS = [f"A = {n}\n".encode() for n in range(5)] + [b"not python at all"]


def test_fingerprints_of_the_other_process_are_those_taken_here():
    asked, alone = Codes(), Codes()
    with ProcessPoolExecutor(1) as pool:
        asked.ask(pool, TEXTS)
        assert [asked.of(text) for text in TEXTS] == [code_of(text.decode()) for text in TEXTS]
    assert [alone.of(text) for text in TEXTS] == [asked.of(text) for text in TEXTS]


def test_a_text_that_cannot_be_read_is_told_where_it_is_asked_for():
    codes = Codes()
    with ProcessPoolExecutor(1) as pool:
        codes.ask(pool, [b"\xff", b"A = 1\n"])
        assert codes.of(b"A = 1\n") == code_of("A = 1\n")
        with pytest.raises(UnicodeDecodeError):
            codes.of(b"\xff")


def test_a_process_that_died_loses_no_fingerprint():
    class Dead:
        def submit(self, *asked):
            future = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

    codes = Codes()
    codes.ask(Dead(), TEXTS)
    assert codes.of(TEXTS[0]) == code_of(TEXTS[0].decode())
