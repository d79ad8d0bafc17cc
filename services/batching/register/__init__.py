"""Printed documents of a batch: register, consent form, attachments."""
