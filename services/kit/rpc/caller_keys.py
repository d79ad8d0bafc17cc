"""Generates a key with which the gateway signs requests: `python -m services.kit.rpc.caller_keys <id>`.

With keys in CALLER_SIGNING_KEYS it prints their public parts instead, for CALLER_PUBLIC_KEYS of the services.
"""

import argparse
import base64
import os
import sys

from services.kit.rpc.caller_signature import public_keys
from services.kit.settings import SettingsError


def main() -> int:
    """Prints both settings, or the public one; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("id", nargs="?", default="k1", help="the key's id: letters and digits (k1)")
    key_id = parser.parse_args().id
    configured = os.environ.get("CALLER_SIGNING_KEYS")
    keys = configured or f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"
    try:
        public = public_keys(keys)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if not configured:
        print(f"CALLER_SIGNING_KEYS={keys}")
    print(f"CALLER_PUBLIC_KEYS={public}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
