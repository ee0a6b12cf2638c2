"""The page in a real browser before the real server: what it shows, what can be done with it, by mouse and by key."""

import re
import subprocess

import pytest
from tests.doors.web.remembered import friendly, large
from tests.doors.web.serving import CHROMIUM, COMMAND, FLAGS, Watched, environment, served

from memspan import Memory

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
expect = playwright.expect
pytest.importorskip("fastapi", reason="needs the extra serve")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")]
# whether each dot of the graph lies in its picture
INSIDE = """() => {
  const box = document.querySelector(".picture svg").getBoundingClientRect();
  const within = (own) =>
    own.left >= box.left && own.right <= box.right && own.top >= box.top && own.bottom <= box.bottom;
  return [...document.querySelectorAll(".node circle, .node rect")].every((dot) => within(dot.getBoundingClientRect()));
}"""
# what can be pressed or filled in and has no name
NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a")].filter((one) =>
  !(one.labels && one.labels.length) && !one.getAttribute("aria-label") && !one.textContent.trim()
).map((one) => one.outerHTML)"""
VIEWS = ("timeline", "search", "graph", "changed", "forget")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """A scope for what is only looked at, and one for each test that changes something: their order is random."""
    path = tmp_path_factory.mktemp("web") / "demo.mem"
    for scope in ("demo", "due", "corrected", "taken back", "forgotten"):
        friendly(path, scope=scope)
    large(path, 130, scope="many")
    large(path, 130, scope="read again")
    return path


@pytest.fixture(scope="module")
def address(memory):
    with served(memory) as where:
        yield where


@pytest.fixture
def watched(browser, address):
    made = Watched(browser, address)
    yield made
    made.check()
    made.context.close()


@pytest.fixture
def page(watched):
    return watched.page


def open_(page, address, view="timeline", scope="demo", **more):
    told = "&".join(f"{name}={value}" for name, value in {"scope": scope, "view": view, **more}.items())
    page.goto("about:blank")
    page.goto(f"{address}#{told}")
    page.wait_for_selector("main h1")
    page.wait_for_selector("main:not([aria-busy])")


def ids(memory, *words, scope="demo"):
    """Ids of the turns that say so."""
    with Memory(memory, scope=scope) as opened:
        turns = list(opened.turns())
    return [next(turn.id for turn in turns if turn.text.startswith(word)) for word in words]


def texts(page, selector):
    return [text.strip() for text in page.locator(selector).all_text_contents()]


def test_the_timeline_tells_the_newest_first_page_by_page(page, address):
    """Fifty at a time; the first of what came gets the focus; days and sessions stand above."""
    open_(page, address, scope="many")
    assert page.locator(".entry").count() == 50
    assert texts(page, ".entry .said")[0].startswith("Note 129:")
    assert page.locator("h2.day").count() >= 1 and texts(page, "h3.session")[0] == "day 3"
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".entry")).to_have_count(100)
    assert texts(page, ".entry .said")[50].startswith("Note 79:")
    assert page.evaluate("document.querySelectorAll('.entry')[49].nextElementSibling === document.activeElement")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".entry")).to_have_count(130)
    assert page.get_by_role("button", name="Show more").count() == 0


def test_the_memory_s_size_and_its_reminders_stand_above(page, address):
    """Turns, records, sessions, bytes, setting, span; what is due can be put away."""
    open_(page, address, scope="due")
    told = dict(zip(texts(page, ".glance dt"), texts(page, ".glance dd"), strict=True))
    assert told["turns"] == "62" and told["sessions"] == "8" and told["setting"] == "lite"
    assert told["whole file"].endswith("B") and told["from, to"] == "3 Jan 2024 to 2 Apr 2025"
    assert "call Teresa about the accordion" in page.locator(".due").text_content()
    page.locator(".due").get_by_role("button", name="Done").click()
    page.wait_for_selector(".due", state="detached")


def test_filters_are_kept_in_the_address(page, address):
    """By session, speaker and kind."""
    open_(page, address)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Speaker").fill("Assistant")
    page.get_by_label("Speaker").press("Tab")
    expect(page.locator(".who", has_text="Maya")).to_have_count(0)
    assert set(texts(page, ".who")) == {"Assistant"} and "speaker=Assistant" in page.url
    page.get_by_label("Session").fill("2024-05 assistant: dinner")
    page.get_by_label("Session").press("Tab")
    expect(page.locator(".entry")).to_have_count(4)
    open_(page, address, kind="entity")
    assert "Maya" in " ".join(texts(page, ".entry .said")) and set(texts(page, ".who")) == {"entity"}


def test_a_hit_says_why_it_came(page, address):
    """Reasons with ranks and bars, the confidence in words, what superseded it and until when it held."""
    open_(page, address, "search")
    page.get_by_label("Question").fill("Where do I live now?")
    page.get_by_role("button", name="Recall").click()
    page.wait_for_selector(".hits > li")
    assert page.locator(".hits .said").first.text_content() == "I live in Lisbon now."
    assert page.locator(".surely strong").text_content() in {"Very likely here", "Probably here"}
    assert "in 10 have the answer" in page.locator(".surely").text_content()
    assert "always give me amounts in grams" in page.locator(".standing").text_content()
    first = page.locator(".hits > li").first
    first.locator("summary").click()
    assert "states what is asked for" in first.text_content() and "words shared" in first.text_content()
    widths = first.locator("i.bar").evaluate_all("(bars) => bars.map((bar) => bar.getBoundingClientRect().width)")
    assert len(widths) >= 3 and widths == sorted(widths, reverse=True) and widths[0] > 2 * widths[-1]
    bristol = page.locator(".hits > li", has_text="I live in Bristol")
    assert "superseded" in bristol.text_content() and "held until" in bristol.text_content()
    bristol.get_by_role("link", name="what holds now").click()
    page.wait_for_selector(".item-head")
    assert "live in" in page.locator(".words").text_content()


def test_an_item_tells_all_about_itself(page, address, memory):
    """Its span, what replaced it, what was made of it, its history, its facts."""
    open_(page, address, "item", id=ids(memory, "I live in Bristol")[0])
    page.wait_for_selector("h2:text('Facts')")
    heads = texts(page, "main h2")
    assert {"What replaced it", "What was made of it", "History", "Facts"} <= set(heads)
    assert page.locator(".rail").get_attribute("aria-label").startswith("Held from 3 Jan 2024, 10:00 until")
    assert "superseded" in page.locator(".events").text_content()
    page.locator("section", has_text="What was made of it").locator("a.at").first.click()
    page.wait_for_selector("h2:text('Where it comes from')")
    assert "episode" in page.locator("h1").text_content()
    page.get_by_role("button", name="Back").click()
    page.wait_for_selector("h1:has-text('Maya')")


def test_an_item_can_be_pinned_archived_restored_and_corrected(page, address, memory):
    """Each by a button; the state is shown; Esc closes the dialog and gives the focus back."""
    (id_,) = ids(memory, "Do you speak any Portuguese?", scope="corrected")
    open_(page, address, "item", scope="corrected", id=id_)
    for press, shown in (("Pin", "pinned"), ("Hold", "on hold"), ("Archive", "archived")):
        page.get_by_role("button", name=press, exact=True).click()
        page.wait_for_selector(f".item-head .tag:text('{shown}')")
    for press, gone in (("Unpin", "pinned"), ("Release", "on hold"), ("Restore", "archived")):
        page.get_by_role("button", name=press, exact=True).click()
        page.wait_for_selector(f".item-head .tag:text('{gone}')", state="detached")
    page.get_by_role("button", name="Correct", exact=True).click()
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Correct"
    page.get_by_role("button", name="Correct", exact=True).click()
    page.get_by_label("What is right").fill("Do you speak any Galician?")
    page.get_by_label("Why").fill("misheard")
    page.locator("dialog").get_by_role("button", name="Correct").click()
    page.wait_for_selector(".words .said:text('Galician')")
    open_(page, address, "changed", scope="corrected")
    assert "misheard" in page.locator(".pairs").first.text_content()


def test_old_stands_beside_new_and_a_call_can_be_taken_back(page, address):
    """Superseded pairs, contradictions, and all that was done, newest first."""
    open_(page, address, "changed", scope="taken back")
    pairs = page.locator("section", has_text="Superseded").locator(".pair")
    told = " | ".join(pairs.all_text_contents())
    assert "Pixel is sixteen months old." in told and "Pixel is two years old." in told and "counted again" in told
    assert "I live in Bristol" in told
    against = page.locator("section", has_text="Contradictions").locator(".pair")
    assert "closes at seven" in against.first.text_content() and "closes at six" in against.first.text_content()
    page.get_by_role("button", name="Take back").first.click()
    page.wait_for_selector("#said p:text('Taken back')")


def test_forgetting_shows_what_would_go_and_erases_just_that(page, address, memory):
    """A dry run, a confirmation by digest, a receipt; the words are gone."""
    (id_,) = ids(memory, "I sold the old van", scope="forgotten")
    open_(page, address, "item", scope="forgotten", id=id_)
    page.get_by_role("button", name="Forget …").click()
    page.wait_for_selector(".plan")
    assert "I sold the old van" in page.locator(".plan").text_content()
    page.get_by_role("button", name="Erase").click()
    page.locator("dialog").get_by_role("button", name="Keep it").click()
    assert ids(memory, "I sold the old van", scope="forgotten") == [id_]
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("button", name="Erase for good").click()
    page.wait_for_selector(".plan.done .receipt")
    assert "erased" in page.locator(".plan.done").text_content()
    assert page.locator("section", has_text="Receipts").locator(".receipt").count() >= 1
    with Memory(memory, scope="forgotten") as opened:
        assert not any("old van" in turn.text for turn in opened.turns())


def test_nothing_is_erased_where_something_else_would_go_by_now(page, address, memory, watched):
    """The digest of what was shown no longer fits; the page says so in a sentence."""
    open_(page, address, "forget", scope="read again")
    page.get_by_label("What", exact=True).select_option("query")
    page.get_by_label("Words").fill("Note 128")
    page.get_by_role("button", name="Show what would go").click()
    page.wait_for_selector(".plan")
    assert page.locator(".plan h2").text_content() == "1 item would go"
    with Memory(memory, scope="read again") as opened:
        opened.remember("Note 128 was read again.", speaker="Ann")
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("button", name="Erase for good").click()
    page.wait_for_selector("#said.trouble p")
    assert page.locator("#said").text_content().startswith("By now something else would go, so nothing was erased.")
    assert page.locator(".plan h2").text_content() == "2 items would go"
    assert len(ids(memory, "Note 128:", "Note 128 was", scope="read again")) == 2
    watched.slips[:] = [slip for slip in watched.slips if "409" not in slip]  # the browser notes the refusal itself


def test_the_graph_is_told_by_a_list_too(page, address):
    """The arrows walk the list; the choice shows in picture and words."""
    open_(page, address, "graph")
    names = page.locator(".names button")
    assert names.count() == page.locator("svg .node").count() > 4
    names.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen = page.evaluate("document.activeElement.dataset.id")
    assert page.locator(".node.on").get_attribute("data-id") == chosen
    assert page.locator(f'.names [data-id="{chosen}"]').get_attribute("aria-pressed") == "true"
    assert page.locator(".chosen b").text_content() in page.locator(".node.on").text_content()
    assert page.evaluate(INSIDE)


def test_a_scope_without_names_offers_to_reflect(page, address):
    """And shows them then."""
    open_(page, address, "graph", scope="many")
    page.get_by_role("button", name="Reflect now").click()
    page.wait_for_selector("svg .node, .empty")


def test_keys_reach_everything(page, address):
    """The first Tab skips to the content; each control has a name; the focus goes to what is new."""
    open_(page, address)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="Graph").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text('Graph')")
    expect(page.locator("#main")).to_be_focused()
    assert page.locator("#views [aria-current]").text_content() == "Graph"
    for view in VIEWS:
        open_(page, address, view)
        assert page.evaluate(NAMELESS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes(browser, address, memory, scheme):
    """No sideways scrolling at 360 pixels in any view; the switch overrules the system and is kept."""
    made = Watched(browser, address, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = made.page
    (id_,) = ids(memory, "I live in Bristol")
    for view, more in (*((view, {}) for view in VIEWS), ("item", {"id": id_}), ("search", {"q": "Where is Pixel?"})):
        open_(page, address, view, **more)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, view
    grounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == grounds[scheme]
    other = "dark" if scheme == "light" else "light"
    while page.locator("#theme").text_content() != f"Theme: {other.capitalize()}":
        page.locator("#theme").click()
    assert page.evaluate(ground) == grounds[other]
    page.reload()
    page.wait_for_selector("main h1")
    assert page.evaluate(ground) == grounds[other]
    made.check()
    made.context.close()


# when the first turn was in the page, told by the page itself
FIRST = """new MutationObserver((_, watcher) => {
  if (!document.querySelector(".entry")) return;
  window.first = performance.now();
  watcher.disconnect();
}).observe(document, { childList: true, subtree: true });"""


def test_ten_thousand_turns_are_painted_within_a_second(browser, tmp_path):
    """First paint and the first fifty turns, the best of three; nothing else is fetched."""
    path = large(tmp_path / "large.mem", 10_000)
    with served(path) as address:
        told = [_painted(browser, address) for _ in range(3)]
    paint, turns, size = (min(figures) for figures in zip(*told, strict=True))
    print(f"first paint {paint:.0f} ms, first turns {turns:.0f} ms, {size / 1000:.0f} kB fetched")
    assert 0 < paint < 1000 and 0 < turns < 1000
    assert 0 < size < 200_000


def _painted(browser, address):
    """First paint [ms], the first turns in the page [ms], bytes fetched; a browser profile of its own."""
    made = Watched(browser, address)
    made.page.add_init_script(FIRST)
    open_(made.page, address, scope="large")
    assert made.page.locator(".entry").count() == 50
    paint = made.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    sizes = made.page.evaluate("performance.getEntriesByType('resource').map((one) => one.encodedBodySize)")
    turns = made.page.evaluate("window.first")
    made.check()
    made.context.close()
    return paint, turns, sum(sizes)


def test_an_error_is_a_sentence(browser, memory):
    """An unknown item, a wrong scope, a server that is gone."""
    with served(memory) as address:
        made = Watched(browser, address)
        page = made.page
        open_(page, address, "item", id="nothing")
        assert "no" in page.locator(".note").text_content().lower() and page.locator(".note").text_content().endswith(
            "."
        )
        open_(page, address, scope="..")
        assert page.locator("h1").text_content() == "That did not work"
        page.goto(address)
        page.wait_for_selector("h1:text('Whose memory?')")
        page.locator("main").get_by_role("textbox", name="Scope").fill("demo")
        page.get_by_role("button", name="Open", exact=True).click()
        page.wait_for_selector(".entry")
    page.get_by_role("link", name="Changes").click()
    page.wait_for_selector(".note")
    assert page.locator(".note").text_content() == "The server does not answer. Is memspan serve still running?"
    made.context.close()


def test_secrets_are_shown_to_whoever_asks_only(browser, tmp_path):
    """A quarantined turn stands in every list without its words."""
    pytest.importorskip("detect_secrets")
    with Memory(tmp_path / "a.mem", scope="demo", secrets="quarantine") as opened:
        (id_,) = opened.remember("The key is AKIAIOSFODNN7EXAMPLE, keep it.").ids  # the published example of one
    with served(tmp_path / "a.mem") as address:
        made = Watched(browser, address)
        for view, more in (("timeline", {}), ("changed", {}), ("forget", {"ids": id_}), ("item", {"id": id_})):
            open_(made.page, address, view, **more)
            if view == "forget":
                made.page.wait_for_selector(".plan")
            assert made.page.get_by_text("kept out of sight").count() >= 1, view
            assert "AKIA" not in made.page.locator("main").text_content(), view
        made.page.get_by_role("button", name="Show what is kept out of sight").first.click()
        assert "AKIA" in made.page.locator(".words").text_content()
        made.check()
        made.context.close()


def test_a_key_is_kept_in_the_tab_and_sent_to_the_server_only(browser, tmp_path):
    """Without it a sentence says what is missing; a wrong one is refused; the right one opens its tenant."""
    path = friendly(tmp_path / "demo.mem")
    asked = [*COMMAND, "keys", "add", "--memory", str(path), "--tenant", "demo", "--json"]
    made = subprocess.run(asked, env=environment(), capture_output=True, text=True, check=True, timeout=60)
    token = re.search(r"msp_[\w.-]+", made.stdout)[0]
    with served(path) as address:
        watched = Watched(browser, address)
        page = watched.page
        open_(page, address)
        assert page.locator(".note").text_content() == "This server wants a key: give it one with “API key”."
        for given, seen in (("msp_wrong", "The server does not take this key."), (token, None)):
            page.get_by_role("button", name="API key").first.click()
            page.locator("dialog").get_by_label("Key", exact=True).fill(given)
            page.get_by_role("button", name="Use it").click()
            if seen:
                expect(page.locator(".note")).to_have_text(seen)
        expect(page.locator(".entry").first).to_be_visible()
        kept = page.evaluate("[JSON.stringify(localStorage), document.cookie, location.href, sessionStorage.length]")
        assert token not in "".join(map(str, kept)) and kept[-1] == 1
        assert all(token not in url for url in watched.asked)
        open_(page, address, scope="other")
        assert page.locator("h1").text_content() == "That did not work"
        other = watched.context.new_page()
        other.goto(f"{address}#scope=demo&view=timeline")
        expect(other.locator(".note")).to_be_visible()  # another tab has no key
        watched.context.close()
