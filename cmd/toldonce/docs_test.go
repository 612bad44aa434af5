package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const repo = "../../"

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(repo + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// words splits a shell command as far as our documents use the shell: blanks,
// double quotes, comments. It stops at a pipe or a list operator.
func words(line string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|\S+`).FindAllStringSubmatch(line, -1) {
		switch {
		case m[0] == "|" || m[0] == "&&" || strings.HasPrefix(m[0], "#"):
			return out
		case strings.HasPrefix(m[0], `"`):
			out = append(out, m[1])
		default:
			out = append(out, m[0])
		}
	}
	return out
}

// checkCommand asks the real command tree whether it knows the command, its
// flags and its number of arguments.
func checkCommand(t *testing.T, where string, args []string) {
	t.Helper()
	root := newRoot(console{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }})
	cmd, rest, err := root.Find(args)
	if err != nil {
		t.Errorf("%s: toldonce %s: %v", where, strings.Join(args, " "), err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: toldonce %s: %v", where, strings.Join(args, " "), err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%s: toldonce %s: %v", where, strings.Join(args, " "), err)
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		t.Errorf("%s: toldonce %s: %v", where, strings.Join(args, " "), err)
	}
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inline     = regexp.MustCompile("`toldonce ([a-z][^`]*)`")
)

func TestDocumentedCommandsExist(t *testing.T) {
	makefile := readFile(t, "Makefile")
	checked := 0
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/threat-model.md", "deploy/OPERATIONS.md"} {
		text := readFile(t, doc)
		for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
			script := strings.ReplaceAll(block[1], "\\\n", " ")
			for line := range strings.Lines(script) {
				args := words(line)
				switch {
				case len(args) == 0:
				case args[0] == "toldonce", args[0] == "bin/toldonce":
					checkCommand(t, doc, args[1:])
					checked++
				case args[0] == "make":
					for _, target := range args[1:] {
						if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).MatchString(makefile) {
							t.Errorf("%s: there is no make target %s", doc, target)
						}
					}
					checked++
				case args[0] == "bin/toldonce-verify", args[0] == "toldonce-verify": // its own tests run it
				default:
					t.Errorf("%s: a command that this test does not know how to check: %s", doc, line)
				}
			}
		}
		// In running text flags may be left out: only the command must exist.
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			root := newRoot(console{getenv: func(string) string { return "" }})
			cmd, rest, err := root.Find(words(m[1]))
			if err == nil && cmd != root {
				err = cmd.ParseFlags(rest)
			}
			if err != nil || cmd == root {
				t.Errorf("%s: `toldonce %s`: no such command (%v)", doc, m[1], err)
			}
		}
	}
	if checked < 8 {
		t.Errorf("only %d documented commands found; has the form of the documents changed?", checked)
	}
}

// Every environment variable that the operator's guide names is read somewhere,
// and every one that is read stands in the guide.
func TestEnvironmentIsDocumented(t *testing.T) {
	name := regexp.MustCompile(`\bTOLDONCE_[A-Z]+(?:_[A-Z]+)*\b`)
	guide := name.FindAllString(readFile(t, "deploy/OPERATIONS.md"), -1)
	var read []string
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		read = append(read, name.FindAllString(readFile(t, "cmd/toldonce/"+f.Name()), -1)...)
	}
	for _, v := range read {
		if !slices.Contains(guide, v) {
			t.Errorf("%s is read but not in deploy/OPERATIONS.md", v)
		}
	}
	for _, v := range guide {
		if base := strings.TrimSuffix(v, "_FILE"); !slices.Contains(read, v) && !slices.Contains(read, base) {
			t.Errorf("%s is in deploy/OPERATIONS.md but never read", v)
		}
	}
}

type composeFile struct {
	Services map[string]struct {
		Image       string
		Command     yaml.Node
		Environment map[string]string
		Volumes     []string
		DependsOn   map[string]any `yaml:"depends_on"`
	}
	Volumes map[string]any
}

