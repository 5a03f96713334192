#!/bin/bash
# fuzz.sh TIME [REGEXP]: run every fuzz target of the module, or those whose
# package and name match, for TIME each. What makes one fail is kept by go test
# in testdata/fuzz of its package, and belongs into the repository with its fix.
# FUZZPARALLEL is the number of workers, all CPUs without it.
set -euo pipefail
time=${1:-10s}
only=${2:-.}
status=0
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
  dir=$(go list -f '{{.Dir}}' "$package")
  grep -qs '^func Fuzz' "$dir"/*_test.go || continue
  for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d' ' -f2); do
    [[ "$package $target" =~ $only ]] || continue
    echo "== $package $target"
    # An input that is only interesting is not worth a minute of minimizing.
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 100x ${FUZZPARALLEL:+-parallel "$FUZZPARALLEL"} "$package" || status=1
  done
done
exit $status
