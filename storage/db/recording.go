package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
)

const interviewColumns = `id, agency, case_id, recording_id, person_id, room_id, number, state, planned_at, language, started_at, stopped_at, sealed_at, version`

func scanInterview(scan func(...any) error) (iv evidence.Interview, err error) {
	err = scan(&iv.ID, &iv.Agency, &iv.Case, &iv.Recording, &iv.Person, &iv.Room, &iv.Number, &iv.State, &iv.PlannedAt, &iv.Language,
		&iv.StartedAt, &iv.StoppedAt, &iv.SealedAt, &iv.Version)
	return iv, err
}

func interviewOf(ctx context.Context, q querier, id evidence.ID) (evidence.Interview, error) {
	iv, err := scanInterview(q.row(ctx, `SELECT `+interviewColumns+` FROM interview WHERE id = $1`, id).Scan)
	if err != nil {
		return evidence.Interview{}, fmt.Errorf("interview %s: %w", id, notFound(err))
	}
	return iv, nil
}

// Interview returns one interview.
func (s *Store) Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error) {
	return interviewOf(ctx, s, id)
}

// InterviewsOfCase returns a case's interviews in order of planning.
func (s *Store) InterviewsOfCase(ctx context.Context, id evidence.ID) ([]evidence.Interview, error) {
	rows, err := s.query(ctx, `SELECT `+interviewColumns+` FROM interview WHERE case_id = $1 ORDER BY id`, id)
	return collect(rows, err, scanInterview)
}

// InterviewsIn returns the interviews that are in one of the states, in order of
// planning.
func (s *Store) InterviewsIn(ctx context.Context, states ...evidence.State) ([]evidence.Interview, error) {
	var list []evidence.Interview
	for _, state := range states {
		rows, err := s.query(ctx, `SELECT `+interviewColumns+` FROM interview WHERE state = $1 ORDER BY id`, state)
		some, err := collect(rows, err, scanInterview)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// next lists the states that may follow each state. Only [Store.SaveSealed] seals.
var next = map[evidence.State][]evidence.State{
	evidence.StatePlanned:   {evidence.StateReady, evidence.StateCancelled},
	evidence.StateReady:     {evidence.StatePlanned, evidence.StateRecording, evidence.StateCancelled},
	evidence.StateRecording: {evidence.StatePaused, evidence.StateStopping},
	evidence.StatePaused:    {evidence.StateRecording, evidence.StateStopping},
}

// Transition moves an interview to a state if it is in one of from, and sets
// StartedAt and StoppedAt to at where the new state says so and they are not set
// yet. Its entry gets the interview, its case and agency, and the details "from",
// "to" and "at". The error wraps [evidence.ErrConflict] if it is in another state
// or another recorder node has it, and [evidence.ErrInvalid] for a step that no
// interview takes.
func (s *Store) Transition(ctx context.Context, id evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant, entry custody.Entry) (iv evidence.Interview, err error) {
	for _, state := range from {
		if !slices.Contains(next[state], to) {
			return iv, fmt.Errorf("interview %s: %w: no interview goes from %s to %s", id, evidence.ErrInvalid, state, to)
		}
	}
	err = s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		iv, err = transition(ctx, tx, id, from, to, at)
		return err
	})
	return iv, err
}

func transition(ctx context.Context, tx *tx, id evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant) (evidence.Interview, error) {
	iv, err := interviewOf(ctx, tx, id)
	if err != nil {
		return iv, err
	}
	if !slices.Contains(from, iv.State) {
		return iv, fmt.Errorf("interview %s: %w: it is %s", id, evidence.ErrConflict, iv.State)
	}
	if to != evidence.StatePlanned && to != evidence.StateReady && to != evidence.StateCancelled {
		if err := tx.held(ctx, id); err != nil {
			return iv, err
		}
	}
	tx.about(0, iv)
	tx.detail(0, "from", string(iv.State))
	tx.detail(0, "to", string(to))
	tx.detail(0, "at", strconv.FormatInt(int64(at), 10))
	switch to {
	case evidence.StateRecording:
		if iv.StartedAt == 0 {
			iv.StartedAt = at
		}
	case evidence.StateStopping:
		if iv.StoppedAt == 0 {
			iv.StoppedAt = at
		}
	case evidence.StateSealed:
		iv.SealedAt = at
	}
	before := iv.Version
	iv.State, iv.Version = to, iv.Version+1
	return iv, once(tx.exec(ctx, `UPDATE interview SET state = $3, started_at = $4, stopped_at = $5, sealed_at = $6, version = version + 1 WHERE id = $1 AND version = $2`,
		id, before, iv.State, iv.StartedAt, iv.StoppedAt, iv.SealedAt))
}

