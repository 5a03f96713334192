#!/bin/bash
# apt.sh PACKAGE…: install what is missing on a Debian machine, without
# asking, and wait for whoever else uses apt. Does nothing when all is there.
set -euo pipefail

missing=()
for package in "$@"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "run as root, or install: ${missing[*]}" >&2; exit 1; }

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for step in update "install -y --no-install-recommends ${missing[*]}"; do
  # apt's own lock on its lists has no time-out, so a few tries.
  for try in 1 2 3 4 5; do
    # shellcheck disable=SC2086
    if "${apt[@]}" $step >"$log" 2>&1 </dev/null; then break; fi
    [ "$try" -lt 5 ] || { cat "$log" >&2; exit 1; }
    sleep 5
  done
done
