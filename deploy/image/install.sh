#!/bin/sh
# install-lock LOCK VENV: a virtual environment without pip that holds exactly what the lock names, by its hashes.
set -eu
lock=$1 venv=$2
python3 -m venv --without-pip "$venv"
set -- --require-hashes --no-deps --only-binary :all: --no-compile --requirement "$lock"
if [ -d /packages/wheels ]; then
    set -- --no-index --find-links /packages/wheels "$@"
fi
/opt/pip/bin/python -m pip --python "$venv" --disable-pip-version-check --no-cache-dir --quiet install "$@"
