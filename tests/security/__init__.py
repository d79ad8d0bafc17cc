"""Attacks on a running system, each as an attacker's script; `docs/security.md` cites them."""
