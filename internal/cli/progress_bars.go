package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"golang.org/x/term"
)

// bars draws one bar for each part of a transfer, on a terminal. It is written
// out because the libraries for it build tables of Unicode when the program
// starts, which costs every command more than all else together.
type bars struct {
	w     io.Writer
	fd    int
	now   func() time.Time
	parts []part
	at    map[string]int // place of a part by its id
	drawn int            // lines on the screen
	last  time.Time
}

type part struct {
	id, action     string
	current, total int64
}

// redraw is the least time between two drawings.
const redraw = 100 * time.Millisecond

func newBars(w io.Writer, fd int, now func() time.Time) *bars {
	return &bars{w: w, fd: fd, now: now, at: map[string]int{}}
}

func (b *bars) step(p api.Progress) {
	if p.ID == "" {
		return // the whole: its parts are shown
	}
	i, ok := b.at[p.ID]
	if !ok {
		i = len(b.parts)
		b.at[p.ID] = i
		b.parts = append(b.parts, part{id: p.ID})
	}
	b.parts[i].action, b.parts[i].current = p.Action, p.Current
	if p.Total > 0 {
		b.parts[i].total = p.Total
	}
	if now := b.now(); now.Sub(b.last) >= redraw {
		b.last = now
		b.draw()
	}
}

func (b *bars) end(bool) { b.draw() }

// draw writes all parts over those drawn before. More parts than the screen
// has lines are cut to the last ones, for the cursor cannot go back farther.
func (b *bars) draw() {
	width, height, err := term.GetSize(b.fd)
	if err != nil || width <= 0 || height <= 1 {
		width, height = 80, 24
	}
	shown := b.parts[max(0, len(b.parts)-(height-1)):]
	var s strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&s, "\x1b[%dA", b.drawn)
	}
	for _, p := range shown {
		s.WriteString("\r\x1b[K" + cut(p.line(), max(width-1, 1)) + "\n")
	}
	b.drawn = len(shown)
	_, _ = io.WriteString(b.w, s.String()) // progress that cannot be shown is no error
}

func (p part) line() string {
	const cells = 24
	line := fmt.Sprintf("%-14s %-12s", cell(p.id), cell(p.action))
	switch {
	case p.total > 0 && p.action != "done" && p.action != "exists":
		full := int(min(max(p.current, 0), p.total) * cells / p.total)
		line += " [" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "] " +
			api.FormatBytes(p.current) + " / " + api.FormatBytes(p.total)
	case p.total > 0:
		line += " " + api.FormatBytes(p.total)
	case p.current > 0:
		line += " " + api.FormatBytes(p.current)
	}
	return strings.TrimRight(line, " ")
}
