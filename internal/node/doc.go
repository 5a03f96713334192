// Package node is a machine's agent: it makes the instances bound to it what
// the store desires, one step function per instance, over the engines.
package node
