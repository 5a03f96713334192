package image

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
)

// Digests are strings of the form sha256:<64 hex>; other algorithms are not in
// use on registries.

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func digestSum(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// checkDigest refuses what cannot be part of a path.
func checkDigest(d string) error {
	if !digestPattern.MatchString(d) {
		return refuse("%.100q is not a sha256 digest", d)
	}
	return nil
}

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// short is how a digest is shown to people.
func short(digest string) string {
	h := hexOf(digest)
	return h[:min(12, len(h))]
}
