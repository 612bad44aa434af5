package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	check "github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/prefix"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/durable"
	"github.com/toldonce/toldonce/storage/objects"
)

func newPrefix(opt *options) *cobra.Command {
	var spec, recording, trustFile, witnessed, out, language string
	var all bool
	cmd := &cobra.Command{
		Use:   "prefix --objects STORE --recording ID --trust FILE",
		Short: "Prove what a destroyed server recorded, from the object store alone",
		Long: `Prove what is left of a recording whose server was destroyed before it was sealed:
the signed checkpoints and the encrypted pieces that reached the object store. No
database and no key are needed; nothing is decrypted. The report says plainly that
this is the beginning of an unsealed recording, and what is not proved.

--witnessed names the newest checkpoint that a witness holds: its answer to
GET /checkpoint?origin=LOG/recording/ID. Without it nobody can say whether later
checkpoints were removed from the store.

--out copies what was found into a new folder, which toldonce-verify judges in the
same way on any machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			id, err := evidence.ParseID(recording)
			if err != nil {
				return usagef("--recording is the id of a recording, not %q", recording)
			}
			if !lang.Known(language) {
				return usagef("--lang is one of %s", strings.Join(lang.Languages, ", "))
			}
			trust, err := seal.LoadTrust(trustFile)
			if err != nil {
				return err
			}
			store, err := objects.Open(cmd.Context(), spec)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			files, err := leftOf(cmd.Context(), store, id, witnessed)
			if err != nil {
				return err
			}
			if out != "" {
				if err := copyFiles(files, out); err != nil {
					return err
				}
			}
			report, err := check.Files(cmd.Context(), files, trust)
			if err != nil {
				return err
			}
			if opt.json {
				err = printJSON(opt.out, report.In(lang.Language(language)))
			} else {
				err = report.WriteText(opt.out, lang.Language(language), all)
			}
			if err == nil && report.Verdict != check.Verified {
				err = fmt.Errorf("recording %s: %s", id, report.Verdict)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&spec, "objects", opt.getenv("TOLDONCE_OBJECTS"), "object store: dir:FOLDER or s3://BUCKET?endpoint=URL&region=R&ca=FILE (TOLDONCE_OBJECTS)")
	f.StringVar(&recording, "recording", "", "id of the recording")
	f.StringVar(&trustFile, "trust", "", "the agency's trust file, from elsewhere than the store")
	f.StringVar(&witnessed, "witnessed", "", "file with the newest checkpoint that a witness holds")
	f.StringVar(&out, "out", "", "copy what was found into this new folder")
	f.StringVar(&language, "lang", "en", "language of the report: en, sq or sr")
	f.BoolVar(&all, "all", false, "list what holds too, check by check")
	mustMark(cmd.MarkFlagRequired("recording"))
	mustMark(cmd.MarkFlagRequired("trust"))
	return cmd
}

// leftOf lists what the store has of a recording, by names in its folder. Of an
// object that was written over, what was written first counts.
func leftOf(ctx context.Context, store objects.Store, recording evidence.ID, witnessed string) ([]check.File, error) {
	root := prefix.Root(recording)
	listed, err := store.List(ctx, root)
	if err != nil {
		return nil, err
	}
	if len(listed) == 0 {
		return nil, fmt.Errorf("recording %s: %w: the store has nothing of it", recording, evidence.ErrNotFound)
	}
	var files []check.File
	seen := map[string]bool{}
	for _, o := range listed {
		name := strings.TrimPrefix(o.Key, root)
		if seen[name] {
			continue
		}
		seen[name] = true
		files = append(files, check.File{Name: name, Size: o.Size, Open: func() (io.ReaderAt, io.Closer, error) {
			data, err := store.Get(ctx, o.Key, o.Version) // one piece, or one checkpoint
			if err != nil {
				return nil, nil, err
			}
			return bytes.NewReader(data), io.NopCloser(nil), nil
		}})
	}
	if witnessed != "" {
		note, err := os.ReadFile(witnessed)
		if err != nil {
			return nil, err
		}
		files = append(files, check.File{Name: check.WitnessedFile, Size: int64(len(note)), Open: func() (io.ReaderAt, io.Closer, error) {
			return bytes.NewReader(note), io.NopCloser(nil), nil
		}})
	}
	return files, nil
}

// copyFiles writes the files into a folder that is new or empty.
func copyFiles(files []check.File, out string) error {
	to, err := emptyFolder(out)
	if err != nil {
		return err
	}
	defer to.Close()
	for _, f := range files {
		if err := durable.MkdirAll(to, path.Dir(f.Name)); err != nil {
			return err
		}
		r, closer, err := f.Open()
		if err != nil {
			return err
		}
		err = writeNew(to, f.Name, io.NewSectionReader(r, 0, f.Size))
		if err = errors.Join(err, closer.Close()); err != nil {
			return err
		}
	}
	return nil
}
