"""How people prove who they are: sign-in, sessions, second factors, one-time passwords."""
