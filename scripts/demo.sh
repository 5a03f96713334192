#!/bin/bash
# demo.sh: a one-node cloud in a scratch directory, from building it to leaving
# nothing behind. Run it as root; it touches nothing else on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

bold='' cyan='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\033[1m' cyan=$'\033[36m' plain=$'\033[0m'
fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$cyan" "$*" "$plain"; "$@"; }

[ "$(id -u)" = 0 ] || { echo "make demo needs root: it starts containers" >&2; exit 1; }
scripts/apt.sh ca-certificates curl make
command -v go >/dev/null || { echo "install Go first: https://go.dev/doc/install" >&2; exit 1; }

say "Build one static binary"
make --no-print-directory build
ls -lh bin/virga

scratch=$(mktemp -d /tmp/virga-demo-XXXXXX)
export VIRGA_SOCKET=$scratch/virga.sock
PATH=$PWD/bin:$PATH
dirs=(--data-dir "$scratch/data" --run-dir "$scratch/run")
daemon=
finish() {
  status=$?
  if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
    # shellcheck disable=SC2046
    virga rm -f -v $(virga ps -aq) >/dev/null 2>&1 || true
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  virga server reset "${dirs[@]}" >>"$scratch/daemon.log" 2>&1 || true
  [ $status = 0 ] || tail -n 40 "$scratch/daemon.log" >&2
  rm -rf "$scratch"
}
trap finish EXIT

say "Start a one-node cloud in $scratch"
virga server "${dirs[@]}" --socket "$VIRGA_SOCKET" >"$scratch/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 300); do
  virga ps >/dev/null 2>&1 && break
  kill -0 "$daemon" 2>/dev/null || { echo "the daemon ended" >&2; exit 1; }
  sleep 0.1
done
show virga version
show virga node

say "Run something from the built-in image, and wait for it"
show virga run --rm virga/hello

say "Run a web server, published on the node"
show virga run -d --name web -p 0:8080 --memory 64m virga/hello serve
port=$(virga port web 8080/tcp | head -1 | sed 's/.*://')
show curl -sS --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/"

say "Look at it"
show virga ps
show virga logs web
show virga exec web virga-hello id
show virga stats --no-stream

say "The daemon may die: what runs goes on"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
show curl -sS "http://127.0.0.1:$port/"
virga server "${dirs[@]}" --socket "$VIRGA_SOCKET" >>"$scratch/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 300); do
  virga ps >/dev/null 2>&1 && break
  sleep 0.1
done
show virga ps

say "Stop and remove it"
show virga stop web
show virga rm web
show virga system check

say "Stop the daemon"
kill "$daemon"
wait "$daemon"
daemon=
virga server reset "${dirs[@]}" >>"$scratch/daemon.log" 2>&1 # the kernel's settings are put back too

left=$(
  grep -F "$scratch" /proc/self/mountinfo || true
  for p in /proc/[0-9]*; do
    exe=$(readlink "$p/exe" 2>/dev/null || true)
    case $exe in "$scratch"/*) echo "process ${p#/proc/} $exe" ;; esac
  done
)
[ -z "$left" ] || { echo "left behind:"; echo "$left"; exit 1; }
say "Nothing is left behind. Done."
