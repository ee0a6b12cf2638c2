"""The REST server: the verbs of a memory over HTTP, for many tenants at once. docs/how-to/rest.md shows it."""
