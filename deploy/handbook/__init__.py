"""The handbook 操作手册: its pictures are taken of a running system, its chapters are in docs/handbook."""
