package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// printJSON writes v as one line.
func printJSON(w io.Writer, v any) error {
	var line bytes.Buffer
	if raw, ok := v.(json.RawMessage); ok {
		if err := json.Compact(&line, raw); err != nil {
			return fmt.Errorf("the server's answer is not JSON: %w", err)
		}
		line.WriteByte('\n')
	} else {
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	_, err := w.Write(line.Bytes())
	return err
}

// table writes rows of tab-separated cells in aligned columns.
func table(w io.Writer, fill func(row func(format string, args ...any))) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fill(func(format string, args ...any) { fmt.Fprintf(tw, format+"\n", args...) })
	return tw.Flush()
}
