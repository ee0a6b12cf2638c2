"""`memspan mcp`: the memory as tools for a model, over MCP."""

import ipaddress
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memspan.core.errors import MissingExtra, UsageError
from memspan.core.ids import check_scope
from memspan.doors.cli import _options
from memspan.doors.memories import Memories

if TYPE_CHECKING:
    from memspan.text.memory import Memory


@click.command()
@_options.whose_memory
@click.option("--http", metavar="[HOST:]PORT", help="Serve over HTTP at /mcp instead of stdin and stdout.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which a proxy hands calls on; only with keys.  May be given several times.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False),
    default="",
    help="The file with the API keys.  [default: the memory's name and .doors]",
)
@click.option(
    "--tools",
    type=click.Choice(("memory", "reference")),
    default="memory",
    show_default=True,
    help="reference: the nine tools of the MCP reference memory server, a graph of entities, instead of ours.",
)
def mcp(memory: Path, scope: str, http: str | None, hosts: tuple[str, ...], state: str, tools: str) -> None:
    """Serve one scope of a memory to an MCP client: tools, resources and prompts.

    A client starts it as a program and speaks with it over stdin and stdout. The scope is fixed here: a model cannot
    name another. With --http many clients can share it; without keys (`memspan keys add`) only this machine can.
    """
    check_scope(scope)
    secret = _options.key()

    def open(wanted: str) -> "Memory":
        from memspan.text.memory import Memory

        return Memory(memory, scope=wanted, key=secret)

    at = None if http is None else address(http)
    allows = None if at is None else _keys(memory, state, scope)
    if at is not None and allows is None and (hosts or not _loopback(at[0])):
        raise UsageError(
            f"--http {http} lets others in, and there are no keys: make one with `memspan keys add --tenant NAME`, "
            "or give the port alone to serve this machine only"
        )
    try:
        serve, server = (import_module(f"memspan.doors.mcp.{name}") for name in ("serve", "server"))
    except ImportError as why:
        raise MissingExtra("mcp", "the MCP server") from why
    memories = Memories(open)
    made = server.server_of(memories, scope, tools)
    serve.warm(memories, scope)
    try:
        serve.stdio(made, memories) if at is None else serve.http(made, *at, hosts, allows)
    finally:
        memories.close()


def address(text: str) -> tuple[str, int]:
    """The host and port of [HOST:]PORT. Raises UsageError.

    >>> address("8378"), address("[::1]:8378")
    (('127.0.0.1', 8378), ('::1', 8378))
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"--http {text}: give a port, like 8378 or 127.0.0.1:8378")
    return host.strip("[]") or "127.0.0.1", int(port)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keys(memory: Path, state: str, scope: str) -> Callable[[str], tuple[str, ...] | None] | None:
    """What an Authorization header may do in the scope; None where there are no keys, and everybody here may."""
    from memspan.doors.rest.settings import Settings

    told = Settings(place=str(memory), state=state)
    if not state and ("://" in told.place or not Path(told.state_path).exists()):
        return None
    from memspan.doors.rest.keys import Keys
    from memspan.doors.rest.state import State

    keys = Keys(State(told.state_path))

    def allows(header: str) -> tuple[str, ...] | None:
        kind, _, token = header.partition(" ")
        key = keys.of(token.strip()) if kind.lower() == "bearer" else None
        return key.rights if key is not None and key.opens(scope) else None

    return allows if keys.any() else None
