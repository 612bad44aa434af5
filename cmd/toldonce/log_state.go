package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

// logStatus is what the API says about the log's health.
type logStatus struct {
	Closed  bool   `json:"closed"`
	Summary string `json:"summary"`
	Size    int64  `json:"size"`
	Signed  int64  `json:"checkpoint"`
	Known   []struct {
		ID         string          `json:"id"`
		From       int64           `json:"from"`
		Until      int64           `json:"until"`
		ApprovedBy json.RawMessage `json:"approved_by"`
	} `json:"discontinuities"`
	Witnesses []struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Size  int64  `json:"size"`
		At    string `json:"at"`
	} `json:"witnesses"`
}

func newLogStatus(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say how the custody log and its witnesses stand",
		Long: `Say how the custody log and its witnesses stand. The exit code is 1 while the log
contradicts what was signed of it and viewing and sharing are closed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var doc json.RawMessage
			if err := c.call(cmd.Context(), http.MethodGet, "/log/status", nil, &doc); err != nil {
				return err
			}
			var st logStatus
			if err := json.Unmarshal(doc, &st); err != nil {
				return err
			}
			if opt.json {
				err = printJSON(opt.out, doc)
			} else {
				err = st.print(opt)
			}
			if err == nil && st.Closed {
				err = fmt.Errorf("viewing and sharing are closed")
			}
			return err
		},
	}
}

func (st logStatus) print(opt *options) error {
	_, err := fmt.Fprintf(opt.out, "%s\n%d entries, %d of them under the newest checkpoint\n", st.Summary, st.Size, st.Signed)
	for _, w := range st.Witnesses {
		if err == nil {
			_, err = fmt.Fprintf(opt.out, "witness %s: %s, cosigned %d entries %s\n", w.Name, w.State, w.Size, w.At)
		}
	}
	for _, d := range st.Known {
		state := "waits for a second person"
		if len(d.ApprovedBy) > 0 {
			state = "signed by two"
		}
		if err == nil {
			_, err = fmt.Fprintf(opt.out, "discontinuity %s: entries %d to %d, %s\n", d.ID, d.From, d.Until, state)
		}
	}
	return err
}

func newLogDiscontinuity(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discontinuity",
		Short: "Sign, as two people, that entries of the log were lost",
		Long: `Sign that entries of the log were lost. After an older backup of the database was
restored, or the log was changed, it contradicts checkpoints that were signed before:
viewing and sharing stay closed until one custodian or auditor proposes and another
approves an entry that names the lost range. Recording is never stopped by it.

Find out first what happened: 'toldonce log status' names the range and who noticed.
If a newer copy of the database exists, restore that instead.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	step := func(use, short, done string, args cobra.PositionalArgs, path func([]string) string) *cobra.Command {
		var reason string
		sub := &cobra.Command{
			Use: use, Short: short, Args: args,
			RunE: func(cmd *cobra.Command, args []string) error {
				c, err := dial(opt.console)
				if err != nil {
					return err
				}
				var doc json.RawMessage
				if err := c.call(cmd.Context(), http.MethodPost, path(args), map[string]string{"reason": reason}, &doc); err != nil {
					return err
				}
				var d struct {
					ID    string `json:"id"`
					From  int64  `json:"from"`
					Until int64  `json:"until"`
				}
				if err := json.Unmarshal(doc, &d); err != nil {
					return err
				}
				return printDone(opt, doc, fmt.Sprintf("%s: entries %d to %d. %s", d.ID, d.From, d.Until, done))
			},
		}
		sub.Flags().StringVar(&reason, "reason", "", "what happened, or what the approval rests on")
		mustMark(sub.MarkFlagRequired("reason"))
		return sub
	}
	cmd.AddCommand(
		step("propose --reason TEXT", "Sign as the first of two", "A second person has to approve it.", cobra.NoArgs,
			func([]string) string { return "/log/discontinuities" }),
		step("approve DISCONTINUITY --reason TEXT", "Sign as the second", "Viewing and sharing are open again.", cobra.ExactArgs(1),
			func(args []string) string { return "/log/discontinuities/" + args[0] + "/approve" }),
	)
	return cmd
}
