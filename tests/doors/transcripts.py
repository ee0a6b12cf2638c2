"""Transcripts that tests write, in the shapes of tests/text/read/files."""

import json
from pathlib import Path
from typing import Any

CWD = "/home/ann/shop"


def said(number: int, text: str, *, role: str = "user", session: str = "s", cwd: str = CWD) -> dict[str, Any]:
    """A line of Claude Code, one a second."""
    content: Any = text if role == "user" else [{"type": "text", "text": text}]
    at = f"2026-03-02T{10 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    message = {"role": role, "content": content}
    return {"type": role, "sessionId": session, "cwd": cwd, "timestamp": at, "uuid": f"u{number}", "message": message}


def called(number: int, key: str, command: str, **more: Any) -> dict[str, Any]:
    """A call of a tool."""
    line = said(number, "", role="assistant", **more)
    line["message"]["content"] = [{"type": "tool_use", "id": key, "name": "Bash", "input": {"command": command}}]
    return line


def answered(number: int, key: str, output: str, **more: Any) -> dict[str, Any]:
    """What the tool answered."""
    line = said(number, "", **more)
    line["message"]["content"] = [{"type": "tool_result", "tool_use_id": key, "content": output}]
    return line


def lines(*rows: dict[str, Any]) -> bytes:
    """As they stand in a file."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def append(path: Path, *rows: dict[str, Any]) -> None:
    """Write lines behind those that are there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(lines(*rows))
