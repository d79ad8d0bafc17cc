#!/bin/sh
# run PROGRAM: one of the six programs, as the process that gets the container's signals.
case "${1:-}" in
    membership | validation | batching | revocation | notification) module="services.$1.service" ;;
    gateway) module=gateway.service ;;
    *)
        echo "usage: run membership|validation|batching|revocation|notification|gateway" >&2
        exit 2
        ;;
esac
exec python -m services.kit.operations.runner "$module"
