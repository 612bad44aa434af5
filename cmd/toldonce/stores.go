package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/keys"
	"github.com/toldonce/toldonce/storage/notes"
	"github.com/toldonce/toldonce/storage/objects"
	"github.com/toldonce/toldonce/storage/signers"
)

// addDataFlags defines where an installation lies.
func addDataFlags(opt *options, cmd *cobra.Command, data, dsn, objectSpec *string) {
	f := cmd.Flags()
	f.StringVar(data, "data", opt.getenv("TOLDONCE_DATA"), "data folder (TOLDONCE_DATA)")
	f.StringVar(dsn, "db", "", "database: sqlite:FILE or postgres://USER@HOST/NAME; a password comes from TOLDONCE_DB, TOLDONCE_DB_FILE or PGPASSWORD (default: SQLite in the data folder)")
	f.StringVar(objectSpec, "objects", opt.getenv("TOLDONCE_OBJECTS"), "object store: dir:FOLDER or s3://BUCKET?endpoint=URL&region=R&ca=FILE, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (TOLDONCE_OBJECTS; default: in the data folder)")
}

// databaseAddress is the flag's value, or else what the environment says. A
// password in a flag is refused: flags stand in every process listing.
func databaseAddress(con console, flag string) (string, error) {
	if flag == "" {
		return secret(con, "TOLDONCE_DB")
	}
	if _, had := withoutPassword(flag); had {
		return "", usagef("--db holds a password, which everyone on this machine can read in the process list. Give the whole address in TOLDONCE_DB or in a file named by TOLDONCE_DB_FILE")
	}
	return flag, nil
}

// stores are the open parts that keep state.
type stores struct {
	layout  layout
	keys    *keys.Local
	db      *db.Store
	objects objects.Store
	seal    *seal.Authority
	anchor  *notes.Folder // the newest checkpoint, beside the database
}

// stores returns where the database and the objects of an installation are.
func (in installation) stores(l layout) (dsn, objectSpec string) {
	dsn, objectSpec = in.DB, in.Objects
	if dsn == "" {
		dsn = l.defaultDB()
	}
	if objectSpec == "" {
		objectSpec = l.defaultObjects()
	}
	return dsn, objectSpec
}

// openStores opens every part of an installation and proves that the object
// store keeps what is written. What is missing is an error wrapping
// evidence.ErrMissingState and is never made anew.
func openStores(ctx context.Context, l layout, in installation, clock evidence.Clock) (*stores, error) {
	dsn, spec := in.stores(l)
	ring, err := keys.Open(l.keys())
	if err != nil {
		return nil, fmt.Errorf("opening the keys: %w", err)
	}
	authority, err := seal.OpenWith(ctx, l.seal(), ring, clock, signers.Open)
	if err != nil {
		return nil, fmt.Errorf("opening the seal: %w", err)
	}
	store, err := objects.Open(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("opening the object store: %w", err)
	}
	if err := store.Probe(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("proving that the object store keeps what is written: %w", err), store.Close())
	}
	database, err := db.Open(ctx, dsn, clock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), store.Close())
	}
	anchor, err := openAnchor(l)
	if err != nil {
		return nil, errors.Join(err, database.Close(), store.Close())
	}
	return &stores{layout: l, keys: ring, db: database, objects: store, seal: authority, anchor: anchor}, nil
}

// Close closes what openStores opened.
func (s *stores) Close() error {
	return errors.Join(s.db.Close(), s.objects.Close(), s.anchor.Close())
}

// openAnchor opens the folder of the newest checkpoint. An installation of before
// there was one gets it now.
func openAnchor(l layout) (*notes.Folder, error) {
	if err := os.Mkdir(l.log(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("folder of the newest checkpoint: %w", err)
	}
	return notes.Open(l.log())
}

// thisMachine names this machine as others may: its host name, localhost and its
// addresses.
func thisMachine() ([]string, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	hosts := []string{name, "localhost"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			hosts = append(hosts, n.IP.String())
		}
	}
	return hosts, nil
}