// about fills in whose an entry of the unit of work is, where it does not say.
func (t *tx) about(i int, iv evidence.Interview) {
	e := &t.entries[i]
	e.Interview = iv.ID
	if e.Case == "" {
		e.Case = iv.Case
	}
	if e.Agency == "" {
		e.Agency = iv.Agency
	}
}

const sourceColumns = `id, interview_id, role, name, token_hash`

func scanSource(scan func(...any) error) (src evidence.Source, err error) {
	err = scan(&src.ID, &src.Interview, &src.Role, &src.Name, &src.TokenHash)
	return src, err
}

// SaveSource writes a new source. An empty name becomes the role, with -2, -3 …
// if the interview has that name already.
func (s *Store) SaveSource(ctx context.Context, src evidence.Source, entry custody.Entry) (evidence.Source, error) {
	named := src
	err := s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		named = src
		iv, err := interviewOf(ctx, tx, src.Interview)
		if err != nil {
			return err
		}
		tx.about(0, iv)
		if named.Name == "" {
			rows, err := tx.query(ctx, `SELECT `+sourceColumns+` FROM source WHERE interview_id = $1`, src.Interview)
			there, err := collect(rows, err, scanSource)
			if err != nil {
				return err
			}
			named.Name = string(src.Role)
			for n := 2; slices.ContainsFunc(there, func(o evidence.Source) bool { return o.Name == named.Name }); n++ {
				named.Name = fmt.Sprintf("%s-%d", src.Role, n)
			}
		}
		return once(tx.exec(ctx, `INSERT INTO source (id, agency, interview_id, role, name, token_hash, version) VALUES ($1, $2, $3, $4, $5, $6, 1)`,
			named.ID, iv.Agency, named.Interview, named.Role, named.Name, named.TokenHash))
	})
	if err != nil {
		return evidence.Source{}, fmt.Errorf("source %s: %w", src.ID, err)
	}
	return named, nil
}

// ReplaceSourceToken gives an existing source a new token; the old one is void.
// device is the one that asked for it by its signature, which has to be in force;
// empty if a person did.
func (s *Store) ReplaceSourceToken(ctx context.Context, source, device evidence.ID, tokenHash []byte, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		src, err := scanSource(tx.row(ctx, `SELECT `+sourceColumns+` FROM source WHERE id = $1`, source).Scan)
		if err != nil {
			return fmt.Errorf("source %s: %w", source, err)
		}
		iv, err := interviewOf(ctx, tx, src.Interview)
		if err != nil {
			return err
		}
		tx.about(0, iv)
		if device != "" {
			var there int
			if err := tx.row(ctx, `SELECT COUNT(*) FROM device WHERE id = $1 AND revoked_at = 0`, device).Scan(&there); err != nil || there == 0 {
				return errors.Join(evidence.ErrConflict, err) // it was revoked meanwhile
			}
		}
		return once(tx.exec(ctx, `UPDATE source SET token_hash = $2, token_device = $3, version = version + 1 WHERE id = $1`, source, tokenHash, device))
	})
}

// SourceByToken returns the source whose token has this SHA-256.
func (s *Store) SourceByToken(ctx context.Context, tokenHash []byte) (evidence.Source, error) {
	src, err := scanSource(s.row(ctx, `SELECT `+sourceColumns+` FROM source WHERE token_hash = $1`, tokenHash).Scan)
	return src, notFound(err)
}

