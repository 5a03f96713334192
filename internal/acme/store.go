package acme

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/acme/autocert"
)

// store is a directory with a file for each key of the library's: the
// account's key, certificates with their keys, answers to validations.
type store string

// path is where a key is kept. Keys are names with a suffix of the library's,
// which has no separators; any other is no place of ours.
func (s store) path(key string) (string, error) {
	if key == "" || key[0] == '.' || filepath.Base(key) != key {
		return "", &fs.PathError{Op: "store", Path: key, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(s), key), nil
}

func (s store) Get(_ context.Context, key string) ([]byte, error) {
	path, err := s.path(key)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, autocert.ErrCacheMiss
	}
	return b, err
}

// Put stores data whole or not at all, also when the power goes.
func (s store) Put(_ context.Context, key string, data []byte) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(s), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(s), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone when all went well
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(string(s))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s store) Delete(_ context.Context, key string) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
