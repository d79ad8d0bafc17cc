"""Stories on the pages in other engines than Chromium's: Firefox and WebKit, driven by Selenium."""
