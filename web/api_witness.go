package web

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// LogStatus is the health of the custody log.
type LogStatus struct {
	Origin     string       `json:"origin" doc:"The log's name."`
	Size       int64        `json:"size" doc:"Entries."`
	Checkpoint int64        `json:"checkpoint" doc:"Entries of the newest signed checkpoint; 0 if none was signed."`
	Closed     bool         `json:"closed" doc:"Whether viewing and sharing are closed because the log contradicts what was signed of it."`
	Summary    string       `json:"summary" doc:"In one plain sentence, with what to do."`
	Witnesses  []LogWitness `json:"witnesses" doc:"Who cosigns checkpoints, as configured."`
	Breaks     []LogBreak   `json:"breaks" doc:"What the log contradicts and no two people have explained."`
	Known      []LogGap     `json:"discontinuities" doc:"What people said about lost entries, the oldest first."`
}

// LogWitness is how a witness stands.
type LogWitness struct {
	Name  string     `json:"name" doc:"Its name."`
	Key   string     `json:"key" doc:"Its verifier key."`
	State string     `json:"state" enum:"new,good,pending,refuses" doc:"new: not asked yet; good: it cosigned what it was asked last; pending: it does not answer and is asked again; refuses: it saw entries that this log does not have."`
	Size  int64      `json:"size" doc:"Entries that it cosigned last, as far as is known."`
	At    *time.Time `json:"at,omitempty" doc:"When, by its own clock."`
	Next  *time.Time `json:"next,omitempty" doc:"When it is asked again."`
}

// LogBreak is a checkpoint that the log contradicts.
type LogBreak struct {
	Source string `json:"source" doc:"Where it was kept: anchor (a file beside the database), database, or the name of a witness."`
	From   int64  `json:"from" doc:"First position that nothing vouches for."`
	Until  int64  `json:"until" doc:"Size of the checkpoint: entries before it, from from on, are lost or were replaced."`
	Root   string `json:"root,omitempty" doc:"Its root, lower-case hex; absent where only its size is known."`
}

// LogGap is a discontinuity that was signed by one or two people.
type LogGap struct {
	ID         evidence.ID `json:"id" doc:"Discontinuity."`
	From       int64       `json:"from" doc:"First position that nothing vouches for."`
	Until      int64       `json:"until" doc:"Entries before it are lost or were replaced."`
	Root       string      `json:"root,omitempty" doc:"Root of the checkpoint that the log contradicts."`
	Source     string      `json:"source" doc:"Where that was kept."`
	ProposedBy AccountRef  `json:"proposed_by" doc:"The first person."`
	ProposedAt time.Time   `json:"proposed_at" doc:"When."`
	ApprovedBy *AccountRef `json:"approved_by,omitempty" doc:"The second person."`
	ApprovedAt *time.Time  `json:"approved_at,omitempty" doc:"When."`
	MayApprove bool        `json:"may_approve" doc:"Whether you may approve it now."`
}

type discontinuityInput struct {
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"What happened, such as which backup was restored and why. It is committed to in the log."`
	}
}

type approveDiscontinuityInput struct {
	IDPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"What the approval rests on."`
	}
}

// The number of a tile is a path of one to three parts, and the width of a partial
// one is another (C2SP tlog-tiles).
type (
	tile1 struct {
		Level string `path:"level" maxLength:"8" doc:"0 to 63, or entries."`
		A     string `path:"a" maxLength:"8" doc:"Part of the number."`
	}
	tile2 struct {
		Level string `path:"level" maxLength:"8" doc:"0 to 63, or entries."`
		A     string `path:"a" maxLength:"8" doc:"Part of the number."`
		B     string `path:"b" maxLength:"8" doc:"Part of the number, or the width."`
	}
	tile3 struct {
		Level string `path:"level" maxLength:"8" doc:"0 to 63, or entries."`
		A     string `path:"a" maxLength:"8" doc:"Part of the number."`
		B     string `path:"b" maxLength:"8" doc:"Part of the number, or the width."`
		C     string `path:"c" maxLength:"8" doc:"Part of the number, or the width."`
	}
	tile4 struct {
		Level string `path:"level" maxLength:"8" doc:"0 to 63, or entries."`
		A     string `path:"a" maxLength:"8" doc:"Part of the number."`
		B     string `path:"b" maxLength:"8" doc:"Part of the number, or the width."`
		C     string `path:"c" maxLength:"8" doc:"Part of the number, or the width."`
		D     string `path:"d" maxLength:"8" doc:"Width of a partial tile."`
	}
)

func (s *Server) logStatus(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[LogStatus], error) {
	if err := s.system(ctx, a, access.LogRead); err != nil {
		return nil, err
	}
	st, err := s.checkpoints.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := LogStatus{Origin: s.checkpoints.Verifier().Name(), Size: st.Size, Checkpoint: st.Checkpoint, Closed: len(st.Breaks) > 0,
		Witnesses: []LogWitness{}, Breaks: []LogBreak{}, Known: []LogGap{}}
	for _, w := range st.Witnesses {
		out.Witnesses = append(out.Witnesses, LogWitness{Name: w.Name, Key: w.Key, State: w.State, Size: w.Size, At: timeOrNil(w.At), Next: timeOrNil(w.Next)})
	}
	for _, b := range st.Breaks {
		it := LogBreak{Source: b.Source, From: b.From, Until: b.Until}
		if b.Root != nil {
			it.Root = hexes([]custody.Hash{*b.Root})[0]
		}
		out.Breaks = append(out.Breaks, it)
	}
	for _, d := range st.Discontinuities {
		it, err := s.gapOf(ctx, a, d)
		if err != nil {
			return nil, err
		}
		out.Known = append(out.Known, it)
	}
	out.Summary = summaryOf(st)
	return answerOf(out), nil
}

