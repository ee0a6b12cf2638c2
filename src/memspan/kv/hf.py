"""The only file that knows transformers: models, the cache they are given, and the attention they call."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

Model = Any  # transformers' models are not typed


def new_llama(settings: Mapping[str, Any], seed: int = 0) -> Model:
    """An untrained Llama in eval mode. settings: what LlamaConfig takes (hidden_size, num_hidden_layers, ...)"""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    model: Model = LlamaForCausalLM(LlamaConfig(**settings))
    return model.eval()


def load_llama(folder: Path) -> Model:
    """The model that save_pretrained() wrote there, in eval mode."""
    from transformers import LlamaForCausalLM

    model: Model = LlamaForCausalLM.from_pretrained(folder)
    return model.eval()
