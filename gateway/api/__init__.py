"""All routes, by resource: each module's docstring says what the resource is, its ROUTES what can be asked of it."""

from gateway.api import (
    announcements,
    batches,
    checks,
    health,
    imports,
    members,
    messages,
    pending,
    personal,
    revocations,
    sessions,
    stream,
    summary,
    unions,
)

RESOURCES = (
    sessions,
    members,
    imports,
    pending,
    checks,
    batches,
    revocations,
    summary,
    messages,
    announcements,
    stream,
    unions,
    personal,
    health,
)

ROUTES = tuple(route for resource in RESOURCES for route in resource.ROUTES)
