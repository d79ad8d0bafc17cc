"""How much a city needs: measured figures, a simulation of the queues, and the guide's page made of both."""
