"""Tests of deployment: `make test-deploy` only."""
