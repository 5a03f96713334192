package image

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/virga-cloud/virga/api"
)

// Config says where a store lies and what it may do.
type Config struct {
	// Dir is the store's directory. It is made when missing and belongs to
	// one Store at a time.
	Dir string
	Log *slog.Logger
	// InUse returns how many instances use each image, by the digest of its
	// configuration. What it names is never removed. nil means none.
	InUse  func() map[string]int
	Limits Limits
	// Platform is what images are chosen for, os/arch[/variant]; "" is the
	// node's own.
	Platform string
	// Transport reaches registries; nil is Go's default.
	Transport http.RoundTripper
	// Hello is the program of the built-in image: nil is the one in this
	// binary, an empty one leaves the image out.
	Hello []byte
}

// Store is a node's image store. Its methods may be called concurrently.
type Store struct {
	dir      string
	log      *slog.Logger
	inUse    func() map[string]int
	limits   Limits
	platform string
	flights  flights

	transport http.RoundTripper

	view atomic.Pointer[snapshot] // what readers see

	mu   sync.Mutex
	pins map[string]int  // guarded by mu: digests that transactions rely on
	temp map[string]bool // guarded by mu: paths that transactions are making
	// fresh holds the layers that transactions have finished and that may not
	// be in the index yet, by diff id; guarded by mu.
	fresh map[string]layer
}

// Open opens the store, collects what a crash has left in it and installs the
// built-in image.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{
		dir: c.Dir, log: c.Log, inUse: c.InUse, limits: c.Limits.withDefaults(),
		platform: c.Platform, pins: make(map[string]int), temp: make(map[string]bool),
		fresh: make(map[string]layer), transport: c.Transport,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.inUse == nil {
		s.inUse = func() map[string]int { return nil }
	}
	if s.platform == "" {
		s.platform = nodePlatform()
	}
	for _, d := range []string{"blobs/sha256", "layers", "partial", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("make image store: %w", err)
		}
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	if err := s.collect(ctx, func(api.Resource) bool { return true }); err != nil && ctx.Err() == nil {
		s.log.Error("collect stale parts of images", "error", err)
	}
	if err := s.installHello(ctx, c.Hello); err != nil {
		return nil, fmt.Errorf("install the built-in image: %w", err)
	}
	return s, nil
}

// Close ends the use of the store. Transfers must have ended.
func (s *Store) Close() error { return nil }
