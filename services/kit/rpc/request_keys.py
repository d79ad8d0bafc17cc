"""Generates a key for which requests are encrypted: `python -m services.kit.rpc.request_keys <service> <id>`.

With keys in REQUEST_PRIVATE_KEYS it prints their public parts instead, for REQUEST_PUBLIC_KEYS of the gateway.
"""

import argparse
import os
import sys

from services.kit.rpc.key_lists import write_keys
from services.kit.rpc.request_encryption import public_keys
from services.kit.settings import SettingsError


def main() -> int:
    """Prints both settings, or the public one; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", help="the service that decrypts: membership, validation …")
    parser.add_argument("id", nargs="?", default="k1", help="the key's id: letters and digits (k1)")
    options = parser.parse_args()
    configured = os.environ.get("REQUEST_PRIVATE_KEYS")
    keys = configured or write_keys({options.id: os.urandom(32)})
    try:
        public = public_keys(options.service, keys)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if not configured:
        print(f"REQUEST_PRIVATE_KEYS={keys}")
    print(f"REQUEST_PUBLIC_KEYS={public}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
