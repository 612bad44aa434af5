package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
)

// post does one act of the API and prints what became of it.
func post(opt *options, cmd *cobra.Command, path string, body any, show func(doc json.RawMessage) error) error {
	c, err := dial(opt.console)
	if err != nil {
		return err
	}
	var doc json.RawMessage
	if err := c.call(cmd.Context(), http.MethodPost, path, body, &doc); err != nil {
		return err
	}
	if opt.json {
		return printJSON(opt.out, doc)
	}
	return show(doc)
}

// saying prints a sentence, whatever the answer.
func saying(opt *options, format string, args ...any) func(json.RawMessage) error {
	return func(json.RawMessage) error {
		_, err := fmt.Fprintf(opt.out, format+"\n", args...)
		return err
	}
}

// sayingID prints a sentence that ends with the identifier of what was made.
func sayingID(opt *options, sentence string) func(json.RawMessage) error {
	return func(doc json.RawMessage) error {
		var made struct {
			ID evidence.ID `json:"id"`
		}
		if err := json.Unmarshal(doc, &made); err != nil {
			return err
		}
		_, err := fmt.Fprintf(opt.out, "%s %s\n", sentence, made.ID)
		return err
	}
}

func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(subs...)
	return cmd
}

func newRetention(opt *options) *cobra.Command {
	return group("retention", "Say how long cases are kept, and see what must be decided",
		newRetentionList(opt), newRetentionClass(opt), newRetentionClasses(opt), newRetentionSet(opt), newRetentionKeep(opt))
}

// retentionView is the part of a case's retention that people are shown.
type retentionView struct {
	Case struct {
		ID        evidence.ID `json:"id"`
		Reference string      `json:"reference"`
	} `json:"case"`
	Term       string            `json:"term"`
	Until      *time.Time        `json:"until"`
	Decide     *time.Time        `json:"decide"`
	Due        bool              `json:"due"`
	Held       bool              `json:"held"`
	Recordings []json.RawMessage `json:"recordings"`
}

func newRetentionList(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what your agency keeps until when, what must be decided first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			docs, err := listOf[json.RawMessage](cmd.Context(), c, "/retention")
			if err != nil || opt.json {
				if err == nil {
					err = printJSON(opt.out, docs)
				}
				return err
			}
			return table(opt.out, func(row func(string, ...any)) {
				row("CASE\tREFERENCE\tRECORDINGS\tTERM\tUNTIL\tDECIDE BY\tHELD")
				for _, doc := range docs {
					var v retentionView
					if err := json.Unmarshal(doc, &v); err != nil {
						row("(not understood: %s)", err)
						continue
					}
					row("%s\t%s\t%d\t%s\t%s\t%s\t%v", v.Case.ID, v.Case.Reference, len(v.Recordings), v.Term, dayOf(v.Until), dayOf(v.Decide), v.Held)
				}
			})
		},
	}
}

func dayOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func newRetentionClass(opt *options) *cobra.Command {
	var name, change, from, basis string
	var days, decide int
	cmd := &cobra.Command{
		Use:   "class (--name NAME | --change CLASS) --days N --from closed|sealed --basis TEXT",
		Short: "Make a retention class, or give one a new version",
		Long: `Make a retention class of your agency, or give one a new version.

Cases that are in the class keep the longest of all versions since they came into
it: shortening a rule ends nothing sooner.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (name == "") == (change == "") {
				return usagef("give either --name for a new class or --change with a class's identifier")
			}
			body := map[string]any{"days": days, "from": from, "basis": basis, "decide_days": decide}
			path := "/retention/classes"
			if change != "" {
				id, err := parseID("a retention class", change)
				if err != nil {
					return err
				}
				path += "/" + id
			} else {
				body["name"] = name
			}
			return post(opt, cmd, path, body, sayingID(opt, "Retention class"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "name of a new class")
	f.StringVar(&change, "change", "", "identifier of the class to change")
	f.IntVar(&days, "days", 0, "length of the term, in days")
	f.StringVar(&from, "from", "closed", "from when it counts: closed (the case) or sealed (the last recording)")
	f.IntVar(&decide, "decide-days", 30, "how many days people have to decide at its end")
	f.StringVar(&basis, "basis", "", "the law or rule that it rests on")
	mustMark(cmd.MarkFlagRequired("days"))
	mustMark(cmd.MarkFlagRequired("basis"))
	return cmd
}

func newRetentionClasses(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "classes",
		Short: "List the retention classes of your agency",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			docs, err := listOf[json.RawMessage](cmd.Context(), c, "/retention/classes")
			if err != nil || opt.json {
				if err == nil {
					err = printJSON(opt.out, docs)
				}
				return err
			}
			return table(opt.out, func(row func(string, ...any)) {
				row("CLASS\tNAME\tDAYS\tFROM\tVERSION\tBASIS")
				for _, doc := range docs {
					var v struct {
						ID   evidence.ID `json:"id"`
						Name string      `json:"name"`
						Now  struct {
							Number int    `json:"number"`
							Days   int    `json:"days"`
							From   string `json:"from"`
							Basis  string `json:"basis"`
						} `json:"now"`
					}
					if err := json.Unmarshal(doc, &v); err != nil {
						row("(not understood: %s)", err)
						continue
					}
					row("%s\t%s\t%d\t%s\t%d\t%s", v.ID, v.Name, v.Now.Days, v.Now.From, v.Now.Number, v.Now.Basis)
				}
			})
		},
	}
}

func newRetentionSet(opt *options) *cobra.Command {
	var caseID, class, reason string
	cmd := &cobra.Command{
		Use:   "set --case ID --class ID",
		Short: "Put a case into a retention class; what applied before goes on to apply, and the longest wins",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("a case", caseID)
			if err != nil {
				return err
			}
			of, err := parseID("a retention class", class)
			if err != nil {
				return err
			}
			return post(opt, cmd, "/cases/"+id+"/retention", map[string]string{"class_id": of, "reason": reason}, saying(opt, "The case is in the class."))
		},
	}
	cmd.Flags().StringVar(&caseID, "case", "", "the case's identifier")
	cmd.Flags().StringVar(&class, "class", "", "the class's identifier")
	cmd.Flags().StringVar(&reason, "reason", "", "why; stands in the custody log")
	mustMark(cmd.MarkFlagRequired("case"))
	mustMark(cmd.MarkFlagRequired("class"))
	return cmd
}

func newRetentionKeep(opt *options) *cobra.Command {
	var caseID, until, reason string
	cmd := &cobra.Command{
		Use:   "keep --case ID --until DAY --reason TEXT",
		Short: "Decide that a case is kept until a day at least",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("a case", caseID)
			if err != nil {
				return err
			}
			day, err := time.Parse(time.DateOnly, until)
			if err != nil {
				if day, err = parseInstant(until, time.Now()); err != nil {
					return usageError{fmt.Errorf("--until: %w", err)}
				}
			}
			return post(opt, cmd, "/cases/"+id+"/retention", map[string]any{"until": day, "reason": reason}, saying(opt, "Kept until %s at least.", day.Format(time.DateOnly)))
		},
	}
	cmd.Flags().StringVar(&caseID, "case", "", "the case's identifier")
	cmd.Flags().StringVar(&until, "until", "", "a day such as 2040-12-31, an RFC 3339 time, or a distance from now")
	cmd.Flags().StringVar(&reason, "reason", "", "why; stands in the custody log")
	for _, name := range []string{"case", "until", "reason"} {
		mustMark(cmd.MarkFlagRequired(name))
	}
	return cmd
}

func newHold(opt *options) *cobra.Command {
	var caseID, interview, reason, authority, why string
	place := &cobra.Command{
		Use:   "place --case ID [--interview ID] --reason TEXT [--authority TEXT]",
		Short: "Keep a case, or one interview of it, whatever any term says",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("a case", caseID)
			if err != nil {
				return err
			}
			body := map[string]string{"reason": reason, "authority": authority}
			if interview != "" {
				if body["interview_id"], err = parseID("an interview", interview); err != nil {
					return err
				}
			}
			return post(opt, cmd, "/cases/"+id+"/holds", body, sayingID(opt, "Hold"))
		},
	}
	place.Flags().StringVar(&caseID, "case", "", "the case's identifier")
	place.Flags().StringVar(&interview, "interview", "", "hold this interview alone")
	place.Flags().StringVar(&reason, "reason", "", "why it must be kept; stands in the custody log")
	place.Flags().StringVar(&authority, "authority", "", "by what order or request")
	mustMark(place.MarkFlagRequired("case"))
	mustMark(place.MarkFlagRequired("reason"))
	lift := &cobra.Command{
		Use:   "lift HOLD --reason TEXT",
		Short: "Lift a hold",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("a hold", args[0])
			if err != nil {
				return err
			}
			return post(opt, cmd, "/holds/"+id+"/lift", map[string]string{"reason": why}, saying(opt, "Lifted."))
		},
	}
	lift.Flags().StringVar(&why, "reason", "", "why it need not be held any longer; stands in the custody log")
	mustMark(lift.MarkFlagRequired("reason"))
	return group("hold", "Hold a case or an interview against any term, and lift it", place, lift)
}

func newErasure(opt *options) *cobra.Command {
	return group("erasure", "Erase a recording for good, with two people and a certificate",
		newErasureRequest(opt), newErasureList(opt),
		newErasureDecision(opt, "approve", "Approve an erasure that another person asked for: the keys are destroyed, and there is no way back"),
		newErasureDecision(opt, "reject", "Reject an erasure that another person asked for"),
		newErasureAttest(opt), newErasureCertificate(opt))
}

func newErasureRequest(opt *options) *cobra.Command {
	var interview, reason, order string
	cmd := &cobra.Command{
		Use:   "request --interview ID --reason TEXT [--order TEXT]",
		Short: "Ask for the erasure of a recording; another person decides",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := parseID("an interview", interview)
			if err != nil {
				return err
			}
			return post(opt, cmd, "/interviews/"+id+"/erasure", map[string]string{"reason": reason, "order": order}, sayingID(opt, "Asked for. Another person approves or rejects erasure"))
		},
	}
	cmd.Flags().StringVar(&interview, "interview", "", "the interview's identifier")
	cmd.Flags().StringVar(&reason, "reason", "", "why; stands in the custody log and, as a commitment, in the certificate")
	cmd.Flags().StringVar(&order, "order", "", "the order of a court or authority, needed while the term is not over")
	mustMark(cmd.MarkFlagRequired("interview"))
	mustMark(cmd.MarkFlagRequired("reason"))
	return cmd
}

func newErasureDecision(opt *options, act, short string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   act + " ERASURE --reason TEXT",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an erasure", args[0])
			if err != nil {
				return err
			}
			return post(opt, cmd, "/erasures/"+id+"/"+act, map[string]string{"reason": reason}, func(doc json.RawMessage) error { return printErasures(opt, doc) })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; stands in the custody log")
	mustMark(cmd.MarkFlagRequired("reason"))
	return cmd
}

func newErasureList(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List erasures, and what those that are provisional wait for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			docs, err := listOf[json.RawMessage](cmd.Context(), c, "/erasures")
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, docs)
			}
			return printErasures(opt, docs...)
		},
	}
}

func printErasures(opt *options, docs ...json.RawMessage) error {
	return table(opt.out, func(row func(string, ...any)) {
		row("ERASURE\tINTERVIEW\tSTATE\tERASED\tNOT REACHED")
		for _, doc := range docs {
			var v struct {
				ID         evidence.ID `json:"id"`
				Interview  evidence.ID `json:"interview_id"`
				State      string      `json:"state"`
				ErasedAt   *time.Time  `json:"erased_at"`
				NotReached []struct {
					Item string `json:"item"`
				} `json:"not_reached"`
			}
			if err := json.Unmarshal(doc, &v); err != nil {
				row("(not understood: %s)", err)
				continue
			}
			items := ""
			for _, n := range v.NotReached {
				items += n.Item + " "
			}
			row("%s\t%s\t%s\t%s\t%s", v.ID, v.Interview, v.State, dayOf(v.ErasedAt), items)
		}
	})
}

func newErasureAttest(opt *options) *cobra.Command {
	var said map[string]string
	cmd := &cobra.Command{
		Use:   "attest ERASURE --item NAME=TEXT …",
		Short: "Attest what became of each thing that an erasure does not reach, and make its certificate final",
		Long: `Attest what became of each thing that an erasure does not reach, by the names that
'toldonce erasure list' shows: backup, copy:ID, share:ID. The one word "unreturned"
says that nobody can vouch for it.

  toldonce erasure attest ID --item "backup=overwritten on 3 March 2027"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an erasure", args[0])
			if err != nil {
				return err
			}
			items := []map[string]string{}
			for item, text := range said {
				items = append(items, map[string]string{"item": item, "said": text})
			}
			return post(opt, cmd, "/erasures/"+id+"/attest", map[string]any{"items": items}, saying(opt, "The certificate is final."))
		},
	}
	cmd.Flags().StringToStringVar(&said, "item", nil, "NAME=TEXT, once for each thing that the certificate lists")
	mustMark(cmd.MarkFlagRequired("item"))
	return cmd
}

func newErasureCertificate(opt *options) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "certificate ERASURE --out DIR",
		Short: "Write the signed certificates of an erasure into a new folder",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID("an erasure", args[0])
			if err != nil {
				return err
			}
			c, err := dial(opt.console)
			if err != nil {
				return err
			}
			type signed struct{ Name, Document, Bundle string }
			var doc struct {
				Provisional signed
				Final       *signed
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/erasures/"+id+"/certificate", nil, &doc); err != nil {
				return err
			}
			all := map[string]signed{"provisional": doc.Provisional}
			if doc.Final != nil {
				all["final"] = *doc.Final
			}
			var files []string
			for folder, s := range all {
				dir := filepath.Join(out, folder)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
				for name, text := range map[string]string{"erasure.json": s.Document, "erasure.sigstore.json": s.Bundle} {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
						return err
					}
					files = append(files, filepath.Join(folder, name))
				}
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"out": out, "files": files})
			}
			_, err = fmt.Fprintf(opt.out, "%d files written to %s.\n", len(files), out)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write into")
	mustMark(cmd.MarkFlagRequired("out"))
	return cmd
}
