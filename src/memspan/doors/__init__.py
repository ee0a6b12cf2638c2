"""Floor 5: doors. A door translates between memspan and the world outside; it decides nothing."""
