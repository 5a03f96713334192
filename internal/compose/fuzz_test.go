package compose

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// FuzzLoad reads any bytes as a Compose file and translates what it says: it
// ends with a plan or with an error of the user's.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no test data", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("services: {a: {image: x, ports: ['1-99:1-99'], depends_on: [a]}}"))
	f.Add([]byte("a: &a [*a]\nservices: *a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 16<<10 {
			return // the library's schema takes a second for each megabyte
		}
		file := filepath.Join(t.TempDir(), "compose.yaml")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Load(t.Context(), Source{Files: []string{file}, Name: "shop"})
		if err == nil {
			var plan *Plan
			none := func(string) ([]byte, error) { return nil, os.ErrNotExist }
			if plan, err = Translate(p, Options{FilesDir: "/files", ReadFile: none}); err == nil && plan == nil {
				t.Error("neither a plan nor an error")
			}
		}
		if c := api.CodeOf(err); err != nil && c == api.CodeInternal {
			t.Errorf("not the user's fault: %v", err)
		}
	})
}
