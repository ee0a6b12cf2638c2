"""The web page in headless Chromium: how long until something, and until a remembered turn, is to be seen."""

import shutil
from collections.abc import Sequence
from statistics import median
from typing import Any

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMES = 7
PATIENCE_MS = 30_000
Result = dict[str, Any]  # Any: what json.dumps takes

_PAINTED = """() => new Promise((done) => {
    const seen = () => performance.getEntriesByName("first-contentful-paint")[0];
    const look = () => (seen() ? done(seen().startTime) : setTimeout(look, 5));
    look();
})"""
_SHOWN = """(text) => new Promise((done) => {
    const look = () => (document.body && document.body.innerText.includes(text)
        ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 5));
    look();
})"""


def paints(url: str, newest: str) -> Result:
    """Medians of loads in fresh contexts, without a cache, counted from the start of the navigation.

    newest: words of the last turn, which the page shows first
    Where playwright or a browser is missing, why there is no figure.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return {"missing": f"no browser on the path ({', '.join(BROWSERS)})"}
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {"missing": "playwright is not installed"}
    painted, shown = [], []
    with sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=browser, args=list(FLAGS))
        version = chromium.version
        for _ in range(TIMES + 1):
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(url, wait_until="commit")
            painted.append(page.evaluate(_PAINTED))
            shown.append(page.evaluate(_SHOWN, newest))
            context.close()
        chromium.close()
    return {
        "browser": f"Chromium {version}",
        "loads": TIMES,
        **_spread("first_contentful_paint_ms", painted[1:]),
        **_spread("newest_turn_shown_ms", shown[1:]),
    }


def _spread(name: str, times: Sequence[float]) -> Result:
    return {f"{name}_median": round(median(times), 1), f"{name}_max": round(max(times), 1)}
