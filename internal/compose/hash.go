package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
)

// withHash returns a copy of labels with the hash of all that makes an instance
// what it is: what has another hash must be replaced.
func withHash(labels map[string]string, of ...any) (map[string]string, error) {
	b, err := json.Marshal([]any{labels, of})
	if err != nil {
		return nil, fmt.Errorf("hash configuration: %w", err)
	}
	out := maps.Clone(labels)
	out[LabelHash] = shortHash(b)
	return out, nil
}

func shortHash(parts ...[]byte) string {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return hex.EncodeToString(sum[:8])
}
