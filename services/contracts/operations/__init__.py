"""The queries and commands of each service: requests and answers."""
