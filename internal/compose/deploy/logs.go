package deploy

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
)

// LogOptions say whose lines are shown and how.
type LogOptions struct {
	api.LogOptions
	Services []string // empty is all
	Without  []string // services not to be shown
	NoPrefix bool
	// UntilEnded makes a Follow end when nothing of the project runs any more.
	UntilEnded bool
}

func (o LogOptions) shows(in api.Instance) bool {
	s := serviceOf(in.Labels)
	return (len(o.Services) == 0 || slices.Contains(o.Services, s)) && !slices.Contains(o.Without, s)
}

// Logs writes the output of the project's instances, each line after its
// instance's name. When following, instances that come later are shown too.
func (d *Deployment) Logs(ctx context.Context, o LogOptions) error {
	list, err := d.instances(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b api.Instance) int { return strings.Compare(a.Name, b.Name) })
	w := &lines{out: d.Out, colour: d.Colour, plain: o.NoPrefix, times: o.Timestamps}
	for _, in := range list {
		if o.shows(in) {
			w.width = max(w.width, len(in.Name))
		}
	}
	if !o.Follow {
		for _, in := range list {
			if o.shows(in) {
				if err := d.copyLog(ctx, in, o.LogOptions, w); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return d.followAll(ctx, o, w)
}

// followAll follows each life of each instance as it begins.
func (d *Deployment) followAll(ctx context.Context, o LogOptions, w *lines) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	type life struct {
		id     string
		starts int
	}
	followed := map[life]bool{}
	seen := map[string]time.Time{} // instances, and since when they are followed
	t := time.NewTicker(2 * interval)
	defer t.Stop()
	for {
		list, err := d.instances(ctx)
		if err != nil {
			return err
		}
		alive := false
		for _, in := range list {
			alive = alive || !in.Status.Phase.Ended()
			l := life{in.ID, in.Status.Starts}
			if !o.shows(in) || followed[l] || in.Status.Starts == 0 {
				continue
			}
			followed[l] = true
			options := o.LogOptions
			if _, again := seen[in.ID]; again {
				options.Since, options.Tail = in.Status.Started.Format(time.RFC3339Nano), -1
			}
			seen[in.ID] = time.Now()
			wg.Go(func() {
				// An instance that is removed ends its log; the next look at
				// the list tells what is there instead.
				_ = d.copyLog(ctx, in, options, w)
			})
		}
		if o.UntilEnded && !alive {
			wg.Wait()
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *Deployment) copyLog(ctx context.Context, in api.Instance, o api.LogOptions, w *lines) error {
	for line, err := range d.Client.Logs(ctx, in.ID, o) {
		if err != nil {
			return err
		}
		if err := w.write(in.Name, line); err != nil {
			return err
		}
	}
	return nil
}

// lines writes the lines of many logs, whole.
type lines struct {
	mu     sync.Mutex
	out    io.Writer // guarded by mu
	width  int       // of the longest name
	colour bool
	plain  bool
	times  bool
}

func (w *lines) write(name string, line api.LogLine) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.TrimRight(line.Text, "\r")
	if w.times {
		text = line.Time + " " + text
	}
	if w.plain {
		_, err := fmt.Fprintln(w.out, text)
		return err
	}
	prefix := fmt.Sprintf("%-*s |", w.width, name)
	if w.colour {
		prefix = paint(name, prefix)
	}
	_, err := fmt.Fprintln(w.out, prefix, text)
	return err
}

// paint gives every name a colour of its own, always the same.
func paint(name, text string) string {
	colours := []int{36, 33, 32, 35, 34, 96, 93, 92, 95, 94}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[h.Sum32()%uint32(len(colours))], text)
}
