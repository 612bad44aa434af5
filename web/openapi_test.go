package web

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestOpenAPIFileIsCurrent(t *testing.T) {
	want, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("ui/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("ui/openapi.json is stale: run go generate ./web")
	}
}

// The document is the product's documentation: nothing in it may be bare.
func TestOpenAPIDescribesEverything(t *testing.T) {
	doc, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string `json:"summary"`
			Tags        []string
			Parameters  []struct{ Name, Description string }
			Responses   map[string]struct{ Description string }
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Description string `json:"description"`
					Ref         string `json:"$ref"`
				}
			}
		}
	}
	if err := json.Unmarshal(doc, &api); err != nil {
		t.Fatal(err)
	}
	if len(api.Paths) == 0 || len(api.Components.Schemas) == 0 {
		t.Fatal("the document is empty")
	}
	for path, methods := range api.Paths {
		for method, op := range methods {
			if op.Summary == "" || op.OperationID == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: no summary, operationId or tag", method, path)
			}
			given := map[string]bool{}
			for _, p := range op.Parameters {
				given[p.Name] = true
			}
			for _, piece := range strings.Split(path, "/") {
				if name, ok := strings.CutPrefix(piece, "{"); ok && !given[strings.TrimSuffix(name, "}")] {
					t.Errorf("%s %s: %s is not a parameter", method, path, piece)
				}
			}
			for _, p := range op.Parameters {
				if p.Description == "" {
					t.Errorf("%s %s: parameter %s has no description", method, path, p.Name)
				}
			}
		}
	}
	for name, schema := range api.Components.Schemas {
		for field, p := range schema.Properties {
			if p.Description == "" && p.Ref == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
	if strings.Contains(string(doc), `"$schema"`) {
		t.Error("bodies must not carry $schema")
	}
}
