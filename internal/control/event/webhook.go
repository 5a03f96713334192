package event

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Webhook delivers the events of a Log to an HTTP address, in their order and
// each at least once: what was delivered last is kept in a file, so that a new
// daemon goes on where the old one was. A receiver knows what it has seen
// already by the numbers of the events.
type Webhook struct {
	Log *Log
	URL string
	// Secret signs what is sent; nil does not.
	Secret []byte
	// Filter are kinds, "group", or kinds with an action, "instance.die", of
	// what is sent; empty is all.
	Filter []string
	// Dir keeps how far it got.
	Dir    string
	Client *http.Client
	Logger *slog.Logger
}

const (
	// webhookBatch is the most events of one delivery, webhookTimeout how long
	// one may take.
	webhookBatch   = 100
	webhookTimeout = 10 * time.Second
	// A delivery that fails is tried again after webhookFirst, then twice as
	// long each time up to webhookLast, until webhookPatience has passed since
	// the first try; then it is left out, and the log says so.
	webhookFirst    = time.Second
	webhookLast     = time.Minute
	webhookPatience = time.Hour
)

// Delivery is the body of what is sent.
type Delivery struct {
	Events []api.Event `json:"events"`
}

// SignatureHeader has the signature of a delivery: "t=SECONDS,v1=HEX", where HEX
// is the HMAC-SHA256 of "SECONDS.BODY" with the secret.
const SignatureHeader = "Virga-Signature"

// Sign is the signature of a body sent at that time.
func Sign(secret []byte, at time.Time, body []byte) string {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%d.", at.Unix())
	m.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(m.Sum(nil)))
}

// Run delivers until ctx ends or the log is closed. The first time it begins
// with what happens from then on.
func (w *Webhook) Run(ctx context.Context) {
	seq, ok := w.delivered()
	if !ok || seq > w.Log.Last() {
		seq = w.Log.Last()
		w.note(seq)
	}
	for ctx.Err() == nil {
		events, more := w.Log.After(seq)
		batch, last := w.choose(events)
		if len(batch) > 0 && !w.insist(ctx, batch) {
			return
		}
		if last > seq {
			seq = last
			w.note(seq)
			continue
		}
		if more == nil {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
}

// choose are the first of the events that pass the filter, and the number up to
// which they were looked at.
func (w *Webhook) choose(events []api.Event) (batch []api.Event, last int64) {
	for _, e := range events {
		if len(batch) == webhookBatch {
			break
		}
		last = e.Seq
		if len(w.Filter) == 0 || slices.Contains(w.Filter, e.Kind) || slices.Contains(w.Filter, e.Kind+"."+e.Action) {
			batch = append(batch, e)
		}
	}
	return batch, last
}

// insist delivers a batch, or gives it up when that failed for too long. It
// returns false when ctx has ended first.
func (w *Webhook) insist(ctx context.Context, batch []api.Event) bool {
	first, wait := time.Now(), webhookFirst
	for try := 1; ; try++ {
		err := w.deliver(ctx, batch)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		from, to := batch[0].Seq, batch[len(batch)-1].Seq
		if time.Since(first) >= webhookPatience {
			w.Logger.Error("events given up", "url", w.URL, "first", from, "last", to, "tries", try, "error", err)
			return true
		}
		if try == 1 {
			w.Logger.Warn("events not delivered", "url", w.URL, "first", from, "last", to, "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
		wait = min(2*wait, webhookLast)
	}
}

// deliver tries once.
func (w *Webhook) deliver(ctx context.Context, batch []api.Event) error {
	body, err := json.Marshal(Delivery{batch})
	if err != nil {
		return fmt.Errorf("encode events: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "virga")
	if w.Secret != nil {
		r.Header.Set(SignatureHeader, Sign(w.Secret, time.Now(), body))
	}
	answer, err := w.Client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 4096) // so that the connection serves again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}

func (w *Webhook) path() string { return filepath.Join(w.Dir, "webhook") }

// delivered is the number of the last event that was delivered to the address.
func (w *Webhook) delivered() (seq int64, ok bool) {
	b, err := os.ReadFile(w.path())
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			w.Logger.Error("webhook's place not read", "error", err)
		}
		return 0, false
	}
	number, url, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	seq, err = strconv.ParseInt(number, 10, 64)
	return seq, err == nil && seq >= 0 && url == w.URL
}

// note keeps how far it got. After a crash that loses it, events come again.
func (w *Webhook) note(seq int64) {
	next := w.path() + ".new"
	err := os.WriteFile(next, fmt.Appendf(nil, "%d %s\n", seq, w.URL), 0o600)
	if err == nil {
		err = os.Rename(next, w.path())
	}
	if err != nil {
		w.Logger.Error("webhook's place not kept", "error", err)
	}
}
