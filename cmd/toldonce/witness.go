package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/internal/durable"
	"github.com/toldonce/toldonce/storage/notes"
	"github.com/toldonce/toldonce/web"
	"github.com/toldonce/toldonce/web/witness"
)

// Files of a witness's folder.
const (
	witnessKeyFile    = "witness.key"  // the signer's key, 0600
	witnessPublicFile = "witness.vkey" // what others are given
	witnessStateDir   = "state"
)

func newWitness(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "Watch the custody logs of others, as a court or an advocate does",
		Long: `Watch the custody logs of others. A witness belongs to somebody whom the police
cannot tell what to sign: a court, the prosecutor's office, an advocate. It cosigns
each checkpoint that extends the one before (C2SP tlog-witness) and never a fork or
a smaller log, so that nobody can show two histories. It sees sizes and hashes, and
nothing of any case.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWitnessInit(opt), newWitnessServe(opt), newWitnessForget(opt))
	return cmd
}

func newWitnessInit(opt *options) *cobra.Command {
	var dir, name string
	cmd := &cobra.Command{
		Use:   "init --dir DIR --name NAME",
		Short: "Make a witness's key",
		Long: `Make a witness's key in a new folder and print its public half, which logs and
verifiers are configured with. NAME says who it is, like an address without a
scheme: witness.court.example. Without the folder's contents a witness cannot know
what it signed before: back it up, and never run two from one folder.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			signer, verifier, err := custody.GenerateCosigner(name)
			if err != nil {
				return usageError{err}
			}
			root, err := emptyFolder(dir)
			if err != nil {
				return err
			}
			defer root.Close()
			err = errors.Join(durable.MkdirAll(root, witnessStateDir), durable.Create(root, witnessPublicFile, 0o644, []byte(verifier+"\n")))
			if err == nil {
				err = durable.Create(root, witnessKeyFile, 0o600, []byte(signer+"\n")) // last: it says that the folder is whole
			}
			if err != nil {
				return fmt.Errorf("making the witness's folder: %w", err)
			}
			if opt.json {
				return printJSON(opt.out, map[string]string{"name": name, "key": verifier})
			}
			_, err = fmt.Fprintf(opt.out, "%s\n", verifier)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the witness, new or empty")
	cmd.Flags().StringVar(&name, "name", "", "its name, such as witness.court.example")
	mustMark(cmd.MarkFlagRequired("dir"))
	mustMark(cmd.MarkFlagRequired("name"))
	return cmd
}

func newWitnessServe(opt *options) *cobra.Command {
	var dir, listen, cert, key, format string
	var logs []string
	cmd := &cobra.Command{
		Use:   "serve --dir DIR --log KEY --listen ADDR",
		Short: "Answer logs that ask for a cosignature",
		Long: `Answer logs that ask for a cosignature, until the process is told to end. Each --log
is the verifier key of a log that this witness watches, as ` + "`toldonce trust export`" + `
hands it out (log.vkey); there is no other authentication than the log's signature.
POST /add-checkpoint is C2SP tlog-witness; GET /checkpoint?origin=NAME shows what was
cosigned last. On this machine plain HTTP is enough; beyond it give --tls-cert and
--tls-key, or put a proxy in front.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(opt.err, format)
			if err != nil {
				return err
			}
			var config *tls.Config
			if (cert == "") != (key == "") {
				return usagef("--tls-cert and --tls-key go together")
			}
			if cert != "" {
				if config, err = web.TLSFromFiles(cert, key); err != nil {
					return err
				}
			}
			return serveWitness(cmd.Context(), dir, logs, listen, config, log, func(address string, w *custody.Witness) error {
				if opt.json {
					return printJSON(opt.out, map[string]string{"listen": address, "name": w.Cosigner().Name, "key": w.Cosigner().Key})
				}
				_, err := fmt.Fprintf(opt.out, "Witness %s answers at %s\n", w.Cosigner().Name, address)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "folder that 'toldonce witness init' made")
	f.StringArrayVar(&logs, "log", nil, "verifier key of a log to watch; may be given again")
	f.StringVar(&listen, "listen", "127.0.0.1:8090", "address and port")
	f.StringVar(&cert, "tls-cert", "", "certificate chain, a PEM file")
	f.StringVar(&key, "tls-key", "", "its key, a PEM file")
	addLogFlag(opt, cmd, &format)
	mustMark(cmd.MarkFlagRequired("dir"))
	mustMark(cmd.MarkFlagRequired("log"))
	return cmd
}

// serveWitness answers until ctx ends. ready is called once it does.
func serveWitness(ctx context.Context, dir string, logs []string, listen string, config *tls.Config, log *slog.Logger, ready func(address string, w *custody.Witness) error) (err error) {
	l, err := at(dir)
	if err != nil {
		return err
	}
	release, err := l.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	signer, err := os.ReadFile(l.path(witnessKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s holds no witness. Run 'toldonce witness init'; if there was one, restore it", evidence.ErrMissingState, l.dir)
	}
	if err != nil {
		return err
	}
	state, err := notes.Open(l.path(witnessStateDir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	w, err := custody.NewWitness(strings.TrimSpace(string(signer)), logs, state)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", listen, err)
	}
	if config == nil && !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		listener.Close()
		return usagef("%s is beyond this machine: give --tls-cert and --tls-key, or put a proxy in front", listen)
	}
	scheme := "http"
	if config != nil {
		listener, scheme = tls.NewListener(listener, config), "https"
	}
	server := &http.Server{Handler: witness.Handler(w, log), ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-running.Done()
		short, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return server.Shutdown(short)
	})
	group.Go(func() error { return ready(scheme+"://"+listener.Addr().String(), w) })
	return group.Wait()
}

func newWitnessForget(opt *options) *cobra.Command {
	var dir, origin string
	cmd := &cobra.Command{
		Use:   "forget --dir DIR --origin NAME",
		Short: "Let a log begin anew after its people explained a loss",
		Long: `Let a log begin anew. A log whose database was restored from an older backup no
longer extends what this witness signed, and is refused for ever. If its people
explained that, and those who run the witness accept it, this puts the old checkpoint
aside, where it stays as proof, and the next one is cosigned as the first. Nobody but
those who run the witness decides this. The witness must not be running.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			l, err := at(dir)
			if err != nil {
				return err
			}
			release, err := l.lock()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, release()) }()
			state, err := notes.Open(l.path(witnessStateDir))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, state.Close()) }()
			aside, err := state.Forget(origin)
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"origin": origin, "kept": aside})
			}
			_, err = fmt.Fprintf(opt.out, "The next checkpoint of %s is cosigned as the first. What was signed before stays in\n  %s\n",
				origin, filepath.Join(l.path(witnessStateDir), aside[0]))
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the witness")
	cmd.Flags().StringVar(&origin, "origin", "", "name of the log")
	mustMark(cmd.MarkFlagRequired("dir"))
	mustMark(cmd.MarkFlagRequired("origin"))
	return cmd
}
