#!/bin/bash
# bench-tools.sh: install the peers that the benchmarks measure beside virga.
# A peer that cannot be installed is left out of the benchmarks.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/apt.sh busybox-static iperf3 nginx-light haproxy caddy wrk dnsperf || exit 1
for package in crun runc podman containerd docker.io; do
  scripts/apt.sh "$package" || echo "$package is not to be had: its figures are left out" >&2
done
