"""A service made for the messaging tests: it writes down what reaches it."""
