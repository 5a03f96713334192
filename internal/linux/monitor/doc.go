// Package monitor makes the Go runtime of a long-lived process wake less often.
package monitor
