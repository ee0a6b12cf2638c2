"""An agent's loop: recall before it answers, remember after. Put your own model where `answer` stands.

python examples/chat_with_memory.py
"""

import tempfile
from pathlib import Path

from memspan import Memory


def answer(prompt: str) -> str:
    """Your model goes here; this one only counts."""
    return f"(a model would answer from {len(prompt)} characters)"


def reply(memory: Memory, user: str, said: str) -> str:
    """Answer with what memory has on it, and remember both sides."""
    recall = memory.recall(said, tokens=500)
    prompt = f"{recall.context}\n{user}: {said}"
    words = answer(prompt)
    memory.remember(said, speaker=user, session="today")
    memory.remember(words, speaker="agent", role="assistant", session="today")
    print(f"{user}: {said}")
    for hit in recall.hits[:2]:
        print(f"    recalled {hit.speaker}: {hit.text}  [{hit.id}]")
    print(f"agent: {words}")
    return words


with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "alice.mem", scope="alice") as memory:
    memory.remember("I moved to Lisbon in May.", speaker="Alice", at="2024-06-01T10:00Z", session="spring")
    memory.remember("From now on, always answer in one sentence.", speaker="Alice", session="spring")
    reply(memory, "Alice", "Which city do I live in?")
    reply(memory, "Alice", "And what did I ask you about your answers?")
