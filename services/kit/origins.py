"""Where requests come from, as limits and locks count it."""

from ipaddress import IPv6Address, ip_address, ip_network

_NETWORK_OF_ONE_IPV6_CUSTOMER = 64


def counted_origin(address: str | None) -> str:
    """The address; of IPv6 the network that one customer has, in which addresses can be chosen at will.

    What is no address counts as one `unknown`.
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
