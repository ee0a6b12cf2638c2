"""Prefixes: found by their tokens, shared, let go by what they save."""

import gc

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.hf import KVCache  # noqa: E402
from memspan.kv.store.prefix import Prefixes, chain, fingerprint  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402


@pytest.fixture(scope="module")
def model():
    """The untrained circuit."""
    return circuit()


def tokens(count, seed=0):
    return torch.randint(1, 162, (1, count), generator=torch.Generator().manual_seed(seed))


def read(model, cache, ids):
    with torch.no_grad():
        return model(ids, past_key_values=cache).logits


def key_of(cache, model):
    return fingerprint(cache.engine, model.get_input_embeddings().weight)


def test_a_link_depends_on_all_before_it():
    """Another first token gives another name to every block."""
    one, other = chain(range(64), 16, "m"), chain([9, *range(1, 64)], 16, "m")
    assert len(one) == 4 and not set(one) & set(other)


def test_a_known_prefix_is_not_read_again(model):
    """What follows it gets the logits of a whole reading, and the pages are the prefix's own."""
    ids, more = tokens(96), tokens(8, 1)
    prefixes = Prefixes(10**9)
    with kv.compress(model, None) as cache:
        first = cache.fork()
        read(model, first, ids)
        key = key_of(first, model)
        assert prefixes.keep(first.engine, ids[0].tolist(), 1.0, key)
        engine, length = prefixes.begin([*ids[0].tolist(), *more[0].tolist()], key)
        assert length == 96
        second = KVCache.at(cache, engine, length)
        alone = prefixes.nbytes()
        shared = read(model, second, more)
        whole = read(model, cache, torch.cat((ids, more), 1))[:, -8:]
        assert torch.allclose(shared, whole, atol=1e-4)
        assert second.engine.layers[0].segments[0].pages is first.engine.layers[0].segments[0].pages
        assert prefixes.nbytes() == alone


def test_a_part_of_a_known_prefix_serves_where_every_row_is_kept(model):
    """Three of six blocks are the same; reading goes on from there."""
    ids, other = tokens(96), tokens(48, 2)
    prefixes = Prefixes(10**9)
    with kv.compress(model, None) as cache:
        read(model, cache, ids)
        key = key_of(cache, model)
        prefixes.keep(cache.engine, ids[0].tolist(), 1.0, key)
        asked = torch.cat((ids[:, :48], other), 1)
        engine, length = prefixes.begin(asked[0].tolist(), key)
        assert length == 48
        rest = read(model, KVCache.at(cache, engine, length), asked[:, 48:])
        empty = KVCache.at(cache, type(engine)(engine.plan), 0)
        assert torch.allclose(rest, read(model, empty, asked)[:, 48:], atol=1e-4)


def test_a_compressed_prefix_serves_at_its_end_only(model):
    """Its rows were chosen for that length; another method's or budget's are not given out."""
    ids = tokens(96)
    prefixes = Prefixes(10**9)
    with kv.compress(model, "knorm", Budget(ratio=0.25)) as cache:
        read(model, cache, ids)
        key = key_of(cache, model)
        prefixes.keep(cache.engine, ids[0].tolist(), 1.0, key)
        assert prefixes.begin(ids[0, :48].tolist(), key) is None
        assert prefixes.begin(ids[0].tolist(), key)[1] == 96
    with kv.compress(model, "knorm", Budget(ratio=0.5)) as cache:
        assert prefixes.begin(ids[0].tolist(), key_of(cache, model)) is None


def test_what_saves_least_a_byte_goes_first_and_no_more_than_that(model):
    """Of three prefixes the cheapest to read again goes when two fit."""
    with kv.compress(model, None) as cache:
        kept = []
        for seed, seconds in enumerate((3.0, 1.0, 2.0)):
            one = cache.fork()
            read(model, one, tokens(64, seed))
            kept.append((one.engine, tokens(64, seed)[0].tolist(), seconds))
        key = key_of(cache, model)
        prefixes = Prefixes(int(kept[0][0].nbytes() * 2.5))
        for engine, ids, seconds in kept:
            prefixes.keep(engine, ids, seconds, key)
        assert len(prefixes) == 2 and prefixes.nbytes() <= prefixes.limit
        assert [prefixes.begin(ids, key) is not None for _, ids, _ in kept] == [True, False, True]


def test_users_are_counted_while_they_live(model):
    """A dropped fork is no user any more."""
    ids = tokens(32)
    prefixes = Prefixes(10**9)
    with kv.compress(model, None) as cache:
        read(model, cache, ids)
        key = key_of(cache, model)
        prefixes.keep(cache.engine, ids[0].tolist(), 1.0, key)
        engines = [prefixes.begin(ids[0].tolist(), key)[0] for _ in range(3)]
        (prefix,) = prefixes._held
        assert len(prefix.users) == 3
        del engines
        gc.collect()
        assert len(prefix.users) == 0


def test_a_batch_or_a_broken_block_is_refused(model):
    """With what to do."""
    prefixes = Prefixes(10**9)
    with kv.compress(model, None) as cache:
        read(model, cache, tokens(33).expand(2, -1))
        with pytest.raises(UsageError, match="one sequence"):
            prefixes.keep(cache.engine, list(range(32)), 1.0, "k")
    with kv.compress(model, None) as cache:
        read(model, cache, tokens(33))
        with pytest.raises(UsageError, match="whole block"):
            prefixes.keep(cache.engine, list(range(33)), 1.0, "k")
