package cli

import (
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/virga-cloud/virga/api"
)

// follow shows a transfer as it goes on and returns its last message: bars on
// a terminal, a line for each step elsewhere, nothing when quiet.
func (a *App) follow(steps iter.Seq2[api.Progress, error], quiet bool) (last api.Progress, err error) {
	var show meter = silent{}
	if fd, tty := terminal(a.Err); tty && !quiet {
		show = newBars(a.Err, fd, time.Now)
	} else if !quiet {
		show = lines{a.Err, map[string]string{}}
	}
	defer func() { show.end(err == nil) }()
	for p, err := range steps {
		if err != nil {
			return last, err
		}
		show.step(p)
		last = p
	}
	return last, nil
}

// meter shows the steps of a transfer.
type meter interface {
	step(api.Progress)
	end(ok bool)
}

type silent struct{}

func (silent) step(api.Progress) {}
func (silent) end(bool)          {}

// lines writes one line when a part changes what it does.
type lines struct {
	w    io.Writer
	seen map[string]string
}

func (l lines) step(p api.Progress) {
	if p.Action == "" || l.seen[p.ID] == p.Action {
		return
	}
	l.seen[p.ID] = p.Action
	text := clean(p.Action)
	if p.ID != "" {
		text = clean(p.ID) + ": " + text
	}
	if p.Total > 0 {
		text += " (" + api.FormatBytes(p.Total) + ")"
	}
	fmt.Fprintln(l.w, text)
}

func (lines) end(bool) {}
