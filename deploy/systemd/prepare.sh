#!/bin/sh
# Makes or renews the broker's users and queues and the five databases, as root; it may be repeated, and is at each upgrade.
set -eu
folder=$(mktemp --directory)
password=/etc/cards/secrets/postgres/DATABASE_PASSWORD_POSTGRES
trap 'rm --recursive --force "$folder"' EXIT

cards broker python -m deploy.whole_broker "$folder/definitions.json"
# By its name: from standard input rabbitmqctl 4.0.0 to 4.0.5 reads nothing and waits for ever.
chown --recursive rabbitmq "$folder"
rabbitmqctl --quiet import_definitions "$folder/definitions.json"
cards broker python -m deploy.broker prepare

printf "alter role postgres password '%s'" "$(cat "$password")" | runuser --user postgres -- psql --quiet
cards databases python -m deploy.databases
for service in membership validation batching revocation notification; do
    cards migrations python -m services.kit.data.migrate "$service"
done
