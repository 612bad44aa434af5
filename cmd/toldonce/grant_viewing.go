package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// actOnGrant posts to a grant and shows what became of it.
func actOnGrant(cmd *cobra.Command, opt *options, grant, path, done string, body any) error {
	id, err := parseID("a grant", grant)
	if err != nil {
		return err
	}
	c, err := dial(opt.console)
	if err != nil {
		return err
	}
	var doc json.RawMessage
	if err := c.call(cmd.Context(), http.MethodPost, "/grants/"+id+"/"+path, body, &doc); err != nil {
		return err
	}
	return printGrant(opt, doc, done)
}

func newGrantAccept(opt *options) *cobra.Command {
	var language string
	cmd := &cobra.Command{
		Use:   "accept GRANT",
		Short: "Accept the terms of viewing, which begins a viewing with this token",
		Long: `Print the terms of viewing and accept them. It begins a viewing under the grant for
the token in use, which ends after 30 idle minutes. The acceptance stands in the
custody log.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var terms struct {
				Title  string   `json:"title"`
				Points []string `json:"points"`
				SHA256 string   `json:"sha256"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/terms?language="+url.QueryEscape(language), nil, &terms); err != nil {
				return err
			}
			done := terms.Title + "\n- " + strings.Join(terms.Points, "\n- ") + "\nAccepted."
			return actOnGrant(cmd, opt, args[0], "viewings", done, map[string]string{"terms_sha256": terms.SHA256})
		},
	}
	cmd.Flags().StringVar(&language, "language", "en", "language of the terms: en, sq, sr-Latn or sr-Cyrl")
	return cmd
}

func newGrantExtend(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "extend GRANT",
		Short: "Ask for as long again, before a grant ends; somebody else approves it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return actOnGrant(cmd, opt, args[0], "extension", "Asked for.", nil)
		},
	}
}

func newGrantCopies(opt *options) *cobra.Command {
	var copies, note string
	cmd := &cobra.Command{
		Use:   "copies GRANT --became nothing_kept|returned|destroyed",
		Short: "Say, at the end of a grant, what became of copies",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return actOnGrant(cmd, opt, args[0], "copies", "Noted.", map[string]string{"copies": copies, "note": note})
		},
	}
	cmd.Flags().StringVar(&copies, "became", "", "nothing_kept, returned or destroyed")
	cmd.Flags().StringVar(&note, "note", "", "more, in words")
	mustMark(cmd.MarkFlagRequired("became"))
	return cmd
}
