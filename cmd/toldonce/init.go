package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/keyed"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/keys"
	"github.com/toldonce/toldonce/storage/objects"
	"github.com/toldonce/toldonce/web"
)

// initOptions says what `init` makes.
type initOptions struct {
	data    string
	db      string // address with its password, or empty for SQLite in data
	objects string // or empty for a folder in data
	org     string
	// jurisdiction is an ISO 3166 code.
	jurisdiction string
	kind         string
	login        string
	name         string
	language     string
	logOrigin    string
	retention    int // days
	tlsLocal     bool
	tlsHosts     []string
	demo         bool
}

func newInit(opt *options) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init --data DIR",
		Short: "Create an installation: keys, database, custody log, seal authority",
		Long: `Create an installation in a new or empty data folder: the master key, the seal and
its timestamp authority, the database with the custody log, the object store, and
the first administrator's account, which has no password yet. 'toldonce serve'
prints the link with which she sets one.

Nothing is ever created twice, and nothing that is missing later is recreated:
keep backups of the data folder, and of its folder keys apart from the rest.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.db, err = databaseAddress(opt.console, o.db); err != nil {
				return err
			}
			if err := initialise(cmd.Context(), o, time.Now); err != nil {
				return err
			}
			l, err := at(o.data)
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"data": l.dir, "trust": seal.TrustPath(l.seal())})
			}
			fmt.Fprintf(opt.out, "Created %s.\n", o.data)
			if o.tlsLocal {
				fmt.Fprintf(opt.out, "Other devices trust this server once %s is installed on them.\n", filepath.Join(l.tls(), web.LocalRootFile))
			}
			_, err = fmt.Fprintf(opt.out, "Start it with 'toldonce serve --data %s', which prints the first administrator's link.\n", o.data)
			return err
		},
	}
	f := cmd.Flags()
	addDataFlags(opt, cmd, &o.data, &o.db, &o.objects)
	f.StringVar(&o.org, "org", "My agency", "the agency's name, as it stands in certificates and reports (1 to 64 characters)")
	f.StringVar(&o.kind, "kind", string(people.Police), "what the agency is: "+agencyKinds())
	f.StringVar(&o.jurisdiction, "jurisdiction", "XK", "ISO 3166 code of the law that applies")
	f.StringVar(&o.login, "admin", "admin", "login of the first administrator")
	f.StringVar(&o.name, "admin-name", "First administrator", "name of the first administrator")
	f.StringVar(&o.language, "language", "en", "language of the first administrator: "+strings.Join(people.Languages, ", "))
	f.StringVar(&o.logOrigin, "log-origin", "", "name of the custody log in its checkpoints, such as custody.police.example/log1 (made up if left out)")
	f.IntVar(&o.retention, "retention-days", 365, "how long the object store's lock keeps what is written; it can be prolonged later, never shortened")
	f.BoolVar(&o.tlsLocal, "tls-local", false, "make a local authority for TLS, whose root other devices install")
	f.StringSliceVar(&o.tlsHosts, "tls-host", nil, "host names and addresses that the local authority vouches for (this machine's, if left out)")
	return cmd
}

func agencyKinds() string {
	kinds := make([]string, len(people.AgencyKinds))
	for i, k := range people.AgencyKinds {
		kinds[i] = string(k)
	}
	return strings.Join(kinds, ", ")
}

// initialise makes an installation. It refuses a folder that holds anything, and
// removes from the folder what it made if it cannot finish.
func initialise(ctx context.Context, o initOptions, clock evidence.Clock) (err error) {
	if o.data == "" {
		return usagef("--data is missing: name the folder to create the installation in")
	}
	if o.retention < 1 || o.retention > 36_500 {
		return usagef("--retention-days is between 1 and 36500")
	}
	l, err := at(o.data)
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.settings()); err == nil {
		return fmt.Errorf("%w: %s is initialised already, and keys are made once. Start it with 'toldonce serve --data %s'", evidence.ErrConflict, o.data, o.data)
	}
	var ours []string
	if o.demo {
		ours = []string{filepath.Base(l.demo())}
	}
	empty, err := l.isEmpty(ours...)
	if err != nil {
		return err
	}
	if !empty {
		return fmt.Errorf("%w: %s holds other files. Name a new or empty folder", evidence.ErrConflict, o.data)
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	release, err := l.lock()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.clear())
		}
		err = errors.Join(err, release())
	}()
	if err := makeParts(ctx, l, o, clock); err != nil {
		return err
	}
	in := installation{Version: installationVersion, CreatedAt: clock().UTC().Truncate(time.Second), Organisation: o.org, Jurisdiction: o.jurisdiction, RetentionDays: o.retention,
		Objects: o.objects, Demo: o.demo}
	in.DB, _ = withoutPassword(o.db)
	text, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return err
	}
	return l.create("installation.json", 0o600, append(text, '\n'))
}

// makeParts makes everything that an installation consists of but for the file
// that says it is whole.
func makeParts(ctx context.Context, l layout, o initOptions, clock evidence.Clock) error {
	if err := keys.Init(l.keys()); err != nil {
		return err
	}
	ring, err := keys.Open(l.keys())
	if err != nil {
		return err
	}
	origin := o.logOrigin
	if origin == "" {
		origin = "toldonce/log/" + string(evidence.NewID())
	}
	signer, verifier, err := custody.GenerateKey(origin)
	if err != nil {
		return usageError{fmt.Errorf("--log-origin: %w", err)}
	}
	logKey, err := ring.Wrap(ctx, db.LogKeyPurpose, []byte(signer))
	if err != nil {
		return err
	}
	if err := seal.Init(ctx, l.seal(), seal.Config{Organisation: o.org, Keys: ring, Clock: clock, LogKeys: []string{verifier}}); err != nil {
		return err
	}
	if err := os.Mkdir(l.log(), 0o700); err != nil {
		return err
	}
	if o.tlsLocal {
		hosts := o.tlsHosts
		if len(hosts) == 0 {
			if hosts, err = thisMachine(); err != nil {
				return err
			}
		}
		if err := web.InitLocalAuthority(l.tls(), hosts, clock); err != nil {
			return err
		}
	}
	if o.objects == "" {
		if err := objects.InitDir(l.path("objects")); err != nil {
			return err
		}
	} else if path, isDir := strings.CutPrefix(o.objects, "dir:"); isDir {
		if err := objects.InitDir(path); err != nil {
			return err
		}
	}
	in := installation{Organisation: o.org, Jurisdiction: o.jurisdiction, DB: o.db, Objects: o.objects, Demo: o.demo}
	dsn, _ := in.stores(l)
	if err := db.Init(ctx, dsn, db.InitConfig{Origin: origin, LogVerifier: verifier, LogKey: logKey}); err != nil {
		return err
	}
	return makeFirst(ctx, l, in, o, clock)
}

// makeFirst makes the index key, the agency and its first administrator.
func makeFirst(ctx context.Context, l layout, in installation, o initOptions, clock evidence.Clock) (err error) {
	st, err := openStores(ctx, l, in, clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := keyed.Create(ctx, st.db, st.keys); err != nil {
		return err
	}
	d, err := openDomain(ctx, st, in, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, _, err = d.people.Bootstrap(ctx, people.First{
		Agency: people.NewAgency{Name: o.org, Kind: people.AgencyKind(o.kind)},
		Login:  o.login, Name: o.name, Language: o.language,
	})
	return err
}
