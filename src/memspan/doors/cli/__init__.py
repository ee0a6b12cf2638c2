"""The command line. `main.main` is its entry; commands live in files of their own, loaded when they are called."""
