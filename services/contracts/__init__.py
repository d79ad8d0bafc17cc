"""The published language of the system: the messages between services, the gateway and the bank.

`events` one module for each producer; `operations` queries and commands; `bank` messages to and from the bank; `rules`
and `values` validation that several services share. An event is named in the past tense, its type ends in a version,
and within a version fields are only added: consumers ignore unknown ones.
"""

from services.contracts import description as description  # describes the system to the kit
