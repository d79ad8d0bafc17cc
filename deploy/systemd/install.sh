#!/bin/sh
# Installs the release that it is part of, as root: sh install.sh <the name by which browsers open the system>
# It may be repeated, and is at each upgrade: settings, secrets, a certificate and configurations that are there stay.
set -eu
host=${1:?the name by which browsers open the system}
folder=$(dirname "$(readlink -f "$0")")
release=$(readlink -f "$folder/../..")
cd "$release"

[ "$release" = /opt/cards ] || ln --symbolic --force --no-dereference "$release" /opt/cards
.venv/bin/python -m compileall -q services gateway deploy
ln --symbolic --force /opt/cards/deploy/systemd/cards.sh /usr/local/sbin/cards

mkdir -p /etc/cards
[ -e /etc/cards/cards.env ] || sed "s/cards\.example/$host/" "$folder/cards.env" > /etc/cards/cards.env
.venv/bin/python -m deploy.secret_files /etc/cards/secrets --host "$host" \
    --broker 127.0.0.1:5672 --databases 127.0.0.1:5432

[ -e /etc/rabbitmq/rabbitmq.conf ] || install --mode=644 "$folder/rabbitmq.conf" /etc/rabbitmq/rabbitmq.conf
for cluster in /etc/postgresql/*/main/conf.d; do
    [ -e "$cluster/cards.conf" ] || install --mode=644 "$folder/postgresql.conf" "$cluster/cards.conf"
done

# The front of the containers, with this machine's paths and gateways.
mkdir -p /etc/cards/nginx /srv/pages
cp deploy/compose/nginx/*.conf /etc/cards/nginx/
sed --in-place --expression='s|^pid .*|user www-data;\npid /run/nginx.pid;|' --expression='s|stderr crit|/var/log/nginx/error.log crit|' \
    --expression='s|/dev/stdout|/var/log/nginx/access.log|' --expression='s|/tmp/|/var/lib/nginx/|' \
    --expression='/Names are looked up anew/d' --expression='s|resolver .*|include gateways.conf;|' --expression='/resolver_timeout/d' \
    --expression='s|/run/secrets|/etc/cards/secrets/nginx|' --expression='s|listen 8080|listen 80|' --expression='s|listen 8443|listen 443|' \
    --expression='s|http://$gateway:8080|http://gateways|' /etc/cards/nginx/nginx.conf
sed --in-place '/^set \$gateway/d' /etc/cards/nginx/gateway.conf
[ -e /etc/cards/nginx/gateways.conf ] || install --mode=644 "$folder/gateways.conf" /etc/cards/nginx/gateways.conf
# Pages of the former release stay beside the new ones, for browsers that have opened them; documents come last.
cp -a gateway/web/dist/assets gateway/web/dist/videos /srv/pages/
cp -a gateway/web/dist/m gateway/web/dist/index.html* /srv/pages/

cp --recursive "$folder/units/." /etc/systemd/system/
systemctl daemon-reload
