package command

import (
	"strings"
	"testing"
)

func TestMissingFile(t *testing.T) {
	var out, errs strings.Builder
	status := Main([]string{"config", "-f", "/no/such/file"}, &out, &errs)
	if want := "virga: compose file: /no/such/file: no such file or directory\n"; status != 3 || !strings.HasPrefix(errs.String(), want) {
		t.Errorf("%d %s%s", status, &out, &errs)
	}
}

func TestCommandsOfDockers(t *testing.T) {
	for typed, want := range map[string]string{
		"exec web sh": "virga exec",
		"build":       "buildah",
		"version":     "virga version",
		"sotp":        "did you mean `virga compose stop`?",
		"frobnicate":  "see `virga compose --help`",
	} {
		var out, errs strings.Builder
		status := Main(strings.Fields(typed), &out, &errs)
		if status != 2 || !strings.Contains(errs.String(), want) || !strings.HasPrefix(errs.String(), "virga: virga compose has no command") {
			t.Errorf("%s: %d %s%s", typed, status, &out, &errs)
		}
	}
}
