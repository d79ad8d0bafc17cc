"""The container image of all six programs: its Dockerfile, what builds it, and its list of parts."""
