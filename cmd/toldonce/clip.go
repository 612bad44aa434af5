package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// wishes are the flags that a package and a clip have in common.
type wishes struct {
	out, to, reason, profile, exhibit, passphraseFile, authority string
	clear                                                        bool
}

func (w *wishes) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.out, "out", "", "folder to write into, new or empty")
	f.StringVar(&w.to, "to", "", "recipient's age public key (age1…)")
	f.BoolVar(&w.clear, "clear", false, "write the package unencrypted")
	f.StringVar(&w.passphraseFile, "passphrase-file", "", "encrypt under the passphrase in this file's first line, of at least 16 characters")
	f.StringVar(&w.reason, "reason", "", "why; stands in the custody log")
	f.StringVar(&w.profile, "profile", "full", "for whom: full (a court), prosecution, defence or protected (under a protective order)")
	f.StringVar(&w.exhibit, "exhibit", "", "the court's exhibit number")
	f.StringVar(&w.authority, "authority", "", "who above the custodian ordered it, with the order; needed from the third copy on")
	mustMark(cmd.MarkFlagRequired("out"))
}

// check refuses what the server would refuse, before anything is sent.
func (w *wishes) check() error {
	ways := 0
	for _, way := range []bool{w.clear, w.to != "", w.passphraseFile != ""} {
		if way {
			ways++
		}
	}
	switch {
	case ways != 1:
		return usagef("give either --to with the recipient's age key, or --passphrase-file, or --clear with --reason")
	case w.clear && w.reason == "":
		return usagef("--clear needs --reason: why the package may leave unencrypted")
	}
	if w.to != "" {
		if err := checkRecipient(w.to); err != nil {
			return err
		}
	}
	if w.passphraseFile != "" {
		if _, err := readPassphrase(w.passphraseFile); err != nil {
			return err
		}
	}
	return checkOut(w.out)
}

func (w *wishes) body() map[string]any {
	return map[string]any{"to": w.to, "clear": w.clear, "reason": w.reason, "passphrase": w.passphraseFile != "", "profile": w.profile, "exhibit": w.exhibit, "authority": w.authority}
}

func newClip(opt *options) *cobra.Command {
	var w wishes
	var source, from, until string
	var outward bool
	cmd := &cobra.Command{
		Use:   "clip INTERVIEW --from SEC --until SEC --out DIR (--to AGE_RECIPIENT | --passphrase-file FILE | --clear --reason TEXT)",
		Short: "Write a clip of a sealed interview, with proofs that it is from the sealed recording",
		Long: `Write a clip of a sealed interview: the whole segments that lie in the range,
never encoded again, each with a proof that it stands in the recording's seal.
toldonce-verify checks it and states the true cut points.

You need a grant that allows clips ('toldonce grant request --clips'), or to be a
custodian. A clip leaves as a package does: what you ask for waits until a custodian
approves it with 'toldonce export approve'; then 'toldonce export fetch' writes it.

--from and --until are times in the interview: seconds (12.5) or minutes and
seconds (3:07). --outward takes segments that the range only touches too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an interview", args[0])
			if err != nil {
				return err
			}
			asked, err := parseRange(from, until)
			if err != nil {
				return err
			}
			if err := w.check(); err != nil {
				return err
			}
			body := w.body()
			body["from"], body["until"], body["outward"], body["source"] = asked.From, asked.Until, outward, source
			return requestPackage(cmd, opt, "/interviews/"+id+"/clips", body, &w)
		},
	}
	w.flags(cmd)
	cmd.Flags().StringVar(&source, "source", "all", "name of one source, such as close-up, or all")
	cmd.Flags().StringVar(&from, "from", "", "start of the clip, in seconds of the interview")
	cmd.Flags().StringVar(&until, "until", "", "end of the clip, in seconds of the interview")
	cmd.Flags().BoolVar(&outward, "outward", false, "take segments that the range only touches too")
	mustMark(cmd.MarkFlagRequired("from"))
	mustMark(cmd.MarkFlagRequired("until"))
	return cmd
}

// requestPackage asks for a package and writes it, if it may be fetched at once.
func requestPackage(cmd *cobra.Command, opt *options, path string, body map[string]any, w *wishes) error {
	c, err := dial(opt.console)
	if err != nil {
		return err
	}
	var e exportView
	if err := c.call(cmd.Context(), http.MethodPost, path, body, &e); err != nil {
		return err
	}
	if e.State != exportReady {
		return printWaiting(opt, e, w.out)
	}
	return fetchPackage(cmd, opt, c, e, w.out, w.passphraseFile)
}

func newExportReceipt(opt *options) *cobra.Command {
	var digest string
	cmd := &cobra.Command{
		Use:   "receipt EXPORT --sha256 DIGEST",
		Short: "Note that the recipient acknowledged a package",
		Long: `Note that the recipient acknowledged a package, with the SHA-256 that the recipient
reads from it: toldonce-verify prints it. Another one is refused: something else arrived.
A package that nobody acknowledged within three days raises an alarm.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an export", args[0])
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var e exportView
			if err := c.call(cmd.Context(), http.MethodPost, "/exports/"+id+"/receipt", map[string]any{"sha256": digest}, &e); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, e)
			}
			_, err = fmt.Fprintln(opt.out, "Noted.")
			return err
		},
	}
	cmd.Flags().StringVar(&digest, "sha256", "", "what the recipient reads")
	mustMark(cmd.MarkFlagRequired("sha256"))
	return cmd
}

// parseRange reads a range of interview time.
func parseRange(from, until string) (r evidence.Range, err error) {
	if r.From, err = parseSeconds(from); err != nil {
		return r, usagef("--from: %v", err)
	}
	if r.Until, err = parseSeconds(until); err != nil {
		return r, usagef("--until: %v", err)
	}
	if !r.Valid() {
		return r, usagef("--until must be later than --from")
	}
	return r, nil
}
