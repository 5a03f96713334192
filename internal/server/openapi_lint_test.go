package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// TestOpenAPIIsValid reads the document that the daemon serves with a library of
// those who generate clients from it: every reference leads somewhere, and
// every operation says what a client needs.
func TestOpenAPIIsValid(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRecorder()
	w.mux.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil))
	doc, err := libopenapi.NewDocument(r.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatalf("the document does not hold together: %v", err)
	}
	for _, err := range model.Index.GetReferenceIndexErrors() {
		t.Errorf("reference: %v", err)
	}
	seen := map[string]string{}
	count := 0
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			count++
			call := strings.ToUpper(method) + " " + path
			if other, ok := seen[op.OperationId]; ok {
				t.Errorf("%s has the operationId %q of %s", call, op.OperationId, other)
			}
			seen[op.OperationId] = call
			lintOperation(t, call, path, op)
		}
	}
	if count < 80 {
		t.Errorf("only %d operations", count)
	}
	for name, schema := range model.Model.Components.Schemas.FromOldest() {
		if _, err := schema.BuildSchema(); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

// TestEveryRouteIsInTheDocument: what is registered past the document is here,
// with its reason.
func TestEveryRouteIsInTheDocument(t *testing.T) {
	past := map[string]string{
		"GET /metrics": "the text format of Prometheus, which is no part of the API",
	}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range registration.FindAllStringSubmatch(string(text), -1) {
			route := strings.Trim(m[1], `"`)
			if past[route] == "" {
				t.Errorf("%s: %s is registered past the document", file, route)
			}
			delete(past, route)
		}
	}
	for route := range past {
		t.Errorf("%s is not registered any more", route)
	}
}

var (
	registration = regexp.MustCompile(`mux\.Handle(?:Func)?\(([^,]+),`)
	operationID  = regexp.MustCompile(`^(get|post|put|delete)-[a-z][a-z0-9-]*$`)
	inPath       = regexp.MustCompile(`\{([a-zA-Z]+)\}`)
)

func lintOperation(t *testing.T, call, path string, op *v3.Operation) {
	t.Helper()
	if !operationID.MatchString(op.OperationId) {
		t.Errorf("%s: operationId %q", call, op.OperationId)
	}
	if op.Summary == "" || strings.HasSuffix(op.Summary, ".") {
		t.Errorf("%s: summary %q", call, op.Summary)
	}
	if len(op.Tags) == 0 {
		t.Errorf("%s has no tag", call)
	}
	well := false
	if op.Responses != nil {
		for code, resp := range op.Responses.Codes.FromOldest() {
			well = well || code[0] == '2' || code == "101"
			if resp.Description == "" {
				t.Errorf("%s: response %s has no description", call, code)
			}
			for kind, media := range resp.Content.FromOldest() {
				if strings.HasSuffix(kind, "json") && media.Schema == nil {
					t.Errorf("%s: response %s of %s has no schema", call, code, kind)
				}
			}
		}
		if op.Responses.Default == nil && op.Responses.Codes.GetOrZero("500") == nil {
			t.Errorf("%s says nothing of errors", call)
		}
	}
	if !well {
		t.Errorf("%s has no response for when it goes well", call)
	}
	told := map[string]bool{}
	for _, p := range op.Parameters {
		told[p.In+" "+p.Name] = true
		if p.Schema == nil {
			t.Errorf("%s: parameter %s has no schema", call, p.Name)
		}
		if p.In == "path" && (p.Required == nil || !*p.Required) {
			t.Errorf("%s: parameter %s of the path is not required", call, p.Name)
		}
	}
	for _, m := range inPath.FindAllStringSubmatch(path, -1) {
		if !told["path "+m[1]] {
			t.Errorf("%s: the path's %s is no parameter", call, m[1])
		}
	}
}
