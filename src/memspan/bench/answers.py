"""Answers by a named model, from what each system packed, beside its answers from the gold alone and from nothing.

Every text sent once is kept in a file, so that a run that was cut off, or a second look, costs no call.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from memspan.bench.answerer import Answerer, Judge
from memspan.bench.cases import Question, Unit
from memspan.bench.use import exact, f1, locomo_f1


@dataclass(slots=True)
class Answers:
    """A model that answers, maybe another that judges, and what they said so far.

    path: the file of what was said;  calls, tokens_in, tokens_out: of this run
    """

    path: Path
    answerer: Answerer
    judge: Judge | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    _said: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        if text and not text.endswith("\n"):
            self.path.write_text(text + "\n", "utf-8")
        for line in text.splitlines():
            try:
                row = json.loads(line)
                self._said[row["key"]] = row["said"]
            except (ValueError, KeyError, TypeError):
                continue  # the torn end of a run that was cut off

    def facts(self) -> dict[str, Any]:
        """Who answered and judged, and what it cost."""
        return {
            "answerer": self.answerer.model.name,
            "judge": self.judge.model.name if self.judge else None,
            "calls": self.calls,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }

    def scores(
        self, family: str, question: Question, units: Mapping[str, Unit], ids: Sequence[str]
    ) -> dict[str, float]:
        """LLM EM, F1 and judged, from the context, from the gold alone (oracle) and from nothing.

        family: LoCoMo has its own F1;  ids: the context, best first. Raises ModelFailed
        """
        if not question.answers:
            return {}
        gold = sorted(question.gold & units.keys())
        found: dict[str, float] = {}
        for suffix, context in (("", ids), (" oracle", gold), (" nothing", ())):
            text = self._answer(question.text, [units[one] for one in context])
            found[f"LLM EM{suffix}"] = exact(text, question.answers)
            found[f"LLM F1{suffix}"] = (
                locomo_f1(text, question.answers, question.category)
                if family == "locomo"
                else f1(text, question.answers)
            )
            if self.judge and (right := self._verdict(question, text)) is not None:
                found[f"LLM judged{suffix}"] = float(right)
        return found

    def _answer(self, text: str, units: Sequence[Unit]) -> str:
        seen = repr((self.answerer.model.name, text, units))
        return str(self._once(seen, lambda: self._count(self.answerer.answer(text, units)).text))

    def _verdict(self, question: Question, text: str) -> bool | None:
        assert self.judge is not None
        judge, seen = self.judge, repr((self.judge.model.name, question.text, question.answers, text))
        said: bool | None = self._once(
            seen, lambda: self._count(judge.judge(question.text, question.answers, text)).right
        )
        return said

    def _count(self, got: Any) -> Any:
        self.calls += 1
        self.tokens_in += got.tokens_in
        self.tokens_out += got.tokens_out
        return got

    def _once(self, seen: str, ask: Callable[[], Any]) -> Any:
        key = sha256(seen.encode()).hexdigest()
        if key not in self._said:
            self._said[key] = ask()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "said": self._said[key]}, ensure_ascii=False) + "\n")
        return self._said[key]
