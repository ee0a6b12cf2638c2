"""Write the pages that are made from the code: docs/cli.md, docs/errors.md and docs/formats.md.

    python tools/write_docs.py

A test compares the pages with what this writes.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from memspan.core import errors
from memspan.doors.cli.main import COMMANDS, EXIT_CODES, GROUPS, cli, exit_code
from memspan.text.read import formats

DOCS = Path(__file__).parents[1] / "docs"
MADE_BY = "<!-- made by tools/write_docs.py; do not edit -->"


def pages() -> dict[str, str]:
    """File name -> content of every page that is made."""
    made = {"cli.md": cli_page(), "errors.md": errors_page(), "formats.md": formats_page()}
    return {name: "\n".join(lines).rstrip("\n") + "\n" for name, lines in made.items()}


def cli_page() -> Iterator[str]:
    """The command line: commands, arguments, options, exit codes."""
    yield from (MADE_BY, "", "# The command line", "")
    yield from _prose(cli.help or "")
    for title, group in GROUPS.items():
        yield from (f"| {title} | |", "|---|---|")
        yield from (f"| [`memspan {name}`](#memspan-{name}) | {does} |" for name, (_, does) in group.items())
        yield ""
    yield "Errors are one line on standard error, `memspan: ...`; what was asked for is on standard output."
    yield from (
        "Control characters of remembered text are written out (`\\x1b`), so that it cannot act on a terminal.",
        "",
    )
    yield from ("## Exit codes", "", "| code | meaning |", "|---|---|")
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    yield ""
    for name, (where, _) in COMMANDS.items():
        module, _, attribute = where.partition(":")
        yield from _command(f"memspan {name}", getattr(importlib.import_module(module), attribute), 2)


def _command(name: str, command: click.Command, level: int) -> Iterator[str]:
    yield from ("#" * level + f" {name}", "")
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    usage = [name, *(["[OPTIONS]"] if options else []), *map(_argument, arguments)]
    yield from ("```text", " ".join([*usage, *(["COMMAND"] if isinstance(command, click.Group) else [])]), "```", "")
    yield from _prose(command.help or "")
    if options:
        yield from ("| option | what it does | default |", "|---|---|---|", *map(_option, options), "")
    if isinstance(command, click.Group):
        for inner, sub in sorted(command.commands.items()):
            yield from _command(f"{name} {inner}", sub, level + 1)


def _prose(text: str) -> Iterator[str]:
    """A docstring as Markdown: paragraphs; what click leaves as it is becomes a block of code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield from ("```text", paragraph.removeprefix("\b").strip("\n"), "```", "")
        else:
            yield from (" ".join(paragraph.split()), "")


def _argument(argument: click.Argument) -> str:
    name = (argument.name or "").upper()
    shown = f"{name}..." if argument.nargs == -1 else name
    return shown if argument.required else f"[{shown}]"


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=lambda name: not name.startswith("--")))
    value = "" if option.is_flag else f" {_value(option.type)}"
    shown, _, default = (option.help or "").partition("[default:")
    if option.show_default and option.default is not None:
        default = f"`{option.default}`"
    if option.envvar:
        default += f", or `{option.envvar}` from the environment"
    required = "(required)" if option.required else ""
    return f"| {names}{value} | {shown.strip().replace('|', '/')} | {default.rstrip(']').strip() or required} |"


def _value(kind: click.ParamType) -> str:
    if isinstance(kind, click.Choice):
        return "/".join(map(str, kind.choices))
    if isinstance(kind, click.Path):
        return "FILE" if not kind.dir_okay else "PATH"
    return "NUMBER" if kind.name.startswith(("integer", "float")) else "TEXT"


def errors_page() -> Iterator[str]:
    """All errors: the tree, and each with its facts and exit code."""
    yield from (MADE_BY, "", "# Errors", "", "All errors memspan raises on purpose, from `memspan.core.errors`:", "")
    yield from ("```text", _tree(), "```", "")
    yield from ("Facts are attributes, so that nobody has to parse a message.", "")
    for kind in error_classes():
        yield from (f"## {kind.__name__}", "", " ".join((kind.__doc__ or "").split()), "")
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__mro__[1:-2])
        facts = ", ".join(f"`{name}`" for name in _facts(kind)) or "none of its own"
        yield f"Is also: {bases}. Facts: {facts}. Exit code of the command: {exit_code_of(kind)}."
        yield ""


def error_classes() -> list[type[errors.MemspanError]]:
    """Every error class, in the order of its definition."""
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [kind for kind in found if issubclass(kind, errors.MemspanError)]


def exit_code_of(kind: type[errors.MemspanError]) -> int:
    return exit_code(kind.__new__(kind))


def formats_page() -> Iterator[str]:
    """What can be read in: each format's own words about itself."""
    yield from (MADE_BY, "", "# Formats to read in", "")
    yield from (
        "`memspan remember FILE` and `memspan.text.read.read(path)` recognise the format by the content; the ending of",
        "the name is a hint, `--format` overrules both.",
        "Bytes are UTF-8, or UTF-16 or UTF-32 with a byte order mark; LF and CRLF end lines.",
        "A file that breaks its format is named with its line; the turns before it are remembered.",
        "A file that does not name its sessions is one session, called like the file: files of one name in two folders",
        "are told apart with `--session`.",
        "Turns without a time get an id made of session, speaker and text: reading a file again adds only what is new.",
        "",
    )
    for name in formats():
        module = importlib.import_module(f"memspan.text.read.{name}")
        yield from (f"## {name}", "", inspect.cleandoc(module.__doc__ or ""), "")
        yield from (_as_list(inspect.cleandoc(module.METHOD.__doc__ or "")), "")


def _as_list(text: str) -> str:
    """Lines "name: what it is" become points, "a: ...;  b: ..." two of them."""
    split = re.sub(r";  (?=\w+: )", "\n", text)
    return re.sub(r"^(\w+): ", r"- `\1`: ", split, flags=re.M)


def _tree() -> str:
    doc = inspect.cleandoc(errors.__doc__ or "")
    return doc[doc.index("MemspanError") :]


def _facts(kind: type) -> list[str]:
    """Attributes its constructors set, its own and those of the errors it is."""
    sources = [inspect.getsource(base) for base in kind.__mro__ if base.__module__ == errors.__name__]
    return sorted(
        {name for source in sources for names in _SET.findall(source) for name in re.findall(r"self\.(\w+)", names)}
    )


_SET = re.compile(r"^\s+((?:self\.\w+,? ?)+) =", re.M)


def main() -> None:
    """Write all pages."""
    DOCS.mkdir(exist_ok=True)
    for name, content in pages().items():
        (DOCS / name).write_text(content, encoding="utf-8")
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
