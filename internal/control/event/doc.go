// Package event is the log of what happened: one ordered, bounded stream that
// explains every change of state with its cause.
//
// The last Kept events are in memory, where readers find them; a file has them
// too, one JSON object per line, so that the numbering and the recent past
// survive the daemon. An event is written to the file moments after it was
// appended and is not forced to the disk: losing the last of them with the
// machine costs no correctness, since nothing is decided by an event.
package event
