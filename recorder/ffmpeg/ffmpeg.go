// Package ffmpeg runs ffmpeg as a confined child: bytes go in and come out
// through pipes, never through files, so that no frame of an interview lies on a
// disk in the clear. What decodes media is the likeliest way in for whoever can
// send it, so the child gets no environment, no network and no file that it could
// write, and is ended with its parent.
package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Limits of one run.
const (
	// MaxOutput is how many bytes a run may return.
	MaxOutput = 64 << 20
	// MaxTime is how long a run may take.
	MaxTime = 5 * time.Minute

	maxMemory   = 2 << 30
	maxComplain = 4 << 10
)

// ErrFailed is returned when ffmpeg did not accept its input.
var ErrFailed = errors.New("ffmpeg could not decode this")

// Tool is an ffmpeg that was found. Its methods are safe for concurrent use.
type Tool struct {
	path    string
	isolate bool // whether this machine lets a child be cut off in namespaces of its own
}

// Find looks for ffmpeg in PATH. The error wraps [evidence.ErrUnavailable] if
// there is none: what needs decoding is then not offered, and nothing else.
func Find(ctx context.Context) (*Tool, error) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("%w: no ffmpeg in PATH", evidence.ErrUnavailable)
	}
	t := &Tool{path: path, isolate: true}
	if _, err := t.version(ctx); err != nil {
		t.isolate = false
		if _, err := t.version(ctx); err != nil {
			return nil, fmt.Errorf("%w: %s does not run: %v", evidence.ErrUnavailable, path, err)
		}
	}
	return t, nil
}

// Isolated reports whether children run in namespaces of their own, without
// network. Where the machine forbids that, the other limits stay.
func (t *Tool) Isolated() bool { return t.isolate }

func (t *Tool) version(ctx context.Context) ([]byte, error) {
	return t.run(ctx, strings.NewReader(""), 64<<10, "-version")
}

// Run feeds in to ffmpeg's standard input and returns its standard output. args
// stand between the global options and nothing: name pipe:0 and pipe:1 in them.
// The error wraps [ErrFailed] if ffmpeg refused, complained or said too much.
func (t *Tool) Run(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	global := []string{"-hide_banner", "-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "pipe"}
	return t.run(ctx, in, MaxOutput, append(global, args...)...)
}

func (t *Tool) run(ctx context.Context, in io.Reader, most int, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Env, cmd.Dir = []string{"LC_ALL=C"}, "/"
	cmd.WaitDelay = 5 * time.Second
	out, complaint := &bounded{most: most, full: cancel}, &bounded{most: maxComplain}
	cmd.Stdout, cmd.Stderr = out, complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	confine(cmd, t.isolate)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting ffmpeg: %w", err)
	}
	// The limits stand before the first byte of media goes in.
	limited := limit(cmd.Process.Pid)
	var fed error
	if limited == nil {
		_, fed = io.Copy(stdin, in)
	}
	err = errors.Join(limited, ignoreClosed(stdin.Close()), cmd.Wait())
	switch {
	case out.over:
		return nil, fmt.Errorf("%w: more than %d bytes came out", ErrFailed, most)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("running ffmpeg: %w", ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("%w: %v: %s", ErrFailed, err, strings.TrimSpace(complaint.kept.String()))
	case fed != nil:
		// It ended well without having read everything, so it did not see all frames.
		return nil, fmt.Errorf("%w: it did not read to the end: %v", ErrFailed, fed)
	}
	return out.kept.Bytes(), nil
}

func ignoreClosed(err error) error {
	if err != nil && strings.Contains(err.Error(), "file already closed") {
		return nil
	}
	return err
}

// bounded keeps up to most bytes; beyond it calls full, if set, and swallows. It
// embeds no buffer: io.Copy would find its ReadFrom and pass the bound by.
type bounded struct {
	kept bytes.Buffer
	most int
	full func()
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.kept.Len(); len(p) > room {
		b.kept.Write(p[:max(room, 0)])
		if b.full != nil && !b.over {
			b.over = true
			b.full()
		}
		return len(p), nil
	}
	return b.kept.Write(p)
}
