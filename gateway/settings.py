"""How the gateway signs sessions. Where it listens is the runner's to know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GatewaySettings:
    """Read from the environment by `read_settings`."""

    session_secret: str
    environment: str = "production"

    @property
    def cookies_need_https(self) -> bool:
        """Everywhere but in the demo, which runs on plain HTTP."""
        return self.environment != "demo"
