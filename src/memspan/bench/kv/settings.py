"""What is measured and with which settings: the papers' windows are made for thousands of tokens, a task here has 480.

Everything that departs from a method's own defaults stands in these tables with its reason, and in the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memspan.bench.kv.peer import Press
from memspan.core.registry import load, methods
from memspan.kv.policy import Lookup

Settings = Mapping[str, Any]  # Any: what a method's constructor takes; [name, settings] stands for a method

TASKS = ("needle-aware", "needle-agnostic", "multi-key", "multi-turn", "induction", "fidelity")
CODECS = ("int8", "int4", "int2")
STOCK, KEEP_ALL, CONTROL = "DynamicCache", "keep-all", "random"
PEER = "kvpress"
WINDOW = "an eighth of the prompt is 60 rows: a window of 32 or 64 would fill it"
LAYERS = "a pyramid for dozens of layers leaves the second of two next to nothing"
_W16 = {"window": 16}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Settings other than a method's defaults, and why. budgets: None = those of the run"""

    settings: Settings
    reason: str
    budgets: tuple[float, ...] | None = None


FITTED: Mapping[str, Fitted] = {
    "snapkv": Fitted(_W16, WINDOW),
    "cake": Fitted(_W16, WINDOW),
    "adakv": Fitted({"scores": ["snapkv", _W16]}, WINDOW),
    "chunkkv": Fitted({"scores": ["snapkv", _W16]}, WINDOW),
    "windowkv": Fitted({"suffix": 16, "shared": 1, "beta": 2.0}, f"{WINDOW}; {LAYERS}"),
    "pyramidkv": Fitted({"beta": 2.0}, LAYERS),
    "epicache": Fitted(_W16, f"{WINDOW}; no patched prompt, layers share evenly"),
    "compresskv": Fitted({}, "no heads found beforehand: all of them choose"),
    "hack": Fitted({}, "no heads sorted beforehand: each cut judges by its own window"),
    "trim_kv": Fitted({}, "no gates trained: the newest stay"),
    "kvquant": Fitted({}, "drops nothing: only its pages are smaller", (1.0,)),
    "corm": Fitted({"window": 32, "newest": 16}, "256 of each are half of the prompt"),
    "lookahead_q": Fitted(_W16, WINDOW),
    "think": Fitted({"window": 16, "evicts": ["snapkv", _W16]}, "alone it drops channels and no rows: over SnapKV"),
}
"""Methods that are not here run as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A row of the table. kind: memspan, lookup (keeps all, attends to few), codec, baseline (nothing dropped) or peer

    method: of the wing kv, None keeps all;  codec: of the wing codec;  press: of kvpress;  reason: of the settings
    budgets: None = those of the run
    """

    name: str
    kind: str
    method: str | None = None
    codec: str | None = None
    settings: Settings = field(default_factory=dict)
    reason: str = ""
    press: Press | None = None
    budgets: tuple[float, ...] | None = None


def policy(name: str, settings: Settings) -> Any:  # Any: the registry loads by name
    """The method with these settings; one among them that is [name, settings] is a method too.

    >>> policy("adakv", {"scores": ["snapkv", {"window": 16}]}).scores.window
    16
    """
    return load("kv", name)(
        **{key: policy(*given) if isinstance(given, list) else given for key, given in settings.items()}
    )


def ours(names: list[str]) -> list[System]:
    """Rows that run here: the stock cache, keep-all, what is named, and lots as the control.

    names: methods of the wing kv and codecs; empty = all of them. Raises UnknownMethod for one that is none.
    """
    known = methods("kv")
    for name in names:
        if name not in CODECS:
            load("kv", name)
    chosen = [name for name in (names or known) if name not in CODECS]
    codecs = [name for name in CODECS if not names or name in names]
    return [
        System(name=STOCK, kind="baseline", budgets=(1.0,)),
        System(name=KEEP_ALL, kind="baseline", budgets=(1.0,)),
        *(System(name=name, kind="codec", codec=name, budgets=(1.0,)) for name in codecs),
        *(_method(name) for name in dict.fromkeys([*chosen, *({CONTROL} & set(known))])),
    ]


def _method(name: str) -> System:
    fitted = FITTED.get(name, Fitted({}, ""))
    kind = "lookup" if issubclass(load("kv", name), Lookup) else "memspan"
    return System(
        name=name, kind=kind, method=name, settings=fitted.settings, reason=fitted.reason, budgets=fitted.budgets
    )


_SNAP = {"window_size": 16, "kernel_size": 5}
_ALONE = "each sequence by itself: kvpress would otherwise give all rows what suits the first, or all together"
PRESSES: tuple[System, ...] = tuple(
    System(
        name=f"{PEER} {name}", kind="peer", reason=reason, budgets=budgets,
        press=Press(name=f"{name}Press" if settings is not None else "", settings=settings or {}, alone=alone),
    )
    for name, settings, alone, reason, budgets in (
        ("full", None, False, "no press", (1.0,)),
        ("SnapKV", _SNAP, False, WINDOW, None),
        ("AdaKV", {"press": ("SnapKVPress", _SNAP)}, False, WINDOW, None),
        ("PyramidKV", {**_SNAP, "beta": 2}, False, f"{WINDOW}; {LAYERS}", None),
        ("ChunkKV", {"press": ("SnapKVPress", _SNAP), "chunk_length": 10}, True, f"{WINDOW}; {_ALONE}", None),
        ("Compactor", {}, True, _ALONE, None),
        ("KeyDiff", {}, False, "", None),
        ("StreamingLLM", {}, False, "", None),
        ("ObservedAttention", {}, False, "H2O's sums as means", None),
        ("TOVA", {}, False, "", None),
        ("ExpectedAttention", {}, False, "", None),
        ("Knorm", {}, False, "", None),
        ("Random", {"seed": 0}, False, "", None),
        ("ThinK", {"key_channel_compression_ratio": 0.3}, False, "30 % of the channels, whatever the budget", (1.0,)),
    )
)  # fmt: skip
