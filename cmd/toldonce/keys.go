package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/storage/keys"
)

func newKeys(opt *options) *cobra.Command {
	return group("keys", "Back up and rotate the keys of an installation", newKeysBackup(opt), newKeysRotate(opt), newSealRotate(opt), newSealRevoke(opt), newSealList(opt))
}

// openKeys opens the key store of a whole data folder.
func openKeys(data string) (*keys.Local, layout, error) {
	l, err := at(data)
	if err != nil {
		return nil, l, err
	}
	if _, err := l.readInstallation(); err != nil {
		return nil, l, err
	}
	ring, err := keys.Open(l.keys())
	return ring, l, err
}

func newKeysBackup(opt *options) *cobra.Command {
	var data, out, noted string
	cmd := &cobra.Command{
		Use:   "backup --data DIR (--out DIR | --note TIME)",
		Short: "Copy the key store, or note that it was backed up by other means",
		Long: `Copy the key store into a new folder, while the server runs or not, and note when.

Keep the copy apart from the database's and the objects' backups, for a period of
its own: as long as it exists, what is erased meanwhile can be opened with it. The
certificate of an erasure names the last backup that anybody noted, so note those
too that other tools make, with --note.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (out == "") == (noted == "") {
				return usagef("give either --out, a folder to copy to, or --note, a time such as now")
			}
			ring, _, err := openKeys(data)
			if err != nil {
				return err
			}
			defer ring.Close()
			when := time.Now()
			if noted != "" {
				if when, err = parseInstant(noted, when); err != nil {
					return usageError{fmt.Errorf("--note: %w", err)}
				}
				err = ring.NoteBackup(cmd.Context(), evidence.At(when))
			} else {
				err = ring.Backup(cmd.Context(), out)
			}
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"noted": when.UTC().Format(time.RFC3339), "out": out})
			}
			_, err = fmt.Fprintf(opt.out, "A backup of the key store is noted for %s.\n", when.UTC().Format(time.RFC3339))
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", opt.getenv("TOLDONCE_DATA"), "data folder (TOLDONCE_DATA)")
	cmd.Flags().StringVar(&out, "out", "", "new folder to copy the key store into")
	cmd.Flags().StringVar(&noted, "note", "", "note a backup that was made otherwise at this time: RFC 3339, now, or a distance from now")
	return cmd
}
