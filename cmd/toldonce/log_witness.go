package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/internal/durable"
	"github.com/toldonce/toldonce/web/witness"
)

// witnessesFile lists the witnesses of an installation, in its folder log. It
// holds no secret.
const witnessesFile = "witnesses.json"

// configuredWitness is a witness as an installation is told of it.
type configuredWitness struct {
	URL string `json:"url"`          // submission prefix
	Key string `json:"key"`          // verifier key
	CA  string `json:"ca,omitempty"` // PEM of the authority of its certificate, if not a public one
}

func (c configuredWitness) client() (*witness.Client, error) {
	var ca []byte
	if c.CA != "" {
		ca = []byte(c.CA)
	}
	return witness.NewClient(c.URL, c.Key, ca)
}

// witnesses reads who is configured; none if nobody is.
func (l layout) witnesses() ([]configuredWitness, error) {
	data, err := os.ReadFile(filepath.Join(l.log(), witnessesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []configuredWitness
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the witnesses: %w", err)
	}
	return out, nil
}

// remotes are the configured witnesses, ready to be asked.
func (l layout) remotes() ([]custody.Remote, error) {
	configured, err := l.witnesses()
	if err != nil {
		return nil, err
	}
	var out []custody.Remote
	for _, c := range configured {
		client, err := c.client()
		if err != nil {
			return nil, err
		}
		out = append(out, client)
	}
	return out, nil
}

// changeWitnesses writes what change makes of the list.
func (l layout) changeWitnesses(change func([]configuredWitness) ([]configuredWitness, error)) error {
	if _, err := l.readInstallation(); err != nil {
		return err
	}
	list, err := l.witnesses()
	if err != nil {
		return err
	}
	if list, err = change(list); err != nil {
		return err
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := durable.MkdirAll(root, "log"); err != nil {
		return err
	}
	return durable.Replace(root, "log/"+witnessesFile, 0o600, append(text, '\n'))
}

func newLogWitness(opt *options) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "Say who cosigns this installation's checkpoints",
		Long: `Say who cosigns this installation's checkpoints, in its data folder. A running
server reads the list when it starts. Give recipients of packages the trust files
anew afterwards (toldonce trust export): they name the witnesses.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&data, "data", opt.getenv("TOLDONCE_DATA"), "data folder (TOLDONCE_DATA)")
	var added configuredWitness
	var ca string
	add := &cobra.Command{
		Use:   "add --url URL --key KEY",
		Short: "Add a witness",
		Long:  "Add a witness: the address that it answers at, and its public key as 'toldonce witness init' printed it.\nAsk for the key on another way than the address.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if ca != "" {
				pem, err := os.ReadFile(ca)
				if err != nil {
					return err
				}
				added.CA = string(pem)
			}
			client, err := added.client()
			if err != nil {
				return usageError{err}
			}
			l, err := at(data)
			if err != nil {
				return err
			}
			name := client.Cosigner().Name
			err = l.changeWitnesses(func(list []configuredWitness) ([]configuredWitness, error) {
				for _, have := range list {
					if other, err := have.client(); err == nil && other.Cosigner().Name == name {
						return nil, fmt.Errorf("%w: the witness %s is there already; remove it first", evidence.ErrConflict, name)
					}
				}
				if len(list) == custody.MaxCosignatures {
					return nil, fmt.Errorf("%w: %d witnesses are the most", evidence.ErrInvalid, custody.MaxCosignatures)
				}
				return append(list, added), nil
			})
			if err != nil {
				return err
			}
			return printDone(opt, map[string]string{"name": name, "url": added.URL, "key": added.Key}, fmt.Sprintf("%s is asked from the next start of the server on.", name))
		},
	}
	add.Flags().StringVar(&added.URL, "url", "", "address of the witness, such as https://witness.court.example/")
	add.Flags().StringVar(&added.Key, "key", "", "its public key")
	add.Flags().StringVar(&ca, "ca", "", "PEM file with the authority that signed its certificate, where that is not a public one")
	mustMark(add.MarkFlagRequired("url"))
	mustMark(add.MarkFlagRequired("key"))
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a witness",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := at(data)
			if err != nil {
				return err
			}
			err = l.changeWitnesses(func(list []configuredWitness) ([]configuredWitness, error) {
				before := len(list)
				list = slices.DeleteFunc(list, func(c configuredWitness) bool {
					cosigner, err := custody.ParseCosigner(c.Key)
					return err == nil && cosigner.Name == args[0]
				})
				if len(list) == before {
					return nil, fmt.Errorf("witness %s: %w", args[0], evidence.ErrNotFound)
				}
				return list, nil
			})
			if err != nil {
				return err
			}
			return printDone(opt, map[string]string{"name": args[0]}, args[0]+" is not asked from the next start of the server on.")
		},
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the witnesses",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := at(data)
			if err != nil {
				return err
			}
			if _, err := l.readInstallation(); err != nil {
				return err
			}
			all, err := l.witnesses()
			if err != nil {
				return err
			}
			if opt.json {
				return printJSON(opt.out, map[string]any{"witnesses": append([]configuredWitness{}, all...)})
			}
			for _, w := range all {
				if _, err := fmt.Fprintf(opt.out, "%s %s\n", w.URL, w.Key); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.AddCommand(add, remove, list)
	return cmd
}

// printDone prints one line for people, or a document.
func printDone(opt *options, doc any, text string) error {
	if opt.json {
		return printJSON(opt.out, doc)
	}
	_, err := fmt.Fprintln(opt.out, text)
	return err
}
