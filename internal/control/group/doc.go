// Package group decides what a group needs: which instances to make and which
// to remove so that it heals, scales and rolls. Plan is a function of the
// group, its members and the time; it has no clock and does no I/O, and
// running it again after a crash at any point continues where it was.
//
// The rules a plan keeps, whatever happens to the members:
//   - never more than desired + surge members that have not ended;
//   - no ready member is removed when that leaves fewer than
//     desired - maxUnavailable ready ones;
//   - a member that fails is replaced after a wait that doubles with each
//     failure in a row, so that a template that cannot start makes no storm.
package group
