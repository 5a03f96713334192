// Package test uses virga as a person would: it starts the real daemon as root
// in a directory of its own, runs the real command against it, and looks at
// the machine before and after. Nothing in it knows how virga works inside.
//
// One daemon serves the whole run, because there is one node on a machine;
// tests run one after the other, and each finds the node empty and leaves it
// empty. Nothing is timed: every wait is for a condition, with a deadline far
// beyond what a loaded machine needs.
package test
