"""What is searched: words, postings, vector planes. All derived, all rebuilt from the log."""