func summaryOf(st custody.Status) string {
	if len(st.Breaks) > 0 {
		b := st.Breaks[0]
		return fmt.Sprintf("The log contradicts a checkpoint of %d entries that was signed of it: entries from %d on are lost or were replaced. Viewing and sharing are closed; recording goes on. "+
			"Find out why; if an older backup was restored, two people sign that under Discontinuities, or with toldonce log discontinuity propose and approve.", b.Until, b.From)
	}
	waiting, refusing := 0, 0
	for _, w := range st.Witnesses {
		switch w.State {
		case custody.WitnessPending:
			waiting++
		case custody.WitnessRefuses:
			refusing++
		}
	}
	switch {
	case refusing > 0:
		return fmt.Sprintf("The log continues what was signed of it, but %d of %d witnesses refuse it since a discontinuity; their own people decide whether they follow.", refusing, len(st.Witnesses))
	case waiting > 0:
		return fmt.Sprintf("The log continues everything that was signed of it. %d of %d witnesses do not answer and are asked again.", waiting, len(st.Witnesses))
	case len(st.Witnesses) == 0:
		return "The log continues everything that was signed of it. No witness is configured: only whoever keeps checkpoints elsewhere could tell otherwise."
	}
	return "The log continues everything that was signed of it, and its witnesses agree."
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Server) gapOf(ctx context.Context, a evidence.Actor, d custody.Discontinuity) (LogGap, error) {
	out := LogGap{ID: d.ID, From: d.From, Until: d.Until, Root: d.Root, Source: d.Source, ProposedAt: d.ProposedAt.Time(),
		MayApprove: !d.Approved() && d.ProposedBy != a.Account && s.checkpoints.Closed() != nil}
	var err error
	if out.ProposedBy, err = s.accountRef(ctx, d.ProposedBy); err != nil || !d.Approved() {
		return out, err
	}
	by, err := s.accountRef(ctx, d.ApprovedBy)
	at := d.ApprovedAt.Time()
	out.ApprovedBy, out.ApprovedAt = &by, &at
	return out, err
}

func (s *Server) proposeDiscontinuity(ctx context.Context, a evidence.Actor, in *discontinuityInput) (*answer[LogGap], error) {
	if err := s.system(ctx, a, access.DiscontinuityPropose); err != nil {
		return nil, err
	}
	d, err := s.checkpoints.Propose(ctx, a, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.gapOf(ctx, a, d))
}

func (s *Server) approveDiscontinuity(ctx context.Context, a evidence.Actor, in *approveDiscontinuityInput) (*answer[LogGap], error) {
	if err := s.system(ctx, a, access.DiscontinuityApprove); err != nil {
		return nil, err
	}
	d, err := s.checkpoints.Approve(ctx, a, in.ID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.gapOf(ctx, a, d))
}

func (s *Server) logTile1(ctx context.Context, a evidence.Actor, in *tile1) (*huma.StreamResponse, error) {
	return s.tile(ctx, a, in.Level, in.A)
}

func (s *Server) logTile2(ctx context.Context, a evidence.Actor, in *tile2) (*huma.StreamResponse, error) {
	return s.tile(ctx, a, in.Level, in.A, in.B)
}

func (s *Server) logTile3(ctx context.Context, a evidence.Actor, in *tile3) (*huma.StreamResponse, error) {
	return s.tile(ctx, a, in.Level, in.A, in.B, in.C)
}

func (s *Server) logTile4(ctx context.Context, a evidence.Actor, in *tile4) (*huma.StreamResponse, error) {
	return s.tile(ctx, a, in.Level, in.A, in.B, in.C, in.D)
}

// tile serves the log as C2SP tlog-tiles under /api/v1/log. Bundles of entries
// hold leaves, which name acts and identifiers but no person; they are for those who
// may read the log.
func (s *Server) tile(ctx context.Context, a evidence.Actor, level string, number ...string) (*huma.StreamResponse, error) {
	action, kind := access.LogHead, level
	if level == "entries" {
		action, kind = access.LogRead, "data"
	}
	if err := s.system(ctx, a, action); err != nil {
		return nil, err
	}
	tile, err := tlog.ParseTilePath("tile/8/" + kind + "/" + strings.Join(number, "/"))
	if err != nil || level == "data" {
		return nil, evidence.ErrNotFound
	}
	var body []byte
	if tile.L == -1 {
		leaves, err := s.store.Leaves(ctx, tile.N<<8, tile.W)
		if err != nil {
			return nil, err
		}
		for _, leaf := range leaves {
			body = append(binary.BigEndian.AppendUint16(body, uint16(len(leaf))), leaf...)
		}
	} else {
		hashes, err := s.store.Tile(ctx, tile.L, tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		for _, h := range hashes {
			body = append(body, h[:]...)
		}
	}
	return sendBytes("application/octet-stream", body), nil
}
