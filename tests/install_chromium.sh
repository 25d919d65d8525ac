#!/bin/sh
# A real Chromium for the tests of the page: the one on PATH, else Debian's package where apt may install. Exits 0
# without any: the tests that need it are skipped by name.
set -u
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "no chromium on PATH: installing Debian's package"
  { apt-get install -y -qq --no-install-recommends chromium || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }; } >/dev/null 2>&1 && exit 0
fi
echo "no chromium could be had: the tests of the page will be skipped" >&2
