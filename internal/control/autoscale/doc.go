// Package autoscale decides how many instances a group should have from what
// was measured of it. It is pure: Decide takes the memory of earlier decisions
// and the time, and returns both the decision with its reason and the memory
// to pass next time.
//
// A target policy grows the group in proportion, from the average over a short
// window, and shrinks it by the highest recommendation of the stabilization
// window, so that noise around the target does not move it back and forth.
package autoscale
