package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/keys"
	"github.com/toldonce/toldonce/storage/signers"
)

// closedInstallation is an installation that is not being served: its data folder is
// locked, its key store and its database are open.
type closedInstallation struct {
	layout layout
	keys   *keys.Local
	db     *db.Store
	close  func() error
}

func openClosed(ctx context.Context, opt *options, data, dsn string) (*closedInstallation, error) {
	if data == "" {
		return nil, usagef("--data is missing: name the data folder")
	}
	l, err := at(data)
	if err != nil {
		return nil, err
	}
	in, err := l.readInstallation()
	if err != nil {
		return nil, err
	}
	if in.DB, err = override(opt, dsn, in.DB); err != nil {
		return nil, err
	}
	release, err := l.lock()
	if err != nil {
		return nil, err
	}
	ring, err := keys.Open(l.keys())
	if err != nil {
		return nil, errors.Join(err, release())
	}
	address, _ := in.stores(l)
	store, err := db.Open(ctx, address, time.Now)
	if err != nil {
		return nil, errors.Join(err, ring.Close(), release())
	}
	return &closedInstallation{layout: l, keys: ring, db: store, close: func() error { return errors.Join(store.Close(), ring.Close(), release()) }}, nil
}

// override is the database that was named now, or else what the installation says.
func override(opt *options, flag, there string) (string, error) {
	dsn, err := databaseAddress(opt.console, flag)
	if err != nil || dsn == "" {
		return there, err
	}
	return dsn, nil
}

// withClosed runs fn on a closed installation and closes it.
func withClosed(opt *options, cmd *cobra.Command, data, dsn string, fn func(*closedInstallation) error) error {
	c, err := openClosed(cmd.Context(), opt, data, dsn)
	if err != nil {
		return err
	}
	return errors.Join(fn(c), c.close())
}

func addClosedFlags(opt *options, cmd *cobra.Command, data, dsn *string) {
	cmd.Flags().StringVar(data, "data", opt.getenv("TOLDONCE_DATA"), "data folder (TOLDONCE_DATA)")
	cmd.Flags().StringVar(dsn, "db", "", "database, if it is another than the installation says; a password comes from TOLDONCE_DB, TOLDONCE_DB_FILE or PGPASSWORD")
}

func operatorEntry(action string, details map[string]string) custody.Entry {
	return custody.Entry{Actor: evidence.System(""), Action: action, Details: details}
}

func newKeysRotate(opt *options) *cobra.Command {
	var data, dsn string
	cmd := &cobra.Command{
		Use:   "rotate --data DIR",
		Short: "Put a new master key in the place of the present one, while nothing is served",
		Long: `Put a new master key in the place of the present one and wrap everything anew that
it wraps: the erasable keys of recordings, the seal's keys, the log's key and the
second factors. No object and no wrapped data key is touched.

End the server first. Back the key store up afterwards: earlier copies hold the
old master key and open nothing that is wrapped from now on. A rotation that broke
off is taken up again by the same command.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				from, to, n, err := c.rotate(cmd.Context())
				if err != nil {
					return err
				}
				if opt.json {
					return printJSON(opt.out, map[string]any{"from": from, "to": to, "secrets": n})
				}
				_, err = fmt.Fprintf(opt.out, "The master key is %s now; %s is destroyed. Back the key store up: toldonce keys backup.\n", to, from)
				return err
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	return cmd
}

// rotate replaces the master key and wraps anew whatever it wraps.
func (c *closedInstallation) rotate(ctx context.Context) (from, to string, secrets int, err error) {
	entries, err := os.ReadDir(c.layout.spool())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", 0, err
	}
	for _, e := range entries {
		if _, err := evidence.ParseID(e.Name()); err == nil {
			return "", "", 0, fmt.Errorf("%w: the spool holds an interview whose journal the present master key opens. Start the server once, so that it is sealed, and end it again", evidence.ErrConflict)
		}
	}
	if from, to, err = c.keys.Rotate(ctx); err != nil {
		return from, to, 0, err
	}
	inSeal, err := seal.Rewrap(c.layout.seal(), c.keys.Rewrap)
	if err != nil {
		return from, to, 0, err
	}
	inDB, err := c.db.Rewrap(ctx, c.keys.Rewrap, operatorEntry(access.EntryMasterRotated, map[string]string{"from": from, "to": to, "seal": strconv.Itoa(inSeal)}))
	if err != nil {
		return from, to, 0, err
	}
	// What still needs the old master key would be lost with it.
	if _, err := seal.OpenWith(ctx, c.layout.seal(), c.keys, time.Now, signers.Open); err != nil {
		return from, to, 0, err
	}
	return from, to, inSeal + inDB, c.keys.FinishRotation(ctx)
}

func newSealRotate(opt *options) *cobra.Command {
	var data, dsn, to string
	cmd := &cobra.Command{
		Use:   "rotate-seal --data DIR [--to URI]",
		Short: "Make a new key that seals, while nothing is served",
		Long: `Make a new key that seals from now on. The old private key is destroyed; its public
half stays in the trust file, with the time until which it sealed, so that what it
sealed is verified and exported as before. Hand the trust files out again:
toldonce trust export.

--to takes a key that lies in a key management service, and never leaves it:
hashivault://KEY or openbao://KEY, of type ecdsa-p256 in the transit engine of
HashiCorp Vault or OpenBao. Set VAULT_ADDR and VAULT_TOKEN (or BAO_ADDR and BAO_TOKEN),
here and for the server, which asks the service for each seal. Rotate such a key with
this command too, to another key: a new version of the same one seals nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				before, err := seal.LoadTrust(seal.TrustPath(c.layout.seal()))
				if err != nil {
					return err
				}
				var id string
				if to == "" {
					id, err = seal.Rotate(cmd.Context(), c.layout.seal(), c.keys, time.Now)
				} else {
					id, err = seal.RotateTo(cmd.Context(), c.layout.seal(), c.keys, time.Now, to, signers.Open)
				}
				if err != nil {
					return err
				}
				old := before.Signers[0].KeyID
				if err := c.db.AppendEntry(cmd.Context(), operatorEntry(access.EntrySealRotated, map[string]string{"from": detailKey(old), "to": detailKey(id)})); err != nil {
					return err
				}
				if opt.json {
					return printJSON(opt.out, map[string]any{"from": old, "to": id})
				}
				_, err = fmt.Fprintf(opt.out, "The key %s seals from now on. Hand the trust files out again: toldonce trust export.\n", id)
				return err
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	cmd.Flags().StringVar(&to, "to", "", "URI of a key in a key management service: hashivault://KEY or openbao://KEY (default: a new local key)")
	return cmd
}

// detailKey is a key id in the form that a custody entry's details hold.
func detailKey(id string) string {
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return "unknown"
	}
	return hex.EncodeToString(raw)
}

