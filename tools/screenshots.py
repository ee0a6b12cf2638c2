"""Pictures of the web page for the documents, from a made-up conversation: light, dark, and on a phone.

python tools/screenshots.py --out docs/images

Needs playwright, a Chromium on the path, and the extra serve. The clocks of memory and browser are set, so that a
picture changes where the page does, and in how long a recall took.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from memspan import Memory
from memspan.core.clock import seconds
from memspan.text.read import read

NOW = "2025-04-12T09:00:00Z"
PHONE, DESK = (360, 740), (1160, 800)


@dataclass(frozen=True)
class Shot:
    """A picture: its name, the view with what it is asked for, what is done before it is taken."""

    name: str
    view: str
    scheme: str = "light"
    size: tuple[int, int] = DESK
    act: str = ""


SHOTS = (
    Shot("timeline-light", "timeline"),
    Shot("timeline-dark", "timeline", "dark"),
    Shot("timeline-phone", "timeline", size=PHONE),
    Shot("search-light", "search&q=Where do I live now?", act="why"),
    Shot("search-dark", "search&q=Where do I live now?", "dark", act="why"),
    Shot("search-phone", "search&q=Where do I live now?", "dark", PHONE, act="why"),
    Shot("item-light", "item&id={bristol}"),
    Shot("item-dark", "item&id={bristol}", "dark"),
    Shot("graph-light", "graph"),
    Shot("graph-dark", "graph", "dark"),
    Shot("changes-light", "changed"),
    Shot("contradictions-light", "changed", size=(1160, 460), act="contradictions"),
    Shot("forget-light", "forget&ids={van}", act="plan"),
    Shot("forget-confirm-dark", "forget&ids={van}", "dark", act="confirm"),
)


def remembered(path: Path) -> dict[str, str]:
    """Make the memory; ids of what pictures are about."""
    moment = [seconds("2024-01-03T10:05Z")]
    with Memory(path, scope="maya", clock=lambda: moment[0]) as memory:

        def say(text: str, at: str, speaker: str = "Maya", session: str = "2025-04 plans") -> str:
            moment[0] = seconds(at) + 60
            return memory.remember(text, speaker=speaker, at=at, session=session).ids[0]

        bristol = say("I live in Bristol, above the bakery.", "2024-01-03T10:00Z", session="2024-01 hello")
        with as_file(files("memspan.doors.cli") / "demo.jsonl") as file:
            for turn in read(file):
                moment[0] = (turn.at or moment[0]) + 1
                memory.remember(turn)
        say("I live in Alfama now, two streets from the river.", "2025-04-09T19:02Z")
        say("Remind me to call Teresa about the accordion on Friday.", "2025-04-09T19:04Z")
        ages = say("Pixel is sixteen months old.", "2025-04-10T08:30Z", "Jonas", "2025-04 arriving")
        moment[0] += 60
        memory.correct(ages, "Pixel is two years old.", reason="counted again")
        closes = say("The workshop closes at seven.", "2025-04-10T08:32Z", "Jonas", "2025-04 arriving")
        moment[0] += 60
        memory.correct(closes, "The workshop closes at six.", reason="read on its door", role="tool")
        memory.pin(
            say("My train to Lisbon arrives on Friday at 17:40.", "2025-04-10T08:35Z", "Jonas", "2025-04 arriving")
        )
        memory.reflect()
        turns = {turn.text: turn.id for turn in memory.turns()}
    return {"bristol": bristol, "van": next(id for text, id in turns.items() if "sold the old van" in text)}


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of a server of that memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from memspan.doors.cli.main import main; main()", "serve"]
    process = subprocess.Popen([*command, "--memory", str(path), "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        while not _up(port):
            if process.poll() is not None:
                sys.exit("memspan serve ended; run it by hand to see why")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _up(port: int) -> bool:
    try:
        return bool(urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200)
    except URLError:
        return False


def take(browser: Browser, address: str, shot: Shot, ids: dict[str, str], out: Path) -> Path:
    """One picture; where it lies."""
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=shot.scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.clock.set_fixed_time(NOW)
    page.goto(f"{address}#scope=maya&view={shot.view.format(**ids)}")
    page.wait_for_selector("main h1")
    page.wait_for_selector("main:not([aria-busy])")
    _act(page, shot.act)
    page.wait_for_timeout(200)
    path = out / f"{shot.name}.png"
    page.screenshot(path=path)
    context.close()
    return path


def _act(page: Page, act: str) -> None:
    if act == "why":
        page.locator(".why summary").first.click()
        page.evaluate("window.scrollTo(0, 0)")
    elif act == "contradictions":
        page.locator("h2", has_text="Contradictions").evaluate("(head) => head.scrollIntoView()")
    elif act in ("plan", "confirm"):
        page.wait_for_selector(".plan")
    if act == "confirm":
        page.get_by_role("button", name="Erase").click()
        page.wait_for_selector("dialog[open]")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out: Path = parser.parse_args().out
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "maya.mem"
        ids = remembered(path)
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        with served(path) as address:
            for shot in SHOTS:
                made = take(browser, address, shot, ids, out)
                print(f"{made} {made.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
