package db

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// BenchmarkFigureCustodyAppends measures durable acts a second: each is a leaf
// with its nodes, openings and event, and returns after the commit is on disk.
// "one" is a single writer; "many" are 64 at once, who share commits. "single" is
// the base line: a transaction and a commit for each, one statement a row, as it was
// before group commit, in the same run on the same machine, with the same 64 writers.
func BenchmarkFigureCustodyAppends(b *testing.B) {
	const acts = 3200
	for _, database := range []string{"sqlite", "postgres"} {
		in := install(b, database)
		var single float64
		for _, way := range []struct {
			name    string
			writers int
			append  func(context.Context, custody.Entry) error
		}{
			{"single", 64, func(ctx context.Context, e custody.Entry) error { return appendSingly(ctx, in.Store, e) }},
			{"one", 1, in.AppendEntry},
			{"many", 64, in.AppendEntry},
		} {
			b.Run(database+"/"+way.name, func(b *testing.B) {
				for range b.N {
					var all sync.WaitGroup
					for range way.writers {
						all.Go(func() {
							for range acts / way.writers {
								if err := way.append(b.Context(), act("bench.act")); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					all.Wait()
				}
				b.StopTimer()
				rate := float64(acts*b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate, "appends/s")
				b.ReportMetric(0, "ns/op")
				switch way.name {
				case "single":
					single = rate
				case "many":
					b.ReportMetric(rate/single, "times-single")
				}
				in.holds(b)
			})
		}
	}
}

// appendSingly is the append that the base line was measured with.
func appendSingly(ctx context.Context, s *Store, entry custody.Entry) error {
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	h, err := t.lockHead(ctx)
	if err != nil {
		return err
	}
	position := h.frontier.Size()
	leaf, openings, err := entry.Leaf(evidence.At(s.clock()), h.frontier.Root())
	if err != nil {
		return err
	}
	raw, err := leaf.Encode()
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, insertEntry, position, raw, leaf.ID, leaf.At, leaf.Action, leaf.Actor.Account, leaf.Agency, leaf.Case, leaf.Interview, leaf.Subject); err != nil {
		return err
	}
	nodes := h.frontier.Append(custody.LeafHash(raw))
	var args []any
	for i, n := range nodes {
		args = append(args, tlog.StoredHashIndex(0, position)+int64(i), n[:])
	}
	if _, err := t.exec(ctx, `INSERT INTO custody_hash (idx, hash) VALUES `+tuples(len(nodes), 2), args...); err != nil {
		return err
	}
	args = nil
	for _, o := range openings {
		args = append(args, position, o.Field, o.Salt, o.Value)
	}
	if _, err := t.exec(ctx, `INSERT INTO custody_opening (position, field, salt, value) VALUES `+tuples(len(openings), 4), args...); err != nil {
		return err
	}
	data, err := json.Marshal(leaf.Details)
	if err != nil {
		return err
	}
	h.events++
	if _, err := t.exec(ctx, insertEvent, h.events, leaf.At, leaf.Action, leaf.Agency, leaf.Case, leaf.Interview, leaf.Subject, leaf.Actor.Account, position, string(data)); err != nil {
		return err
	}
	root := h.frontier.Root()
	if n, err := t.exec(ctx, moveHead, h.frontier.Size(), root[:], h.frontier.Bytes(), max(h.lastAt, leaf.At), h.events); err != nil || n != 1 {
		return fmt.Errorf("%d heads, %w", n, err)
	}
	return t.commit(ctx)
}
