"""LlamaIndex, in an environment of its own: see bench/peers/adapters/llamaindex.py for what of it is measured."""

from memspan.bench.peers.client import Peer
from memspan.bench.peers.pins import pin


class LlamaIndex(Peer):
    """Another system, told and asked the same."""

    name = "llamaindex"
    title = pin(name).title


SYSTEM = LlamaIndex
