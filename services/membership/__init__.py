"""The membership service: unions, accounts, members, their numbers and card states."""
