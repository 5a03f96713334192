// Package ledger keeps what ran, when and at what price, on disk, and answers
// what it cost. The arithmetic is internal/control/cost's.
//
// # How nothing is lost
//
// A record begins without being written: until the next mark, that an instance
// runs is in the store, and that is enough. It ends with a line, which Ended
// appends before the store is told that the life has ended. A daemon that is
// killed in between does both again, and the second line is not made. Nothing
// is added to the path of a start, and a write into the page cache to that of
// an end.
//
// Lines reach the disk each minute, and before an instance that ran for longer
// than that is removed: when the machine goes down, at most the last minute is
// forgotten, in favour of who pays. A machine that comes up again ends what ran
// at the mark before.
//
// # Files
//
//	SEQUENCE-TIME.jsonl        a JSON object a line, cost.Line, appended to
//	SEQUENCE-TIME.hours.jsonl  the same, folded: see cost.Fold
//
// TIME is when the file was begun. It begins with all that is known by then, so
// that only the newest is read at start. A new one is begun each day and at
// fileSize; files older than keepExact, or beyond exactSize in all, are folded,
// and folded ones older than keepFolded removed. A torn or foreign line is
// skipped.
package ledger
