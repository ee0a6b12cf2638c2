"""kvpress is asked in a process of its own; what measures it there is checked here without it."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan.bench.kv.peer import Kvpress, Press, absent, rows  # noqa: E402
from memspan.bench.peers import pins, serve  # noqa: E402
from memspan.bench.peers.environments import MARKER, python_of  # noqa: E402
from memspan.core.errors import MissingExtra, PeerFailed  # noqa: E402
from memspan.kv.hf import load_llama, new_llama  # noqa: E402
from memspan.testing.kv_tasks import Task, answers  # noqa: E402

SETTINGS = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.5,
}
TIME, BATCH = 40, 3
A_TOKEN = 2 * 2 * 2 * 8 * 4
"""Layers, kv_heads, keys and values, dim, float32 [bytes]."""

FAKE = """
import os, time

class Fake:
    def __init__(self, folder, embed):
        pass

    def load(self, checkpoint, tasks):
        self.tasks = tasks

    def row(self, task, press, settings, kept, alone):
        if press == "Crash":
            raise RuntimeError("press is broken")
        if press == "Sleep":
            time.sleep(60)
        right = [[len(fed[0]) > 0 for fed, _ in self.tasks[task][1]]]
        numbers = {"resident_bytes": os.getpid(), "peak_bytes": 7, "prefill_s": kept}
        return {"right": right, "steps": settings.get("steps", 0), "decode_s": 3.0, **numbers}

PEER = Fake
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random model, saved."""
    folder = tmp_path_factory.mktemp("llama")
    new_llama(SETTINGS, seed=1).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def task(checkpoint):
    """Two questions, the first in the prompt; the random model's own answers, of which one is made wrong."""
    ids = torch.randint(50, (BATCH, TIME), generator=torch.Generator().manual_seed(0))
    fed = (ids[:, :0], ids[:, 5:8])
    model, said = load_llama(checkpoint), []
    for one in fed:
        read = torch.cat([ids, one], 1)
        for _ in range(3):
            with torch.no_grad():
                read = torch.cat([read, model(read).logits[:, -1].argmax(-1, keepdim=True)], 1)
        said.append(read[:, -3:])
    said[1][1, 2] = (said[1][1, 2] + 1) % 50
    return Task(ids, tuple(zip(fed, said, strict=True)))


class Newest:
    """A press, as kvpress's are: keeps the newest tokens."""

    def __init__(self, compression_ratio=0.0):
        self.compression_ratio = compression_ratio

    @contextmanager
    def __call__(self, model):
        hooks = [layer.self_attn.register_forward_hook(self.cut, with_kwargs=True) for layer in model.model.layers]
        yield
        for hook in hooks:
            hook.remove()

    def cut(self, module, inputs, given, output):
        layer = given["past_key_values"].layers[module.layer_idx]
        gone = int(layer.keys.shape[2] * self.compression_ratio)
        layer.keys, layer.values = layer.keys[:, :, gone:].contiguous(), layer.values[:, :, gone:].contiguous()


@pytest.fixture
def adapter(checkpoint, task, monkeypatch):
    """What runs beside kvpress, here, with one press."""
    monkeypatch.setitem(sys.modules, "kvpress", SimpleNamespace(Newest=Newest))
    made = serve.adapter(pins.pin("kvpress").adapter)("", None)
    made.load(str(checkpoint), [(task.prompt.tolist(), [[one.tolist() for one in turn] for turn in task.turns])])
    return made


@pytest.mark.parametrize("alone", [False, True])
def test_without_a_press_it_answers_as_the_model_does(adapter, checkpoint, task, alone):
    """All but the answer that was made wrong; the cache holds the whole prompt."""
    from transformers import DynamicCache

    told = adapter.row(0, "", {}, 1.0, alone)
    assert told["right"] == [[True, True], [True, False], [True, True]]
    assert told["right"] == answers(load_llama(checkpoint), task, DynamicCache).tolist()
    assert told["resident_bytes"] == told["peak_bytes"] == BATCH * TIME * A_TOKEN
    assert told["steps"] == 2 + 3 + 2
    assert told["prefill_s"] > 0 and told["decode_s"] > 0


