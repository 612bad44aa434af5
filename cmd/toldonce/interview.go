package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// interviewStatus is the part of the API's status that people are shown; --json
// prints the whole document.
type interviewStatus struct {
	Interview evidence.ID     `json:"interview"`
	State     evidence.State  `json:"state"`
	Sealed    bool            `json:"sealed"`
	Elapsed   evidence.Offset `json:"elapsed_us"`
	Part      int             `json:"part"`
	Tracks    []struct {
		Source  string             `json:"source"`
		Role    string             `json:"role"`
		Kind    evidence.TrackKind `json:"kind"`
		Codec   string             `json:"codec"`
		Packets evidence.Packets   `json:"packets"`
		Frames  evidence.Frames    `json:"frames"`
	} `json:"tracks"`
	Alarms []struct {
		Text string `json:"text"`
	} `json:"alarms"`
}

func newInterview(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "interview",
		Short: "Start, stop and watch the recording of an interview",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, act := range []struct{ name, method, path, short, long string }{
		{"start", http.MethodPost, "/start", "Start recording",
			"Start recording. It is refused, with reasons, unless a valid consent and everything\nelse that the rules ask for is there."},
		{"stop", http.MethodPost, "/stop", "Stop recording and seal it",
			"Stop recording. The command returns when the recording is sealed."},
		{"status", http.MethodGet, "/status", "Show how the recording is going",
			"Show the state of an interview and what was received on each track."},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   act.name + " INTERVIEW",
			Short: act.short,
			Long:  act.long,
			Args:  cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				id, err := parseID("an interview", args[0])
				if err != nil {
					return err
				}
				c, err := dial(opt.console)
				if err != nil {
					return err
				}
				var doc json.RawMessage
				if err := c.call(cmd.Context(), act.method, "/interviews/"+id+act.path, nil, &doc); err != nil {
					return err
				}
				return printStatus(opt, doc)
			},
		})
	}
	return cmd
}

// parseID checks an identifier before it becomes part of an address.
func parseID(of, s string) (string, error) {
	id, err := evidence.ParseID(s)
	if err != nil {
		return "", usagef("%q is not the identifier of %s", s, of)
	}
	return string(id), nil
}

func printStatus(opt *options, doc json.RawMessage) error {
	if opt.json {
		return printJSON(opt.out, doc)
	}
	var s interviewStatus
	if err := json.Unmarshal(doc, &s); err != nil {
		return fmt.Errorf("the server's status is not what this version understands: %w", err)
	}
	return writeStatus(opt.out, s)
}

func writeStatus(w io.Writer, s interviewStatus) error {
	fmt.Fprintf(w, "Interview %s: %s", s.Interview, s.State)
	if s.Part > 0 {
		fmt.Fprintf(w, ", %s recorded, part %d", clock(s.Elapsed), s.Part)
	}
	fmt.Fprintln(w)
	for _, a := range s.Alarms {
		fmt.Fprintln(w, "ALARM:", a.Text)
	}
	if len(s.Tracks) == 0 {
		_, err := fmt.Fprintln(w, "No source has connected yet.")
		return err
	}
	return table(w, func(row func(string, ...any)) {
		row("SOURCE\tKIND\tCODEC\tPACKETS\tRECOVERED\tLOST\tFRAMES\tDAMAGED\tMISSING")
		for _, t := range s.Tracks {
			missing := fmt.Sprint(t.Frames.Missing)
			if n := t.Frames.Uncertain; n > 0 {
				missing = fmt.Sprintf("%d to %d", t.Frames.Missing, t.Frames.Missing+n)
			}
			row("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s", t.Source, t.Kind, t.Codec,
				t.Packets.Received, t.Packets.Recovered, t.Packets.Lost, t.Frames.Whole, t.Frames.Damaged, missing)
		}
	})
}
