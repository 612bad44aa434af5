package lang_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence/disclosure/lang"
)

// formatAt says which argument of a call is a sentence for people.
var formatAt = map[string]int{"T": 0, "proved": 0, "not": 0, "Add": 3, "add": 3, "fail": 1, "report": 1}

// sentences are the formats in the code of the packages that speak to people.
func sentences(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{"../../seal", "../../prefix", "..", "../verify"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				name := ""
				switch f := call.Fun.(type) {
				case *ast.SelectorExpr:
					name = f.Sel.Name
				case *ast.Ident:
					name = f.Name
				}
				at, ok := formatAt[name]
				if !ok || at >= len(call.Args) {
					return true
				}
				if l, ok := call.Args[at].(*ast.BasicLit); ok && l.Kind == token.STRING {
					if s, err := strconv.Unquote(l.Value); err == nil && s != "%s" {
						out = append(out, s)
					}
				}
				return true
			})
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestEverySentenceIsTranslated(t *testing.T) {
	all := sentences(t)
	if len(all) < 150 {
		t.Fatalf("only %d sentences were found in the code", len(all))
	}
	for _, l := range lang.Languages {
		for _, s := range all {
			if !lang.Language(l).Has(s) {
				t.Errorf("no %s of %q", l, s)
			}
		}
	}
}

var verb = regexp.MustCompile(`%[+#]?[a-z]`)

// A translation that loses or reorders a value would say something else.
func TestTranslationsKeepTheirValues(t *testing.T) {
	for _, l := range []lang.Language{"sq", "sr"} {
		for _, format := range l.Formats() {
			english, other := verb.FindAllString(format, -1), verb.FindAllString(l.T(format), -1)
			if !slices.Equal(english, other) {
				t.Errorf("%s: %q has %v, %q has %v", l, format, english, l.T(format), other)
			}
		}
	}
}
