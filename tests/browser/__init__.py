"""Stories on the pages, in Chromium, on a whole stack."""
