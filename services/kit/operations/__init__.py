"""How a process is run and watched: health, metrics, logs, audit events."""
