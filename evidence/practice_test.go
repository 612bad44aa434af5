package evidence

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPracticeIsTrue checks that PRACTICE.md answers each number once, and that
// every file and test that it names exists.
func TestPracticeIsTrue(t *testing.T) {
	text, err := os.ReadFile("PRACTICE.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	root := os.DirFS("..")
	err = fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		switch name := m[1]; {
		case strings.HasPrefix(name, "Test"):
			if !tests[name] {
				t.Errorf("there is no test %s", name)
			}
		case strings.Contains(name, "/"):
			if _, err := fs.Stat(root, name); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	for n := 1; n <= 42; n++ {
		answer := regexp.MustCompile(fmt.Sprintf(`(?m)^\| P%d \| [^|]+ \| (Yes|Part|No) \| .+ \|$`, n))
		if got := len(answer.FindAllString(string(text), -1)); got != 1 {
			t.Errorf("P%d is answered %d times", n, got)
		}
	}
}
