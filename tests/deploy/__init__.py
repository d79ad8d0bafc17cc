"""Tests of deployment: `make test-deploy` runs them, as root, in their own time."""
