"""Messages of outside parties: many lines in one message, each judged by itself and answered by a receipt."""
