package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// figure is one line of results.jsonl.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // median
	Unit  string  `json:"unit"`
	P95   float64 `json:"p95,omitempty"`
	N     int     `json:"n,omitempty"`
	About string  `json:"about,omitempty"` // what the name does not say

	Peer      string  `json:"peer,omitempty"` // name and version
	PeerValue float64 `json:"peer_value,omitempty"`
	PeerP95   float64 `json:"peer_p95,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"` // value divided by the peer's, or the median of such
	// Where the median of ratios lies with a probability of nine in ten.
	RatioLow  float64 `json:"ratio_low,omitempty"`
	RatioHigh float64 `json:"ratio_high,omitempty"`

	Goal string    `json:"goal"`
	OK   bool      `json:"ok"`
	Time time.Time `json:"time"`
}

// record writes a figure to the file and the terminal.
func (e *env) record(f figure, g goal) error {
	f.Time = time.Now().UTC().Truncate(time.Second)
	f.Goal, f.OK = g.String(), g.met(f.Value, f.Ratio)
	line, err := json.Marshal(f)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(e.out, "results.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.Write(append(line, '\n')); err != nil {
		return err
	}
	fmt.Println(f)
	return nil
}

// compare records own samples, once against their goal and once beside each
// peer, by the medians.
func (e *env) compare(name, unit string, own samples, g goal, others []measured) error {
	return e.compareBy(func(own, other samples) samples { return samples{own.ratio(other)} }, name, unit, own, g, others)
}

// compareTurns is compare for samples that were taken in turns, one of each in
// every turn.
func (e *env) compareTurns(name, unit string, own samples, g goal, others []measured) error {
	return e.compareBy(samples.over, name, unit, own, g, others)
}

// compareBy records the middle one of ratios, and between which it lies.
func (e *env) compareBy(ratios func(own, other samples) samples, name, unit string, own samples, g goal, others []measured) error {
	base := figure{Name: name, Value: own.median(), Unit: unit, P95: own.p95(), N: len(own)}
	if err := e.record(base, g); err != nil {
		return err
	}
	for _, o := range others {
		f := base
		f.Peer, f.PeerValue, f.PeerP95 = o.peer, o.samples.median(), o.samples.p95()
		r := ratios(own, o.samples)
		if f.Ratio = r.median(); len(r) > 1 {
			f.RatioLow, f.RatioHigh = r.medianRange()
		}
		if err := e.record(f, o.goal); err != nil {
			return err
		}
	}
	return nil
}

// measured are a peer's samples and what virga has to reach beside them.
type measured struct {
	peer string
	samples
	goal goal
}

func (f figure) String() string {
	mark := "  "
	if f.Goal != "" {
		mark = map[bool]string{true: "ok", false: "NO"}[f.OK]
	}
	own := fmt.Sprintf("%-14s %9.4g %s", f.Name, f.Value, f.Unit)
	if f.P95 != 0 {
		own += fmt.Sprintf(" (p95 %.4g)", f.P95)
	}
	if f.Peer == "" {
		return fmt.Sprintf("  %-48s %-34s %-14s %s", own, f.About, f.Goal, mark)
	}
	peer := fmt.Sprintf("%-22s %9.4g", f.Peer, f.PeerValue)
	line := fmt.Sprintf("  %-48s %-34s %-14s %s  × %.3g", own, peer, f.Goal, mark, f.Ratio)
	if f.RatioLow != 0 {
		line += fmt.Sprintf(" (%.3g to %.3g)", f.RatioLow, f.RatioHigh)
	}
	return line
}
