"""The texts of all messages: what they say by default, what the city has made of them, and how it edits them."""
