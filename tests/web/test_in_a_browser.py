"""The pages in a real browser: each one, filters, a live update, keyboard, phone width, a hostile night, the report.

The `page` fixture fails a test whose page says anything on the console, opens a dialog or asks another machine.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import closing

import pytest

from council.store import Store
from council.ui import leaderboard as face
from council.ui import report
from council.views import leaderboard, night
from tests.report import nights

PAGES = {
    "/": "1.7",
    "/rounds": "60 rounds, page 1 of 2",
    "/round/4": "Round 4",
    "/round/0": "The baseline",
    "/round/best": "was kept",
    "/members": "opus",
    "/member?name=opus": "claude-opus",
    "/sessions": "first",
    "/compare?a=first&b=2026-11-20": "Booked best",
    "/search?q=curvature": "places",
    "/call?id=3": "You are a researcher",
    "/?session=first": "Session first",
    "/council": "what_ran_and_why",
    "/council/verdicts?_facet=kind": "kind",
    "/council/what_ran_and_why": "What ran and why",
    "/council?sql=select+1+as+one": "one",
    "/council/verdicts/1": "verdicts",
}


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_quietly_and_says_what_it_should(page, plain, path):
    answer = page.goto(plain.url + path)
    assert answer.status == 200
    assert PAGES[path].lower() in page.content().lower()
    assert page.locator("h1").count() == 1 and page.title()


@pytest.mark.parametrize(
    "path", ["/", "/rounds", "/round/1", "/round/6", "/members", "/search?q=cookie", "/call?id=1", "/sessions",
             "/council/proposals?_facet=title", "/council/proposals/1", "/council/replies", "/council/members"]
)  # fmt: skip
def test_a_hostile_night_is_inert_in_the_browser(page, hostile, path):
    page.goto(hostile.url + path)
    text = page.locator("body").inner_text()
    assert page.locator("script:not([src])").count() == 0 and page.locator("img[onerror]").count() == 0
    assert [c for c in text if c in "\u202e\u202c\u200b\x1b\x07\x9b"] == []
    assert "onerror=alert(1)" in text or path in ("/sessions", "/council/members", "/members")


def test_a_hostile_member_has_a_page(page, hostile):
    page.goto(hostile.url + "/members")
    page.get_by_role("link", name="=cmd|'/c calc'!A0<b>").first.click()
    assert page.locator("h1").inner_text().startswith("=cmd|'/c calc'!A0<b>")


def test_filters_stand_in_the_address_and_go_back(page, plain):
    page.goto(plain.url + "/rounds")
    page.select_option("select[name=verdict]", "keep")
    page.select_option("select[name=member]", "opus")
    page.click("text=Filter")
    assert "verdict=keep" in page.url and "member=opus" in page.url
    rows = page.locator("tbody tr")
    assert rows.count() > 0 and {r.split("\t")[1] for r in rows.all_inner_texts()} == {"● keep"}
    page.click("th >> text=Δ BPB")
    assert "sort=delta" in page.url and "verdict=keep" in page.url
    deltas = [float(r.split("\t")[3]) for r in rows.all_inner_texts()]
    assert deltas == sorted(deltas, reverse=True)
    page.click("text=Clear")
    assert page.locator("[role=status]").last.inner_text().startswith("60 rounds")


def test_raw_tables_are_narrowed_by_facets_without_typing_an_address(page, plain):
    page.goto(plain.url + "/council")
    page.click("text=verdicts")
    page.locator(".facet-info").get_by_role("link", name="keep", exact=True).click()
    assert "kind=keep" in page.url
    assert set(page.locator("td.col-kind").all_inner_texts()) == {"keep"}
    assert page.locator("td.col-at").first.inner_text().startswith("2026-11-2")


def test_questions_stand_before_tables_and_sql(page, plain):
    page.goto(plain.url + "/council")
    assert page.locator("h2").all_inner_texts() == ["What auditors ask", "Tables", "SQL"]
    page.get_by_role("link", name="What each member's steps cost").click()
    assert page.locator("td.col-usd").count() > 3


def test_members_are_ordered_by_skill_with_their_intervals_and_the_words_of_the_command_line(page, plain):
    page.goto(plain.url + "/members")
    proposing = page.locator("section", has=page.locator("#proposing"))
    skills = [float(t.split()[0]) for t in proposing.locator(".interval").all_inner_texts()]
    assert len(skills) == 5 and skills == sorted(skills, reverse=True)
    inside = """s => s.x1.baseVal.value < s.nextElementSibling.cx.baseVal.value
        && s.nextElementSibling.cx.baseVal.value < s.x2.baseVal.value"""
    assert page.locator(".interval .span").count() == 10
    assert all(span.evaluate(inside) for span in page.locator(".interval .span").all())
    with closing(Store(plain.home / "council.db", read_only=True)) as store:
        board = leaderboard.read(store, "2026-11-20")
    assert page.locator(".lead").all_inner_texts()[1:] == [face.separation(board), face.helping(board)]
    assert proposing.locator("tbody tr").first.locator("td").nth(1).inner_text() == "1–5"


@pytest.mark.parametrize(("query", "said"), [("", "Older →"), ("?dir=up", "Newer →"), ("?sort=delta", "Next →")])
def test_the_way_to_more_rounds_says_which(page, plain, query, said):
    page.goto(plain.url + "/rounds" + query)
    assert page.locator("a[rel=next]").inner_text() == said


def test_a_mark_of_the_staircase_leads_to_its_round(page, plain):
    page.goto(plain.url + "/")
    page.locator(".chart a").nth(5).click()
    page.wait_for_url("**/round/*")
    assert page.locator("h1").inner_text().startswith("Round ")


def test_the_keyboard_reaches_the_content_and_the_navigation(page, plain):
    page.goto(plain.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rounds*")


PHONE = {"width": 360, "height": 740}
ON_A_PHONE = (
    *("/", "/rounds", "/round/1", "/round/4", "/members", "/member?name=opus", "/sessions", "/compare"),
    *("/search?q=curvature", "/call?id=3"),
)


@pytest.mark.parametrize("path", ON_A_PHONE)
def test_no_page_is_wider_than_a_phone(page, plain, hostile, path):
    page.set_viewport_size(PHONE)
    for served in (plain, hostile):
        page.goto(served.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    "path", ["/council?sql=select+*+from+books", "/council/who_voted_for_what_was_kept", "/council/verdicts/1",
             "/council/verdicts"]
)  # fmt: skip
def test_cells_of_raw_tables_hold_their_value_alone_on_a_phone(page, plain, path):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(plain.url + path)
    before = "[...document.querySelectorAll('td')].map(cell => getComputedStyle(cell, '::before').content)"
    assert set(page.evaluate(before)) == {"none"}
    assert page.locator("thead").is_visible() and page.evaluate("document.documentElement.scrollWidth") <= 390


def test_no_figure_runs_into_another_on_a_phone(page, plain):
    page.set_viewport_size(PHONE)
    page.goto(plain.url + "/")
    page.evaluate("""document.querySelectorAll('.figure small').forEach(s => {
        s.textContent = '1,234 calls, $10.10 set aside for calls without a reply'})""")
    over = """[...document.querySelectorAll('.figure')].filter(
        f => f.querySelector('small')?.getBoundingClientRect().right > f.getBoundingClientRect().right + 1).length"""
    assert page.locator(".figure small").count() > 3 and page.evaluate(over) == 0


@pytest.mark.parametrize("path", ["/members", "/rounds"])
def test_on_a_phone_the_first_column_stays_while_a_table_scrolls(page, plain, path):
    page.set_viewport_size(PHONE)
    page.goto(plain.url + path)
    page.evaluate("document.querySelector('.scroll').scrollLeft = 300")
    assert page.evaluate("document.querySelector('.scroll').scrollLeft") > 100
    assert page.locator(".scroll tbody th").first.bounding_box()["x"] >= 0


def test_dark_and_light_differ_and_both_can_be_read(page, plain):
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(plain.url + "/")
        style = "getComputedStyle(document.documentElement)"
        seen[scheme] = [page.evaluate(f"{style}.{what}") for what in ("backgroundColor", "color")]
    brightness = {k: [sum(map(int, c[4:-1].split(","))) for c in v] for k, v in seen.items()}
    assert brightness["light"][0] - brightness["light"][1] > 450
    assert brightness["dark"][1] - brightness["dark"][0] > 450


def test_images_of_charts_arrive(page, plain):
    page.goto(plain.url + "/member?name=opus")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("[...document.images].map(i => i.naturalWidth > 0)") == [True, True]


def test_an_empty_lab_says_how_to_begin_and_fills_by_itself(page, blank):
    page.goto(blank.url + "/")
    assert "council run --offline" in page.content()
    nights.write(blank.home / "council.db", rounds=2)
    page.wait_for_selector("text=In 2 rounds", timeout=15000)
    assert page.goto(blank.url + "/council").status == 200


def test_a_page_follows_a_session_that_writes(page, tmp_path):
    from tests.web.conftest import lab, serve

    home = lab(tmp_path)
    nights.write(home / "council.db", rounds=3, ended=False)
    lock = os.open(home / "lock", os.O_CREAT | os.O_RDWR)
    os.write(lock, f"pid {os.getpid()}\n".encode())
    fcntl.flock(lock, fcntl.LOCK_EX)
    (home / "live.json").write_text(
        json.dumps(
            {"pid": os.getpid(), "last": {"text": "x6 trial: <b>bold</b>", "round": 4, "step": "run", "at": 1.0}}
        )
    )
    for served in serve(home):
        page.goto(served.url + "/rounds")
        assert page.locator("#pulse").is_visible() and page.locator("tbody tr").count() == 3
        with closing(Store(home / "council.db")) as store, store.atomic():
            base = store.one("sessions")["commit"]
            last = store.one("experiments", order="number DESC")["number"]
            writer = nights.Writer(store, nights.random.Random(1), 1, base, tuple(nights.MODELS), number=last)
            writer.book = nights.books.start(base, [1.8, 1.8], writer.sigma**2)
            nights.play(writer, 4)
        page.locator("tbody tr").nth(3).wait_for(timeout=15000)
        page.goto(served.url + "/")
        assert "x6 trial: <b>bold</b>" in page.locator("#now").inner_text()
        fcntl.flock(lock, fcntl.LOCK_UN)
        page.locator("#pulse").wait_for(state="hidden", timeout=15000)
    os.close(lock)


@pytest.mark.parametrize("attack", [False, True], ids=["plain", "hostile"])
def test_the_report_opens_offline_and_quietly(page, tmp_path, attack):
    with closing(Store(nights.write(tmp_path / "c.db", rounds=20, hostile=attack), read_only=True)) as store:
        (tmp_path / "report.html").write_text(report.html(night.read(store)))
    page.goto(f"file://{tmp_path}/report.html")
    assert page.locator("h2").count() == 7 and page.locator("script").count() == 0
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
