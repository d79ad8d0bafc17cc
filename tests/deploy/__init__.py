"""Tests of deployment, as root: `make test-deploy`."""
