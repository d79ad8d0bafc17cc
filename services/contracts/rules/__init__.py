"""Rules on a person's name and document that several services judge by; validation adds retirement and the registry."""
