#!/bin/sh
# Restarts processes one after another, each when the one before is ready: sh restart.sh [PROGRAM…]; all, the gateway last.
set -eu
[ $# -gt 0 ] || set -- membership validation batching revocation notification gateway
for program; do
    for unit in $(systemctl list-units --plain --no-legend "cards-$program@*.service" | cut --delimiter=' ' --fields=1); do
        port=$(systemctl show --property=Environment --value "$unit" | grep --only-matching --perl-regexp 'HEALTH_PORT=\K\d+')
        systemctl restart "$unit"
        seconds=0
        until /opt/cards/deploy/image/healthy.py /readyz "$port" > /dev/null 2>&1; do
            seconds=$((seconds + 1))
            if [ "$seconds" -gt "${SECONDS_TO_BE_READY:-120}" ]; then
                echo "$unit is not ready: $(/opt/cards/deploy/image/healthy.py /readyz "$port" 2>&1)" >&2
                exit 1
            fi
            sleep 1
        done
        echo "$unit is ready"
    done
done
