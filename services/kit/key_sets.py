"""Generates keys as JWK Sets: `python -m services.kit.key_sets make encryption|signing <kid>` prints a private one.

`python -m services.kit.key_sets public` reads such a set from standard input and prints its public part.
"""

import argparse
import json
import sys

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey

from services.kit.strict_json import read_json


def new_encryption_keys(kid: str) -> str:
    """A JWK Set of one new private key that decrypts messages of an outside party."""
    key = ECKey.generate_key("P-256", {"kid": kid, "use": "enc"}, private=True)
    return json.dumps({"keys": [key.as_dict(private=True)]})


def new_signing_keys(kid: str) -> str:
    """A JWK Set of one new private key that signs the audit log's head."""
    key = OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"}, private=True)
    return json.dumps({"keys": [key.as_dict(private=True)]})


def public_part(private_keys: str) -> str:
    """The public parts of the keys; raises ValueError for anything but a JWK Set."""
    try:
        return json.dumps(KeySet.import_key_set(read_json(private_keys.encode())).as_dict(private=False))
    except (JoseError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"This is no JWK Set ({type(error).__name__}).") from error


def main() -> int:
    """Generates keys, or prints the public part of those on standard input."""
    parser = argparse.ArgumentParser(prog="python -m services.kit.key_sets", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="print a new private key as a JWK Set")
    make.add_argument("use", choices=("encryption", "signing"))
    make.add_argument("kid", help="its name, for instance union-2026")
    commands.add_parser("public", help="read a JWK Set from standard input, print its public part")
    options = parser.parse_args()
    try:
        if options.command == "make":
            print((new_encryption_keys if options.use == "encryption" else new_signing_keys)(options.kid))
        else:
            print(public_part(sys.stdin.read()))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
