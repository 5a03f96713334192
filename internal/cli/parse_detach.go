package cli

import (
	"strings"

	"github.com/virga-cloud/virga/api"
)

// parseDetachKeys reads keys such as ctrl-p,ctrl-q or ctrl-],x into bytes.
func parseDetachKeys(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	var keys []byte
	for k := range strings.SplitSeq(s, ",") {
		letter, ctrl := strings.CutPrefix(strings.ToLower(k), "ctrl-")
		switch {
		case ctrl && len(letter) == 1 && (letter[0] >= 'a' && letter[0] <= 'z' || strings.Contains(`@[\]^_`, letter)):
			keys = append(keys, letter[0]&0x1f)
		case !ctrl && len(k) == 1:
			keys = append(keys, k[0])
		case strings.EqualFold(k, "del"):
			keys = append(keys, 0x7f)
		default:
			return nil, api.Invalid("detach-keys", "detach key %q is not known", k).
				WithHint("keys are single characters or ctrl- and one of a to z, @, [, \\, ], ^ or _, separated by commas")
		}
	}
	return keys, nil
}

// detacher finds a sequence of keys in what is typed. Keys that may begin it
// are held back until it is clear that they do not.
type detacher struct {
	keys []byte
	held int // length of the beginning of keys that was typed last
}

// pass returns what of p is to be sent on, and whether the sequence was typed.
func (d *detacher) pass(p []byte) (out []byte, detached bool) {
	if len(d.keys) == 0 {
		return p, false
	}
	out = make([]byte, 0, len(p)+d.held)
	for _, b := range p {
		for d.held > 0 && d.keys[d.held] != b {
			// The held keys were not the sequence; a shorter end of
			// them may still begin it.
			n := d.shorter()
			out = append(out, d.keys[:d.held-n]...)
			d.held = n
		}
		if d.keys[d.held] != b {
			out = append(out, b)
			continue
		}
		if d.held++; d.held == len(d.keys) {
			d.held = 0
			return out, true
		}
	}
	return out, false
}

// shorter is the longest proper end of the held keys that is a beginning of
// the sequence too.
func (d *detacher) shorter() int {
	for n := d.held - 1; n > 0; n-- {
		if string(d.keys[d.held-n:d.held]) == string(d.keys[:n]) {
			return n
		}
	}
	return 0
}
