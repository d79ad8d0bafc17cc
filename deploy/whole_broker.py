"""Writes what RabbitMQ loads when it starts: `python -m deploy.whole_broker <file>`.

It holds the virtual host, its administrator, and the users of all programs with their permissions; passwords as hashes
only. A password comes from AMQP_PASSWORD_MEMBERSHIP … AMQP_PASSWORD_ADMINISTRATOR, or from `<VARIABLE>_FILE`; without
AMQP_PASSWORD_INSURER the mutual-aid society has no user.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from deploy.broker import User, definitions, password_variable, password_variables, user_definition
from deploy.secret_files import ADMINISTRATOR, VHOST
from services.kit.settings import run_program, values_of


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    variables = {**password_variables(), ADMINISTRATOR: password_variable(ADMINISTRATOR)}
    passwords = values_of(*variables.values())
    document = whole_broker({user: User(user, passwords[variable]) for user, variable in variables.items()})
    new = file.with_name(f"{file.name}.new")
    new.write_text(json.dumps(document, indent=1))
    new.replace(file)


def whole_broker(users: dict[str, User]) -> dict[str, Any]:
    """Returns the definitions of a broker that has nothing yet; `users` are by program, with the administrator."""
    administrator = users[ADMINISTRATOR]
    document = definitions(VHOST, {program: user for program, user in users.items() if program != ADMINISTRATOR})
    everything = {"user": ADMINISTRATOR, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"}
    return {
        **document,
        "vhosts": [{"name": VHOST}],
        "users": [user_definition(administrator, tags=["administrator"]), *document["users"]],
        "permissions": [everything, *document["permissions"]],
    }


if __name__ == "__main__":
    run_program(main)
