"""The harness: Dataset -> Task -> System -> Runner -> Scorers -> Report, in one run, without an LLM."""
