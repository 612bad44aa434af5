package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/lib/pq"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// staged is what units of work append to the log, ready to be written. Its zero
// value is empty.
type staged struct {
	entries  []stagedEntry
	nodes    []stagedNode
	openings []stagedOpening
	events   []stagedEvent
}

type stagedEntry struct {
	position int64
	raw      []byte
	leaf     custody.Leaf
}

type stagedNode struct {
	index int64
	hash  custody.Hash
}

type stagedOpening struct {
	position int64
	evidence.Opening
}

type stagedEvent struct {
	at evidence.Instant
	custody.Event
	data string
}

// stage makes leaves, nodes and events of the entries and events of one unit of
// work and moves h past them. On an error both are as they were.
func (t *tx) stage(h *head) error {
	moved, out := *h, t.staged
	events := make([]custody.Event, 0, len(t.entries)+len(t.events))
	first := t.first
	for _, e := range t.entries {
		position := moved.frontier.Size()
		leaf, openings, err := e.Leaf(t.at, moved.frontier.Root())
		if err != nil {
			return err
		}
		raw, err := leaf.Encode()
		if err != nil {
			return fmt.Errorf("custody entry %s: %w", leaf.Action, err)
		}
		if first == "" {
			first = leaf.ID
		}
		out.entries = append(out.entries, stagedEntry{position, raw, leaf})
		base := tlog.StoredHashIndex(0, position)
		for i, n := range moved.frontier.Append(custody.LeafHash(raw)) {
			out.nodes = append(out.nodes, stagedNode{base + int64(i), n})
		}
		for _, o := range openings {
			out.openings = append(out.openings, stagedOpening{position, o})
		}
		moved.lastAt = max(moved.lastAt, leaf.At)
		events = append(events, custody.Event{Kind: leaf.Action, Agency: leaf.Agency, Case: leaf.Case, Interview: leaf.Interview,
			Subject: leaf.Subject, Actor: leaf.Actor.Account, Position: position, Data: leaf.Details})
	}
	for _, e := range t.events {
		e.Position = -1
		events = append(events, e)
	}
	for _, e := range events {
		moved.events++
		e.ID = moved.events
		data, err := json.Marshal(e.Data)
		if err != nil {
			return fmt.Errorf("event %s: %w", e.Kind, err)
		}
		out.events = append(out.events, stagedEvent{t.at, e, string(data)})
	}
	*h, t.staged, t.first = moved, out, first
	return nil
}

// flush writes what was staged and moves the head row to h.
func (t *tx) flush(ctx context.Context, h head) error {
	if len(t.staged.events) == 0 {
		return nil
	}
	write := t.flushRows
	if t.s.dialect == postgresDialect {
		write = t.flushArrays
	}
	n, err := write(ctx, h)
	if err == nil && n != 1 {
		err = fmt.Errorf("%w: the custody log has no head", evidence.ErrMissingState)
	}
	if err != nil {
		return fmt.Errorf("appending %d entries to the custody log: %w", len(t.staged.entries), err)
	}
	return nil
}

