"""Following the transcripts of coding agents while they grow, into one scope a project."""
