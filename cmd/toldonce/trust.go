package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/durable"
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
` + seal.TrustFile + ` for toldonce-verify, ` + seal.TrustedRootFile + ` for cosign, the certificates for openssl,
and ` + logKeyFile + ` for those who witness the custody log.
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

// logKeyFile holds the custody log's verifier key, for those who witness it.
const logKeyFile = "log.vkey"

// addLog names the installation's witnesses in the trust file that was copied, and
// writes the custody log's key beside it.
func addLog(l layout, to *os.Root) error {
	text, err := to.ReadFile(seal.TrustFile)
	if err != nil {
		return err
	}
	trust, err := seal.ParseTrust(text)
	if err != nil {
		return err
	}
	var keys strings.Builder
	for _, log := range trust.Logs {
		keys.WriteString(log.Key + "\n")
	}
	if err := durable.Create(to, logKeyFile, 0o644, []byte(keys.String())); err != nil {
		return err
	}
	configured, err := l.witnesses()
	if err != nil || len(configured) == 0 {
		return err
	}
	for _, c := range configured {
		w, err := custody.ParseCosigner(c.Key)
		if err != nil {
			return err
		}
		trust.Witnesses = append(trust.Witnesses, w)
	}
	if text, err = trust.Encode(); err != nil {
		return err
	}
	return durable.Replace(to, seal.TrustFile, 0o644, text)
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
	return append(names, logKeyFile), addLog(l, to)
}
