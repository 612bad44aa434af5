// Command toldonce-verify checks a package of Told Once with no server, database
// or network: a folder or a tar that may come from anybody.
//
// It ends with 0 if everything holds and the trust file names who signed, 1 if
// anything fails, 2 if the signer is not trusted or no trust file was given, 3 if a
// part is of a version that it does not know, and 64 if it could not begin.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/seal"
)

// exitUsage: the command line is wrong, or there is nothing to judge.
const exitUsage = 64

// release is set by the linker (-X main.release=…) to what `git describe` says.
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func main() { os.Exit(program()) }

func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	code := 0 // of --help and --version
	var trustFile, language, pdf, derivation string
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "toldonce-verify (PACKAGE | RECEIPT) [--trust FILE]",
		Short: "Check a package of Told Once, offline",
		Long: `Check a package of Told Once: a folder or a tar file, with no server and no network.
A consent receipt (receipt.json) is checked in the same way.
So is what a destroyed server left of a recording that it never sealed: the folder
that toldonce prefix --out wrote. The newest checkpoint of a witness lies in it as
witnessed.note.

--trust names the agency's trust file (trust.json). It says whose keys seal
recordings and must reach you by another way than the package. Without it the best
that can be said is that the package agrees with itself, which anybody can achieve.

Exit codes: 0 everything holds; 1 something fails; 2 the signer is not trusted, or
no trust file was given; 3 a part is of an unknown version and cannot be judged;
64 the command line is wrong or there is nothing to judge.`,
		Version:       fmt.Sprintf("%s (%s)", version(), runtime.Version()),
		Args:          cobra.ExactArgs(1),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			var trust *seal.Trust
			if trustFile != "" {
				var err error
				if trust, err = outsideTrust(trustFile, args[0]); err != nil {
					return err
				}
			}
			if !lang.Known(language) {
				return fmt.Errorf("--lang is one of %s", strings.Join(lang.Languages, ", "))
			}
			if data, ok := readReceipt(args[0]); ok && derivation == "" && pdf == "" {
				report := checkReceipt(data, trust)
				code = report.Verdict.ExitCode()
				if asJSON {
					return writeJSON(out, report)
				}
				return report.writeText(out, all)
			}
			report, err := judge(cmd.Context(), args[0], derivation, trust)
			if err != nil {
				return err
			}
			l := lang.Language(language)
			if asJSON {
				err = writeJSON(out, report.In(l))
			} else {
				err = report.WriteText(out, l, all)
			}
			if err == nil && pdf != "" {
				err = writePDF(pdf, report, l)
			}
			if err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
			code = report.Verdict.ExitCode()
			return nil
		},
	}
	cmd.Flags().StringVar(&trustFile, "trust", "", "the agency's trust file, from elsewhere than the package")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the report as JSON")
	cmd.Flags().StringVar(&language, "lang", "en", "language of the report: en, sq or sr")
	cmd.Flags().StringVar(&pdf, "pdf", "", "write the report into this new PDF file too")
	cmd.Flags().StringVar(&derivation, "derivation", "", "the argument is a trimmed, redacted or transcoded file; this is the bundle of its derivation")
	cmd.Flags().BoolVar(&all, "all", false, "list what holds too, check by check")
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetHelpCommand(&cobra.Command{Hidden: true})
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(errs, "toldonce-verify: %v\n", err)
		return exitUsage
	}
	return code
}

// judge judges a package, or a derived file by the bundle beside it.
func judge(ctx context.Context, path, derivation string, trust *seal.Trust) (*verify.Report, error) {
	if derivation != "" {
		return verify.Derivation(ctx, path, derivation, filepath.Base(path), trust)
	}
	return verify.Package(ctx, path, trust)
}

// writePDF writes the report into a file that must not be there yet.
func writePDF(file string, report *verify.Report, l lang.Language) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(report.WritePDF(f, l, time.Now()), f.Close())
}

// outsideTrust reads the trust file after making sure that it is not one that
// the package brought along.
func outsideTrust(file, pkg string) (*seal.Trust, error) {
	if _, err := os.Stat(pkg); err != nil {
		return nil, fmt.Errorf("package: %w", err)
	}
	inside, err := isInside(file, pkg)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	if inside {
		return nil, errors.New("the trust file lies inside the package; it must come by another way, or it proves nothing")
	}
	return seal.LoadTrust(file)
}

func isInside(file, dir string) (bool, error) {
	var paths [2]string
	for i, p := range []string{file, dir} {
		abs, err := filepath.Abs(p)
		if err != nil {
			return false, err
		}
		if paths[i], err = filepath.EvalSymlinks(abs); err != nil {
			return false, err
		}
	}
	rel, err := filepath.Rel(paths[1], paths[0])
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), nil
}

func writeJSON(out io.Writer, report any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}
