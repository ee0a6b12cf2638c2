"""Consolidation: what turns add up to, made by rules, each record citing its turns."""
