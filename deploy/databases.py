"""Prepares a PostgreSQL server for the services: a database and two roles for each: `python -m deploy.databases`.

DATABASE_ADMIN_URL is that of the server's administrator, passwords are in DATABASE_PASSWORD_MEMBERSHIP and
DATABASE_PASSWORD_MEMBERSHIP_OWNER and so on for all five, or in the files that `<VARIABLE>_FILE` names. It may be
repeated at any time, and changes passwords that differ.
"""

import sys

import psycopg
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from deploy.local.postgres import SUPERUSER, Postgres, owner_of
from deploy.permissions import SERVICES
from services.kit.settings import run_program, values_of

_ADMINISTRATOR = "DATABASE_ADMIN_URL"


def main() -> int:
    """Makes what is missing; returns the exit status."""
    passwords = {role: password_variable(role) for service in SERVICES for role in (service, owner_of(service))}
    values = values_of(_ADMINISTRATOR, *passwords.values())
    try:
        server = server_of(values[_ADMINISTRATOR])
        server.close_shared_databases()
        for service in SERVICES:
            roles = (service, owner_of(service))
            server.prepare_private_database(service, *(values[passwords[role]] for role in roles))
            print(f"database {service}: roles {' and '.join(roles)}", flush=True)
    except ArgumentError:
        print(f"{_ADMINISTRATOR} is not an address of a database", file=sys.stderr)
        return 2
    except psycopg.Error as error:
        print(f"the databases cannot be prepared: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


def server_of(url: str) -> Postgres:
    """Returns the server that a URL names. Raises ArgumentError."""
    address = make_url(url)
    user, password = address.username or SUPERUSER, address.password or ""
    return Postgres(address.port or 5432, password, address.host or "localhost", user)


def password_variable(role: str) -> str:
    """Returns the variable with a role's password."""
    return f"DATABASE_PASSWORD_{role.upper()}"


if __name__ == "__main__":
    run_program(main)
