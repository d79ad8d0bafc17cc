"""Tests of deployment, for real: clusters, failover, the image, containers, the chart."""
