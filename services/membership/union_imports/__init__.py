"""Imports of unions and accounts by one workbook: checked as a whole, and created as a whole or not at all."""
