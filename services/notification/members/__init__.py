"""What members are told, and what is kept of them: messages on the phone, news by SMS, their own requests."""
