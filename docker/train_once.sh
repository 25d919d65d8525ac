#!/bin/sh
# Trains and publishes what a config says, unless the store holds a version already.
#   train-once CONFIG [more options of beat-train run]
set -eu
if [ -e "$BEAT_STORE/latest.json" ]; then
  echo "published already: $(cat "$BEAT_STORE/latest.json"); nothing to train"
  exit 0
fi
exec beat-train run "$@" --store "$BEAT_STORE"
