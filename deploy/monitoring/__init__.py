"""Rules, dashboards and examples for Prometheus, Alertmanager and Grafana, and a way to run the first two locally."""
