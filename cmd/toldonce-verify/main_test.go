package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"toldonce-verify": func() { os.Exit(program()) },
	})
}

// Each script finds a good package as a folder and a tar, the agency's trust
// file, and those of another agency.
func TestScripts(t *testing.T) {
	w, other := testutil.NewWorld(t), testutil.NewWorld(t)
	shape := testutil.Shape{Sources: 1, Parts: 1, Loops: 1}
	var archive bytes.Buffer
	w.WritePackage(t, w.Record(t, shape), &archive)
	files := testutil.Untar(t, bytes.NewReader(archive.Bytes()))
	otherFiles := other.Package(t, other.Record(t, shape))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			files.WriteTo(t, filepath.Join(env.WorkDir, "package"))
			otherFiles.WriteTo(t, filepath.Join(env.WorkDir, "other-package"))
			for name, from := range map[string]string{"trust.json": w.TrustFile, "other-trust.json": other.TrustFile} {
				data, err := os.ReadFile(from)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o644); err != nil {
					return err
				}
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "package.tar"), archive.Bytes(), 0o644)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code": exitCode,
			"flip": flip,
			"json": jsonVerdict,
		},
	})
}

// exitCode runs a command and demands its exit code: code 2 toldonce-verify …
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit interface{ ExitCode() int }
		if e, ok := err.(interface{ ExitCode() int }); ok {
			exit = e
		} else {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// flip changes one bit of a file: flip FILE OFFSET.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(file, data, 0o644))
}

// jsonVerdict demands that the last output is one JSON document with a verdict,
// and that a check has a status: json VERDICT [CHECK STATUS]…
func jsonVerdict(ts *testscript.TestScript, _ bool, args []string) {
	var report struct {
		Verdict  string
		Findings seal.Findings
		Proved   []string
		Missing  []string
	}
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(dec.Decode(&report))
	if report.Verdict != args[0] {
		ts.Fatalf("verdict %q, want %q", report.Verdict, args[0])
	}
	for i := 1; i+1 < len(args); i += 2 {
		if got := report.Findings.Of(args[i]); string(got) != args[i+1] {
			ts.Fatalf("%s: %q, want %q", args[i], got, args[i+1])
		}
	}
}