func TestComposeFile(t *testing.T) {
	text := readFile(t, "deploy/compose.yaml")
	var c composeFile
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"toldonce", "init", "postgres", "s3"} {
		if _, ok := c.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			if volume, _, _ := strings.Cut(v, ":"); !hasKey(c.Volumes, volume) {
				t.Errorf("service %s mounts %s, which is not declared", name, volume)
			}
		}
		for on := range s.DependsOn {
			if _, ok := c.Services[on]; !ok {
				t.Errorf("service %s depends on %s, which does not exist", name, on)
			}
		}
		if s.Image == "localhost/toldonce" {
			var args []string
			if err := s.Command.Decode(&args); err != nil {
				t.Errorf("service %s: its command is not a list: %v", name, err)
			}
			checkCommand(t, "compose service "+name, args)
		} else if !regexp.MustCompile(`:[v0-9][0-9.]*$`).MatchString(s.Image) {
			t.Errorf("service %s: image %q names no version", name, s.Image)
		}
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "TOLDONCE_") && !strings.Contains(readFile(t, "deploy/OPERATIONS.md"), variable) {
				t.Errorf("service %s sets %s, which is not documented", name, variable)
			}
		}
	}
	example := readFile(t, "deploy/compose.env.example")
	for _, m := range regexp.MustCompile(`\$\{([A-Z0-9_]+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(example, "\n"+m[1]+"=") {
			t.Errorf("%s is asked for but not in compose.env.example", m[1])
		}
	}
}

func hasKey(m map[string]any, key string) bool { _, ok := m[key]; return ok }

func TestSystemdUnit(t *testing.T) {
	unit := readFile(t, "deploy/toldonce.service")
	settings := map[string][]string{}
	section := ""
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = line
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Errorf("not a setting: %s", line)
			}
			settings[key] = append(settings[key], value)
		}
	}
	command := settings["ExecStart"]
	if len(command) != 1 {
		t.Fatalf("ExecStart = %q", command)
	}
	checkCommand(t, "systemd unit", words(command[0])[1:])
	for key, want := range map[string]string{"NoNewPrivileges": "yes", "ProtectSystem": "strict", "UMask": "0077", "StateDirectoryMode": "0700", "LimitCORE": "0", "User": "toldonce"} {
		if !slices.Contains(settings[key], want) {
			t.Errorf("%s=%s is missing (%q)", key, want, settings[key])
		}
	}
}

func TestContainerfile(t *testing.T) {
	text := readFile(t, "deploy/Containerfile")
	for _, m := range regexp.MustCompile(`(?m)^COPY (?:--\S+ )*(.+) \S+$`).FindAllStringSubmatch(text, -1) {
		for _, source := range strings.Fields(m[1]) {
			if strings.HasPrefix(source, "/") {
				continue // from an earlier stage
			}
			if _, err := os.Stat(repo + source); err != nil {
				t.Errorf("it copies %s: %v", source, err)
			}
		}
	}
	m := regexp.MustCompile(`(?m)^CMD \[(.*)\]$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("it has no CMD")
	}
	var args []string
	for _, a := range strings.Split(m[1], ",") {
		args = append(args, strings.Trim(strings.TrimSpace(a), `"`))
	}
	checkCommand(t, "Containerfile", args)
}

// make reads the whole Makefile to print what a target would do.
func TestMakefileParses(t *testing.T) {
	for _, target := range []string{"build", "run", "demo", "test", "bench", "lint", "setup", "ui", "e2e", "fuzz", "help"} {
		out, err := exec.Command("make", "--no-print-directory", "-C", repo, "-n", target).CombinedOutput()
		if err != nil {
			t.Errorf("make -n %s: %v\n%s", target, err, out)
		}
	}
}

// Every relative link in the documents leads to a file.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)`)
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/threat-model.md", "deploy/OPERATIONS.md"} {
		for _, m := range link.FindAllStringSubmatch(readFile(t, doc), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(repo, filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
}
