// Package job decides what a job needs: which instances to make for which
// piece of its work, and when a run has ended. Decide is a function of the
// group, its instances and the time; what a run has achieved is read from its
// instances, which are kept until the next run, so that running it again after
// a crash at any point continues where it was.
package job
