package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// exportView is what the API says of an export.
type exportView struct {
	ID        evidence.ID `json:"id"`
	Interview evidence.ID `json:"interview_id"`
	State     string      `json:"state"`
	Clear     bool        `json:"clear"`
}

// exportReady is the state in which the package may be fetched.
const exportReady = "approved"

func newExport(opt *options) *cobra.Command {
	var w wishes
	cmd := &cobra.Command{
		Use:   "export INTERVIEW --out DIR (--to AGE_RECIPIENT | --passphrase-file FILE | --clear --reason TEXT)",
		Short: "Write the package of a sealed interview that toldonce-verify checks",
		Long: `Write the package of a sealed interview: the media, the sealed manifest, the
custody proofs and the commands that check them.

--to encrypts the package to the recipient's age key and writes one .age file
into DIR; --passphrase-file encrypts it under a passphrase. --clear writes the
package as files into DIR, which must be new or empty; it needs a reason, and a
second person who approves it with 'toldonce export approve'. Until then nothing
is written and the exit code is 7. Fetch it then with 'toldonce export fetch'.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an interview", args[0])
			if err != nil {
				return err
			}
			if err := w.check(); err != nil {
				return err
			}
			return requestPackage(cmd, opt, "/interviews/"+id+"/exports", w.body(), &w)
		},
	}
	w.flags(cmd)
	cmd.AddCommand(newExportFetch(opt), newExportApprove(opt), newExportReceipt(opt), newExportList(opt))
	return cmd
}

// readPassphrase returns the first line of a file.
func readPassphrase(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("--passphrase-file: %v", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	if len([]rune(line)) < 16 {
		return "", usagef("--passphrase-file: the passphrase must have at least 16 characters")
	}
	return line, nil
}

// checkRecipient refuses anything that is not one public age key, above all a
// secret key given by mistake, before it leaves this machine.
func checkRecipient(s string) error {
	if _, err := age.ParseRecipients(strings.NewReader(s)); err != nil {
		return usagef("--to is not an age public key; it should begin with age1")
	}
	return nil
}

// checkOut fails early where the package could not be written afterwards. It
// leaves no folder behind that was not there.
func checkOut(dir string) error {
	_, missing := os.Stat(dir)
	root, err := emptyFolder(dir)
	if err != nil {
		return err
	}
	if err := root.Close(); err != nil || missing == nil {
		return err
	}
	return os.Remove(dir)
}

// printWaiting says that nothing was written yet, and returns the error that
// makes the exit code say so too.
func printWaiting(opt *options, e exportView, out string) error {
	if opt.json {
		if err := printJSON(opt.out, e); err != nil {
			return err
		}
		return errWaiting
	}
	if _, err := fmt.Fprintf(opt.out, `A second person approves it with
  toldonce export approve %[1]s
Fetch it then with
  toldonce export fetch %[1]s --out %[2]s
`, e.ID, out); err != nil {
		return err
	}
	return errWaiting
}

func newExportFetch(opt *options) *cobra.Command {
	var out, passphraseFile string
	cmd := &cobra.Command{
		Use:   "fetch EXPORT --out DIR [--passphrase-file FILE]",
		Short: "Write the package of an export that a second person approved",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an export", args[0])
			if err != nil {
				return err
			}
			if err := checkOut(out); err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			return fetchPackage(cmd, opt, c, exportView{ID: evidence.ID(id)}, out, passphraseFile)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write into, new or empty")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "of a package under a passphrase: the passphrase is this file's first line")
	mustMark(cmd.MarkFlagRequired("out"))
	return cmd
}

// fetchPackage streams a package into out: as files where it comes in the
// clear, as one .age file where it is encrypted.
func fetchPackage(cmd *cobra.Command, opt *options, c *client, e exportView, out, passphraseFile string) error {
	method, body := http.MethodGet, any(nil)
	if passphraseFile != "" {
		passphrase, err := readPassphrase(passphraseFile)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, map[string]any{"passphrase": passphrase}
	}
	res, err := c.open(cmd.Context(), method, "/exports/"+string(e.ID)+"/package", body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch kind {
	case "application/x-tar":
		files, err := untar(res.Body, out)
		if err != nil {
			return err
		}
		if opt.json {
			return printJSON(opt.out, map[string]any{"export": e.ID, "out": out, "files": files, "encrypted": false})
		}
		_, err = fmt.Fprintf(opt.out, "%d files written to %s. Check them with\n  toldonce-verify %s --trust FILE\n", files, out, out)
		return err
	case "application/age":
		file := filepath.Join(out, string(e.ID)+".tar.age")
		if err := writeEncrypted(res.Body, out, filepath.Base(file)); err != nil {
			return err
		}
		if opt.json {
			return printJSON(opt.out, map[string]any{"export": e.ID, "out": file, "files": 1, "encrypted": true})
		}
		_, err = fmt.Fprintf(opt.out, "Written to %s. Its recipient opens it with\n  age -d%s %s | tar -x -C NEWFOLDER\n", file, keyOption(passphraseFile), file)
		return err
	}
	return fmt.Errorf("the server answered with %q, which is not a package", kind)
}

// keyOption is what age is told to open a package with; it asks for a passphrase by
// itself.
func keyOption(passphraseFile string) string {
	if passphraseFile != "" {
		return ""
	}
	return " -i KEYFILE"
}

func writeEncrypted(body io.Reader, dir, name string) error {
	root, err := emptyFolder(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := writeNew(root, name, body); err != nil {
		// A part of a package looks like a package; leave none behind.
		return errors.Join(fmt.Errorf("the package was cut off: %w", err), root.Remove(name))
	}
	return nil
}

func newExportApprove(opt *options) *cobra.Command {
	var authority string
	cmd := &cobra.Command{
		Use:   "approve EXPORT",
		Short: "Approve, as the second person, that a package leaves unencrypted",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an export", args[0])
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var doc json.RawMessage
			if err := c.call(cmd.Context(), http.MethodPost, "/exports/"+id+"/approve", map[string]string{"authority": authority}, &doc); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, doc)
			}
			_, err = fmt.Fprintln(opt.out, "Approved.")
			return err
		},
	}
	cmd.Flags().StringVar(&authority, "authority", "", "who above the custodian ordered it, with the order; needed from the third copy of an interview on")
	return cmd
}

func newExportList(opt *options) *cobra.Command {
	var interview string
	cmd := &cobra.Command{
		Use:   "list --interview ID",
		Short: "List the exports of an interview",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("an interview", interview)
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			all, err := listOf[exportView](cmd.Context(), c, "/exports?interview="+id)
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, all)
			}
			return table(opt.out, func(row func(string, ...any)) {
				row("EXPORT\tSTATE\tENCRYPTED")
				for _, e := range all {
					row("%s\t%s\t%t", e.ID, e.State, !e.Clear)
				}
			})
		},
	}
	cmd.Flags().StringVar(&interview, "interview", "", "the interview's identifier")
	mustMark(cmd.MarkFlagRequired("interview"))
	return cmd
}
