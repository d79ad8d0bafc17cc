"""The one-command local stack: private nodes, supervised processes, and the commands behind the Makefile."""