// Sources returns an interview's sources in order of creation.
func (s *Store) Sources(ctx context.Context, interview evidence.ID) ([]evidence.Source, error) {
	rows, err := s.query(ctx, `SELECT `+sourceColumns+` FROM source WHERE interview_id = $1 ORDER BY id`, interview)
	return collect(rows, err, scanSource)
}

const trackColumns = `id, source_id, interview_id, kind, codec, timescale, replaces`

func scanTrack(scan func(...any) error) (t evidence.Track, err error) {
	err = scan(&t.ID, &t.Source, &t.Interview, &t.Kind, &t.Codec, &t.Timescale, &t.Replaces)
	return t, err
}

// SaveTrack writes a track; the same one again changes nothing. The error wraps
// [evidence.ErrConflict] if another is there under its id.
func (s *Store) SaveTrack(ctx context.Context, t evidence.Track) error {
	return s.quiet(ctx, func(tx *tx) error {
		iv, err := interviewOf(ctx, tx, t.Interview)
		if err != nil {
			return err
		}
		if err := tx.held(ctx, t.Interview); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `INSERT INTO track (id, agency, interview_id, source_id, kind, codec, timescale, replaces, version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) ON CONFLICT (id) DO NOTHING`, t.ID, iv.Agency, t.Interview, t.Source, t.Kind, t.Codec, t.Timescale, t.Replaces)
		if err != nil || n == 1 {
			return err
		}
		there, err := scanTrack(tx.row(ctx, `SELECT `+trackColumns+` FROM track WHERE id = $1`, t.ID).Scan)
		if err == nil && there != t {
			err = fmt.Errorf("track %s: %w: another is there", t.ID, evidence.ErrConflict)
		}
		return err
	})
}

// Tracks returns an interview's tracks in order of creation.
func (s *Store) Tracks(ctx context.Context, interview evidence.ID) ([]evidence.Track, error) {
	rows, err := s.query(ctx, `SELECT `+trackColumns+` FROM track WHERE interview_id = $1 ORDER BY id`, interview)
	return collect(rows, err, scanTrack)
}

// SaveRecordingKey keeps the wrapped data key and the public recipient of an
// interview's recording. The same again changes nothing; another is an error
// wrapping [evidence.ErrConflict].
func (s *Store) SaveRecordingKey(ctx context.Context, interview evidence.ID, wrapped []byte, recipient string) error {
	return s.quiet(ctx, func(tx *tx) error {
		iv, err := interviewOf(ctx, tx, interview)
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `INSERT INTO recording_key (recording_id, agency, interview_id, wrapped, recipient, version)
			VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT (recording_id) DO NOTHING`, iv.Recording, iv.Agency, interview, wrapped, recipient)
		if err != nil || n == 1 {
			return err
		}
		var there string
		err = tx.row(ctx, `SELECT recipient FROM recording_key WHERE recording_id = $1`, iv.Recording).Scan(&there)
		if err == nil && there != recipient {
			err = fmt.Errorf("key of recording %s: %w: there is one already", iv.Recording, evidence.ErrConflict)
		}
		return err
	})
}

// RecordingKey returns the wrapped data key and the public recipient.
func (s *Store) RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error) {
	err = s.row(ctx, `SELECT wrapped, recipient FROM recording_key WHERE recording_id = $1`, recording).Scan(&wrapped, &recipient)
	if err != nil {
		return nil, "", fmt.Errorf("key of recording %s: %w", recording, notFound(err))
	}
	return wrapped, recipient, nil
}

// SavePage writes a full page of a recording's manifest while it is being
// recorded, with the nodes that it completed, so that the seal has little to write
// however long the recording was. The same page again changes nothing; another in
// its place is an error wrapping [evidence.ErrConflict].
func (s *Store) SavePage(ctx context.Context, recording evidence.ID, page int, data []byte, nodes [][32]byte) error {
	err := s.quiet(ctx, func(tx *tx) error {
		if err := savePage(ctx, tx, recording, page, data); err != nil {
			return err
		}
		return saveNodes(ctx, tx, recording, page, nodes)
	})
	if err != nil {
		return fmt.Errorf("page %d of recording %s: %w", page, recording, err)
	}
	return nil
}

