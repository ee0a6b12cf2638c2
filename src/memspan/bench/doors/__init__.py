"""The doors, measured from outside: servers started by their command and spoken to as a stranger would."""
