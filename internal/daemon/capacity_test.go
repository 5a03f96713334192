package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestLoadTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "types.yaml")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if types, err := loadTypes(""); types.Types != nil || err != nil {
		t.Errorf("no file: %v %v", types, err)
	}
	if _, err := loadTypes(path); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a missing file: %v", err)
	}
	write("- {name: shared.web, family: shared, vcpus: 0.5, memory: 64m}\n")
	if types, err := loadTypes(path); err != nil || len(types.Types) != 1 || types.Types[0].Origin != api.OriginFile {
		t.Errorf("a good file: %+v %v", types, err)
	}
	write("- {name: shared.web, family: shared, vcpus: 0.5, memory: 64m}\n- {name: own.half, family: dedicated, vcpus: 0.5, memory: 64m}\n")
	if _, err := loadTypes(path); api.CodeOf(err) != api.CodeInvalid || !strings.Contains(err.Error(), path+":2: ") {
		t.Errorf("a wrong file: %v", err)
	}
}
