#!/bin/sh
# Makes or renews the broker's users and queues and the five databases, as root; it may be repeated, and is at each upgrade.
set -eu
definitions=$(mktemp)
password=/etc/cards/secrets/postgres/DATABASE_PASSWORD_POSTGRES
trap 'rm --force "$definitions"' EXIT

cards broker python -m deploy.whole_broker "$definitions"
rabbitmqctl --quiet import_definitions < "$definitions"
cards broker python -m deploy.broker prepare

printf "alter role postgres password '%s'" "$(cat "$password")" | runuser --user postgres -- psql --quiet
cards databases python -m deploy.databases
for service in membership validation batching revocation notification; do
    cards migrations python -m services.kit.data.migrate "$service"
done
