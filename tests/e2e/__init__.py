"""Tests of the whole stack through its public API."""
