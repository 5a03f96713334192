// Command bench measures virga beside its peers: what virga does and what the
// peers do alternate in the same run, so that a noisy or slow machine is noisy
// and slow for all of them. It reports medians, ratios and whether the goal is
// met, as a table and as one JSON object per line in bench/out/results.jsonl.
//
//	bench -only start    one benchmark; see -help for their names
//
// A benchmark is a function of the environment that returns its figures, in a
// file of its own; a new one is a line in benchmarks. Peers that cannot run on
// the machine are named with the reason. docs/performance.md has the method
// and the figures.
package main
