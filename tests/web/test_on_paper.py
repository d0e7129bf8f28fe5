"""Pages and the report print whole: no frame that scrolls, nothing cut at an edge, no navigation."""

from __future__ import annotations

from contextlib import closing

import pytest

from council.store import Store
from council.ui import report
from council.views import night
from tests.report import nights

A4 = {"width": 700, "height": 1000}
"""The width of a sheet between its margins, in pixels of a page."""

CUT = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('svg')
    && !e.closest('.hidden')
    && (e.getBoundingClientRect().right > innerWidth + 1
        || ['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX)
            && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)))
    .map(e => e.outerHTML.slice(0, 90))"""


@pytest.mark.parametrize("path", ["/", "/rounds", "/round/4", "/members", "/member?name=opus", "/call?id=3"])
def test_a_page_is_whole_on_paper(page, plain, path):
    page.set_viewport_size(A4)
    page.emulate_media(media="print")
    page.goto(plain.url + path)
    assert page.evaluate(CUT) == [] and not page.locator("nav").first.is_visible()


@pytest.mark.parametrize("path", ["/", "/rounds", "/council/verdicts"])
def test_a_page_is_dark_on_light_on_paper_whatever_the_screen_prefers(page, plain, path):
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(plain.url + path)
    style = "getComputedStyle(document.documentElement)"
    seen = [page.evaluate(f"{style}.{what}") for what in ("backgroundColor", "color", "colorScheme")]
    paper, ink = (sum(map(int, colour[4:-1].split(","))) for colour in seen[:2])
    assert paper > 740 and ink < 200 and seen[2] == "light"


@pytest.mark.parametrize("attack", [False, True], ids=["plain", "hostile"])
def test_the_report_is_whole_on_paper(page, tmp_path, attack):
    with closing(Store(nights.write(tmp_path / "c.db", rounds=20, hostile=attack), read_only=True)) as store:
        (tmp_path / "report.html").write_text(report.html(night.read(store)))
    page.set_viewport_size(A4)
    page.emulate_media(media="print")
    page.goto(f"file://{tmp_path}/report.html")
    assert page.evaluate(CUT) == []
    assert page.pdf(format="A4").startswith(b"%PDF")
