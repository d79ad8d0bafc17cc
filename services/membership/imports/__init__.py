"""Imports of members from sheets: read, previewed, registered part by part."""
