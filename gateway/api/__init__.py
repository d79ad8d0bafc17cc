"""All routes, by resource: each module's docstring says what the resource is, its ROUTES what can be asked of it."""

from gateway.api import batches, checks, health, pending, revocations, stream

RESOURCES = (pending, checks, batches, revocations, stream, health)

ROUTES = tuple(route for resource in RESOURCES for route in resource.ROUTES)
