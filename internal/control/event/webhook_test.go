package event

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-cloud/virga/api"
)

// receiver is what a webhook calls. It refuses as long as it is told to.
type receiver struct {
	mu     sync.Mutex
	refuse bool
	got    []int64
	tries  int
	bad    int // signatures that are not right
	secret []byte
}

// RoundTrip implements http.RoundTripper.
func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	answer := &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}
	if r.refuse {
		answer.StatusCode, answer.Body = http.StatusServiceUnavailable, io.NopCloser(strings.NewReader("no"))
		return answer, nil
	}
	body, _ := io.ReadAll(req.Body)
	if r.secret != nil && req.Header.Get(SignatureHeader) != Sign(r.secret, time.Now(), body) {
		r.bad++
	}
	var d Delivery
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, err
	}
	for _, e := range d.Events {
		r.got = append(r.got, e.Seq)
	}
	return answer, nil
}

func (r *receiver) seen() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int64(nil), r.got...)
}

func (r *receiver) set(refuse bool) { r.mu.Lock(); defer r.mu.Unlock(); r.refuse = refuse }

func TestWebhookDeliversInOrderAtLeastOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := Open("", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r := &receiver{secret: []byte("s3cret")}
		start := func() (end func()) {
			w := &Webhook{Log: l, URL: "http://127.0.0.1/hook", Secret: r.secret, Filter: []string{"group", "instance.die"}, Dir: dir,
				Client: &http.Client{Transport: r}, Logger: slog.New(slog.DiscardHandler)}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); w.Run(ctx) }()
			synctest.Wait()
			return func() { cancel(); <-done }
		}
		add := func(kind, action string, n int) {
			for range n {
				l.Append(api.Event{Kind: kind, Action: action})
			}
		}
		add("group", "scale", 1) // before it was there
		end := start()
		add("instance", "start", 1) // 2, not asked for
		add("instance", "die", 1)   // 3
		synctest.Wait()
		if got := r.seen(); len(got) != 1 || got[0] != 3 {
			t.Fatalf("got %v, want 3", got)
		}
		r.set(true)
		add("group", "scale", 250) // 4 to 253, of which some come while it is away
		time.Sleep(10 * time.Minute)
		end()
		add("group", "scale", 50)
		r.set(false)
		end = start() // a new daemon
		time.Sleep(time.Minute)
		got := r.seen()
		for i := range got {
			if i > 0 && got[i] < got[i-1] {
				t.Fatalf("out of order: %v", got)
			}
		}
		if n := len(got); n != 301 || got[n-1] != 303 {
			t.Errorf("%d deliveries, the last of %d; want 301 and 303", n, got[n-1])
		}
		if r.bad > 0 {
			t.Errorf("%d wrong signatures", r.bad)
		}
		if r.tries > 40 {
			t.Errorf("%d tries in ten minutes", r.tries)
		}
		// What cannot be delivered for an hour is left out.
		r.set(true)
		add("group", "lost", 1)
		time.Sleep(webhookPatience + 2*webhookLast)
		r.set(false)
		add("group", "scale", 1)
		time.Sleep(2 * webhookLast)
		if got := r.seen(); got[len(got)-1] != 305 {
			t.Errorf("the last is %d, want 305", got[len(got)-1])
		}
		end()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
