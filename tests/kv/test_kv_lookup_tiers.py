"""Pages that are looked up, away from the device: the same answers, fewer bytes there, errors that name the file."""

import gc

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import TornPages, UsageError  # noqa: E402
from memspan.kv.methods.retroinfer import RetroInfer  # noqa: E402
from memspan.kv.methods.spe_cache import SpeCache  # noqa: E402
from memspan.testing.kv_tasks import VOCABULARY  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402

PAGE = 8 * 48 * 2 * 4
"""Bytes of 8 rows of keys and values."""


@pytest.fixture(scope="module")
def model():
    return circuit()


@pytest.fixture(params=["host", "disk"])
def away(request, tmp_path):
    """Where pages go."""
    return {"tier": request.param, "folder": tmp_path / "kv" if request.param == "disk" else None}


def opened(model, policy=None, ratio=0.5, **away):
    return kv.compress(model, policy or SpeCache(local=16), Budget(ratio=ratio), slots=8, **away)


def read(model, cache, time=100, steps=12, seed=0):
    """A prompt and steps; the steps' logits."""
    ids = torch.randint(0, VOCABULARY, (2, time + steps), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        model(ids[:, :time], past_key_values=cache)
        return torch.cat([model(ids[:, at : at + 1], past_key_values=cache).logits for at in range(time, time + steps)])


@pytest.mark.parametrize("policy", [SpeCache(local=16), RetroInfer(local=16)], ids=["spe_cache", "retroinfer"])
@pytest.mark.parametrize("codec", ["raw", "int4"])
def test_a_tier_changes_no_bit(model, away, policy, codec):
    """Logits as with the pages on the device, coded or not."""
    with opened(model, policy, codec=codec) as cache:
        wanted = read(model, cache)
        here = cache.nbytes()
    with opened(model, policy, codec=codec, **away) as cache:
        assert torch.equal(read(model, cache), wanted)
        assert cache.nbytes() + cache.nbytes(away["tier"]) == here
        assert cache.nbytes() < here


def test_each_tier_is_counted_apart(model, away):
    """A page of each kv head, layer and sequence where it was put, none elsewhere."""
    with opened(model, **away) as cache:
        read(model, cache)
        pages = sum(len(layer.segments[0].pages) for layer in cache.engine.layers)
        assert pages >= 2 * 2 * 2 * 5
        assert cache.nbytes(away["tier"]) == pages * PAGE
        if away["tier"] == "disk":
            ahead = cache.nbytes("host")
            assert 0 < ahead < pages * PAGE and ahead % PAGE == 0, "the plan for the next step"
        else:
            assert cache.nbytes("disk") == 0


def test_a_file_goes_with_its_cache(model, tmp_path):
    """One file to a session while it is open, none afterwards."""
    second, there = circuit(1), {"tier": "disk", "folder": tmp_path}
    with opened(model, **there) as cache, opened(second, **there) as other:
        read(model, cache, steps=1)
        read(second, other, steps=1)
        names = [file.name for file in tmp_path.iterdir()]
        assert len(set(names)) == 2 and all(name.startswith("kv-") and name.endswith(".pages") for name in names)
    assert not list(tmp_path.iterdir())


def test_pages_go_with_the_last_cache_that_holds_them(model, away):
    """A fork's own pages when it goes, shared ones with the first cache's."""
    with opened(model, **away) as cache:
        read(model, cache, time=60, steps=1)
        before = cache.nbytes(away["tier"])
        fork = cache.fork()
        read(model, fork, time=30, steps=1)
        assert cache.nbytes(away["tier"]) > before
        del fork
        gc.collect()
        assert cache.nbytes(away["tier"]) == before
        cache.reset()
        gc.collect()
        assert cache.nbytes(away["tier"]) == 0


def test_steps_fetch_what_was_planned(monkeypatch, model, tmp_path):
    """After the first step every page that is fetched from the file was on its way already."""
    from memspan.kv.store.tiers import Shelf

    misses, fetch = [], Shelf.fetch

    def watched(self, pages):
        misses.append(len(set(pages) - set(self._ahead)))
        return fetch(self, pages)

    monkeypatch.setattr(Shelf, "fetch", watched)
    with opened(model, tier="disk", folder=tmp_path) as cache:
        read(model, cache, steps=6)
        planned = sum(len(index.coming) for index in cache.engine._lookups._indices)
        assert cache.engine.plan.session.shelf._ahead.keys() <= {
            page for index in cache.engine._lookups._indices for page in index.coming
        }
        assert planned > 0
    assert misses[:2] and all(misses[:2]) and not any(misses[2:])


@pytest.mark.parametrize("harm", ["turned", "cut"])
def test_a_torn_file_says_which_session(model, tmp_path, harm):
    """The next lookup fails with the file's name, and so does going on; a reset begins anew."""
    with opened(model, RetroInfer(local=16, estimated=0.0), tier="disk", folder=tmp_path) as cache:
        read(model, cache, steps=1)
        [file] = tmp_path.iterdir()
        if harm == "cut":
            with file.open("r+b") as pages:
                pages.truncate(PAGE // 2)
        else:
            file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
        step = torch.zeros((2, 1), dtype=torch.long)
        with torch.no_grad():
            with pytest.raises(TornPages, match=file.stem):
                model(step, past_key_values=cache)
            with pytest.raises(UsageError, match="reset"):
                model(step, past_key_values=cache)
        cache.reset()
        assert read(model, cache, time=20, steps=1).isfinite().all()


def test_a_tier_that_does_not_fit_is_refused(model, tmp_path):
    """Another name, a file without a folder, a folder without a file, and a method that looks nothing up."""
    for policy, away in (
        (None, {"tier": "tape"}),
        (None, {"tier": "disk"}),
        (None, {"tier": "host", "folder": tmp_path}),
        (None, {"folder": tmp_path}),
        ("snapkv", {"tier": "host"}),
    ):
        with pytest.raises(UsageError), opened(model, policy, **away):
            pass


def test_pages_of_uneven_parts_follow_one_another():
    """A lossless codec's parts grow with their content; pages that come later join those before."""
    exact, policy = circuit().to(torch.bfloat16), RetroInfer(local=16, lot=1)
    with opened(exact, policy, 1.0) as cache:
        wanted = read(exact, cache, time=40, steps=10)
    for there in ({}, {"tier": "host"}):
        with opened(exact, policy, 1.0, codec="dfloat11", **there) as cache:
            assert torch.equal(read(exact, cache, time=40, steps=10), wanted)
            assert cache.engine.layers[0].segments[0].table.shape[-1] == 3
