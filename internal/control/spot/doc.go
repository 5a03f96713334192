// Package spot is the arithmetic of spare capacity: what it costs at a
// utilisation, and which instances must leave when on-demand work needs their
// room. It is pure.
package spot
