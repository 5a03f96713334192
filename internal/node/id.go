package node

import (
	"crypto/rand"
	"strings"
)

// newID makes the id of an object that the node creates itself: 16 characters
// of base32, unique for ever.
func newID() string { return strings.ToLower(rand.Text()[:16]) }
