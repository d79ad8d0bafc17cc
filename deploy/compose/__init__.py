"""The whole system in containers on one machine: compose files and the front."""
