"""What a copy of a cache reads ahead of a cut, so that the cut may follow queries that are still to come."""

from typing import Any

import torch
from torch import Tensor

from memspan.core.errors import UsageError
from memspan.kv.policy import Foresight


def read_ahead(inner: Any, head: Any, draft: Any, foresight: Foresight, last: Tensor) -> None:
    """Lets a copy of the cache read given tokens, or those that the model writes.

    inner, head: the model's decoder and its output embeddings;  draft: the copy
    last: the decoder's output at each sequence's last token, (batch, 1, width)
    Raises UsageError where tokens are to be written and there is no head.
    """
    if foresight.ids:
        inner(torch.tensor([foresight.ids] * len(last), device=last.device), past_key_values=draft)
        return
    if head is None:
        raise UsageError("this method writes a few tokens ahead: call a model with a language model's head")
    for _ in range(foresight.count):
        last = inner(head(last).argmax(-1), past_key_values=draft)[0]
