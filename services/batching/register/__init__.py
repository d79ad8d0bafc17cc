"""What is printed of a batch: register, forms of consent, attachments."""
