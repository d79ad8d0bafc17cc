"""The queries and commands of each service: requests, answers, and who is allowed.

The service loads requests by them, and so does the gateway before it calls; the OpenAPI document is made from them.
"""

from services.contracts.operations import operators as operators  # each service's, declared whichever is imported
