package disclosure_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/internal/testenv"
)

// toolPath is a PATH that begins with the folders of the stock tools.
func toolPath(t *testing.T, tools ...string) string {
	t.Helper()
	var dirs []string
	for _, name := range tools {
		dirs = append(dirs, filepath.Dir(testenv.Tool(t, name)))
	}
	return "PATH=" + strings.Join(append(dirs, os.Getenv("PATH")), string(filepath.ListSeparator))
}

// offline runs a shell command line in dir without any network but loopback.
func offline(t *testing.T, dir, line string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("unshare", "--net", "--map-root-user", "sh", "-c", line)
	if exec.Command("unshare", "--net", "--map-root-user", "true").Run() != nil {
		t.Log("this machine does not let tests take the network away; the command runs with it")
		cmd = exec.Command("sh", "-c", line)
	}
	cmd.Dir = dir
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "LANG=C.UTF-8"}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// commandLines takes the commands out of COMMANDS.txt as a reader would: every
// line that is not a comment.
func commandLines(text []byte) []string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// The commands printed in a package are run as they stand there, by stock tools,
// with no network: with the trust folder named, and without.
func TestPrintedCommandsHold(t *testing.T) {
	path := toolPath(t, "cosign", "openssl", "ffmpeg")
	w := testutil.NewWorld(t)
	files := w.Package(t, w.Record(t, testutil.Shape{Sources: 2, Parts: 2, Loops: 1}))
	dir := files.WriteTo(t, t.TempDir())
	lines := commandLines(files[disclosure.CommandsFile])
	for tool, want := range map[string]int{"sha256sum --": 2, "openssl dgst": 2, "openssl ts": 2, "cosign verify-blob-attestation": 2, "ffmpeg ": 8} {
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, tool) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d commands begin with %q, want %d", n, tool, want)
		}
	}
	for _, env := range [][]string{{path, "TRUST=" + w.TrustFolder}, {path}} {
		for _, line := range lines {
			out, err := offline(t, dir, line, env...)
			if err != nil {
				t.Errorf("%s\n%s: %v", line, out, err)
			}
			if strings.HasPrefix(line, "ffmpeg") && out != "" {
				t.Errorf("%s\nprinted %q", line, out)
			}
		}
	}
	if out, err := offline(t, dir, "sh -e COMMANDS.txt", path); err != nil {
		t.Errorf("the whole script: %v\n%s", err, out)
	}
}

// Each of the commands notices what it is there for.
func TestPrintedCommandsFail(t *testing.T) {
	path := toolPath(t, "cosign", "openssl", "ffmpeg")
	w, other := testutil.NewWorld(t), testutil.NewWorld(t)
	good := w.Package(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}))
	failing := func(files testutil.Files, env ...string) map[string]bool {
		dir := files.WriteTo(t, t.TempDir())
		failed := map[string]bool{}
		for _, line := range commandLines(files[disclosure.CommandsFile]) {
			if strings.HasPrefix(line, "ffmpeg") {
				continue
			}
			if _, err := offline(t, dir, line, env...); err != nil {
				words := strings.Fields(line)
				failed[words[0]+" "+words[1]] = true
			}
		}
		return failed
	}
	changed := good.Clone()
	changed["data/recording/recording.json"][20] ^= 1
	if got := failing(changed, path); !got["sha256sum --strict"] || !got["cosign verify-blob-attestation"] || !got["grep -q"] {
		t.Errorf("a changed manifest: only %v fail", got)
	}
	got := failing(good, path, "TRUST="+other.TrustFolder)
	if !got["openssl dgst"] || !got["openssl ts"] || !got["cosign verify-blob-attestation"] {
		t.Errorf("another agency's trust: only %v fail", got)
	}
}

// The commands are published apart from any package: a forged one could bring
// its own.
func TestCommandsArePublished(t *testing.T) {
	doc, err := os.ReadFile("COMMANDS.md")
	if err != nil {
		t.Fatal(err)
	}
	example := disclosure.Commands([]disclosure.MediaFile{{Name: "data/media/close-up-video-part01-init0.mp4", Part: 1}, {Name: "data/media/close-up-audio-part01-init0.mp4", Part: 1}})
	if !bytes.Contains(doc, append([]byte("```sh\n"), append(example, "```\n"...)...)) {
		t.Errorf("COMMANDS.md does not hold what packages hold; put this in:\n%s", example)
	}
}

// An encrypted package is one age file that stock age opens.
func TestStockAgeOpensAPackage(t *testing.T) {
	path := toolPath(t, "age")
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	x25519, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]struct {
		secret    string
		recipient age.Recipient
	}{"x25519": {x25519.String(), x25519.Recipient()}, "hybrid": {hybrid.String(), hybrid.Recipient()}} {
		dir := t.TempDir()
		var sealed bytes.Buffer
		out, err := age.Encrypt(&sealed, id.recipient)
		if err != nil {
			t.Fatal(err)
		}
		w.WritePackage(t, r, out)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "key.txt"), []byte(id.secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "package.tar.age"), sealed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		doc, err := os.ReadFile("COMMANDS.md")
		if err != nil {
			t.Fatal(err)
		}
		const command = "age -d -i key.txt package.tar.age | tar -x"
		if !strings.Contains(string(doc), "\n"+command+"\n") {
			t.Fatalf("COMMANDS.md does not print %q", command)
		}
		if out, err := offline(t, dir, "set -e; "+command+"; cd toldonce-*; sha256sum --strict --quiet -c manifest-sha256.txt tagmanifest-sha256.txt", path); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
