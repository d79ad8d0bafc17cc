"""How the gateway signs sessions, whom it answers and how much, and what it names beside it. Not where it listens."""

from gateway.limits import KINDS, Budget
from services.kit.secret_values import Key
from services.kit.settings import SettingsError, settings_class


@settings_class
class GatewaySettings:
    """Read from the environment by `read_settings`. Limits are requests a minute over all processes; 0 is none."""

    session_secret: Key
    environment: str = "production"
    allowed_hosts: str = ""
    """The names, with commas, by which browsers may call us; must be set in production."""
    trusted_proxies: int = 0
    """How many proxies of ours stand in front: so many of the last addresses in X-Forwarded-For are theirs to say."""
    max_connections: int = 900
    most_waiting: int = 100
    """How many requests of one process may wait for a worker; more are told at once to come again."""
    connections_per_address: int = 500
    """Does not count behind trusted proxies, from which all connections come."""
    header_seconds: float = 20
    """How long first line and headers of a request may take to come."""
    body_seconds: float = 20
    """How long a small body may take; a large one a second more for each 50 kB."""
    hearing_seconds: float = 0.5
    """How long a gateway that stops waits for the requests of those who have connected."""
    reads_per_account: int = 1200
    reads_per_address: int = 12_000
    writes_per_account: int = 300
    writes_per_address: int = 3000
    files_per_account: int = 120
    files_per_address: int = 1200
    sensitive_per_account: int = 60
    sensitive_per_address: int = 600
    streams_per_account: int = 20
    proof_of_work_bits: int = 18
    """Beside a captcha's picture a browser computes two to the power of it hashes: by 18 for tenths of a second."""

    def __post_init__(self) -> None:
        if self.environment == "production" and not self.hosts:
            raise SettingsError("Settings in the environment: ALLOWED_HOSTS is not set.")

    @property
    def needs_https(self) -> bool:
        """Everywhere but in the demo, which runs on plain HTTP."""
        return self.environment != "demo"

    @property
    def budgets(self) -> dict[str, Budget]:
        """The limits of each kind of request."""
        return {
            kind: Budget(getattr(self, f"{kind}_per_account"), getattr(self, f"{kind}_per_address")) for kind in KINDS
        }

    @property
    def hosts(self) -> frozenset[str]:
        """The allowed names in small letters; empty where any will do."""
        return frozenset(host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip())


@settings_class
class SupportSettings:
    """Whom the sign-in page says to ask (技术支持)."""

    support_phone: str = "021-12351"
    support_hours: str = "工作日 9:00-11:30，13:30-17:00"
    support_email: str = "support@zzgl.example"
    support_lines: str = "系统操作 021-12351-1; 账号与密码 021-12351-2"
    """Further lines, each a name and a telephone number, parted by semicolons."""

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Names and numbers of the further lines."""
        parts = (line.strip().rpartition(" ") for line in self.support_lines.replace("；", ";").split(";"))
        return [(name.strip(), phone) for name, _, phone in parts if name]


@settings_class
class ModuleSettings:
    """What else the platform offers."""

    modules_path: str = ""
    """A file with a JSON list of {title, url}: tiles of the workbench that lead elsewhere; empty: those of the code."""
