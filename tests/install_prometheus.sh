#!/bin/sh
# A real prometheus and promtool for the tests: those on PATH, else the ones in Debian's package, unpacked beside the
# environment: installing it would start a server. Exits 0 without any: the tests that need them are skipped by name.
set -u
folder=$1
if command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; then
  exit 0
fi
if [ -x "$folder/usr/bin/prometheus" ] && [ -x "$folder/usr/bin/promtool" ]; then
  exit 0
fi
if command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; then
  echo "no prometheus on PATH: unpacking Debian's package into $folder"
  mkdir -p "$folder"
  cd "$folder" || exit 0
  apt-get download -qq prometheus >/dev/null 2>&1 || { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get download -qq prometheus; }
  if dpkg-deb --extract prometheus_*.deb . 2>/dev/null; then
    rm -f prometheus_*.deb
    exit 0
  fi
fi
echo "no prometheus could be had: the tests that need one will be skipped" >&2
