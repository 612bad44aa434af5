package deps

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/toldonce/toldonce"

// listed is what `go list -json` says of one package.
type listed struct {
	ImportPath string
	Name       string
	Imports    []string // without those of tests
	Standard   bool
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Imports,Standard"}, args...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// under reports whether path is the package or folder dir, or lies below it.
// An empty dir is the module's root folder.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func underAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return under(path, dir) })
}

// layers says, for each folder of the module, which other folders of the module
// its packages may import: cmd -> web -> recorder -> consent -> evidence, with
// storage implementing interfaces that the domain packages own. A folder may
// always import itself.
var layers = map[string][]string{
	"evidence": {},
	"consent":  {"evidence"},
	"recorder": {"consent", "evidence"},
	"storage":  {"recorder", "consent", "evidence"},
	"web":      {"recorder", "consent", "evidence"},
	"cmd":      {"web", "recorder", "consent", "evidence", "storage"},
	// internal is for tests: what tests need to start other programs.
	"internal": {"web", "recorder", "consent", "evidence", "storage"},
}

// fenced says which outside modules only some folders may import, so that each
// technology can be replaced in one place.
var fenced = []struct {
	modules []string
	only    []string
}{
	{[]string{"github.com/pion"}, []string{"recorder"}},
	{[]string{"github.com/minio"}, []string{"storage/objects", "internal/testenv"}},
	{[]string{"github.com/gin-gonic", "github.com/danielgtaylor/huma"}, []string{"web"}},
	{[]string{"github.com/cedar-policy"}, []string{"evidence/access"}},
	{[]string{"github.com/lib/pq", "modernc.org/sqlite", "github.com/pressly/goose", "database/sql"}, []string{"storage/db", "internal/testenv"}},
	{[]string{"github.com/spf13"}, []string{"cmd"}},
}

func TestImportsPointInward(t *testing.T) {
	packages := list(t, "./...")
	if len(packages) < 10 {
		t.Fatalf("go list found only %d packages; is this the module's root?", len(packages))
	}
	for _, p := range packages {
		rel, inside := strings.CutPrefix(p.ImportPath, module+"/")
		if !inside {
			continue
		}
		top, _, _ := strings.Cut(rel, "/")
		allowed, known := layers[top]
		if !known {
			t.Errorf("%s: no rule for folder %q; add it to the layers", rel, top)
			continue
		}
		for _, imported := range p.Imports {
			if inner, ours := strings.CutPrefix(imported, module+"/"); ours {
				checkInner(t, rel, top, inner, allowed)
				continue
			}
			for _, f := range fenced {
				if underAny(imported, f.modules) && !underAny(rel, f.only) {
					t.Errorf("%s imports %s, which only %s may", rel, imported, strings.Join(f.only, " and "))
				}
			}
		}
	}
}

func checkInner(t *testing.T, rel, top, inner string, allowed []string) {
	t.Helper()
	switch {
	case under(inner, "internal/testenv") && top != "internal":
		t.Errorf("%s imports %s, which is for tests only", rel, inner)
	case under(inner, "cmd"):
		t.Errorf("%s imports %s: nothing imports a command", rel, inner)
	case under(inner, top), under(inner, "internal"), underAny(inner, allowed):
	default:
		t.Errorf("%s imports %s; %s may import only %s", rel, inner, top, strings.Join(append(allowed, top), ", "))
	}
}

// The nouns do no I/O: whoever reads them, the verifier's user included, need
// not wonder what they touch.
func TestNounsDoNoIO(t *testing.T) {
	for _, p := range list(t, "./evidence") {
		for _, imported := range p.Imports {
			if underAny(imported, []string{"os", "net", "syscall", "io/fs", "database/sql", module}) {
				t.Errorf("evidence imports %s", imported)
			}
		}
	}
}

// An expert who audits toldonce-verify reads what it links; the server's
// technologies are not among it.
func TestVerifierLinksNoServer(t *testing.T) {
	banned := []string{
		"github.com/pion", "github.com/lib/pq", "modernc.org/sqlite", "github.com/pressly/goose", "database/sql",
		"github.com/gin-gonic", "github.com/danielgtaylor/huma", "github.com/cedar-policy", "github.com/minio",
		module + "/web", module + "/recorder", module + "/storage", module + "/consent",
	}
	deps := list(t, "-deps", "./cmd/toldonce-verify")
	if len(deps) == 0 {
		t.Fatal("toldonce-verify has no dependencies at all; go list is not working")
	}
	for _, p := range deps {
		// The UUID library names the interfaces by which a database would store an id.
		if underAny(p.ImportPath, banned) && p.ImportPath != "database/sql/driver" {
			t.Errorf("toldonce-verify links %s", p.ImportPath)
		}
	}
}
