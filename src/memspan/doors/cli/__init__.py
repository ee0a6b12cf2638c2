"""The command line. `main.main` is its entry; each command lives in a file of its own, loaded when it is called."""
