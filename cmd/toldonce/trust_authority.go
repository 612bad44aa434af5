package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/seal"
)

func newTrustAuthority(opt *options) *cobra.Command {
	var data, dsn, name, chain string
	cmd := &cobra.Command{
		Use:   "add-authority --data DIR --name NAME --chain FILE",
		Short: "Name an outside timestamp authority in the trust file, while nothing is served",
		Long: `Name an outside timestamp authority (RFC 3161) in the trust file, by its certificates:
a PEM file with the authority's own first and its root last. 'toldonce serve
--timestamp-url URL' then asks it for a timestamp over each seal. Hand the trust
files out again afterwards: toldonce trust export.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pem, err := os.ReadFile(chain)
			if err != nil {
				return fmt.Errorf("--chain: %w", err)
			}
			return withClosed(opt, cmd, data, dsn, func(c *closedInstallation) error {
				if err := seal.AddAuthority(c.layout.seal(), name, pem); err != nil {
					return err
				}
				if err := c.db.AppendEntry(cmd.Context(), operatorEntry(access.EntryAuthorityAdded, nil)); err != nil {
					return err
				}
				if opt.json {
					return printJSON(opt.out, map[string]any{"name": name})
				}
				_, err := fmt.Fprintf(opt.out, "The trust file names %q. Hand the trust files out again: toldonce trust export.\n", name)
				return err
			})
		},
	}
	addClosedFlags(opt, cmd, &data, &dsn)
	cmd.Flags().StringVar(&name, "name", "", "the authority's name, as reports show it")
	cmd.Flags().StringVar(&chain, "chain", "", "PEM file: the authority's certificate first, the root last")
	mustMark(cmd.MarkFlagRequired("name"))
	mustMark(cmd.MarkFlagRequired("chain"))
	return cmd
}
