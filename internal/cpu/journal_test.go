package cpu

import (
	"os"
	"testing"

	"github.com/virga-cloud/virga/internal/cpu/credit"
)

func saved(balance float64) Record {
	return Record{Boot: "b", Accounts: map[string]Saved{
		"a": {Terms: credit.Terms{VCPUs: 2, Baseline: .05}, State: credit.Account{Balance: balance}},
	}}
}

// Whatever a crash leaves of the file that was being written, the record
// before it is there.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	j, _, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := j.Save(saved(float64(i))); err != nil {
			t.Fatal(err)
		}
	}
	newest := j.path(j.sequence)
	whole, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(newest, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again, r, err := OpenJournal(dir)
		if err != nil || r.Accounts["a"].State.Balance != 1 {
			t.Fatalf("cut at byte %d: %+v, %v", cut, r, err)
		}
		if cut == 0 { // goes on in the torn file
			if err := again.Save(saved(9)); err != nil {
				t.Fatal(err)
			}
			if _, r, _ := OpenJournal(dir); r.Accounts["a"].State.Balance != 9 {
				t.Errorf("after a crash and a save: %+v", r)
			}
		}
	}
	for _, i := range []uint64{0, 1} {
		if err := os.WriteFile(j.path(i), []byte("garbage\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, r, err := OpenJournal(dir); err != nil || len(r.Accounts) != 0 {
		t.Errorf("both torn: %+v, %v", r, err)
	}
}

func FuzzJournal(f *testing.F) {
	b, err := encodeRecord(7, saved(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("virga-credits 1 3 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sequence, r, err := decodeRecord(b)
		if err != nil {
			return
		}
		again, err := encodeRecord(sequence, r)
		if err != nil {
			t.Fatal(err)
		}
		if n, _, err := decodeRecord(again); err != nil || n != sequence {
			t.Fatalf("%d, %v", n, err)
		}
	})
}
