"""The real server on a free loopback port, as a process of its own, and the real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-c", "from memspan.doors.cli.main import main; main()"]


def environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMSPAN_")}
    return kept | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


@contextmanager
def served(memory, patience_s=60.0):
    """The address of a server of that memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = [*COMMAND, "serve", "--memory", str(memory), "--port", str(port)]
    process = subprocess.Popen(asked, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + patience_s
        while not up(port):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < end, "the server does not come up"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def up(port):
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except URLError:
        return False


# what a page must never do, told by the page itself
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


class Watched:
    """A page whose every slip is kept: dialogs, errors, words on the console, requests to elsewhere, violations."""

    def __init__(self, browser, own, **how):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
        self.page = self.context.new_page()
        self.slips, self.asked, self._own = [], [], own
        self.page.add_init_script(WATCH)
        self.page.on("dialog", lambda dialog: (self.slips.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.slips.append(f"error {error}"))
        self.page.on("console", lambda message: self.slips.append(f"console {message.text}"))
        self.page.on("request", lambda request: self._ask(request.url))
        self.page.on("popup", lambda _: self.slips.append("popup"))

    def _ask(self, url):
        self.asked.append(url)
        if not url.startswith(self._own):
            self.slips.append(f"request {url[:200]}")

    def check(self):
        """Nothing slipped, nothing ran."""
        told = self.page.evaluate("[window.violations, window.hacked ?? null]")
        assert told == [[], None]
        assert self.slips == []
