"""Documents that people print or open in a spreadsheet program: cells, fonts."""
