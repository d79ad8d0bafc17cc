"""Media types of the files that the product makes; apart from what makes them, for the gateway names them only."""

PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
