"""Imports of members from sheets: reading, preview, registration in parts."""
