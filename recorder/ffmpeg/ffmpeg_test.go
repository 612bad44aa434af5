package ffmpeg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func find(t *testing.T) *Tool {
	t.Helper()
	tool, err := Find(t.Context())
	if err != nil {
		t.Fatalf("%v: run scripts/setup", err)
	}
	return tool
}

func TestBytesGoInAndComeOut(t *testing.T) {
	out, err := find(t).Run(t.Context(), strings.NewReader(strings.Repeat("\x00\x10", 800)), "-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "pipe:0", "-f", "s16le", "pipe:1")
	if err != nil || len(out) != 1600 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func TestWhatIsNoMediaIsRefused(t *testing.T) {
	_, err := find(t).Run(t.Context(), strings.NewReader("no film"), "-f", "mp4", "-i", "pipe:0", "-f", "null", "pipe:1")
	if !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
}

// A playlist or a subtitle that names a file or an address must lead nowhere.
func TestTheChildReachesNoFileAndNoNetwork(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.wav")
	if err := os.WriteFile(secret, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"file '" + secret + "'\n", "file 'http://127.0.0.1:1/a.wav'\n"} {
		_, err := find(t).Run(t.Context(), strings.NewReader("ffconcat version 1.0\n"+list), "-f", "concat", "-safe", "0", "-i", "pipe:0", "-f", "null", "pipe:1")
		if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "mpossible to open") {
			t.Errorf("%s: %v", list, err)
		}
	}
}

func TestTheChildWritesNoFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the limit is Linux's")
	}
	into := filepath.Join(t.TempDir(), "out.raw")
	_, err := find(t).Run(t.Context(), strings.NewReader(strings.Repeat("\x00\x10", 80000)), "-protocol_whitelist", "pipe,file", "-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "pipe:0", "-f", "s16le", "-y", into)
	if err == nil {
		t.Error("it said that it wrote a file")
	}
	if info, err := os.Stat(into); err == nil && info.Size() > 0 {
		t.Errorf("it wrote %d bytes", info.Size())
	}
}

func TestTooMuchOutputEndsIt(t *testing.T) {
	tool := find(t)
	_, err := tool.Run(t.Context(), strings.NewReader(""), "-f", "lavfi", "-i", "anullsrc=r=192000:cl=7.1", "-f", "s32le", "pipe:1")
	if !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := find(t).Run(ctx, strings.NewReader(""), "-version"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
