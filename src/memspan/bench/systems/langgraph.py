"""LangGraph, in an environment of its own: see bench/peers/adapters/langgraph.py for what of it is measured."""

from memspan.bench.peers.client import Peer
from memspan.bench.peers.pins import pin


class LangGraph(Peer):
    """Another system, told and asked the same."""

    name = "langgraph"
    title = pin(name).title


SYSTEM = LangGraph
