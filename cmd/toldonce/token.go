package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

type tokenView struct {
	ID        evidence.ID `json:"id"`
	Name      string      `json:"name,omitempty"`
	Token     string      `json:"token,omitempty"`
	CreatedAt *time.Time  `json:"created_at,omitempty"`
	ExpiresAt time.Time   `json:"expires_at"`
}

func newToken(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and end bearer tokens for this command line",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreate(opt), newTokenList(opt), newTokenRevoke(opt))
	return cmd
}

func newTokenCreate(opt *options) *cobra.Command {
	var login, code, name string
	var hours int
	cmd := &cobra.Command{
		Use:   "create --login LOGIN --code CODE",
		Short: "Sign in and make a bearer token",
		Long: `Sign in and make a bearer token, which ends after at most 24 hours.

The password is read from TOLDONCE_PASSWORD, from the file that
TOLDONCE_PASSWORD_FILE names, or else from one line of standard input. The
second factor's current code is given with --code: it is of no use afterwards.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address := opt.getenv("TOLDONCE_URL")
			if address == "" {
				return usagef("TOLDONCE_URL is not set. Set it to the server's address, such as http://localhost:8080")
			}
			c, err := newClient(address, opt.getenv("TOLDONCE_CA"))
			if err != nil {
				return err
			}
			password, err := readPassword(opt)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if err := c.call(ctx, http.MethodPost, "/session", map[string]string{"login": login, "password": password, "code": code}, nil); err != nil {
				return err
			}
			var t tokenView
			err = c.call(ctx, http.MethodPost, "/tokens", map[string]any{"name": name, "hours": hours}, &t)
			// The session served to make the token and is of no more use.
			if err := errors.Join(err, c.call(ctx, http.MethodDelete, "/session", nil, nil)); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, t)
			}
			_, err = fmt.Fprintln(opt.out, t.Token)
			return err
		},
	}
	cmd.Flags().StringVar(&login, "login", "", "login name")
	cmd.Flags().StringVar(&code, "code", "", "current code of the second factor")
	cmd.Flags().StringVar(&name, "name", "command line", "what to call the token")
	cmd.Flags().IntVar(&hours, "hours", 8, "how long it lasts, 1 to 24 hours")
	mustMark(cmd.MarkFlagRequired("login"))
	mustMark(cmd.MarkFlagRequired("code"))
	return cmd
}

func readPassword(opt *options) (string, error) {
	password, err := secret(opt.console, "TOLDONCE_PASSWORD")
	if err != nil || password != "" {
		return password, err
	}
	fmt.Fprint(opt.err, "Password: ")
	line, err := bufio.NewReader(io.LimitReader(opt.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	password = strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", usagef("no password was given")
	}
	return password, nil
}

func newTokenList(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your tokens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			all, err := listOf[tokenView](cmd.Context(), c, "/tokens")
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, all)
			}
			return table(opt.out, func(row func(string, ...any)) {
				row("TOKEN\tNAME\tENDS")
				for _, t := range all {
					row("%s\t%s\t%s", t.ID, t.Name, t.ExpiresAt.UTC().Format(time.RFC3339))
				}
			})
		},
	}
}

func newTokenRevoke(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke TOKEN-ID",
		Short: "End a token",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("a token", args[0])
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			if err := c.call(cmd.Context(), http.MethodDelete, "/tokens/"+id, nil, nil); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"id": id, "ended": true})
			}
			_, err = fmt.Fprintln(opt.out, "Ended.")
			return err
		},
	}
}
