"""A small language model of text that every Python has, and how far a compressed cache moves what it says.

Text: `pydoc_data.topics`, Python's own manual (PSF licence), so nothing is downloaded.
Why divergence and not perplexity: so small a model makes little use of what is far away, and dropping it may even lower
its perplexity, while the divergence from the full cache grows with every token dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as remembered
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from memspan.core.errors import UsageError
from memspan.core.protocols import Progress
from memspan.kv.hf import Model, load_llama, new_llama
from memspan.testing.kept_models import kept, name_of, one_thread, own_random_state

VOCABULARY = 1024
CONTEXT = 512
PREFIX = 256
SETTINGS = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": True,
    "max_position_embeddings": 2048,
}
LEARNING_RATE, ROWS, HELD_OUT = 3e-3, 4, 0.1
LESSON = 1
"""Raised whenever the training changes; part of the kept model's name."""
TOKENIZER = "tokenizer.json"

Cache = Any  # transformers' caches and ours share calls, not a type


@dataclass(frozen=True, slots=True)
class TextModel:
    """A language model and text it was not trained on. held_out: ids (rows, 512)"""

    model: Model
    held_out: Tensor


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near a compressed cache stays to the full one.

    kl: mean KL(full || compressed) [nats], 0 = the same
    agreement: share of places where both find the same token likeliest [0..1]
    """

    kl: float
    agreement: float


def kl_and_agreement(model: Model, ids: Tensor, new_cache: Callable[[], Cache], prefix: int = PREFIX) -> Fidelity:
    """What compressing the first tokens does to what the model says at all places after them.

    ids: (batch, time), time > prefix
    new_cache: gives an empty cache that `model` takes as past_key_values and that compresses after its first call;
    asked for once, after the model has read all without it
    prefix: tokens of the first call; the rest is read in a second one
    Raises UsageError where nothing is left after the prefix.
    """
    kl, agreement = divergences(model, ids, new_cache, prefix)
    # a sum of rounded terms may end just below the zero it stands for
    return Fidelity(max(0.0, kl.mean().item()), agreement.mean().item())


@torch.no_grad()
def divergences(
    model: Model, ids: Tensor, new_cache: Callable[[], Cache], prefix: int = PREFIX, *, full: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The same of each sequence: KL and agreement, (batch,) each.

    full: what `without_cache` gave for these ids, where it is asked for often
    """
    full = without_cache(model, ids, prefix) if full is None else full
    cache = new_cache()
    model(ids[:, :prefix], past_key_values=cache, use_cache=True)
    seen = model(ids[:, prefix:], past_key_values=cache, use_cache=True).logits.log_softmax(-1)
    same = full.argmax(-1) == seen.argmax(-1)
    return (full.exp() * (full - seen)).sum(-1).mean(-1), same.float().mean(-1)


@torch.no_grad()
def without_cache(model: Model, ids: Tensor, prefix: int = PREFIX) -> Tensor:
    """Log-probabilities at all places after the prefix, (batch, time - prefix, vocabulary).

    Raises UsageError where nothing is left after the prefix.
    """
    if not 0 < prefix < ids.shape[1]:
        raise UsageError(f"prefix of {prefix} in {ids.shape[1]} tokens: something must come before and after")
    logits: Tensor = model(ids, use_cache=False).logits
    return logits[:, prefix:].log_softmax(-1)


def trained_text(folder: Path, seed: int = 0, steps: int = 300, progress: Progress | None = None) -> TextModel:
    """The small language model, in eval mode; made at the first call and kept in `folder`.

    seed: of the weights and of the order of the text
    steps: of 2,048 tokens each; past 300 it learns the text by heart
    progress: called with (steps done, steps)
    """
    made = ensure_trained_text(folder, seed, steps, progress)
    return TextModel(load_llama(made), _parts(made / TOKENIZER)[1])


def ensure_trained_text(folder: Path, seed: int = 0, steps: int = 300, progress: Progress | None = None) -> Path:
    """Where in `folder` the model and its tokenizer lie; made first where they are not there."""
    digest = sha256(manual().encode()).hexdigest()
    recipe = {"lesson": LESSON, "text": digest, "seed": seed, "steps": steps, "torch": torch.__version__, **SETTINGS}

    def write(to: Path) -> None:
        _learn_pieces(to / TOKENIZER)
        with one_thread(), own_random_state():
            model = new_llama(SETTINGS, seed)
            train(model, _parts(to / TOKENIZER)[0], seed, steps, progress).save_pretrained(to)

    return kept(folder / name_of("text", recipe), write)


@remembered
def manual() -> str:
    """Python's manual as `help()` shows it, one text."""
    from pydoc_data import topics

    return "\n".join(text for _, text in sorted(topics.topics.items()))


def train(model: Model, ids: Tensor, seed: int, steps: int, progress: Progress | None = None) -> Model:
    """The same model, trained in place to foretell the next token of `ids` (length,)."""
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    model.train()
    for step in range(steps):
        starts = torch.randint(len(ids) - CONTEXT, (ROWS, 1), generator=random)
        rows = ids[starts + torch.arange(CONTEXT)]
        logits = model(rows, use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if progress:
            progress(step + 1, steps)
    return model.eval()


def _learn_pieces(path: Path) -> None:
    """Byte-pair pieces of the manual, written to `path`."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([manual()], vocab_size=VOCABULARY, show_progress=False)
    tokenizer.save(str(path))


def _parts(tokenizer: Path) -> tuple[Tensor, Tensor]:
    """The manual in ids: what is trained on (length,), and its last tenth in rows (rows, 512)."""
    from tokenizers import Tokenizer

    ids = torch.tensor(Tokenizer.from_file(str(tokenizer)).encode(manual()).ids)
    rows = int(len(ids) * HELD_OUT) // CONTEXT
    cut = len(ids) - rows * CONTEXT
    return ids[:cut], ids[cut:].view(rows, CONTEXT)
