"""The whole system in containers on one machine: compose files, the front, and what makes the secrets."""
