"""What services, the gateway and the bank say to one another: the published language of the system.

`events` what happened, one module for each producer; `operations` queries and commands; `bank` messages with the bank;
`rules` and `values` what several services judge alike. An event is named in the past tense, its type ends in a version,
and within a version fields are only added: consumers ignore what they do not know.
"""

from services.contracts import description as description  # tells the kit what system it serves
