"""What the gateway may ask of each service: request and answer schemas, one module per service.

The service validates by them, and so does the gateway before it asks; the OpenAPI document is made from them.
"""
