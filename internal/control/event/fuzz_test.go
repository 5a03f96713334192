package event

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// FuzzOpen opens a log over any bytes, such as a crash or a full disk may
// leave: what can be read is kept in order, and new events follow it.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"seq":1,"kind":"instance"}` + "\n" + `{"seq":2}` + "\n" + `{"se`))
	f.Add([]byte(`{"seq":9223372036854775807}` + "\n"))
	f.Add([]byte("\x00\x00\x00\n{\"seq\":3}\n{\"seq\":2}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		l.Append(api.Event{Kind: "test"})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		all, _ := l.After(0)
		for i := 1; i < len(all); i++ {
			if all[i].Seq <= all[i-1].Seq {
				t.Errorf("number %d follows %d", all[i].Seq, all[i-1].Seq)
			}
		}
		if len(all) == 0 || all[len(all)-1].Kind != "test" {
			t.Errorf("the new event is not the last of %d", len(all))
		}
	})
}
