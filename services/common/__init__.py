"""What all services share and none owns: contracts, messaging, persistence, settings, logging. Nothing of the field."""

import warnings

# Eventlet says at each import that it is only maintained; Nameko 2 needs it, and no reader of a log can act on it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
