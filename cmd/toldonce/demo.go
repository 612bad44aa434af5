package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// demoRecord is the file demo.json of a demonstration's data folder. It marks the
// folder as one that `demo` made itself, and keeps what is printed at each
// start. It holds passwords, of a demonstration only.
type demoRecord struct {
	Version  int           `json:"version"` // 1
	Complete bool          `json:"complete"`
	Accounts []demoAccount `json:"accounts"`
	Case     evidence.ID   `json:"case_id"`
	// Interview is the one that is ready to start; Sealed was recorded.
	Interview evidence.ID `json:"interview_id"`
	Sealed    evidence.ID `json:"sealed_interview_id"`
	// Long is the synthetic long interview, if one was asked for.
	Long evidence.ID `json:"long_interview_id,omitempty"`
}

const demoVersion = 1

// demoAccount is somebody of the demonstration, with all that she proves herself by.
type demoAccount struct {
	Role     evidence.Role `json:"role"`
	Login    string        `json:"login"`
	Name     string        `json:"name"`
	Password string        `json:"password"`
	TOTP     string        `json:"totp_secret"` // base32
	ID       evidence.ID   `json:"id"`
}

// demoReady is the line that --json prints once the demonstration is ready.
type demoReady struct {
	URL       string                   `json:"url"`
	Accounts  []demoAccount            `json:"accounts"`
	Tokens    map[evidence.Role]string `json:"tokens"`
	Case      evidence.ID              `json:"case_id"`
	Interview evidence.ID              `json:"interview_id"`
	Sealed    evidence.ID              `json:"sealed_interview_id"`
	Long      evidence.ID              `json:"long_interview_id,omitempty"`
	Trust     string                   `json:"trust"`
	Tracks    []demoTrack              `json:"tracks"`
}

// demoTrack is a source of the interview to start.
type demoTrack struct {
	Role  evidence.SourceRole `json:"role"`
	Name  string              `json:"name"`
	WHIP  string              `json:"whip"`
	Token string              `json:"token"`
}

func newDemo(opt *options) *cobra.Command {
	var o serveOptions
	var long time.Duration
	cmd := &cobra.Command{
		Use:   "demo --data DIR --listen 127.0.0.1:PORT",
		Short: "Serve a demonstration agency with people, a case and a sealed interview",
		Long: `Serve a demonstration agency: an account for each role, a case file, a room, an
interview that is ready to start, and one that was recorded and sealed, so that a
visitor can watch, verify and share within a minute.

It listens on this machine only, keeps its data in a folder that it made itself,
and goes on with that data when it is started again. It is ready within 45 seconds.

With --json it prints one line of JSON once it is ready, and keeps serving.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.db, err = databaseAddress(opt.console, o.db); err != nil {
				return err
			}
			log, err := newLogger(opt.err, o.logFormat)
			if err != nil {
				return err
			}
			return demonstrate(cmd.Context(), o, long, time.Now, log, func(r demoReady) error {
				if opt.json {
					return printJSON(opt.out, r)
				}
				return writeDemo(opt.out, r, time.Now())
			})
		},
	}
	addDataFlags(opt, cmd, &o.data, &o.db, &o.objects)
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8081", "address and port on this machine")
	cmd.Flags().DurationVar(&long, "long", 0, "also make a synthetic sealed interview of this length, such as 3h, to try a long one")
	addLogFlag(opt, cmd, &o.logFormat)
	return cmd
}

// demonstrate makes the demonstration if it is not there yet, and serves it; with a
// long interview unless long is 0.
func demonstrate(ctx context.Context, o serveOptions, long time.Duration, clock evidence.Clock, log *slog.Logger, print func(demoReady) error) error {
	if o.data == "" {
		return usagef("--data is missing: name a folder for the demonstration")
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil || !loopback(host) {
		return usagef("a demonstration is served on this machine only: give --listen 127.0.0.1:PORT")
	}
	o.reserve = 64
	l, err := at(o.data)
	if err != nil {
		return err
	}
	rec, err := l.openDemo()
	if err != nil {
		return err
	}
	if !rec.Complete {
		if err := prepareDemo(ctx, l, o, clock); err != nil {
			return err
		}
	}
	return serve(ctx, o, clock, log, func(s *server) error {
		b := &demoBuilder{server: s, layout: l, clock: clock, record: rec, long: long}
		r, err := b.ready(ctx)
		if err != nil {
			return fmt.Errorf("preparing the demonstration: %w", err)
		}
		return print(r)
	})
}

// openDemo reads the record of a demonstration. An absent or empty folder gives
// an empty record; any other folder that `demo` did not make is refused.
func (l layout) openDemo() (demoRecord, error) {
	var rec demoRecord
	text, err := os.ReadFile(l.demo())
	if errors.Is(err, fs.ErrNotExist) {
		empty, err := l.isEmpty()
		if err == nil && !empty {
			err = fmt.Errorf("%w: %s holds data that no demonstration made. Name a new folder", evidence.ErrConflict, l.dir)
		}
		return rec, err
	}
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(text, &rec); err != nil || rec.Version != demoVersion {
		return rec, fmt.Errorf("%w: %s was not written by this version of the demonstration. Name a new folder", evidence.ErrConflict, l.demo())
	}
	return rec, nil
}

// prepareDemo makes the installation of a demonstration, marked as one before
// anything else. What an interrupted start left behind is made anew.
func prepareDemo(ctx context.Context, l layout, o serveOptions, clock evidence.Clock) error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(l.clear(), l.saveDemo(demoRecord{Version: demoVersion})); err != nil {
		return err
	}
	return initialise(ctx, initOptions{
		data: o.data, db: o.db, objects: o.objects, demo: true,
		org: demoAgency, kind: "police", login: "admin", name: demoPeople[0].name, language: "en", jurisdiction: "XK", retention: 1,
	}, clock)
}

// saveDemo replaces the record.
func (l layout) saveDemo(rec demoRecord) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	tmp := l.demo() + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, l.demo())
}
