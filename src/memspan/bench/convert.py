"""Turn the conversations of a data set into JSON lines of turns, which `memspan remember` reads."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from memspan.bench import datasets
from memspan.bench.cases import Unit
from memspan.bench.files import find
from memspan.core.clock import iso

_UNSAFE = re.compile(r"[^\w.-]+")


def write_turns(data: Path, sets: Sequence[str], folder: Path) -> Iterator[tuple[Path, int]]:
    """Write one file a case into `folder`; (path, turns) of each as it is done.

    data: the user's folder of data sets;  sets: their names. Questions and gold stay behind.
    Raises UnknownMethod for an unknown set, UsageError where its data is not there.
    """
    chosen = datasets.pick(list(sets))
    found = find(data, chosen)
    folder.mkdir(parents=True, exist_ok=True)
    for one in chosen:
        for case in one.read(found[one.name]):
            path = folder / f"{one.name}-{_UNSAFE.sub('-', case.id)}.jsonl"
            lines = (json.dumps(_line(unit), ensure_ascii=False) for unit in case.units)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            yield path, len(case.units)


def _line(unit: Unit) -> dict[str, str]:
    fields = {"text": unit.text, "speaker": unit.speaker, "role": unit.role, "session": unit.session}
    return {name: value for name, value in (*fields.items(), ("at", "" if unit.at is None else iso(unit.at))) if value}
