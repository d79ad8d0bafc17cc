"""The HTTP gateway checks each request, has a service answer it, and stores nothing permanently."""
