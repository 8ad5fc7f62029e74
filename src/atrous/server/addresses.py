"""Which addresses of the network are open to everyone, and so may be asked on a caller's behalf."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

# Global by the registry's letter, yet leading elsewhere: relays, tunnels and translators into other networks.
RELAYS_V4 = (IPv4Network("192.88.99.0/24"), IPv4Network("192.0.0.0/24"))
GLOBAL_V6 = IPv6Network("2000::/3")
# Teredo and other special uses, documentation, 6to4, documentation again. IPv4-mapped and NAT64 lie outside 2000::/3.
SPECIAL_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address is an ordinary public one.

    Private, loopback, link-local, shared, reserved and multicast ones are not, nor are ways into other networks, nor is
    what is no address.
    """
    try:
        if ":" in address:
            return _is_public_v6(IPv6Address(address))
        return _is_public_v4(IPv4Address(address))
    except AddressValueError:
        return False


def _is_public_v4(address: IPv4Address) -> bool:
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not is_special and not any(address in relays for relays in RELAYS_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    return address in GLOBAL_V6 and not any(address in special for special in SPECIAL_V6)
