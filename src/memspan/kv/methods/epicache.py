"""EpiCache: a long conversation falls into episodes; each has its own cache, cut by what that episode talks about.

Source: Kim et al. 2025, "EpiCache: Episodic KV Cache Management for Long Conversational Question Answering",
arXiv:2509.17396; numbers and formulas after the authors' code (apple/ml-epicache).
Ours differs: layers' shares add up to the budget, floors included, where the authors' floors may overshoot it; the
words that introduce a patched prompt are the caller's, as are embeddings and tokens; blocks are of even size; where an
episode's cache is read on, a turn is scored by the same patched prompt.
Laid over one conversation with `Episodes`; alone, without a patched prompt, the policy looks with the last tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, scaled_dot_product_attention

from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.budget import allocate
from memspan.kv.policy import Foresight, Policy
from memspan.kv.select import best_over_heads
from memspan.kv.signals import Needs, View, attention


@dataclass(frozen=True, slots=True, kw_only=True)
class EpiCache(Policy):
    """Rows by the most attention that any token of a patched prompt pays them, the best of a layer's heads together.

    patch: ids of the patched prompt, read ahead of each cut;  window: last tokens that look where there is none
    similar: for each layer how alike its keys are with and without far context, of `key_similarities`; none: layers
        share evenly
    alpha: how strongly layers whose keys change get more, >= 0;  floor: share of the mean that each layer has [0..1]
    """

    patch: tuple[int, ...] = ()
    window: int = 64
    similar: tuple[float, ...] = ()
    alpha: float = 2.0
    floor: float = 0.25
    card: ClassVar[Card] = Card(
        title="a cache for each episode of a conversation",
        source="arXiv:2509.17396",
        year=2025,
        claims=("up to 40 % more accurate than other evictions", "nearly the full cache's answers at 4 to 6x less"),
        needs="torch",
        failures=(
            "a question that belongs to several episodes gets the cache of one",
            "without a patched prompt it is SnapKV with the largest attention instead of the mean",
        ),
    )

    @property
    def needs(self) -> Needs:
        """Queries of the patched prompt."""
        return Needs(queries=len(self.patch) or self.window)

    @property
    def foresight(self) -> Foresight | None:
        """The patched prompt."""
        return Foresight(ids=self.patch, cut=False) if self.patch else None

    @property
    def slack(self) -> int:
        """None: each block is cut back to the budget."""
        return 0

    def layers(self, room: int, count: int, seen: int) -> Sequence[float] | None:
        """Rows in proportion to (1 - similarity)^alpha, similarities stretched to 0..1; none below the floor."""
        if not self.similar:
            return None
        if len(self.similar) != count:
            raise UsageError(f"similarities of {len(self.similar)} layers for {count}; measure them on this model")
        low, high = min(self.similar), max(self.similar)
        if low == high:
            return None
        weights = [(1 - (alike - low) / (high - low)) ** self.alpha for alike in self.similar]
        least = min(seen, int(self.floor * room))
        return allocate(room * count, weights, caps=[seen] * count, floors=[least] * count)

    def score(self, view: View) -> Tensor:
        """The most that any of the queries pays, of any head of the group, (batch, kv_heads, time)."""
        paid = attention(view, self.needs.queries).amax(dim=2)
        return paid.view(len(paid), -1, view.group, paid.shape[-1]).amax(dim=2)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best of all heads, room * kv_heads rows in all."""
        return best_over_heads(scores, room * scores.shape[1], torch.zeros_like(room))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How a conversation is cut into episodes and read.

    episodes: how many;  window: utterances that are embedded together
    medoids: windows nearest to an episode's centre that make its patched prompt
    block: read at a time, after which a cache is cut [tokens];  lead: ids that introduce a patched prompt
    """

    episodes: int = 4
    window: int = 4
    medoids: int = 4
    block: int = 2048
    lead: tuple[int, ...] = ()


Embed = Callable[[Sequence[str]], Any]
Encode = Callable[[str], Sequence[int]]


class Episodes:
    """A cache for each episode of a conversation; a question is answered from that of the nearest one.

    with kv.compress(model, EpiCache(), Budget(tokens=8192)) as cache:
        episodes = Episodes(model, cache, utterances, embed=embed, encode=encode)
        answer = model.generate(ids, past_key_values=episodes.about("Where did we meet?"))

    No cache holds more than the budget and a block at any time, the patched prompt that is read ahead aside.
    """

    def __init__(
        self,
        model: Any,
        cache: Any,
        utterances: Sequence[str],
        *,
        embed: Embed,
        encode: Encode,
        cutting: Cutting = Cutting(),
    ) -> None:
        """Reads the conversation once for each episode.

        cache: an empty one, of `kv.compress(model, EpiCache(...), Budget(tokens=...))`
        embed: texts -> vectors (texts, width);  encode: text -> ids
        Raises UsageError for another policy's cache, or where there is nothing to read.
        """
        if not isinstance(cache.engine.plan.policy, EpiCache) or cache.get_seq_length():
            raise UsageError("episodes need an empty cache of kv.compress(model, EpiCache(...), ...)")
        if not utterances:
            raise UsageError("a conversation without a word has no episodes")
        self._embed, self._cutting = embed, cutting
        starts = range(0, len(utterances), cutting.window)
        texts = ["\n".join(utterances[start : start + cutting.window]) for start in starts]
        vectors = self._vectors(texts)
        self.centres, labels = grouped(vectors, cutting.episodes)
        ids = [list(encode(text)) for text in texts]
        self.patches = [
            (*cutting.lead, *(token for window in _medoids(vectors, centre, labels == number, cutting.medoids)
                              for token in ids[window]))
            for number, centre in enumerate(self.centres)
        ]  # fmt: skip
        whole = torch.tensor([[token for window in ids for token in window]], device=next(model.parameters()).device)
        self._caches = [self._read(model, cache, whole, patch) for patch in self.patches]

    @torch.no_grad()
    def _read(self, model: Any, cache: Any, ids: Tensor, patch: tuple[int, ...]) -> Any:
        """An episode's cache, after all blocks."""
        plan = cache.engine.plan
        own = cache.at(type(cache.engine)(replace(plan, policy=replace(plan.policy, patch=patch))), 0)
        for block in ids.tensor_split(ceil(ids.shape[1] / self._cutting.block), dim=1):
            model(block, past_key_values=own)
        return own

    def _vectors(self, texts: Sequence[str]) -> Tensor:
        """Of length 1, (texts, width)."""
        return normalize(torch.as_tensor(self._embed(texts), dtype=torch.float32), dim=-1)

    def __len__(self) -> int:
        """How many episodes there are."""
        return len(self._caches)

    def nearest(self, question: str) -> int:
        """The number of the episode whose centre is nearest to a question."""
        return int((self._vectors([question]) @ self.centres.T).argmax())

    def about(self, question: str) -> Any:
        """A fork of the nearest episode's cache, to go on from."""
        return self._caches[self.nearest(question)].fork()

    def nbytes(self) -> int:
        """Bytes of all episodes' caches."""
        return sum(cache.nbytes() for cache in self._caches)


