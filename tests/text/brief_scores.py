"""What a brief finds of what it should hold, section by section.

python -m tests.text.brief_scores
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.text.brief_histories import SEEN, UNSEEN, History

from memspan import Memory, Turn
from memspan.text.brief import Brief

SECTIONS = {"i": "instructions", "p": "preferences", "d": "decisions", "o": "open"}
ROLES = {"u": "user", "a": "assistant", "t": "tool"}
DAY = 86_400.0
BEGAN = 1_772_442_000.0  # 2026-03-02
_MARKED = re.compile(r"\{([ipdo]):([^}]*)\}")


def turns(history: History) -> list[Turn]:
    """As they are remembered, without marks; a session a day."""
    return [
        Turn(_MARKED.sub(r"\2", what), role=ROLES[who], session=f"s{day}", at=BEGAN + day * DAY + 60 * place)
        for day, session in enumerate(history)
        for place, (who, what) in enumerate(session)
    ]


def wanted(history: History) -> set[tuple[str, str]]:
    """(section, sentence) of what is marked."""
    return {
        (SECTIONS[kind], text) for session in history for _, what in session for kind, text in _MARKED.findall(what)
    }


def brief_of(history: History, folder: Path, *, tokens: int = 5_000) -> Brief:
    """Of a memory that holds just this."""
    place = folder / "m.mem"
    place.unlink(missing_ok=True)
    with Memory(place, scope="a") as memory:
        memory.remember(turns(history))
        return memory.brief(tokens=tokens, now=BEGAN + 20 * DAY)


def scores(histories: Mapping[str, History], *, aloud: bool = False) -> dict[str, tuple[int, int, int, int]]:
    """Section -> (lines shown, of them right, sentences wanted, of them found)."""
    found = {name: [0, 0, 0, 0] for name in SECTIONS.values()}
    with tempfile.TemporaryDirectory() as folder:
        for name, history in histories.items():
            want = wanted(history)
            shown = [(item.section, item.text) for item in brief_of(history, Path(folder)).items]
            for section, text in shown:
                if section in found:
                    right = any(section == where and (one in text or text in one) for where, one in want)
                    found[section][0] += 1
                    found[section][1] += right
                    if aloud and not right:
                        print(f"{name}: wrong in {section}: {text}")
            for section, sentence in want:
                there = any(section == where and (sentence in text or text in sentence) for where, text in shown)
                found[section][2] += 1
                found[section][3] += there
                if aloud and not there:
                    print(f"{name}: missing in {section}: {sentence}")
    return {section: (shown, right, want, there) for section, (shown, right, want, there) in found.items()}


if __name__ == "__main__":
    for title, histories in (("seen", SEEN), ("unseen", UNSEEN)):
        for section, (shown, right, want, there) in scores(histories, aloud=True).items():
            print(f"{title} {section}: precision {right}/{shown}, recall {there}/{want}")
