"""How the system is deployed: the local stack, simulators of external systems, and the manifests."""
