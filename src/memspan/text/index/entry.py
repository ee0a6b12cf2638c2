"""What is computed from a turn when it is written: its words, head entity, marks and vectors."""

from collections.abc import Sequence

import numpy as np

from memspan.core.protocols import Embedder
from memspan.core.records import Turn
from memspan.text.extract.asked import asks
from memspan.text.extract.entities import head_entity
from memspan.text.extract.reminders import reminder
from memspan.text.extract.standing import is_instruction, is_preference
from memspan.text.extract.statements import columns
from memspan.text.extract.told import packed
from memspan.text.index.marks import ASKS, INSTRUCTION, MARK_BITS, PREFERENCE, REMINDER, SUSPECT
from memspan.text.index.words import bag
from memspan.text.safety.suspect import is_suspect
from memspan.text.safety.trust import may_stand, trust_of
from memspan.text.store.rows import Derived


def indexed_text(turn: Turn) -> str:
    """What is indexed and embedded: the speaker belongs to it (measured: up to 14 points of recall)."""
    return keyed(turn.speaker, turn.text)


def keyed(speaker: str, text: str) -> str:
    """A text under the name of who said it.

    >>> keyed("Ann", "Hello."), keyed("", "Hello.")
    ('Ann: Hello.', 'Hello.')
    """
    return f"{speaker}: {text}" if speaker else text


def derive(turns: Sequence[Turn], embedders: Sequence[Embedder]) -> list[Derived]:
    """Derived rows of turns, a vector per embedder; a text an embedder knows nothing of gets an empty one."""
    texts = [indexed_text(turn) for turn in turns]
    planes = [_halves(texts, embedder) for embedder in embedders]
    return [
        Derived(
            bag(text),
            head_entity(turn.text),
            _marks(turn) | packed(turn.text, turn.at) << MARK_BITS,
            len(turn.text),
            tuple(plane[place] for plane in planes),
            *_statement(turn),
        )
        for place, (turn, text) in enumerate(zip(turns, texts, strict=True))
    ]


def _halves(texts: Sequence[str], embedder: Embedder) -> list[bytes]:
    if not texts:
        return []
    vectors = embedder.embed(texts)
    known = np.abs(vectors).max(axis=1) > 0
    halves = vectors.astype(np.float16)
    return [row.tobytes() if there else b"" for row, there in zip(halves, known.tolist(), strict=True)]


def _statement(turn: Turn) -> tuple[int | None, int | None]:
    """Slot and value of what the turn states; each level of trust has slots of its own, so that none replaces another.

    >>> _statement(Turn("My phone is 12.", role="tool"))[0] == _statement(Turn("My phone is 12."))[0]
    False
    """
    found = columns(turn.text, turn.speaker)
    if found is None:
        return None, None
    slot, value = found
    return slot ^ round(1000 * (1 - trust_of(turn.role, turn.meta))), value


def _marks(turn: Turn) -> int:
    """Bits of marks.py. Only the user's own words may stand as a rule, a liking or a reminder."""
    trust = trust_of(turn.role, turn.meta)
    marks = (SUSPECT if is_suspect(turn.text, trust) else 0) | (ASKS if asks(turn.text) else 0)
    if not may_stand(turn.role, turn.meta):
        return marks
    marks |= INSTRUCTION if is_instruction(turn.text, turn.role) else 0
    if reminder(turn.text, turn.role, turn.seen_at if turn.at is None else turn.at) is not None:
        marks |= REMINDER
    return marks | (PREFERENCE if is_preference(turn.text, turn.role) else 0)
