"""What all services share and none owns: contracts, messaging, persistence, settings, logging. Nothing of the field."""
