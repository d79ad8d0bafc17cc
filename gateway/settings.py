"""The gateway's settings: sessions, hosts, limits, captchas, support and modules. The listening port is not here."""

from gateway.limits import KINDS, Budget
from services.kit.secret_values import Key
from services.kit.settings import SettingsError, settings_class


@settings_class
class GatewaySettings:
    """The gateway's own settings; limits are requests a minute over all processes, 0 is no limit."""

    session_secret: Key
    environment: str = "production"
    allowed_hosts: str = ""
    """Host names, separated by commas, that browsers may use; must be set in production."""
    trusted_proxies: int = 0
    """How many of our proxies stand in front: this many last addresses in X-Forwarded-For are trusted."""
    max_connections: int = 900
    most_waiting: int = 100
    """How many requests of one process may wait for a worker; others are answered 503 at once."""
    connections_per_address: int = 500
    """Does not apply behind trusted proxies, from which all connections come."""
    header_seconds: float = 20
    """How long the first line and headers of a request may take to arrive."""
    body_seconds: float = 20
    """How long a small body may take; a large one has one more second for each 50 kB."""
    serve_pages: bool = True
    """Whether the pages come from here, without which a gateway is not ready; `no` where the proxy serves them."""
    hearing_seconds: float = 0.5
    """How long a stopping gateway waits for requests on open connections."""
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
    """With a captcha's picture a browser computes 2 to this power of hashes; 18 takes some tenths of a second."""

    def __post_init__(self) -> None:
        if self.environment == "production" and not self.hosts:
            raise SettingsError("Settings in the environment: ALLOWED_HOSTS is not set.")

    @property
    def needs_https(self) -> bool:
        """Whether browsers must use HTTPS: everywhere but in the demo."""
        return self.environment != "demo"

    @property
    def budgets(self) -> dict[str, Budget]:
        """The rate limits of each kind of request."""
        return {
            kind: Budget(getattr(self, f"{kind}_per_account"), getattr(self, f"{kind}_per_address")) for kind in KINDS
        }

    @property
    def hosts(self) -> frozenset[str]:
        """The allowed host names in lower case; empty allows any."""
        return frozenset(host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip())


@settings_class
class SupportSettings:
    """The support contacts on the sign-in page (技术支持)."""

    support_phone: str = "021-12351"
    support_hours: str = "工作日 9:00-11:30，13:30-17:00"
    support_email: str = "support@zzgl.example"
    support_lines: str = "系统操作 021-12351-1; 账号与密码 021-12351-2"
    """Further contacts, each a name and a telephone number, separated by semicolons."""

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The names and numbers of the further contacts."""
        parts = (line.strip().rpartition(" ") for line in self.support_lines.replace("；", ";").split(";"))
        return [(name.strip(), phone) for name, _, phone in parts if name]


@settings_class
class ModuleSettings:
    """The platform's other modules on the workbench."""

    modules_path: str = ""
    """A JSON file with a list of `{"title", "url"}`, each with an address of its own; without one, titles alone."""
    """A JSON file with a list of {title, url}, tiles of the workbench that lead elsewhere; empty: the built-in ones."""


@settings_class
class DeadLetterSettings:
    """How long a dead letter may wait for an operator, in working days."""

    overdue_dead_letter_days: int = 1
    """How many working days a dead letter may wait for an operator."""
