package server

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	parameter = regexp.MustCompile(`\{[a-z]+\}`)
	verbs     = regexp.MustCompile(`^(GET|POST|PUT|DELETE)(/(GET|POST|PUT|DELETE))*$`)
)

// documented lists the calls of docs/api.md as "METHOD /path".
func documented(t *testing.T) []string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/api.md")
	must(t, err)
	var calls []string
	for line := range strings.Lines(string(doc)) {
		cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !ok || !strings.HasPrefix(line, "| `") {
			continue
		}
		methods, base := "", ""
		for _, code := range regexp.MustCompile("`[^`]+`").FindAllString(cell, -1) {
			for _, word := range strings.Fields(strings.Trim(code, "`")) {
				path, _, _ := strings.Cut(word, "?")
				path = strings.TrimSuffix(path, "…")
				switch {
				case verbs.MatchString(word):
					methods = word
					continue
				case path == "": // "…": the path before it
					path = base
				case !strings.HasPrefix(path, "/v1"): // "/stop": in place of the last word
					path = base[:strings.LastIndex(base, "/")] + path
				}
				base = path
				for _, m := range strings.Split(methods, "/") {
					calls = append(calls, m+" "+parameter.ReplaceAllString(path, "{}"))
				}
			}
		}
	}
	return calls
}

func TestOpenAPIHasEveryCall(t *testing.T) {
	w := newWorld(t, nil)
	status, doc := w.ask(t, "GET", "/v1/openapi.json", "")
	if status != 200 || !strings.HasPrefix(doc["openapi"].(string), "3.1") {
		t.Fatalf("status %d, openapi %v", status, doc["openapi"])
	}
	var have []string
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			call := strings.ToUpper(method) + " " + parameter.ReplaceAllString(path, "{}")
			have = append(have, call)
			o := op.(map[string]any)
			if o["summary"] == "" || o["summary"] == nil || o["operationId"] == nil {
				t.Errorf("%s has no summary or operationId", call)
			}
		}
	}
	want := documented(t)
	if len(want) < 40 {
		t.Fatalf("only %d calls found in docs/api.md: %q", len(want), want)
	}
	for _, call := range want {
		if !slices.Contains(have, call) {
			t.Errorf("docs/api.md has %s, the server has not", call)
		}
	}
	for _, call := range have {
		if !slices.Contains(want, call) {
			t.Errorf("the server has %s, docs/api.md has not", call)
		}
	}
}

// TestFieldWords holds the names of fields to the glossary's.
func TestFieldWords(t *testing.T) {
	banned := regexp.MustCompile(`(?i)container|docker|pod|vmid|server|host(name|ip|port)?_|service_|_`)
	w := newWorld(t, nil)
	_, doc := w.ask(t, "GET", "/v1/openapi.json", "")
	for name, schema := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		properties, _ := schema.(map[string]any)["properties"].(map[string]any)
		for p := range properties {
			if banned.MatchString(p) {
				t.Errorf("%s.%s: not a word of the glossary, or not in camel case", name, p)
			}
		}
	}
}
