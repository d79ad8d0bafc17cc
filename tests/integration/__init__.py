"""Tests of one service with its real database and broker."""
