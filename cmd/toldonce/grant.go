package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// grantView is the part of a grant that people are shown; --json prints the
// API's whole document.
type grantView struct {
	ID    evidence.ID `json:"id"`
	State string      `json:"state"`
	To    struct {
		Name string `json:"name"`
	} `json:"to"`
	Source    string         `json:"source"`
	Bounds    evidence.Range `json:"bounds"`
	NotBefore time.Time      `json:"not_before"`
	NotAfter  time.Time      `json:"not_after"`
	Purpose   string         `json:"purpose"`
	Approvals []struct{}     `json:"approvals"`
	Needed    int            `json:"approvals_needed"`
}

func newGrant(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "grant",
		Short: "Ask for, approve, revoke and list who may see what, until when",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGrantRequest(opt), newGrantList(opt), newGrantAccept(opt), newGrantExtend(opt), newGrantCopies(opt),
		newGrantDecision(opt, "approve", "Approved.", "Approve a proposed grant", false),
		newGrantDecision(opt, "reject", "Rejected.", "Reject a proposed grant", true),
		newGrantDecision(opt, "revoke", "Revoked.", "Revoke a grant; the next request under it is refused", true))
	return cmd
}

func newGrantRequest(opt *options) *cobra.Command {
	var interview, source, to, from, until, notBefore, notAfter, purpose, basis, restsOn string
	var clips, transcript, terms, blur, copies bool
	var covers []string
	var viewings int
	cmd := &cobra.Command{
		Use:   "request --interview ID --source NAME|all --to LOGIN --from SEC --until SEC --not-before T --not-after T --purpose TEXT --basis TEXT [--rests-on law|consent]",
		Short: "Ask for a grant",
		Long: `Ask for a grant on a stretch of an interview. Someone else approves it.

--from and --until are times in the interview: seconds (12.5) or minutes and
seconds (3:07). The server narrows them to whole segments and shows the true
bounds. --not-before and --not-after are RFC 3339 times, "now", or distances
from now such as +48h.

--rests-on says whether the basis is law or the person's consent. What rests on
consent ends at once when she withdraws it. It is not read out of --basis: without
it the grant rests on law.

--covers says what it gives of the stretch: transcript, audio, video, clip and
download; sound and picture without it. With --terms the recipient accepts the terms
at each viewing ('toldonce grant accept' for programs), and nothing is delivered
before; --viewings bounds how often and implies --terms.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("an interview", interview)
			if err != nil {
				return err
			}
			var asked evidence.Range
			if asked.From, err = parseSeconds(from); err != nil {
				return usageError{fmt.Errorf("--from: %w", err)}
			}
			if asked.Until, err = parseSeconds(until); err != nil {
				return usageError{fmt.Errorf("--until: %w", err)}
			}
			if !asked.Valid() {
				return usagef("--until must be later than --from")
			}
			now := time.Now()
			begin, err := parseInstant(notBefore, now)
			if err != nil {
				return usageError{fmt.Errorf("--not-before: %w", err)}
			}
			end, err := parseInstant(notAfter, now)
			if err != nil {
				return usageError{fmt.Errorf("--not-after: %w", err)}
			}
			if !end.After(begin) {
				return usagef("--not-after must be later than --not-before")
			}
			if restsOn != "law" && restsOn != "consent" {
				return usagef("--rests-on is law or consent")
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var doc json.RawMessage
			err = c.call(cmd.Context(), http.MethodPost, "/interviews/"+id+"/grants", map[string]any{
				"source": source, "to": to,
				"from": asked.From, "until": asked.Until,
				"not_before": begin.UTC().Format(time.RFC3339Nano), "not_after": end.UTC().Format(time.RFC3339Nano),
				"purpose": purpose, "basis": basis, "rests_on": restsOn, "clips": clips, "transcript": transcript,
				"covers": covers, "terms": terms, "viewings": viewings, "blur": blur, "return": copies,
			}, &doc)
			if err != nil {
				return err
			}
			return printGrant(opt, doc, "Asked for.")
		},
	}
	f := cmd.Flags()
	f.StringVar(&interview, "interview", "", "the interview's identifier")
	f.StringVar(&source, "source", "all", "name of one source, such as close-up, or all")
	f.StringVar(&to, "to", "", "login of the person who is to see it")
	f.StringVar(&from, "from", "", "start of the stretch, in seconds of the interview")
	f.StringVar(&until, "until", "", "end of the stretch, in seconds of the interview")
	f.StringVar(&notBefore, "not-before", "now", "from when the grant holds")
	f.StringVar(&notAfter, "not-after", "", "until when the grant holds")
	f.BoolVar(&clips, "clips", false, "ask that the recipient may have clips of it")
	f.BoolVar(&transcript, "transcript", false, "ask that the recipient may read the transcript of it")
	f.StringSliceVar(&covers, "covers", nil, "what it gives: transcript, audio, video, clip, download")
	f.BoolVar(&terms, "terms", false, "the recipient accepts the terms at each viewing")
	f.IntVar(&viewings, "viewings", 0, "how many viewings it allows; 0: no bound")
	f.BoolVar(&blur, "blur", false, "the page keeps the picture blurred until the viewer confirms")
	f.BoolVar(&copies, "return", false, "at the end the recipient says what became of copies")
	f.StringVar(&purpose, "purpose", "", "what it is needed for")
	f.StringVar(&basis, "basis", "", "the legal basis, such as an article or an order")
	f.StringVar(&restsOn, "rests-on", "law", "whether the basis is law or the person's consent: law or consent")
	for _, name := range []string{"interview", "to", "from", "until", "not-after", "purpose", "basis"} {
		mustMark(cmd.MarkFlagRequired(name))
	}
	return cmd
}

func newGrantDecision(opt *options, act, done, short string, reasoned bool) *cobra.Command {
	var reason, interview string
	cmd := &cobra.Command{
		Use:   act + " (GRANT | --interview ID)",
		Short: short,
		Long:  short + ".\n\nWith --interview in place of a grant's identifier, the one grant on that interview\nthat this can be done to is meant; if there are several, they are listed.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (interview == "") {
				return usagef("name either the grant or, with --interview, the interview. See '%s --help'", cmd.CommandPath())
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var id string
			if len(args) == 1 {
				id, err = parseID("a grant", args[0])
			} else {
				id, err = onlyGrant(cmd, c, interview, act)
			}
			if err != nil {
				return err
			}
			var body any
			if reasoned {
				body = map[string]string{"reason": reason}
			}
			var doc json.RawMessage
			if err := c.call(cmd.Context(), http.MethodPost, "/grants/"+id+"/"+act, body, &doc); err != nil {
				return err
			}
			return printGrant(opt, doc, done)
		},
	}
	if reasoned {
		cmd.Flags().StringVar(&reason, "reason", "no reason given", "why; stands in the custody log")
	}
	cmd.Flags().StringVar(&interview, "interview", "", "the interview, where only one of its grants can be meant")
	return cmd
}

// onlyGrant finds the one grant on an interview that act can be done to.
func onlyGrant(cmd *cobra.Command, c *client, interview, act string) (string, error) {
	id, err := parseID("an interview", interview)
	if err != nil {
		return "", err
	}
	all, err := listOf[grantView](cmd.Context(), c, "/interviews/"+id+"/grants")
	if err != nil {
		return "", err
	}
	var found []string
	for _, g := range all {
		if g.State == "proposed" || act == "revoke" && g.State == "active" {
			found = append(found, string(g.ID))
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%w: no grant on this interview is in a state in which it can be told to %s", evidence.ErrNotFound, act)
	}
	return "", usagef("several grants on this interview could be meant; name one of %s", strings.Join(found, ", "))
}

func newGrantList(opt *options) *cobra.Command {
	var interview, state string
	cmd := &cobra.Command{
		Use:   "list [--interview ID] [--state proposed|active|rejected|revoked|expired|ended]",
		Short: "List grants: those on an interview, or yours and those that you may approve",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			path := "/grants"
			if interview != "" {
				id, err := parseID("an interview", interview)
				if err != nil {
					return err
				}
				path = "/interviews/" + id + "/grants"
			}
			if state != "" {
				path += "?state=" + url.QueryEscape(state)
			}
			docs, err := listOf[json.RawMessage](cmd.Context(), c, path)
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, docs)
			}
			return printGrants(opt, docs...)
		},
	}
	cmd.Flags().StringVar(&interview, "interview", "", "the interview's identifier")
	cmd.Flags().StringVar(&state, "state", "", "only grants in this state")
	return cmd
}

// printGrant shows what became of one grant.
func printGrant(opt *options, doc json.RawMessage, done string) error {
	if opt.json {
		return printJSON(opt.out, doc)
	}
	fmt.Fprintln(opt.out, done)
	return printGrants(opt, doc)
}

func printGrants(opt *options, docs ...json.RawMessage) error {
	if len(docs) == 0 {
		_, err := fmt.Fprintln(opt.out, "No grants.")
		return err
	}
	return table(opt.out, func(row func(string, ...any)) {
		row("GRANT\tSTATE\tTO\tSOURCE\tSEES\tFROM\tUNTIL\tPURPOSE")
		for _, doc := range docs {
			var g grantView
			if err := json.Unmarshal(doc, &g); err != nil {
				row("(not understood: %s)", err)
				continue
			}
			state := g.State
			if state == "proposed" && g.Needed > 1 {
				state = fmt.Sprintf("proposed, %d of %d approvals", len(g.Approvals), g.Needed)
			}
			row("%s\t%s\t%s\t%s\t%s-%s\t%s\t%s\t%s", g.ID, state, g.To.Name, g.Source,
				clock(g.Bounds.From), clock(g.Bounds.Until),
				g.NotBefore.UTC().Format(time.RFC3339), g.NotAfter.UTC().Format(time.RFC3339), g.Purpose)
		}
	})
}

// mustMark ends the program for a mistake in its own source: a flag name that
// does not exist.
func mustMark(err error) {
	if err != nil {
		panic(err)
	}
}
