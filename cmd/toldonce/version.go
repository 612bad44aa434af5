package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the linker (-X main.release=…) to what `git describe` says.
var release string

// version names this build: the release it was built as, else the module's
// version, else "devel".
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func newVersion(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if opt.json {
				return printJSON(opt.out, map[string]string{"version": version(), "go": runtime.Version()})
			}
			_, err := fmt.Fprintf(opt.out, "toldonce %s (%s)\n", version(), runtime.Version())
			return err
		},
	}
}
