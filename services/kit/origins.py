"""The origin of requests by which rate limits and lockouts count."""

from ipaddress import IPv6Address, ip_address, ip_network

_NETWORK_OF_ONE_IPV6_CUSTOMER = 64


def counted_origin(address: str | None) -> str:
    """The IPv4 address, or the IPv6 network of one customer, who can choose any address in it.

    Anything but an address counts as `unknown`.
    """
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _NETWORK_OF_ONE_IPV6_CUSTOMER), strict=False))
