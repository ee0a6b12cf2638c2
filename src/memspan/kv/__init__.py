"""What a model holds while it reads and writes: its KV cache, under a budget."""
