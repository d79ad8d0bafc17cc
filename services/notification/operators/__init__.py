"""What operators see of the whole system: samples of the services' status, text messages, and monitoring's alerts."""
