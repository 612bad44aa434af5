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
	"os"
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
	out := &bounded{most: 64 << 10}
	err := t.run(ctx, Work{In: []io.Reader{strings.NewReader("")}, Out: out, Args: []string{"-version"}, Most: MaxTime})
	return out.kept.Bytes(), err
}

// Version is what the tool calls itself, such as "5.1.9-0+deb12u1".
func (t *Tool) Version(ctx context.Context) (string, error) {
	text, err := t.version(ctx)
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "", fmt.Errorf("%w: its version cannot be read: %v", ErrFailed, err)
	}
	return fields[2], nil
}

// Run feeds in to ffmpeg's standard input and returns its standard output. args
// stand between the global options and nothing: name pipe:0 and pipe:1 in them.
// The error wraps [ErrFailed] if ffmpeg refused, complained or said too much.
func (t *Tool) Run(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &bounded{most: MaxOutput, full: cancel}
	err := t.Stream(ctx, Work{In: []io.Reader{in}, Out: out, Args: args, Most: MaxTime})
	if out.over {
		return nil, fmt.Errorf("%w: more than %d bytes came out", ErrFailed, MaxOutput)
	}
	if err != nil {
		return nil, err
	}
	return out.kept.Bytes(), nil
}

// Work is one run of ffmpeg whose output is taken as it comes.
type Work struct {
	// In are the inputs: the first is pipe:0, the following are pipe:3, pipe:4 and so on.
	In []io.Reader
	// Out is given what comes out of pipe:1. An error of it ends the run.
	Out io.Writer
	// Args stand behind the global options.
	Args []string
	// Most is how long the run may take.
	Most time.Duration
}

// Stream does a piece of work. Errors are as those of [Tool.Run].
func (t *Tool) Stream(ctx context.Context, w Work) error {
	w.Args = append([]string{"-hide_banner", "-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "pipe"}, w.Args...)
	return t.run(ctx, w)
}

func (t *Tool) run(ctx context.Context, w Work) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.Most)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.path, w.Args...)
	cmd.Env, cmd.Dir = []string{"LC_ALL=C"}, "/"
	cmd.WaitDelay = 5 * time.Second
	complaint := &bounded{most: maxComplain}
	cmd.Stdout, cmd.Stderr = w.Out, complaint
	feeds := make([]io.WriteCloser, len(w.In))
	if feeds[0], err = cmd.StdinPipe(); err != nil {
		return err
	}
	for i := range w.In[1:] {
		r, feed, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		defer feed.Close()
		cmd.ExtraFiles, feeds[i+1] = append(cmd.ExtraFiles, r), feed
	}
	confine(cmd, t.isolate)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting ffmpeg: %w", err)
	}
	for _, r := range cmd.ExtraFiles {
		r.Close() // the child has its own
	}
	// The limits stand before the first byte of media goes in.
	limited := limit(cmd.Process.Pid)
	fed := make(chan error, len(feeds))
	for i, feed := range feeds {
		go func() {
			var err error
			if limited == nil {
				_, err = io.Copy(feed, w.In[i])
			}
			fed <- errors.Join(err, ignoreClosed(feed.Close()))
		}()
	}
	ended := cmd.Wait()
	cancel()
	for _, feed := range feeds[1:] {
		feed.Close() // nobody reads it any more
	}
	var unread error
	for range feeds {
		unread = errors.Join(unread, <-fed)
	}
	switch {
	case ctx.Err() != nil && ended != nil && (errors.Is(context.Cause(ctx), context.DeadlineExceeded) || cmd.ProcessState == nil || !cmd.ProcessState.Exited()):
		return fmt.Errorf("running ffmpeg: %w", ctx.Err())
	case limited != nil || ended != nil:
		return fmt.Errorf("%w: %v: %s", ErrFailed, errors.Join(limited, ended), strings.TrimSpace(complaint.kept.String()))
	case unread != nil:
		// It ended well without having read everything, so it did not see all frames.
		return fmt.Errorf("%w: it did not read to the end: %v", ErrFailed, unread)
	}
	return nil
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
