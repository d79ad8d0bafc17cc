"""Batches and outlets: submitted, shown, released, counted."""
