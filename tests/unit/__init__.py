"""Tests that need neither database nor broker."""
