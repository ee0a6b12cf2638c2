"""The page of a run in a real browser: it shows every figure, sorts, filters, loads nothing, runs nothing of others."""

import shutil
from itertools import chain

import pytest
from tests.bench.fake_result import SYSTEMS, bare, fake

from memspan.bench import page as report
from memspan.bench.verdicts import verdict

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
KIND = {name: kind for name, _, kind in SYSTEMS}


@pytest.fixture(scope="module")
def result():
    return fake({"locomo", "beam-1m", "realmem", "beam-500k", "pi-syn", "ama-syn", "embs-syn"})


@pytest.fixture(scope="module")
def file(result, tmp_path_factory):
    return report.write(result, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser, file):
    """A fresh page; what it says on the console and asks for is kept, and must be nothing."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    said, asked = [], []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(file.as_uri())
    yield opened
    context.close()
    assert said == []
    assert asked == [file.as_uri()]


def pick(page, name, value, *, on=True):
    box = page.locator(f'input[name="{name}"][value="{value}"]')
    if box.is_checked() != on:
        box.press("Space")  # not by a click: a chart that is drawn meanwhile moves what it aims at
    assert box.is_checked() == on


def column(page, table, place):
    """Texts of a column, in the order shown, a list for each group of rows."""
    script = """([table, place]) => [...document.querySelectorAll(`#${table} tbody`)].map((body) =>
        [...body.querySelectorAll("tr:not(.group)")].map((row) => row.children[place].textContent))"""
    return page.evaluate(script, [table, place])


def heads(page, table):
    return page.locator(f"#{table} thead tr:last-child button").all_text_contents()


def short(value):
    return f"{value:.3f}".replace("0.", ".", 1)


def test_every_cell_of_the_matrix_is_there(page, result):
    """Each set and system: the figure, or in a word why there is none."""
    pick(page, "kind", "ablation")
    pick(page, "metric", "T1000")
    names = heads(page, "matrix")[2:]
    assert sorted(names) == sorted(KIND)
    of = {(row["set"], row["system"]): row for row in result["results"]}
    sets = list(chain(*column(page, "matrix", 0)))
    for place, name in enumerate(names):
        for one, cell in zip(sets, chain(*column(page, "matrix", place + 2)), strict=True):
            row = of.get((one.removesuffix("informational"), name))
            if row is None:
                assert cell == "–"
            elif row["status"] == "failed":
                assert cell == "failed"
            else:
                assert cell.startswith(short(row["metrics"]["T1000"]["mean"]))
                assert (f"{row['status']} {row['cases']}/{row['of_cases']}" in cell) == (row["status"] == "cut")


def test_the_best_that_finished_is_bold(page, result):
    """A control or a run that was cut is never the best; two that read the same both are."""
    bold = page.locator("#matrix td.best")
    best = []
    for one in result["sets"]:
        rows = [row for row in result["results"] if row["set"] == one["set"] and row["status"] == "done"]
        shown = [row for row in rows if KIND[row["system"]] not in ("control", "ablation")]
        figures = [row["metrics"][one["headline"]]["mean"] for row in shown]
        best += [short(figure) for figure in figures if short(figure) == short(max(figures))]
    assert sorted(text.removesuffix(" best") for text in bold.all_text_contents()) == sorted(best)


def test_columns_sort_by_click_and_by_key(page):
    """Down, up, and back to the order of the sets; what is missing stays last."""
    place = heads(page, "matrix").index("gamma-graph")
    before = column(page, "matrix", place)
    button = page.locator("#matrix thead tr:last-child button").nth(place)
    head = page.locator("#matrix thead tr:last-child th").nth(place)

    def numbers():
        return [[float(text[:4]) for text in group if text[0] == "."] for group in column(page, "matrix", place)]

    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert all(group == sorted(group, reverse=True) for group in numbers())
    assert column(page, "matrix", place)[0][-1] == "–"
    button.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert all(group == sorted(group) for group in numbers())
    assert column(page, "matrix", place)[0][-1] == "–"
    button.press("Space")
    assert head.get_attribute("aria-sort") == "none"
    assert column(page, "matrix", place) == before


def test_kinds_figures_and_intervals_can_be_chosen(page, result):
    """By click, and by the arrow keys within the figures."""
    pick(page, "kind", "peer", on=False)
    assert not {name for name in heads(page, "matrix") if KIND.get(name) == "peer"}
    page.locator('input[name="metric"][value="headline"]').focus()
    page.keyboard.press("ArrowRight")
    assert column(page, "matrix", 1)[0] == ["T1000"] * 4
    pick(page, "intervals", "on")
    mean = next(row for row in result["results"] if row["system"] == "default")["metrics"]["T1000"]
    assert f"{short(mean['low'])}–{short(mean['high'])}" in column(page, "matrix", 2)[0][0]
    assert "one cluster" in column(page, "matrix", 2)[1][-1]
    pick(page, "metric", "stale")
    assert column(page, "matrix", 2)[0] == ["·"] * 4


def test_a_cell_tells_its_interval_on_hover_and_on_focus(page):
    """The arrow keys walk from cell to cell; Escape silences."""
    page.locator('#matrix td[data-status="cut"]').first.hover()
    assert "cut, 4 of 7 cases: time limit" in page.locator("#tip").text_content()
    page.locator('#matrix td[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip strong").text_content() == "locomo, full"
    assert "95 % interval" in page.locator("#tip").text_content()
    page.keyboard.press("ArrowDown")
    assert page.locator("#tip strong").text_content() == "beam-500k, full"
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_words_of_others_stay_words(page):
    """Nothing in the result runs or becomes an element."""
    assert page.evaluate("window.executed") is None
    assert page.locator("img, script:not([type]):nth-of-type(4)").count() == 0
    assert "</script><script>window.executed = true</script>" in page.locator("#top").text_content()
    assert "delta<script>" in heads(page, "matrix")


def test_a_script_put_in_later_does_not_run(browser, file):
    """The policy holds in the browser: the one script is known by its hash."""
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    page.evaluate(
        "() => { const n = document.createElement('script'); n.text = 'window.late = 1'; document.body.append(n) }"
    )
    page.evaluate("() => { const n = new Image(); n.src = 'https://example.org/x.png'; document.body.append(n) }")
    assert page.evaluate("window.late") is None
    page.wait_for_timeout(50)
    assert sum("Content Security Policy" in line for line in said) >= 2
    page.close()


def test_every_comparison_is_shown_with_its_verdict(page, result):
    """In the words of the tables; the tally counts them and picks one opponent."""
    pairs = [pair for pair in result["compared"] if pair["ours"] == "default"]
    first = [pair for pair in pairs if pair["metric"] != "T1000"]
    assert column(page, "pairs", 3)[0] == [verdict(pair) for pair in first]
    assert {"better", "no difference shown", "not testable"} <= set(column(page, "pairs", 3)[0])
    page.locator("#tally").get_by_role("button", name="alpha-mem", exact=True).click()
    chosen = [pair for pair in first if pair["other"] == "alpha-mem"]
    assert column(page, "pairs", 0)[0] == [pair["set"] for pair in chosen]
    place = column(page, "tally", 0)[0].index(" alpha-mem")
    assert int(column(page, "tally", 1)[0][place]) == sum(verdict(pair) == "better" for pair in chosen)


def test_plots_show_every_set_and_let_systems_be_chosen(page, result):
    """A small chart a set, one large; a system taken off the legend is off both."""
    assert page.locator(".panel").count() == len(result["sets"])
    assert page.locator('.stage [data-system="beta"].label').count() == 1
    pick(page, "system", "beta", on=False)
    assert page.locator('#plots svg.chart [data-system="beta"]').count() == 0
    page.locator(".panel").nth(2).click()
    assert page.locator(".stage h3").text_content().startswith("beam-1m")
    for plot in ("latency", "bytes", "ladder", "ladder-read"):
        pick(page, "plot", plot)
        assert page.locator(".stage svg .one .mark").count() > 3
    assert page.locator(".panel").count() == 2  # the sets with a ladder


def test_each_set_has_its_card_and_its_tables(page, result):
    """A link in the matrix opens it; the reasons of what did not finish are there in words."""
    page.get_by_role("link", name="realmem").click()
    opened = page.locator("#sets details[open]")
    assert opened.count() == 1
    for word in (
        "CC BY-NC 4.0",
        "interleaved",
        "cut, 4 of 7 cases: time limit",
        "T1000, test",
        "multi hop (400)",
        "turns / s",
    ):
        assert word in opened.text_content()
    shown = page.locator("#sets details table").count()
    assert shown > 3 * len(result["sets"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes(browser, file, scheme):
    """No sideways scrolling of the page itself; the ground follows the scheme."""
    context = browser.new_context(viewport={"width": 400, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    context.close()


def test_a_run_of_which_nothing_came_is_still_a_page(browser, tmp_path):
    """No result, no comparison, no mean, no file: it says so instead of breaking."""
    page, said = browser.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.write(bare({"locomo", "pi-syn"}), tmp_path / "bare.html").as_uri())
    assert page.locator("#matrix tbody tr:not(.group)").count() == 2
    assert "Nothing was compared" in page.locator("#compared").text_content()
    assert said == []
    page.close()
