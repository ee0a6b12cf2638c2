"""OpenAI Agents SDK's session: `MemspanSession` keeps a conversation in a memory, every item as it came.

Source: openai-agents 0.24, `agents.memory.Session` (a protocol: nothing of the SDK is imported here).
Ours differs from SQLiteSession: what people and the model said is recalled like any other turn, what tools were asked
and answered is kept apart as role "tool"; an item that is popped or cleared is erased.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from memspan.core.clock import Clock, now
from memspan.core.records import Json, Role
from memspan.doors.compat._log import Log, Said
from memspan.text.memory import Memory

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


class MemspanSession:
    """A session of a memory that stays open as long as its owner keeps it so.

    session_id: its name, which is the session of the turns;  memory: where it is kept
    session_settings: the SDK's; its limit holds where get_items() is not given one;  clock: seconds since 1970

    Raises BadText where an item cannot be written as JSON, or what Memory raises.
    """

    def __init__(self, session_id: str, memory: Memory, *, session_settings: Any = None, clock: Clock = now) -> None:
        self.session_id, self.session_settings = session_id, session_settings
        self._log = Log(memory, session_id, clock)

    async def get_items(self, limit: int | None = None) -> list[Json]:
        """The last items, the oldest of them first. limit: at most so many; None = the settings' limit, else all"""
        most = getattr(self.session_settings, "limit", None) if limit is None else limit
        return await asyncio.to_thread(self._log.newest, None if most is None or most < 0 else most)

    async def add_items(self, items: Sequence[Json]) -> None:
        """Put items at the end, all of them or none."""
        await asyncio.to_thread(self._log.add, [_said(item) for item in items])

    async def pop_item(self) -> Json | None:
        """The last item, now erased; None where there is none."""
        return await asyncio.to_thread(self._log.pop)

    async def clear_session(self) -> None:
        """Erase all items of the session."""
        await asyncio.to_thread(self._log.clear)


def _said(item: dict[str, Json]) -> Said:
    """What there is to recall of an item, and who said it."""
    role, content = _ROLES.get(str(item.get("role"))), item.get("content")
    if role is not None:
        field = "content" if isinstance(content, str) else ""
        return Said(item=item, text=content if isinstance(content, str) else _text(content), role=role, field=field)
    name = str(item.get("name") or "")[:200]
    if isinstance(item.get("output"), str):
        return Said(item=item, text=item["output"], role="tool", speaker=name, field="output")
    if isinstance(item.get("arguments"), str):
        return Said(item=item, text=f"{name}({item['arguments']})", role="tool", speaker=name)
    return Said(item=item, text=_text(item.get("output") or item.get("summary")), role="tool", speaker=name)


def _text(parts: Json) -> str:
    """The texts of a list of parts.

    >>> _text([{"type": "output_text", "text": "Hello."}, {"type": "input_image"}])
    'Hello.'
    """
    found = [part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict)] if parts else []
    return "\n".join(text for text in found if isinstance(text, str))
