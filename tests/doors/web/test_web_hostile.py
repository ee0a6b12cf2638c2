"""A memory full of markup, script and marks that turn text around: shown as it stands, by the server and in the file.

The page has hooks for what must not happen: a dialog, a variable that only a trap sets, a request to elsewhere, a
violation of the policy, an error, a word on the console.
"""

from urllib.parse import quote

import pytest
from tests.doors.web.remembered import HACK, TRAPS, hostile
from tests.doors.web.serving import CHROMIUM, FLAGS, Watched, served

from memspan import Memory
from memspan.core.clock import seconds
from memspan.doors.web import carry
from memspan.doors.web import page as web

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("fastapi", reason="needs the extra serve")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")]
expect = playwright.expect
SCOPE = "a<img src=x onerror=" + HACK + ">&\"'"
# elements that only a trap could have made
STRANGE = "main :is(script, img, iframe, object, embed, style, link, base, meta, form[action], a[href^='javascript'])"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "hostile.mem"
    hostile(path, SCOPE)
    return path


@pytest.fixture(scope="module", params=["server", "file"])
def address(request, memory):
    """Of the page, either way."""
    if request.param == "server":
        with served(memory) as where:
            yield where
        return
    with Memory(memory, scope=SCOPE, read_only=True) as opened:
        text = web.html(carry.of(opened, seconds("2025-05-01")))
    path = memory.with_name("page.html")
    path.write_text(text, encoding="utf-8")
    yield path.as_uri()


@pytest.fixture
def watched(browser, address):
    made = Watched(browser, address)
    yield made
    made.check()
    assert made.page.locator(STRANGE).count() == 0
    made.context.close()


def open_(page, address, view, **more):
    page.goto("about:blank")
    told = "&".join(f"{name}={quote(value, safe='')}" for name, value in {"scope": SCOPE, "view": view, **more}.items())
    page.goto(f"{address}#{told}")
    page.wait_for_selector("main h1")
    page.wait_for_selector("main:not([aria-busy])")


def test_the_hooks_see_what_they_are_for(browser, address):
    """Negative control: in the same browser a page without a policy runs the traps, and the hooks tell of it."""
    made = Watched(browser, address)
    made.page.goto("about:blank")
    made.page.set_content(f"<img src='http://127.0.0.1:9/leak' onerror='{HACK};alert(1)'>")
    made.page.wait_for_function("window.hacked")
    assert {slip.split()[0] for slip in made.slips} >= {"dialog", "request"}
    with pytest.raises(AssertionError):
        made.check()
    made.context.close()


def test_the_timeline_shows_traps_as_text(watched, address):
    """Every one of them, word for word but for marks that are written out, and long ones folded."""
    page = watched.page
    open_(page, address, "timeline")
    shown = page.locator(".entry .said").all_text_contents()
    assert len(shown) == len(TRAPS) + 1  # one has a correction
    for trap in TRAPS[:16]:
        assert trap in shown
    marks = next(text for text in shown if text.startswith("turned around"))
    assert "⟨U+202E⟩gnp.exe⟨U+202C⟩" in marks and "\u202e" not in marks
    assert any("⟨U+001B⟩[31mred⟨U+007F⟩⟨U+0085⟩" in text for text in shown)
    long = page.locator(".entry .said", has_text="wordword")
    long.get_by_role("button", name="show all 100,000 characters").click()
    assert len(long.text_content()) == 100_000
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("n", range(len(TRAPS)))
def test_each_trap_is_an_item_like_others(watched, address, memory, n):
    """Its words, speaker, session, meta, links and what was made of it."""
    page = watched.page
    with Memory(memory, scope=SCOPE, read_only=True) as opened:
        turn = list(opened.turns())[n]
    open_(page, address, "item", id=turn.id)
    page.wait_for_selector("h2:text('Facts')")
    assert page.locator(".words .said").text_content()[:20] == page.locator(".words .said").inner_text()[:20]
    if n < 16:
        assert page.locator(".words .said").text_content() == turn.text
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("view", ["graph", "changed", "forget"])
def test_every_other_view_shows_them_as_text(watched, address, view):
    """Names, kinds of links, reasons, the scope's own name."""
    page = watched.page
    open_(page, address, view)
    assert "<script>" in page.locator("main").text_content() or view == "forget"
    assert SCOPE in (page.locator("#whose input, #whose bdi").first.evaluate("(one) => one.value || one.textContent"))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_kinds_and_questions_are_text_too(watched, address):
    """Records of hostile kinds; a hostile question in the address."""
    page = watched.page
    open_(page, address, "timeline", kind="records")
    assert any(text.startswith("<script>") for text in page.locator(".entry .who").all_text_contents())
    for question in (TRAPS[0], TRAPS[9], TRAPS[16], "script word alert"):
        open_(page, address, "search", q=question)
        assert page.get_by_role("searchbox").input_value() == question
        expect(page.locator(".hits > li").first).to_be_visible()
    for view in (TRAPS[0], "constructor", "__proto__"):
        open_(page, address, view)
        assert page.locator("h1").text_content() == "Timeline"
