"""How the system is deployed: the local stack, simulators of the systems outside, and the manifests."""