def _medoids(vectors: Tensor, centre: Tensor, own: Tensor, count: int) -> list[int]:
    """The windows of an episode that are nearest to its centre, in the order of the text."""
    nearness = (vectors @ normalize(centre, dim=0)).masked_fill(~own, -torch.inf)
    order = nearness.argsort(descending=True, stable=True)[: min(count, int(own.sum()))]
    return sorted(order.tolist())


def grouped(vectors: Tensor, count: int, *, tries: int = 10, seed: int = 42) -> tuple[Tensor, Tensor]:
    """k-means: centres (groups, width) and the group of each vector; no group is empty, so there may be fewer.

    Source: Lloyd 1982 with the seeding of Arthur and Vassilvitskii 2007; the best of `tries` by squared distance.

    >>> grouped(torch.tensor([[0.0], [0.1], [5.0]]), 2)[1].tolist() in ([0, 0, 1], [1, 1, 0])
    True
    """
    random = torch.Generator().manual_seed(seed)
    runs = [_lloyd(vectors, min(count, len(vectors)), random) for _ in range(tries)]
    centres, labels = min(runs, key=lambda run: float((vectors - run[0][run[1]]).pow(2).sum()))
    used = labels.bincount(minlength=len(centres)) > 0
    return centres[used], used.cumsum(0)[labels] - 1


def _lloyd(vectors: Tensor, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    first = int(torch.randint(len(vectors), (), generator=random))
    centres = vectors[first][None]
    while len(centres) < count:
        near = torch.cdist(vectors, centres).amin(dim=1).pow(2)
        if not float(near.sum()):
            break
        centres = torch.cat((centres, vectors[torch.multinomial(near, 1, generator=random)]))
    labels = torch.cdist(vectors, centres).argmin(dim=1)
    while True:
        members = torch.nn.functional.one_hot(labels, len(centres)).float()
        counts = members.sum(0)[:, None]
        centres = torch.where(counts > 0, members.T @ vectors / counts.clamp(min=1), centres)
        moved = torch.cdist(vectors, centres).argmin(dim=1)
        if torch.equal(moved, labels):
            return centres, labels
        labels = moved


@torch.no_grad()
def key_similarities(
    model: Any, ids: Tensor, *, block: int = 4096, sinks: int = 128, overlap: float = 0.5, window: int = 100
) -> tuple[float, ...]:
    """For each layer how alike its keys are when tokens see everything and when they see their block only.

    Mean cosine of runs of `window` keys, of each head and sequence.

    ids: (batch, time), without padding
    block: [tokens];  sinks: first tokens that all see;  overlap: share of the block before that is seen too [0..1]
    """
    from memspan.kv.attending import attending

    seen: list[list[Tensor]] = []
    for mask in (None, block_mask(ids.shape[1], block, sinks, int(block * overlap)).to(ids.device)):
        keys: list[Tensor] = []

        def watched(
            _: int,
            __: Tensor,
            rows: tuple[Tensor, Tensor, Tensor],
            scaling: float,
            mask: Tensor | None = mask,
            keys: list[Tensor] = keys,
        ) -> Tensor:
            keys.append(rows[1])
            return scaled_dot_product_attention(
                *rows, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True
            )

        with attending(model, watched):
            model(ids, use_cache=False)
        seen.append(keys)
    return tuple(
        float(torch.stack([
            cosine_similarity(one.flatten(2), other.flatten(2), dim=-1).mean()
            for one, other in zip(full.split(window, dim=2), cut.split(window, dim=2), strict=True)
        ]).mean())
        for full, cut in zip(*seen, strict=True)
    )  # fmt: skip


def block_mask(time: int, block: int, sinks: int, overlap: int) -> Tensor:
    """Which rows a token sees: those of its block up to itself, the end of the block before, and the first ones.

    >>> block_mask(7, block=2, sinks=1, overlap=1).int().tolist()[5]
    [1, 0, 0, 1, 1, 1, 0]
    """
    places = torch.arange(time)
    start = places // block * block
    near = places >= (start - overlap)[:, None]
    return (near | (places < sinks)) & (places <= places[:, None])


METHOD = EpiCache
