package probe

import (
	"os"
	"testing"
)

func TestFeatures(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	dir := t.TempDir()
	seen := map[string]bool{}
	for _, f := range Features(dir) {
		t.Logf("%-30s %v %s %s", f.Name, f.Present, f.Detail, f.Cost)
		if seen[f.Name] || f.Present == (f.Cost != "") {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
