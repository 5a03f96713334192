package cpu

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virga-cloud/virga/internal/cpu/credit"
)

// Journal keeps the accounts on disk, in two files that are written in turn:
// whatever happens during a write, the other one is whole.
//
//	credits.0, credits.1:  "virga-credits 1 <sequence> <crc32 of the rest, hex>\n" then JSON of Record
//
// Of two valid files the greater sequence counts. It is not safe for
// concurrent use.
type Journal struct {
	dir      string
	sequence uint64
}

// Record is every account at one moment.
type Record struct {
	Boot     string           `json:"boot"`
	Up       time.Duration    `json:"upNs"`
	Wall     time.Time        `json:"time"`
	Accounts map[string]Saved `json:"accounts"` // by instance
}

// Saved is one account.
type Saved struct {
	Terms   credit.Terms   `json:"terms"`
	State   credit.Account `json:"state"`
	Running bool           `json:"running,omitempty"`
	Settled bool           `json:"settled,omitempty"` // the stop is in State
	// Used is the reading of the running life's meter at the time of the
	// account, in nanoseconds; Owed is what was used beyond the credits.
	Used time.Duration `json:"usedNs,omitempty"`
	Owed time.Duration `json:"owedNs,omitempty"`
	// Boot, Up and Wall are the time of the account.
	Boot string        `json:"boot"`
	Up   time.Duration `json:"upNs"`
	Wall time.Time     `json:"time"`
}

const (
	journalMagic = "virga-credits 1"
	// maxJournal bounds what is read, in bytes.
	maxJournal = 64 << 20
)

// OpenJournal opens the journal in dir, which need not exist, and reads the
// newest record. A file that is damaged is as good as missing.
func OpenJournal(dir string) (*Journal, Record, error) {
	j, newest := &Journal{dir: dir}, Record{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, newest, err
	}
	for i := range uint64(2) {
		b, err := os.ReadFile(j.path(i))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, newest, err
		}
		if sequence, r, err := decodeRecord(b); err == nil && sequence >= j.sequence {
			j.sequence, newest = sequence, r
		}
	}
	return j, newest, nil
}

func (j *Journal) path(sequence uint64) string {
	return filepath.Join(j.dir, fmt.Sprintf("credits.%d", sequence%2))
}

// Save returns when the record is on disk.
func (j *Journal) Save(r Record) error {
	next := j.sequence + 1
	b, err := encodeRecord(next, r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.path(next), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	j.sequence = next
	return nil
}

func encodeRecord(sequence uint64, r Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, "%s %d %08x\n", journalMagic, sequence, crc32.ChecksumIEEE(body))
	return append(head, body...), nil
}

func decodeRecord(b []byte) (sequence uint64, r Record, err error) {
	head, body, ok := strings.Cut(string(b[:min(len(b), maxJournal)]), "\n")
	var sum uint32
	if n, err := fmt.Sscanf(head, journalMagic+" %d %x", &sequence, &sum); !ok || err != nil || n != 2 {
		return 0, r, errors.New("not a journal of credits")
	}
	if crc32.ChecksumIEEE([]byte(body)) != sum {
		return 0, r, errors.New("journal of credits is torn")
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return 0, r, err
	}
	for id, s := range r.Accounts {
		if err := s.Terms.Validate(); err != nil {
			return 0, r, fmt.Errorf("account of %s: %w", id, err)
		}
	}
	return sequence, r, nil
}

func (a *account) save() Saved {
	return Saved{
		Terms: a.terms, State: a.state, Running: a.running, Settled: a.settled, Used: a.used, Owed: a.owed,
		Boot: a.at.Boot, Up: a.at.Up, Wall: a.at.Wall,
	}
}

// restored is the account as it was saved. Whether its life still runs is for
// Adopt to say.
func (s Saved) restored() *account {
	a := &account{
		terms: s.Terms, state: s.State, settled: s.Settled, used: s.Used, owed: s.Owed,
		at: Moment{s.Boot, s.Up, s.Wall},
	}
	a.keepSeries()
	return a
}
