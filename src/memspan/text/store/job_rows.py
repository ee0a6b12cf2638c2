"""Jobs in the file: how far long work has come, so that the next call goes on where one was stopped.

A job holds counts and names of stages, never remembered text.
"""

import json
from collections.abc import Mapping

from memspan.core.records import Json
from memspan.text.store import rows
from memspan.text.store.store import Store


def read(store: Store, scope: str, name: str) -> dict[str, Json]:
    """What a job noted last, empty where there is none."""
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        raw: str | None = connection.execute("SELECT payload FROM job WHERE scope = ? AND id = ?", (key, name)).get
    return json.loads(raw) if raw else {}


def write(store: Store, scope: str, name: str, state: str, note: Mapping[str, Json], now: float) -> None:
    """Note how far a job has come. state: "waiting", "running" or "done" """
    with store.transaction(scope) as connection:
        key = store.make_scope_key(connection, scope)
        connection.execute(_WRITE, (name, key, name, state, json.dumps(dict(note)), now))


_WRITE = rows.upsert("job", "id, scope, kind, state, payload, made_at", "scope, id")
