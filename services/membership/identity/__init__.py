"""Authentication: sign-in, sessions, second factors, one-time passwords."""
