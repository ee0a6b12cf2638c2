"""The page as files for a server, and as one closed file that carries a memory and needs nothing else."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from memspan.bench import page as report
from memspan.bench.page.closed import carried, filled, hashed, part, script

if TYPE_CHECKING:
    from memspan.doors.web.carry import Carried

_SCRIPTS = ("words", "asking", "pieces", "timeline", "search", "item", "graph", "changed", "forget", "page")
# without trusted types, no string can become markup or script in a browser that knows them, even by a mistake of ours
_WALLS = "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"


@cache
def files() -> Mapping[str, tuple[bytes, str]]:
    """Path below the page's address -> (content, media type); index.html is the page itself."""
    index = _index(
        policy="",
        style='<link rel="icon" href="icon.svg"><link rel="stylesheet" href="page.css">',
        script='<script src="page.js" defer></script>',
    )
    made = {
        "index.html": (index, "text/html"),
        "page.css": (_style(), "text/css"),
        "page.js": (_script(), "text/javascript"),
        "icon.svg": (part(__package__, "icon.svg"), "image/svg+xml"),
    }
    return MappingProxyType({path: (text.encode(), f"{kind}; charset=utf-8") for path, (text, kind) in made.items()})


def headers() -> Mapping[str, str]:
    """What each of the files is to be sent with: it loads and asks its own server only, and nobody frames it."""
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"frame-ancestors 'none'; {_WALLS}"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def html(carry: "Carried") -> str:
    """The page as one file with what it shows inside. carry: from carry.of(memory)"""
    style, code = _style(), _script()
    policy = f"default-src 'none'; script-src '{hashed(code)}'; style-src '{hashed(style)}'; {_WALLS}"
    return _index(
        policy=f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        style=f"<style>{style}</style>",
        script=f'<script type="application/json" id="carried">{carried(carry)}</script>\n<script>{code}</script>',
    )


def _index(**values: str) -> str:
    return filled(part(__package__, "index.html"), values)


def _style() -> str:
    return part(report.__name__, "ground.css") + part(__package__, "page.css")


def _script() -> str:
    parts = [part(report.__name__, "0_nodes.js"), *(part(__package__, f"{name}.js") for name in _SCRIPTS)]
    return script(parts)
