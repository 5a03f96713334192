package cpu

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// archive keeps the five-minute series of accounts on disk: a file for each
// instance, a ring of records, each written once into its slot. A record that
// is torn or was never written is left out by its checksum.
//
//	0  uint32   seconds since 1970, little-endian as all
//	4  float32  usage, balance, surplus, charged
//	20 uint32   CRC-32 of the above
//
// It is not safe for concurrent use.
type archive struct{ dir string }

const recordSize = 24

// slotted is a sample with its place in the ring.
type slotted struct {
	sample
	slot int
}

func encodeSample(s sample) []byte {
	b := binary.LittleEndian.AppendUint32(nil, s.at)
	for _, v := range []float32{s.usage, s.balance, s.surplus, s.charged} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeSamples reads the records that are whole, oldest first.
func decodeSamples(b []byte) []sample {
	var all []sample
	for ; len(b) >= recordSize; b = b[recordSize:] {
		if binary.LittleEndian.Uint32(b[20:]) != crc32.ChecksumIEEE(b[:20]) {
			continue
		}
		number := func(at int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[at:])) }
		s := sample{binary.LittleEndian.Uint32(b), number(4), number(8), number(12), number(16)}
		if slices.ContainsFunc([]float32{s.usage, s.balance, s.surplus, s.charged}, func(v float32) bool { return v != v || v-v != 0 }) {
			continue // not a number, or infinite: JSON has neither
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b sample) int { return int(int64(a.at) - int64(b.at)) })
	return all
}

func (a archive) path(instance string) (string, error) {
	if instance == "" || filepath.Base(instance) != instance || !filepath.IsLocal(instance) {
		return "", &fs.PathError{Op: "open series", Path: instance, Err: fs.ErrInvalid}
	}
	return filepath.Join(a.dir, instance), nil
}

// load returns the newest samples of an instance, keep at most, and leaves the
// file as a ring that begins with the oldest. Without a file there are none.
func (a archive) load(instance string, keep int) ([]sample, error) {
	path, err := a.path(instance)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, keep*recordSize)
	n, err := f.ReadAt(b, 0)
	if n == 0 && err != nil {
		b = nil
	}
	samples := decodeSamples(b[:min(n, len(b))])
	var whole []byte
	for _, s := range samples {
		whole = append(whole, encodeSample(s)...)
	}
	if string(whole) == string(b[:min(n, len(b))]) {
		return samples, nil
	}
	next := path + ".new"
	if err := os.WriteFile(next, whole, 0o600); err != nil {
		return samples, err
	}
	return samples, os.Rename(next, path)
}

// write puts samples into their slots. What a crash of the machine loses of
// them is small, and so is not waited for.
func (a archive) write(instance string, samples []slotted) error {
	path, err := a.path(instance)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for _, s := range samples {
		if _, err := f.WriteAt(encodeSample(s.sample), int64(s.slot)*recordSize); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func (a archive) remove(instance string) error {
	path, err := a.path(instance)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// open makes the directory and removes what belongs to none of the accounts.
func (a archive) open(has func(instance string) bool) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !has(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(a.dir, e.Name())))
		}
	}
	return err
}
