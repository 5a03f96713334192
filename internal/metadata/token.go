package metadata

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	shortestTTL = 1
	longestTTL  = 21600 // seconds, six hours
)

// tokens makes and checks session tokens. A token is its expiry and a keyed
// hash of that and the instance: nothing is remembered, any number is valid at
// once, and none is good for another instance.
type tokens struct{ key [32]byte }

func newTokens() *tokens {
	t := &tokens{}
	rand.Read(t.key[:]) // never fails
	return t
}

func (t *tokens) make(instance string, expires time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	return base64.StdEncoding.EncodeToString(append(b, t.sum(instance, b)...))
}

func (t *tokens) valid(token, instance string, now time.Time) bool {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) != 8+sha256.Size {
		return false
	}
	return hmac.Equal(b[8:], t.sum(instance, b[:8])) && now.Unix() < int64(binary.BigEndian.Uint64(b))
}

func (t *tokens) sum(instance string, expiry []byte) []byte {
	h := hmac.New(sha256.New, t.key[:])
	h.Write(expiry)
	h.Write([]byte(instance))
	return h.Sum(nil)
}
