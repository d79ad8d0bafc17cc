"""Members: registered, found, changed, shown, numbered."""
