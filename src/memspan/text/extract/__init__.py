"""Rules that read dates, names and standing wishes out of plain words. No model, standard library only."""
