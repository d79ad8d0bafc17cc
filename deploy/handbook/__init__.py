"""The handbook 操作手册: pictures of a running system, and chapters in docs/handbook."""
