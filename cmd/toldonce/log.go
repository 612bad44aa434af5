package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func newLog(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Checkpoint, audit and witness the custody log",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLogCheckpoint(opt), newLogAudit(opt), newLogStatus(opt), newLogWitness(opt), newLogDiscontinuity(opt))
	return cmd
}

func newLogCheckpoint(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "checkpoint",
		Short: "Print the signed head of the custody log",
		Long: `Print the signed head of the custody log: a C2SP checkpoint. Keep it somewhere
that the server's operator cannot reach: a later log that is not an extension of
it has been rewritten.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var note []byte
			if err := c.call(cmd.Context(), http.MethodGet, "/log/checkpoint", nil, &note); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]string{"checkpoint": string(note)})
			}
			_, err = opt.out.Write(note)
			return err
		},
	}
}

func newLogAudit(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "audit",
		Short: "Rebuild the whole log from its entries and compare",
		Long: `Rebuild the whole custody log from its entries and compare it with the stored
tree and the signed head. The exit code is 1 if it does not hold.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var doc json.RawMessage
			if err := c.call(cmd.Context(), http.MethodPost, "/log/audit", nil, &doc); err != nil {
				return err
			}
			var audit struct {
				Holds   bool   `json:"holds"`
				Size    int64  `json:"size"`
				Root    string `json:"root"`
				Summary string `json:"summary"`
			}
			if err := json.Unmarshal(doc, &audit); err != nil {
				return err
			}
			if opt.json {
				err = printJSON(opt.out, doc)
			} else {
				_, err = fmt.Fprintf(opt.out, "%s\n%d entries, root %s\n", audit.Summary, audit.Size, audit.Root)
			}
			if err == nil && !audit.Holds {
				err = errors.New("the custody log does not hold")
			}
			return err
		},
	}
}
