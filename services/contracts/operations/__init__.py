"""The queries and commands of each service: requests, answers, and who may call them.

The service and the gateway both load requests by them; the OpenAPI document is generated from them.
"""

from services.contracts.operations import operators as operators  # declares them for each service
