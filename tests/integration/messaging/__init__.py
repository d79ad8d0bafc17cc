"""The messaging kit on a real broker and a real database."""