// The statements of an append on SQLite, where a statement costs no round trip.
const (
	insertEntry = `INSERT INTO custody_entry (position, leaf, entry_id, at, action, actor, agency, case_id, interview_id, subject)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	insertNode    = `INSERT INTO custody_hash (idx, hash) VALUES ($1, $2)`
	insertOpening = `INSERT INTO custody_opening (position, field, salt, value) VALUES ($1, $2, $3, $4)`
	insertEvent   = `INSERT INTO event (id, at, kind, agency, case_id, interview_id, subject, actor, position, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	moveHead = `UPDATE log_head SET size = $1, root = $2, frontier = $3, last_at = $4, events = $5 WHERE id = 1`
)

func (t *tx) flushRows(ctx context.Context, h head) (int64, error) {
	for _, e := range t.staged.entries {
		l := e.leaf
		if _, err := t.exec(ctx, insertEntry, e.position, e.raw, l.ID, l.At, l.Action, l.Actor.Account, l.Agency, l.Case, l.Interview, l.Subject); err != nil {
			return 0, err
		}
	}
	for _, n := range t.staged.nodes {
		if _, err := t.exec(ctx, insertNode, n.index, n.hash[:]); err != nil {
			return 0, err
		}
	}
	for _, o := range t.staged.openings {
		if _, err := t.exec(ctx, insertOpening, o.position, o.Field, o.Salt, o.Value); err != nil {
			return 0, err
		}
	}
	for _, e := range t.staged.events {
		if _, err := t.exec(ctx, insertEvent, e.ID, e.at, e.Kind, e.Agency, e.Case, e.Interview, e.Subject, e.Actor, e.Position, e.data); err != nil {
			return 0, err
		}
	}
	root := h.frontier.Root()
	return t.exec(ctx, moveHead, h.frontier.Size(), root[:], h.frontier.Bytes(), h.lastAt, h.events)
}

// appendArrays is an append of any number of entries on PostgreSQL in one round
// trip, and one text, so that it is planned once.
const appendArrays = `WITH
	entries AS (INSERT INTO custody_entry (position, leaf, entry_id, at, action, actor, agency, case_id, interview_id, subject)
		SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])),
	nodes AS (INSERT INTO custody_hash (idx, hash) SELECT * FROM unnest($11::bigint[], $12::bytea[])),
	openings AS (INSERT INTO custody_opening (position, field, salt, value) SELECT * FROM unnest($13::bigint[], $14::text[], $15::text[], $16::text[])),
	events AS (INSERT INTO event (id, at, kind, agency, case_id, interview_id, subject, actor, position, data)
		SELECT * FROM unnest($17::bigint[], $18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::bigint[], $26::text[]))
	UPDATE log_head SET size = $27, root = $28, frontier = $29, last_at = $30, events = $31 WHERE id = 1`

// column is one column of rows as an array of PostgreSQL.
func column[R any, V int64 | string | []byte](rows []R, of func(R) V) any {
	out := make([]V, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return pq.Array(out)
}

func (t *tx) flushArrays(ctx context.Context, h head) (int64, error) {
	type (
		entry   = stagedEntry
		opening = stagedOpening
		event   = stagedEvent
	)
	es, ns, os, vs := t.staged.entries, t.staged.nodes, t.staged.openings, t.staged.events
	root := h.frontier.Root()
	return t.exec(ctx, appendArrays,
		column(es, func(e entry) int64 { return e.position }),
		column(es, func(e entry) []byte { return e.raw }),
		column(es, func(e entry) string { return string(e.leaf.ID) }),
		column(es, func(e entry) int64 { return int64(e.leaf.At) }),
		column(es, func(e entry) string { return e.leaf.Action }),
		column(es, func(e entry) string { return string(e.leaf.Actor.Account) }),
		column(es, func(e entry) string { return string(e.leaf.Agency) }),
		column(es, func(e entry) string { return string(e.leaf.Case) }),
		column(es, func(e entry) string { return string(e.leaf.Interview) }),
		column(es, func(e entry) string { return string(e.leaf.Subject) }),
		column(ns, func(n stagedNode) int64 { return n.index }),
		column(ns, func(n stagedNode) []byte { return n.hash[:] }),
		column(os, func(o opening) int64 { return o.position }),
		column(os, func(o opening) string { return o.Field }),
		column(os, func(o opening) string { return o.Salt }),
		column(os, func(o opening) string { return o.Value }),
		column(vs, func(e event) int64 { return e.ID }),
		column(vs, func(e event) int64 { return int64(e.at) }),
		column(vs, func(e event) string { return e.Kind }),
		column(vs, func(e event) string { return string(e.Agency) }),
		column(vs, func(e event) string { return string(e.Case) }),
		column(vs, func(e event) string { return string(e.Interview) }),
		column(vs, func(e event) string { return string(e.Subject) }),
		column(vs, func(e event) string { return string(e.Actor) }),
		column(vs, func(e event) int64 { return e.Position }),
		column(vs, func(e event) string { return e.data }),
		h.frontier.Size(), root[:], h.frontier.Bytes(), int64(h.lastAt), h.events)
}

// prepare has the statements of every append parsed and planned once, which takes
// a good part of their time otherwise.
func (s *Store) prepare(ctx context.Context) error {
	statements := []string{s.lockedHead(), insertEntry, insertNode, insertOpening, insertEvent, moveHead}
	if s.dialect == postgresDialect {
		statements = []string{s.lockedHead(), appendArrays}
	}
	s.prepared = make(map[string]*sql.Stmt, len(statements))
	for _, statement := range statements {
		prepared, err := s.w.PrepareContext(ctx, s.rebind(statement))
		if err != nil {
			return fmt.Errorf("preparing the custody log: %w", unavailable(err))
		}
		s.prepared[statement] = prepared
	}
	return nil
}

// tuples is "($1, $2), ($3, $4)" for rows of columns values.
func tuples(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	b.WriteString(")")
	return b.String()
}
