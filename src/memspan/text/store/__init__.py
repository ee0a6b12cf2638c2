"""Where memory lies: one SQLite file through apsw."""
