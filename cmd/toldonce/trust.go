package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

func newTrust(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Hand out what others need to trust this installation's seal",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTrustExport(opt), newTrustAuthority(opt))
	return cmd
}

func newTrustExport(opt *options) *cobra.Command {
	var data, out string
	cmd := &cobra.Command{
		Use:   "export --data DIR --out DIR",
		Short: "Copy the public trust files out of the data folder",
		Long: `Copy the public trust files out of the data folder into a new folder:
` + seal.TrustFile + ` for toldonce-verify, ` + seal.TrustedRootFile + ` for cosign, and the certificates for openssl.
They hold no secret. Publish them, deposit them with the court, or hand them
over, but never together with a package that they shall confirm.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := at(data)
			if err != nil {
				return err
			}
			if _, err := l.readInstallation(); err != nil {
				return err
			}
			files, err := copyTrust(l, out)
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"out": out, "files": files})
			}
			_, err = fmt.Fprintf(opt.out, "%d files written to %s. Check packages with\n  toldonce-verify PACKAGE --trust %s\n", len(files), out, path.Join(out, seal.TrustFile))
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", opt.getenv("TOLDONCE_DATA"), "data folder (TOLDONCE_DATA)")
	cmd.Flags().StringVar(&out, "out", "", "folder to write into, new or empty")
	mustMark(cmd.MarkFlagRequired("out"))
	return cmd
}

// copyTrust copies the public files of the seal and returns their names.
func copyTrust(l layout, out string) ([]string, error) {
	from, err := os.OpenRoot(path.Dir(seal.TrustPath(l.seal())))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the seal's trust files", evidence.ErrMissingState)
	}
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, err := emptyFolder(out)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	entries, err := fs.ReadDir(from.FS(), ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		f, err := from.Open(e.Name())
		if err != nil {
			return nil, err
		}
		err = writeNew(to, e.Name(), f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		names = append(names, e.Name())
	}
	return names, nil
}
