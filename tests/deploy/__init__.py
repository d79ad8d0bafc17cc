"""Tests of what the system is deployed on, with the real parts: `make test-deploy`."""