@pytest.mark.parametrize("alone", [False, True])
def test_bytes_are_those_that_a_press_leaves(adapter, alone):
    """A quarter stays; at most one layer of one batch is whole at a time."""
    told = adapter.row(0, "Newest", {}, 0.25, alone)
    assert told["resident_bytes"] == BATCH * TIME * A_TOKEN // 4
    whole, left = (TIME * A_TOKEN // 2, TIME * A_TOKEN // 8)
    last = left + whole
    assert told["peak_bytes"] == (2 * 2 * left + last if alone else BATCH * last)


def test_what_follows_stands_at_its_true_place(adapter):
    """Behind the whole prompt, however much of it is gone."""
    model = adapter._model("sdpa")
    seen = []
    hook = model.model.rotary_emb.register_forward_hook(
        lambda module, inputs, given, output: seen.append(given["position_ids"]), with_kwargs=True
    )
    adapter.row(0, "Newest", {}, 0.5, False)
    hook.remove()
    assert [one[0, -1].item() for one in seen[1:]] == [40, 41, 40, 41, 42, 43, 44]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An environment that is this Python, with the fake adapter above."""
    (tmp_path / "kvpress.py").write_text(FAKE)
    monkeypatch.setattr(pins, "ADAPTERS", tmp_path)
    monkeypatch.setattr(pins, "PINS", {"kvpress": pins.Pin(name="kvpress", packages=(), licence="", shape="")})
    python = python_of(tmp_path / "root" / "kvpress")
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    (tmp_path / "root" / "kvpress" / MARKER).write_text(json.dumps({"wanted": [], "packages": {}}))
    return tmp_path / "root"


def test_rows_come_press_by_press(root, task, tmp_path):
    """What the process tells, as a result each; one process for all; no token decoded is no time."""
    presses = [Press(name="A", settings={"steps": 6}, kept=0.5), Press()]
    first, second, third, _ = found = rows(tmp_path, [task, task], presses, root=root)
    assert [(one.press.name, one.task) for one in found] == [("A", 0), ("A", 1), ("", 0), ("", 1)]
    assert first.right.tolist() == [[False, True]] and first.exact == 0.5
    assert (first.peak_bytes, first.prefill_s, first.decode_s) == (7, 0.5, 0.5)
    assert third.decode_s != third.decode_s
    assert first.resident_bytes == second.resident_bytes == third.resident_bytes


def test_a_crash_or_a_long_wait_costs_one_row(root, task, tmp_path):
    """It says what went wrong, and the next row is answered by another process."""
    with Kvpress(tmp_path, [task], root=root, limit_s=10) as peer:
        before = peer.row(0, Press()).resident_bytes
        with pytest.raises(PeerFailed, match=r"kvpress: call: ended with 1: RuntimeError: press is broken"):
            peer.row(0, Press(name="Crash"))
        assert peer.row(0, Press()).resident_bytes != before
    with Kvpress(tmp_path, [task], root=root, limit_s=0.5) as peer, pytest.raises(PeerFailed) as why:
        peer.row(0, Press(name="Sleep"))
    assert why.value.late


def test_what_is_absent_says_so(tmp_path):
    """And how to get it."""
    assert absent(tmp_path) == "not installed"
    with pytest.raises(MissingExtra, match="memspan bench peers --install --only kvpress"):
        rows(tmp_path, [], [], root=tmp_path)


@pytest.mark.slow
def test_the_real_one_leaves_what_it_is_told_to(checkpoint, task):
    """Every press of the table runs; a full cache answers; AdaKV and ThinK hold all they held before."""
    if why := absent():
        pytest.skip(f"kvpress: {why}; memspan bench peers --install --only kvpress")
    snapkv, whole = ("SnapKVPress", {"window_size": 8}), BATCH * TIME * A_TOKEN
    presses = [
        (Press(), whole),
        (Press(name=snapkv[0], settings=snapkv[1], kept=0.25), whole // 4),
        (Press(name="ObservedAttentionPress", kept=0.5), whole // 2),
        (Press(name="ChunkKVPress", settings={"press": snapkv, "chunk_length": 10}, kept=0.5, alone=True), whole // 2),
        (Press(name="AdaKVPress", settings={"press": snapkv}, kept=0.25), whole),
        (Press(name="ThinKPress", settings={"key_channel_compression_ratio": 0.5}), whole),
    ]
    found = rows(checkpoint, [task], [press for press, _ in presses])
    assert [one.resident_bytes for one in found] == [size for _, size in presses]
    assert found[0].right.sum() == 5
    assert all(one.prefill_s > 0 and one.decode_s > 0 for one in found)
