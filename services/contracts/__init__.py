"""What services and the bank tell one another: one schema and one committed example for each message.

One module per producer. An event is named in the past tense, its type ends in a version, and within a version fields
are only added: consumers ignore what they do not know.
"""
