"""Floor 0: the words and joints every other floor shares. Standard library only."""
