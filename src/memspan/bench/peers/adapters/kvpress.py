"""kvpress: what its presses do to a model's cache, and how many questions the model answers with it.

A press works during the prefill only, so decoding is plain: one token a step, at its true place, on a copy of the
compressed cache for each question. One token a step also because one mask would not fit layers that differ in length.
"""

from contextlib import nullcontext
from copy import deepcopy
from time import perf_counter
from typing import Any

Ids = Any  # a torch tensor; this process has torch, the one that checks types may not


class Kvpress:
    """One checkpoint and some tasks, then rows."""

    def __init__(self, folder: str, embed: Any) -> None:
        import kvpress

        self._presses = kvpress
        self._models: dict[str, Any] = {}
        self._checkpoint = ""
        self._tasks: list[Any] = []

    def load(self, checkpoint: str, tasks: list[Any]) -> int:
        """Take a checkpoint and tasks, each (prompt, turns of (fed, answer)) in ids; how many."""
        self._checkpoint, self._tasks, self._models = checkpoint, tasks, {}
        return len(tasks)

    def row(self, task: int, press: str, settings: dict[str, Any], kept: float, alone: bool) -> dict[str, Any]:
        """Answers right (batch, turns), bytes, seconds for all rows, steps of each row.

        alone: each row of the batch is a batch of its own
        """
        import torch

        prompt, turns = self._tasks[task]
        whole = torch.tensor(prompt), [(torch.tensor(fed).long(), torch.tensor(answer)) for fed, answer in turns]
        parts = _split(*whole) if alone else [whole]
        model = self._model("eager" if "ObservedAttention" in f"{press}{settings}" else "sdpa")
        with torch.inference_mode():
            done = [_ask(model, self._press(press, settings, kept), *part) for part in parts]
        sums = {name: sum(one[name] for one in done) for name in ("resident_bytes", "prefill_s", "decode_s")}
        held = [one["resident_bytes"] for one in done]
        peaks = [sum(held[:at]) + one["peak_bytes"] for at, one in enumerate(done)]
        right = [row for one in done for row in one["right"]]
        return {**sums, "peak_bytes": max(peaks), "steps": done[0]["steps"], "right": right}

    def close(self) -> None:
        """Let go of the models."""
        self._models = {}

    def _model(self, attention: str) -> Any:
        from transformers import AutoModelForCausalLM

        if attention not in self._models:
            model: Any = AutoModelForCausalLM.from_pretrained(self._checkpoint, attn_implementation=attention)
            self._models[attention] = model.eval()
        return self._models[attention]

    def _press(self, name: str, settings: dict[str, Any], kept: float) -> Any:
        """A press of that name; a setting that is [name, settings] is a press too."""
        if not name:
            return None
        given = {
            key: self._press(one[0], one[1], 1.0) if isinstance(one, list) else one for key, one in settings.items()
        }
        press = getattr(self._presses, name)(**given)
        if kept < 1:
            press.compression_ratio = 1 - kept
        return press


def _split(prompt: Ids, turns: list[tuple[Ids, Ids]]) -> list[Any]:
    rows = range(len(prompt))
    return [(prompt[row : row + 1], [(fed[row : row + 1], said[row : row + 1]) for fed, said in turns]) for row in rows]


def _held(cache: Any) -> int:
    """What the cache's layers really hold [bytes], however little of a storage a tensor shows."""
    tensors = [one for layer in cache.layers if layer.is_initialized for one in (layer.keys, layer.values)]
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())


def _ask(model: Any, press: Any, prompt: Ids, turns: list[tuple[Ids, Ids]]) -> dict[str, Any]:
    from transformers import DynamicCache

    cache, seen = DynamicCache(), [0]
    # in front of the press's own hooks, so that it sees a layer before that is compressed
    hooks = [
        layer.self_attn.register_forward_hook(lambda *_: seen.append(_held(cache))) for layer in model.model.layers
    ]
    start = perf_counter()
    with press(model) if press else nullcontext():
        last = model(prompt, past_key_values=cache, logits_to_keep=1).logits[:, -1]
    prefill_s = perf_counter() - start
    for hook in hooks:
        hook.remove()
    clock = _Clock(model, prompt.shape[1])
    right = [clock.turn(deepcopy(cache), last, *turn) for turn in turns]
    return {
        "right": [list(row) for row in zip(*right, strict=True)],
        "resident_bytes": _held(cache),
        "peak_bytes": max(seen),
        "prefill_s": prefill_s,
        "decode_s": clock.seconds,
        "steps": clock.steps,
    }


class _Clock:
    """Decodes, and adds up steps and the seconds they take."""

    def __init__(self, model: Any, time: int) -> None:
        self._model, self._time = model, time
        self.steps, self.seconds = 0, 0.0

    def turn(self, cache: Any, last: Ids, fed: Ids, answer: Ids) -> list[bool]:
        """Whether each row says the answer, after it was fed the question."""
        place = self._time
        for token in fed.T:
            last, place = self._step(token, cache, place), place + 1
        said = [last.argmax(-1)]
        while len(said) < answer.shape[1]:
            last, place = self._step(said[-1], cache, place), place + 1
            said.append(last.argmax(-1))
        wrong = sum((one != true).long() for one, true in zip(said, answer.T, strict=True))
        return [not many for many in wrong.tolist()]

    def _step(self, token: Ids, cache: Any, place: int) -> Ids:
        places = token.new_full((len(token), 1), place)
        start = perf_counter()
        logits = self._model(token[:, None], past_key_values=cache, position_ids=places).logits[:, -1]
        self.seconds += perf_counter() - start
        self.steps += 1
        return logits


PEER = Kvpress
