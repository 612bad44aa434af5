package main

import (
	"fmt"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// transcriptView is the part of a version that people are shown.
type transcriptView struct {
	ID        evidence.ID `json:"id"`
	Language  string      `json:"language"`
	Number    int         `json:"number"`
	Origin    string      `json:"origin"`
	Cues      int         `json:"cues"`
	SHA256    string      `json:"sha256"`
	CreatedAt time.Time   `json:"created_at"`
	Official  bool        `json:"official"`
	Certifier string      `json:"certifier"`
}

func (v transcriptView) standing() string {
	if v.Official {
		return "certified by " + v.Certifier
	}
	return "unofficial"
}

func newTranscript(opt *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transcript",
		Short: "Import, list, read and certify transcripts",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTranscriptImport(opt), newTranscriptList(opt), newTranscriptRead(opt), newTranscriptCertify(opt))
	return cmd
}

func newTranscriptImport(opt *options) *cobra.Command {
	var file, language, shift string
	cmd := &cobra.Command{
		Use:   "import INTERVIEW --file FILE.vtt [--language TAG] [--shift SEC]",
		Short: "Import a WebVTT file as the next version of the transcript",
		Long: `Import a WebVTT file as the next version of the transcript of a sealed interview.
It is read strictly, kept encrypted under the recording's key, and unofficial until a
person certifies it.

--shift says where in the interview the file's zero lies: seconds (12.5) or minutes
and seconds (3:07).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an interview", args[0])
			if err != nil {
				return err
			}
			at, err := parseSeconds(shift)
			if err != nil {
				return usageError{fmt.Errorf("--shift: %w", err)}
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if _, err := transcript.Parse(data); err != nil {
				return usageError{fmt.Errorf("%s: %w", file, err)}
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var v transcriptView
			if err := c.call(cmd.Context(), http.MethodPost, "/interviews/"+id+"/transcripts", map[string]any{"vtt": string(data), "language": language, "shift_us": at}, &v); err != nil {
				return err
			}
			return printTranscript(opt, v)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the WebVTT file")
	cmd.Flags().StringVar(&language, "language", "", "its language, such as sq or sr-Latn (default: the interview's)")
	cmd.Flags().StringVar(&shift, "shift", "0", "where in the interview the file begins")
	mustMark(cmd.MarkFlagRequired("file"))
	return cmd
}

func printTranscript(opt *options, v transcriptView) error {
	if opt.json {
		return printJSON(opt.out, v)
	}
	_, err := fmt.Fprintf(opt.out, "Transcript %s\n  %s, version %d, %d lines, %s\n  sha256 %s\n", v.ID, v.Language, v.Number, v.Cues, v.standing(), v.SHA256)
	return err
}

func newTranscriptList(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list INTERVIEW",
		Short: "List the versions of an interview's transcripts",
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
			var list struct {
				Items []transcriptView `json:"items"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/interviews/"+id+"/transcripts", nil, &list); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, list)
			}
			w := tabwriter.NewWriter(opt.out, 0, 0, 2, ' ', 0)
			for _, v := range list.Items {
				fmt.Fprintf(w, "%s\t%s\tversion %d\t%d lines\t%s\n", v.ID, v.Language, v.Number, v.Cues, v.standing())
			}
			return w.Flush()
		},
	}
}

func newTranscriptRead(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "read TRANSCRIPT",
		Short: "Print a transcript as WebVTT, as far as your grants give it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("a transcript", args[0])
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var text struct {
				Lines []struct {
					From    evidence.Offset `json:"from"`
					Until   evidence.Offset `json:"until"`
					Speaker string          `json:"speaker"`
					Text    string          `json:"text"`
				} `json:"lines"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/transcripts/"+id, nil, &text); err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, text)
			}
			cues := make([]transcript.Cue, len(text.Lines))
			for i, l := range text.Lines {
				cues[i] = transcript.Cue{From: l.From, Until: l.Until, Speaker: l.Speaker, Text: l.Text}
			}
			_, err = opt.out.Write(transcript.Format(cues))
			return err
		},
	}
}

func newTranscriptCertify(opt *options) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "certify TRANSCRIPT --name TEXT",
		Short: "Make a version official: sign, by name, that it is a true transcript",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("a transcript", args[0])
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			var v transcriptView
			if err := c.call(cmd.Context(), http.MethodPost, "/transcripts/"+id+"/certify", map[string]any{"name": name}, &v); err != nil {
				return err
			}
			return printTranscript(opt, v)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "your name and capacity")
	mustMark(cmd.MarkFlagRequired("name"))
	return cmd
}
