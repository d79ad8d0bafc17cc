"""Attacks on a running system, each as the script that somebody would run; `docs/security.md` names what they show."""
