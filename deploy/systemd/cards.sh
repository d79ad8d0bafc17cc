#!/bin/sh
# cards FOLDER COMMAND…: runs a command of the release that /opt/cards names, with the settings of /etc/cards/cards.env.
# Each file in /etc/cards/secrets/FOLDER is told as <NAME>_FILE. A process keeps to its release while it runs.
#     cards operator python -m deploy.invariants
set -eu
if [ $# -lt 2 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
folder=${CARDS_SECRETS:-/etc/cards/secrets/$1}
if [ ! -r "$folder/." ]; then
    echo "there are no secrets in $folder, or you may not read them" >&2
    exit 2
fi
shift
set -a
. /etc/cards/cards.env
set +a
for file in "$folder"/*; do
    export "$(basename "$file")_FILE=$file"
done
release=$(readlink -f /opt/cards)
cd "$release"
PATH=$release/.venv/bin:$PATH exec "$@"
