package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/retention"
)

func newEscrow(opt *options) *cobra.Command {
	return group("escrow", "Give out shares of a recording's key against disaster, and restore it from them",
		newEscrowIssue(opt), newEscrowList(opt), newEscrowReturn(opt), newEscrowRestore(opt))
}

func newEscrowIssue(opt *options) *cobra.Command {
	var data, dsn, interview, out, reason string
	var needed int
	var holders []string
	cmd := &cobra.Command{
		Use:   "issue --data DIR --interview ID --needed M --holder NAME=paper|age1… … --out DIR --reason TEXT",
		Short: "Split the key of a sealed recording among several holders, while nothing is served",
		Long: `Split the data key of a sealed recording into shares, one for each --holder, of which
M together open it and fewer say nothing. Each is written into the new folder --out:
for paper as text to be printed and handed over, for an age recipient encrypted to it.

The shares stand nowhere else. Destroy the files once they are handed over. Who has M
shares and the objects can open the recording without this installation; an
erasure does not reach shares that are out, and its certificate lists them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("an interview", interview)
			if err != nil {
				return err
			}
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				shares, err := c.issue(cmd.Context(), evidence.ID(id), needed, holders, out, reason)
				if err != nil {
					return err
				}
				if opt.json {
					return printJSON(opt.out, map[string]any{"out": out, "shares": shares})
				}
				_, err = fmt.Fprintf(opt.out, "%d shares written to %s; %d of them open the recording.\n", len(shares), out, needed)
				return err
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	f := cmd.Flags()
	f.StringVar(&interview, "interview", "", "the interview's identifier")
	f.IntVar(&needed, "needed", 2, "how many shares open the recording")
	f.StringArrayVar(&holders, "holder", nil, "NAME=paper or NAME=age1…, once for each holder")
	f.StringVar(&out, "out", "", "new folder to write the shares into")
	f.StringVar(&reason, "reason", "", "why; stands in the custody log")
	for _, name := range []string{"interview", "holder", "out", "reason"} {
		mustMark(cmd.MarkFlagRequired(name))
	}
	return cmd
}

// issued is a share as the command reports it.
type issued struct {
	ID     evidence.ID `json:"id"`
	Holder string      `json:"holder"`
	File   string      `json:"file"`
}

func (c *closedInstallation) issue(ctx context.Context, interview evidence.ID, needed int, holders []string, out, reason string) ([]issued, error) {
	iv, err := c.db.Interview(ctx, interview)
	if err != nil {
		return nil, err
	}
	if iv.State != evidence.StateSealed {
		return nil, fmt.Errorf("%w: the interview is not sealed", evidence.ErrConflict)
	}
	wrapped, _, err := c.db.RecordingKey(ctx, iv.Recording)
	if err != nil {
		return nil, err
	}
	key, err := c.keys.OpenRecordingKey(ctx, iv.Recording, wrapped)
	if err != nil {
		return nil, err
	}
	shares, err := envelope.SplitKey(iv.Recording, key, needed, len(holders))
	if err != nil {
		return nil, err
	}
	now, err := c.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	var noted []retention.Share
	var done []issued
	contents := make([][]byte, len(shares))
	for i, s := range shares {
		name, to, ok := strings.Cut(holders[i], "=")
		if !ok || strings.TrimSpace(name) == "" || len(name) > 200 {
			return nil, usagef("--holder %q is not NAME=paper or NAME=age1…", holders[i])
		}
		file := fmt.Sprintf("share-%d.txt", s.Number)
		if contents[i] = s.Encode(); to != "paper" {
			file += ".age"
			if contents[i], err = encryptTo(to, contents[i]); err != nil {
				return nil, err
			}
		}
		x := retention.Share{ID: evidence.NewID(), Agency: iv.Agency, Recording: iv.Recording, Number: s.Number, Needed: needed, Total: len(holders), Holder: name, IssuedAt: now}
		noted, done = append(noted, x), append(done, issued{x.ID, name, file})
	}
	folder, err := emptyFolder(out)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entry := operatorEntry(access.EntryEscrowIssued, map[string]string{"needed": strconv.Itoa(needed), "shares": strconv.Itoa(len(shares))})
	entry.Agency, entry.Case, entry.Interview, entry.Subject, entry.Why = iv.Agency, iv.Case, iv.ID, iv.Recording, reason
	if err := c.db.IssueShares(ctx, noted, entry); err != nil { // first: a share that nobody noted must not exist
		return nil, err
	}
	for i, x := range done {
		if err := os.WriteFile(filepath.Join(out, x.File), contents[i], 0o600); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func encryptTo(recipient string, plain []byte) ([]byte, error) {
	to, err := age.ParseRecipients(strings.NewReader(recipient))
	if err != nil || len(to) != 1 {
		return nil, usagef("%q is neither paper nor one age recipient", recipient)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func newEscrowList(opt *options) *cobra.Command {
	var data, dsn string
	cmd := &cobra.Command{
		Use:   "list --data DIR",
		Short: "List the shares that were given out, while nothing is served",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				shares, err := c.db.Shares(cmd.Context(), "")
				if err != nil {
					return err
				}
				type line struct {
					ID        evidence.ID `json:"id"`
					Recording evidence.ID `json:"recording"`
					Number    int         `json:"number"`
					Needed    int         `json:"needed"`
					Total     int         `json:"total"`
					Holder    string      `json:"holder"`
					Out       bool        `json:"out"`
				}
				lines := []line{}
				for _, s := range shares {
					lines = append(lines, line{s.ID, s.Recording, s.Number, s.Needed, s.Total, s.Holder, s.ReturnedAt == 0})
				}
				if opt.json {
					return printJSON(opt.out, lines)
				}
				return table(opt.out, func(row func(string, ...any)) {
					row("SHARE\tRECORDING\tNUMBER\tHOLDER\tOUT")
					for _, s := range lines {
						row("%s\t%s\t%d of %d, %d needed\t%s\t%v", s.ID, s.Recording, s.Number, s.Total, s.Needed, s.Holder, s.Out)
					}
				})
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	return cmd
}

func newEscrowReturn(opt *options) *cobra.Command {
	var data, dsn string
	cmd := &cobra.Command{
		Use:   "return SHARE --data DIR",
		Short: "Note that a share came back and was destroyed, while nothing is served",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("a share", args[0])
			if err != nil {
				return err
			}
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				entry := operatorEntry(access.EntryEscrowReturned, nil)
				entry.Subject = evidence.ID(id)
				if err := c.db.ReturnShare(cmd.Context(), evidence.ID(id), evidence.At(time.Now()), entry); err != nil {
					return err
				}
				if opt.json {
					return printJSON(opt.out, map[string]any{"id": id})
				}
				_, err := fmt.Fprintln(opt.out, "Noted.")
				return err
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	return cmd
}

func newEscrowRestore(opt *options) *cobra.Command {
	var files []string
	var identity, out string
	cmd := &cobra.Command{
		Use:   "restore --share FILE --share FILE … --out FILE [--identity FILE]",
		Short: "Restore the key of a recording from shares, with no installation at all",
		Long: `Restore the key of a recording from as many shares as are needed, and write it as an
age identity, with which stock age (1.3 or later) opens each of the recording's
objects:

  age -d -i FILE SEGMENT.age > segment.mp4

Shares that are encrypted to age recipients are opened with --identity, or beforehand
with age. Neither a database nor a key store is needed.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var ids []age.Identity
			if identity != "" {
				f, err := os.Open(identity)
				if err != nil {
					return err
				}
				defer f.Close()
				if ids, err = age.ParseIdentities(f); err != nil {
					return fmt.Errorf("--identity: %w", err)
				}
			}
			var shares []envelope.EscrowShare
			for _, name := range files {
				s, err := readShare(name, ids)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				shares = append(shares, s)
			}
			key, err := envelope.CombineKey(shares)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := fmt.Fprintln(f, key.IdentityString()); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"recording": shares[0].Recording, "out": out})
			}
			_, err = fmt.Fprintf(opt.out, "The key of recording %s is in %s. Destroy it when you are done.\n", shares[0].Recording, out)
			return err
		},
	}
	cmd.Flags().StringArrayVar(&files, "share", nil, "a share's file; once for each")
	cmd.Flags().StringVar(&identity, "identity", "", "age identity file for shares that are encrypted")
	cmd.Flags().StringVar(&out, "out", "", "new file to write the key into")
	mustMark(cmd.MarkFlagRequired("share"))
	mustMark(cmd.MarkFlagRequired("out"))
	return cmd
}

func readShare(name string, ids []age.Identity) (envelope.EscrowShare, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return envelope.EscrowShare{}, err
	}
	if bytes.HasPrefix(data, []byte("age-encryption.org/")) {
		if len(ids) == 0 {
			return envelope.EscrowShare{}, usagef("the share is encrypted: name its holder's key with --identity")
		}
		plain, err := age.Decrypt(bytes.NewReader(data), ids...)
		if err != nil {
			return envelope.EscrowShare{}, err
		}
		if data, err = io.ReadAll(plain); err != nil {
			return envelope.EscrowShare{}, err
		}
	}
	return envelope.ParseEscrowShare(data)
}
