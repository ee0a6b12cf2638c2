"""The page that is one file, opened from the disk: all of it without a server, and nothing can be changed."""

import pytest
from tests.doors.web.remembered import friendly
from tests.doors.web.serving import CHROMIUM, FLAGS, Watched

from memspan import Memory
from memspan.core.clock import seconds
from memspan.doors.web import carry
from memspan.doors.web import page as web

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")]
expect = playwright.expect


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("file")
    with Memory(friendly(folder / "demo.mem"), scope="demo") as memory:
        memory.forget(next(turn.id for turn in memory.turns() if "old van" in turn.text))
        text = web.html(carry.of(memory, seconds("2025-05-01")))
    (folder / "page.html").write_text(text, encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser, file):
    made = Watched(browser, file)
    made.page.goto(file)
    yield made.page
    made.check()
    assert set(made.asked) == {file}
    made.context.close()


def view(page, name):
    page.locator("#views").get_by_role("link", name=name).click()
    expect(page.locator("main h1")).to_have_text(name)


def test_every_view_works_without_a_server(page):
    """Timeline with its size and reminders, graph, changes, receipts."""
    expect(page.locator(".entry")).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".entry")).to_have_count(61)
    assert "call Teresa" in page.locator(".due").text_content() and page.locator(".due button").count() == 0
    assert page.locator("#whose").text_content().startswith("demo")
    view(page, "Graph")
    assert page.locator("svg .node").count() == page.locator(".names button").count() > 4
    view(page, "Changes")
    expect(page.locator("section", has_text="Contradictions").locator(".pair")).to_have_count(1)
    assert "Pixel is two years old." in page.locator(".pairs").first.text_content()
    view(page, "Forget")
    expect(page.locator(".receipt")).to_have_count(1)
    assert "nothing can be forgotten here" in page.locator(".note").text_content()


def test_search_goes_by_plain_words_and_says_so(page):
    """The rarest words count most; what they share is named; no confidence is made up."""
    view(page, "Search")
    assert "searches by plain words" in page.locator(".note").text_content()
    page.get_by_role("searchbox").fill("Is Jonas allergic to hazelnuts?")
    page.get_by_role("searchbox").press("Enter")
    first = page.locator(".hits > li").first
    expect(first).to_contain_text("Jonas is allergic to hazelnuts")
    assert "Shares: " in first.text_content() and page.locator(".surely, .why").count() == 0
    page.get_by_role("searchbox").fill("zeppelin")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator(".answer")).to_have_text("Nothing was found.")


def test_an_item_has_its_history_and_no_button_that_changes_it(page):
    """What replaced it and what was made of it are links inside the file."""
    view(page, "Search")
    page.get_by_role("searchbox").fill("Pixel sixteen months")
    page.get_by_role("searchbox").press("Enter")
    page.locator(".hits .at").first.click()
    expect(page.locator("h2", has_text="What replaced it")).to_be_visible()
    expect(page.locator(".events")).to_contain_text("counted again")
    assert page.locator(".acts").count() == 0
    page.locator("section", has_text="What replaced it").locator("a.at").first.click()
    expect(page.locator(".words")).to_have_text("Pixel is two years old.")
