#!/bin/sh
# The slotcast command in a container: its address there is only known when it runs.
set -eu
if [ -z "${SLOTCAST_NODE_HOST:-}" ]; then
  SLOTCAST_NODE_HOST=$(hostname -i | cut -d ' ' -f 1)
  export SLOTCAST_NODE_HOST
fi
if [ -z "${SLOTCAST_NODE_NAME:-}" ]; then
  SLOTCAST_NODE_NAME=$(hostname)
  export SLOTCAST_NODE_NAME
fi
exec python -m cluster "$@"
