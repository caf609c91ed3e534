"""How a node finds others beside the addresses it was given and the peers it has, and how it lets itself be found.

Each is off unless the configuration asks for it; what is off is neither imported nor opens a socket. None of them is
waited for: a resolver, a router or a local network that hangs or lies holds up neither the start nor the end of a node.

- `sources`: begins those that are configured, and gathers what they say of themselves
- `dns_seeds`: names whose TXT records hold peers (extra `dns`)
- `lan`: beacons in the local network
- `port_mapping`: lets others in through the router, by `nat_pmp` or `upnp`; `router`: what both are asked for
- `small_http`, `router_xml`: what UPnP is made of, capped and strict
"""
