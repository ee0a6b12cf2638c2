"""Options that commands share, and the memory they open."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from memspan.core.errors import UsageError
from memspan.core.places import Location, Server, is_url, placed
from memspan.doors.cli import _show

if TYPE_CHECKING:
    from memspan.text.memory import Memory

Command = TypeVar("Command", bound=Callable[..., Any])

SETTINGS = ("lite", "full")

_KEY_FILE = "memspan.key_file"


def _keep_key_file(context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    context.meta[_KEY_FILE] = path


class _Where(click.Path):
    """A path, or the URL of a server; no message shows its password."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:  # Any: click's own signature
        return placed(value) if isinstance(value, Server) or is_url(value) else super().convert(value, param, ctx)


_memory = click.option(
    "--memory",
    "-m",
    type=_Where(),
    envvar="MEMSPAN_MEMORY",
    default="memory.mem",
    show_default=True,
    show_envvar=True,
    help="The memory file, or postgresql://user@host/database.",
)
_key_file = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    expose_value=False,
    callback=_keep_key_file,
    help="A file that holds the key of an encrypted memory; or put the key into $MEMSPAN_KEY.",
)


place_option = _memory  # for commands that do not open the memory itself
key_file_option = _key_file  # for commands that name memories in another way


def memory_option(command: Command) -> Command:
    """Adds --memory and --key-file; what the latter holds comes from `key`."""
    return _memory(_key_file(command))


scope_option = click.option(
    "--scope",
    "-s",
    envvar="MEMSPAN_SCOPE",
    default="me",
    show_default=True,
    show_envvar=True,
    help="Whose memory: a path like alice or acme/alice. One scope never sees another.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
setting_option = click.option(
    "--setting",
    type=click.Choice(SETTINGS),
    help="lite: what comes along; full: MiniLM too (extra [onnx]).  [default: what the file has, else lite]",
)


def whose_memory(command: Command) -> Command:
    """Adds --memory and --scope."""
    return memory_option(scope_option(command))


def key() -> bytes | None:
    """The key that --key-file or else $MEMSPAN_KEY holds; None where neither is given.

    An empty one is handed on and refused: a memory must not come out unencrypted because a secret was not found.
    """
    path = key_file()
    if path is not None:
        return path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    found = os.environ.get("MEMSPAN_KEY")
    return None if found is None else os.fsencode(found)


def key_file() -> Path | None:
    """The file that --key-file names."""
    context = click.get_current_context(silent=True)
    path: Path | None = context.meta.get(_KEY_FILE) if context else None
    return path


@contextmanager
def opened(
    path: Location,
    scope: str,
    *,
    new: bool = False,
    read_only: bool = False,
    setting: str | None = None,
    secrets: str | None = None,
) -> Iterator["Memory"]:
    """The memory at that path; what it warns of is said on stderr.

    new: whether it may be made;  read_only: never write;  secrets: what happens to them in this scope from now on
    Raises UsageError where it is not there and may not be made.
    """
    if not new:
        must_exist(path)
    from memspan.text.memory import Memory  # numpy and apsw load here, not for --help

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        memory = Memory(path, scope=scope, setting=setting, read_only=read_only, key=key(), secrets=secrets)
    for warning in caught:
        click.echo(f"memspan: {_show.one_line(str(warning.message))}", err=True)
    with memory:
        yield memory


def must_exist(path: Location) -> None:
    """Raises UsageError where there is no file at that path: a mistyped name must not make an empty memory.

    A server answers for itself.
    """
    if isinstance(path, Path) and not path.exists():
        raise UsageError(f"no memory at {path}; make one with `memspan remember FILE`, or name it with --memory")
