"""The one setting of recall, for all kinds of memory; never tuned to a data set.

Source: a laboratory comparison over eight labelled families (LoCoMo, BEAM, RealMem, KnowMe-D3, LifeBench, MADial,
PrefEval, HotpotQA/2Wiki/MuSiQue); docs/concepts.md tells what each part brings and what was tried without success.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from memspan.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How arms are weighed and what is added, in standard deviations over the scope.

    embedders: names of the dense arms;  weights: of each arm in the sum, they add up to 1
    date: for a time in a range the question names;  speaker: for the one speaker it names;  user: for role user
    own: for role user where one asks of oneself; for the others where one asks what they said
    said: for role user where one asks what oneself said
    replies: share of a question's score that the turn after it gets, where somebody else answers; questions: taken
        from such a question
    bridge: for a unit headed by a name that one of the `bridge_from` best units mentions
    asked: for a unit that states a value of the very thing the question asks for
    superseded: taken from a unit that no longer holds
    candidates: how many the lexical and each dense arm fetch;  depth: how many are ranked to the end
    lifted: how many preferences an advice-seeking question lifts to rank lift_to
    crowded: past this share of preferences none is lifted: such a question is then ranked by the dense arms alone,
        moved by `feedback` towards the `feedback_from` nearest
    standing: at most so many standing instructions are shown, within standing_tokens [tokens] and standing_share
        of the budget
    terse, terse_tokens: what a unit's length takes from its score in packing: terse * ln(tokens / terse_tokens), for
        more than terse_tokens
    dear_tokens, dear_share: a unit costing more than the larger of the two (share of the budget) is skipped in packing
    """

    name: str
    embedders: tuple[str, ...]
    weights: Mapping[str, float]
    date: float = 3.0
    speaker: float = 0.8
    user: float = 0.3
    own: float = 0.6
    said: float = 1.8
    replies: float = 0.2
    questions: float = 0.8
    bridge: float = 2.0
    bridge_from: int = 5
    asked: float = 3.0
    superseded: float = 0.25
    candidates: int = 300
    depth: int = 512
    lifted: int = 2
    lift_to: int = 6
    crowded: float = 0.2
    feedback: float = 0.35
    feedback_from: int = 5
    standing: int = 8
    standing_tokens: int = 120
    standing_share: float = 0.2
    terse: float = 0.4
    terse_tokens: int = 50
    dear_tokens: int = 160
    dear_share: float = 0.4


LITE = Setting(name="lite", embedders=("static",), weights=MappingProxyType({"lexical": 0.5, "static": 0.5}))
FULL = Setting(
    name="full",
    embedders=("static", "onnx"),
    weights=MappingProxyType({"lexical": 0.4, "static": 0.15, "onnx": 0.45}),
)
SETTINGS = {setting.name: setting for setting in (LITE, FULL)}


def named(name: str) -> Setting:
    """The setting of that name. Raises UsageError where there is none."""
    if name not in SETTINGS:
        raise UsageError(f"no setting is called {name!r}; there are {', '.join(SETTINGS)}")
    return SETTINGS[name]


def of_embedders(names: Sequence[str]) -> Setting:
    """A setting for embedders of the user's own: half lexical, the dense arms share the other half."""
    for setting in SETTINGS.values():
        if setting.embedders == tuple(names):
            return setting
    weights = {"lexical": 0.5, **{name: 0.5 / len(names) for name in names}} if names else {"lexical": 1.0}
    return Setting(name="custom", embedders=tuple(names), weights=MappingProxyType(weights))