func newSealRevoke(opt *options) *cobra.Command {
	var data, dsn, key, from, reason string
	cmd := &cobra.Command{
		Use:   "revoke-seal --data DIR --key KEY --from TIME --reason TEXT",
		Short: "Say that a key which sealed is not trusted from a time on",
		Long: `Say in the trust file that a key which sealed before is not trusted from a time on:
what was timestamped earlier still holds, everything later fails. The present key
must be rotated first. The reason is published with the trust file.

Whoever stole the built-in timestamp authority's key as well could date back: then
only an outside authority's timestamps and the custody log tell.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			when, err := parseInstant(from, time.Now())
			if err != nil {
				return usageError{fmt.Errorf("--from: %w", err)}
			}
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				if err := seal.Revoke(c.layout.seal(), key, when, reason); err != nil {
					return err
				}
				entry := operatorEntry(access.EntrySealRevoked, map[string]string{"key": detailKey(key), "from": strconv.FormatInt(int64(evidence.At(when)), 10)})
				entry.Why = reason
				if err := c.db.AppendEntry(cmd.Context(), entry); err != nil {
					return err
				}
				if opt.json {
					return printJSON(opt.out, map[string]any{"key": key, "from": when.UTC().Format(time.RFC3339)})
				}
				_, err := fmt.Fprintf(opt.out, "%s is not trusted from %s on. Hand the trust files out again: toldonce trust export.\n", key, when.UTC().Format(time.RFC3339))
				return err
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	cmd.Flags().StringVar(&key, "key", "", "the key's identifier, as 'toldonce keys seals' lists it")
	cmd.Flags().StringVar(&from, "from", "", "since when: RFC 3339, now, or a distance from now such as -48h")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is published")
	for _, name := range []string{"key", "from", "reason"} {
		mustMark(cmd.MarkFlagRequired(name))
	}
	return cmd
}

func newSealList(opt *options) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "seals --data DIR",
		Short: "List the keys that seal and sealed, and until when",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := at(data)
			if err != nil {
				return err
			}
			trust, err := seal.LoadTrust(seal.TrustPath(l.seal()))
			if err != nil {
				return fmt.Errorf("%w: %s: %w", evidence.ErrMissingState, path.Base(l.seal()), err)
			}
			type line struct {
				Key       string     `json:"key"`
				Algorithm string     `json:"algorithm"`
				From      time.Time  `json:"from"`
				Until     time.Time  `json:"until"`
				RevokedAt *time.Time `json:"revoked_at,omitempty"`
				Present   bool       `json:"present"`
			}
			lines := []line{}
			for i, s := range trust.Signers {
				one := line{Key: s.KeyID, Algorithm: s.Algorithm, From: s.NotBefore.UTC(), Until: s.NotAfter.UTC(), Present: i == 0}
				if !s.RevokedAt.IsZero() {
					one.RevokedAt = &s.RevokedAt
				}
				lines = append(lines, one)
			}
			if opt.json {
				return printJSON(opt.out, lines)
			}
			return table(opt.out, func(row func(string, ...any)) {
				row("KEY\tSEALS FROM\tUNTIL\tREVOKED FROM")
				for _, s := range lines {
					row("%s\t%s\t%s\t%s", s.Key, s.From.Format(time.RFC3339), s.Until.Format(time.RFC3339), dayOf(s.RevokedAt))
				}
			})
		},
	}
	cmd.Flags().StringVar(&data, "data", opt.getenv("TOLDONCE_DATA"), "data folder (TOLDONCE_DATA)")
	return cmd
}
