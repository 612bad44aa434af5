package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// Exit codes. They are part of the stable interface, as is what --json prints.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRefused  = 3
	exitNotFound = 4
	exitConflict = 5
	exitSignIn   = 6
	exitWaiting  = 7
)

const rootLong = `Told Once records the consented interview so that a victim has to tell it once,
seals it as evidence, and shows it only to those with a need to know.

init, serve and demo work on a data folder of this machine. The other commands
talk to a running server:

  TOLDONCE_URL      its address, such as https://recorder.example.org
  TOLDONCE_TOKEN    a bearer token (or TOLDONCE_TOKEN_FILE, a file that holds it)
  TOLDONCE_CA       a PEM file with the authority that signed its certificate,
                    where that is not a public one

Results go to standard output, everything else to standard error. With --json a
command prints one line of JSON, which is documented in deploy/OPERATIONS.md and
stays compatible.

Exit codes:
  0  done
  1  failed, and the sentence on standard error says why
  2  the command line is wrong
  3  refused: the rules do not allow it; the reasons are printed
  4  not found, or you may not know of it
  5  in conflict with the present state (already started, changed meanwhile …)
  6  not signed in: the token is missing, wrong or expired
  7  nothing was written yet: a second person has to approve it first`

// options are what every command can be told.
type options struct {
	console
	json bool // one line of JSON in place of words for people
}

func newRoot(con console) *cobra.Command {
	opt := &options{console: con}
	root := &cobra.Command{
		Use:           "toldonce",
		Short:         "Record an interview once, seal it, and show it only to those who need to know",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		// cobra asks the same once more afterwards, but its error cannot be told
		// from others.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateRequiredFlags(); err != nil {
				return usageError{fmt.Errorf("%w. See '%s --help'", err, cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().BoolVar(&opt.json, "json", false, "print one line of JSON in place of text")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w. See '%s --help'", err, cmd.CommandPath())}
	})
	root.AddCommand(
		newInit(opt), newServe(opt), newDemo(opt),
		newInterview(opt), newGrant(opt), newExport(opt), newClip(opt), newTranscript(opt), newPrefix(opt),
		newRetention(opt), newHold(opt), newErasure(opt), newKeys(opt), newEscrow(opt),
		newTrust(opt), newLog(opt), newLogAudit(opt), newWitness(opt), newToken(opt), newVersion(opt),
	)
	markUsage(root)
	return root
}

// markUsage makes a wrong number of arguments a usage error, everywhere.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w. See '%s --help'", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// usageError says that the command line itself is wrong.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (e usageError) Unwrap() error { return e.error }

// errWaiting says that what was asked for waits for a second person.
var errWaiting = errors.New("nothing was written: the export waits for a second person")

// report prints err as sentences and returns the exit code it stands for.
func report(to io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(to, "toldonce:", err)
	var usage usageError
	var answer *problem
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &answer):
		return answer.exitCode()
	case errors.Is(err, errWaiting):
		return exitWaiting
	case errors.Is(err, evidence.ErrRefused):
		return exitRefused
	case errors.Is(err, evidence.ErrNotFound):
		return exitNotFound
	case errors.Is(err, evidence.ErrConflict):
		return exitConflict
	}
	return exitFailed
}

func (p *problem) exitCode() int {
	switch p.Status {
	case http.StatusUnauthorized:
		return exitSignIn
	case http.StatusForbidden:
		return exitRefused
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitConflict
	}
	return exitFailed
}
