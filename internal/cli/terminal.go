package cli

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"golang.org/x/term"
)

// enterTerminal makes the terminal raw, when it is to be read, and keeps the
// session's size like its. The returned function undoes all that.
func (a *App) enterTerminal(s *api.ClientSession, raw bool) (restore func(), err error) {
	out, sized := terminal(a.Out)
	undo := []func(){}
	restore = sync.OnceFunc(func() {
		for _, f := range undo {
			f()
		}
	})
	if in, ok := terminal(a.In); ok && raw {
		if !sized {
			out, sized = in, true
		}
		old, err := term.MakeRaw(in)
		if err != nil {
			return nil, fmt.Errorf("terminal: %w", err)
		}
		undo = append(undo, func() { _ = term.Restore(in, old) }) // nobody is left to tell
	}
	if sized {
		undo = append(undo, followSize(out, s))
	}
	return restore, nil
}

// followSize sends the terminal's size now and whenever it changes, until the
// returned function is called.
func followSize(fd int, s *api.ClientSession) (stop func()) {
	changed := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if w, h, err := term.GetSize(fd); err == nil {
				_ = s.Resize(api.WindowSize{Width: uint16(w), Height: uint16(h)}) // the reader sees a broken session
			}
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(changed)
		close(done)
		wg.Wait()
	}
}
