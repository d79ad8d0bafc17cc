"""Notification: announcements, guides, inbox messages, outbound SMS."""
