"""Floor 2: what an agent remembers across sessions. Text, offline, no LLM in the main path."""