func savePage(ctx context.Context, tx *tx, recording evidence.ID, page int, data []byte) error {
	n, err := tx.exec(ctx, `INSERT INTO sealed_page (recording_id, page, data) VALUES ($1, $2, $3) ON CONFLICT (recording_id, page) DO NOTHING`, recording, page, data)
	if err != nil || n == 1 {
		return err
	}
	var there []byte
	err = tx.row(ctx, `SELECT data FROM sealed_page WHERE recording_id = $1 AND page = $2`, recording, page).Scan(&there)
	if err == nil && !bytes.Equal(there, data) {
		err = fmt.Errorf("page %d: %w: another is there", page, evidence.ErrConflict)
	}
	return err
}

// SaveSealed writes what a seal consists of, but for the pages that [Store.SavePage]
// wrote before, and moves the interview from stopping
// to sealed. The same recording again is no error if it is sealed with the same
// manifest.
func (s *Store) SaveSealed(ctx context.Context, interview evidence.ID, sealed evidence.SealedRecording, entries ...custody.Entry) error {
	err := s.write(ctx, entries, func(tx *tx) error {
		iv, err := transition(ctx, tx, interview, []evidence.State{evidence.StateStopping}, evidence.StateSealed, sealed.SealedAt)
		if err != nil {
			return err
		}
		if iv.Recording != sealed.Recording {
			return fmt.Errorf("sealing interview %s: %w: another recording", interview, evidence.ErrInvalid)
		}
		err = once(tx.exec(ctx, `INSERT INTO sealed_recording (recording_id, agency, interview_id, manifest, statement, bundle, status, leaving, sealed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			sealed.Recording, iv.Agency, interview, sealed.Manifest, sealed.Statement, sealed.Bundle, sealed.Status, append([]byte{}, sealed.Leaving...), sealed.SealedAt))
		if err != nil {
			return err
		}
		rows, err := tx.query(ctx, `SELECT page FROM sealed_page WHERE recording_id = $1`, sealed.Recording)
		there, err := collect(rows, err, func(scan func(...any) error) (page int, err error) {
			err = scan(&page)
			return page, err
		})
		if err != nil {
			return err
		}
		slices.Sort(there)
		kept := 0 // pages that are there with their nodes
		for kept < len(there) && there[kept] == kept {
			kept++
		}
		for i, page := range sealed.Pages {
			if _, found := slices.BinarySearch(there, i); found {
				continue
			}
			if err := savePage(ctx, tx, sealed.Recording, i, page); err != nil {
				return err
			}
		}
		return saveNodesFrom(ctx, tx, sealed, kept)
	})
	if errors.Is(err, evidence.ErrConflict) {
		there, reading := s.SealedHead(ctx, sealed.Recording)
		if reading == nil && string(there.Manifest) == string(sealed.Manifest) {
			return nil
		}
	}
	return err
}

// saveNodesFrom writes the upper nodes of a sealed recording's tree from a page on;
// again is no error.
func saveNodesFrom(ctx context.Context, tx *tx, sealed evidence.SealedRecording, page int) error {
	nodes := sealed.Nodes
	if len(nodes) == 0 {
		computed, err := clip.UpperNodes(sealed.Pages)
		if err != nil {
			return err
		}
		for _, h := range computed {
			nodes = append(nodes, h)
		}
	}
	return saveNodes(ctx, tx, sealed.Recording, page, nodes[min(tlog.StoredHashCount(int64(page)), int64(len(nodes))):])
}

// saveNodes writes nodes of a tree that begin with those of a page.
func saveNodes(ctx context.Context, tx *tx, recording evidence.ID, page int, nodes [][32]byte) error {
	begin := int(tlog.StoredHashCount(int64(page)))
	for first := 0; first < len(nodes); first += nodesAtOnce {
		some := nodes[first:min(first+nodesAtOnce, len(nodes))]
		args := []any{recording}
		rows := make([]string, len(some))
		for i, h := range some {
			args = append(args, h[:])
			rows[i] = fmt.Sprintf("($1, %d, $%d)", begin+first+i, len(args))
		}
		if _, err := tx.exec(ctx, "INSERT INTO sealed_node (recording_id, node, hash) VALUES "+strings.Join(rows, ", ")+" ON CONFLICT (recording_id, node) DO NOTHING", args...); err != nil {
			return err
		}
	}
	return nil
}

// nodesAtOnce is how many nodes one statement writes: a stop waits for each
// statement, and a database bounds the arguments of one.
const nodesAtOnce = 500

// SealedHead returns what a sealed recording consists of, without its pages.
func (s *Store) SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error) {
	sealed := evidence.SealedRecording{Recording: recording}
	err := s.row(ctx, `SELECT interview_id, manifest, statement, bundle, status, leaving, sealed_at FROM sealed_recording WHERE recording_id = $1`, recording).
		Scan(&sealed.Interview, &sealed.Manifest, &sealed.Statement, &sealed.Bundle, &sealed.Status, &sealed.Leaving, &sealed.SealedAt)
	if err != nil {
		return evidence.SealedRecording{}, fmt.Errorf("sealed recording %s: %w", recording, notFound(err))
	}
	return sealed, nil
}

// SealedPage returns a page of a recording's leaves.
func (s *Store) SealedPage(ctx context.Context, recording evidence.ID, page int) (data []byte, err error) {
	err = s.row(ctx, `SELECT data FROM sealed_page WHERE recording_id = $1 AND page = $2`, recording, page).Scan(&data)
	if err != nil {
		return nil, fmt.Errorf("page %d of recording %s: %w", page, recording, notFound(err))
	}
	return data, nil
}

// SealedNodes implements [clip.Nodes]. Of a recording that was sealed before nodes
// were kept, it makes them once.
func (s *Store) SealedNodes(ctx context.Context, recording evidence.ID, numbers []int64) ([]tlog.Hash, error) {
	hashes, err := s.nodes(ctx, recording, numbers)
	if !errors.Is(err, evidence.ErrNotFound) {
		return hashes, err
	}
	sealed, err := s.Sealed(ctx, recording)
	if err != nil {
		return nil, err
	}
	if err := s.quiet(ctx, func(tx *tx) error { return saveNodesFrom(ctx, tx, sealed, 0) }); err != nil {
		return nil, fmt.Errorf("nodes of recording %s: %w", recording, err)
	}
	return s.nodes(ctx, recording, numbers)
}

func (s *Store) nodes(ctx context.Context, recording evidence.ID, numbers []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(numbers))
	for i, n := range numbers {
		var hash []byte
		if err := s.row(ctx, `SELECT hash FROM sealed_node WHERE recording_id = $1 AND node = $2`, recording, n).Scan(&hash); err != nil {
			return nil, fmt.Errorf("node %d of recording %s: %w", n, recording, notFound(err))
		}
		if copy(out[i][:], hash) != tlog.HashSize {
			return nil, fmt.Errorf("node %d of recording %s: %w", n, recording, evidence.ErrMissingState)
		}
	}
	return out, nil
}

// Sealed returns what a sealed recording consists of.
func (s *Store) Sealed(ctx context.Context, recording evidence.ID) (sealed evidence.SealedRecording, err error) {
	err = s.read(ctx, func(q querier) error {
		sealed = evidence.SealedRecording{Recording: recording}
		err := q.row(ctx, `SELECT interview_id, manifest, statement, bundle, status, leaving, sealed_at FROM sealed_recording WHERE recording_id = $1`, recording).
			Scan(&sealed.Interview, &sealed.Manifest, &sealed.Statement, &sealed.Bundle, &sealed.Status, &sealed.Leaving, &sealed.SealedAt)
		if err != nil {
			return notFound(err)
		}
		rows, err := q.query(ctx, `SELECT data FROM sealed_page WHERE recording_id = $1 ORDER BY page`, recording)
		sealed.Pages, err = collect(rows, err, func(scan func(...any) error) (page []byte, err error) {
			err = scan(&page)
			return page, err
		})
		return err
	})
	if err != nil {
		return evidence.SealedRecording{}, fmt.Errorf("sealed recording %s: %w", recording, err)
	}
	return sealed, nil
}
