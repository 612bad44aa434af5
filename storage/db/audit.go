package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// AuditRows returns the rows that are there of limit positions of the log from from
// on, as they are stored, for [custody.Audit]: also what is left of a row whose
// leaf is gone. It judges nothing.
func (s *Store) AuditRows(ctx context.Context, from int64, limit int) ([]custody.Row, error) {
	until := from + int64(limit)
	var out []custody.Row
	err := s.read(ctx, func(q querier) error {
		rows, err := q.query(ctx, `SELECT position, leaf, entry_id, at, action, actor, agency, case_id, interview_id, subject
			FROM custody_entry WHERE position >= $1 AND position < $2 ORDER BY position`, from, until)
		out, err = collect(rows, err, func(scan func(...any) error) (r custody.Row, err error) {
			i := &r.Index
			return r, scan(&r.Position, &r.Leaf, &i.ID, &i.At, &i.Action, &i.Actor, &i.Agency, &i.Case, &i.Interview, &i.Subject)
		})
		if err != nil {
			return err
		}
		at := make(map[int64]int, len(out))
		for i, r := range out {
			at[r.Position] = i
		}
		type node struct {
			index int64
			hash  []byte
		}
		rows, err = q.query(ctx, `SELECT idx, hash FROM custody_hash WHERE idx >= $1 AND idx < $2 ORDER BY idx`,
			tlog.StoredHashIndex(0, from), tlog.StoredHashIndex(0, until))
		nodes, err := collect(rows, err, func(scan func(...any) error) (n node, err error) {
			return n, scan(&n.index, &n.hash)
		})
		if err != nil {
			return err
		}
		for _, n := range nodes {
			level, k := tlog.SplitStoredHashIndex(n.index)
			position := (k+1)<<level - 1 // the leaf that completed the node
			i, ok := at[position]
			if !ok {
				i, at[position] = len(out), len(out)
				out = append(out, custody.Row{Position: position})
			}
			if out[i].Nodes == nil {
				out[i].Nodes = map[int]custody.Hash{}
			}
			var h custody.Hash
			if copy(h[:], n.hash) == len(h) && len(n.hash) == len(h) {
				out[i].Nodes[level] = h
			}
		}
		type opening struct {
			position int64
			evidence.Opening
		}
		rows, err = q.query(ctx, `SELECT position, field, salt, value FROM custody_opening WHERE position >= $1 AND position < $2`, from, until)
		openings, err := collect(rows, err, func(scan func(...any) error) (o opening, err error) {
			return o, scan(&o.position, &o.Field, &o.Salt, &o.Value)
		})
		if err != nil {
			return err
		}
		for _, o := range openings {
			if i, ok := at[o.position]; ok {
				out[i].Openings = append(out[i].Openings, o.Opening)
			}
		}
		slices.SortFunc(out, func(a, b custody.Row) int { return cmp.Compare(a.Position, b.Position) })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the custody log for an audit: %w", err)
	}
	return out, nil
}

// Checkpoints returns every signed checkpoint that was saved, the smallest first,
// those apart that an approved discontinuity gave up.
func (s *Store) Checkpoints(ctx context.Context) ([][]byte, error) {
	rows, err := s.query(ctx, `SELECT note FROM checkpoint WHERE abandoned = 0 ORDER BY size`)
	out, err := collect(rows, err, func(scan func(...any) error) (note []byte, err error) {
		return note, scan(&note)
	})
	if err != nil {
		return nil, fmt.Errorf("reading checkpoints: %w", err)
	}
	return out, nil
}

// LastCheckpoint returns the saved checkpoint of the largest size that was not given
// up, or an error wrapping [evidence.ErrNotFound].
func (s *Store) LastCheckpoint(ctx context.Context) ([]byte, error) {
	var note []byte
	if err := s.row(ctx, `SELECT note FROM checkpoint WHERE abandoned = 0 ORDER BY size DESC LIMIT 1`).Scan(&note); err != nil {
		return nil, fmt.Errorf("reading the last checkpoint: %w", err)
	}
	return note, nil
}

// SaveCheckpoint keeps a signed checkpoint durably. One of the same size stays
// as it is, unless it was given up.
func (s *Store) SaveCheckpoint(ctx context.Context, size int64, signed []byte) error {
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO checkpoint (size, at, note) VALUES ($1, $2, $3) 
			ON CONFLICT (size) DO UPDATE SET at = $2, note = $3, abandoned = 0 WHERE checkpoint.abandoned = 1`,
			size, evidence.At(s.clock()), signed)
		if err != nil {
			return fmt.Errorf("saving a checkpoint: %w", err)
		}
		return nil
	})
}
