package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/transcript"
)

var _ transcript.Store = (*Store)(nil)

const transcriptColumns = `id, agency, case_id, interview_id, recording_id, language, number, origin, base, cues, range_from, range_until,
	plain_sha256, plain_size, cipher_sha256, cipher_size, object_key, object_version, created_by, created_at, certified_by, certified_at, certifier, certifier_salt, bundle`

func scanTranscript(scan func(...any) error) (v transcript.Version, err error) {
	err = scan(&v.ID, &v.Agency, &v.Case, &v.Interview, &v.Recording, &v.Language, &v.Number, &v.Origin, &v.Base, &v.Cues, &v.Range.From, &v.Range.Until,
		&v.Plain.SHA256, &v.Plain.Size, &v.Cipher.SHA256, &v.Cipher.Size, &v.ObjectKey, &v.ObjectVersion, &v.CreatedBy, &v.CreatedAt,
		&v.CertifiedBy, &v.CertifiedAt, &v.Certifier.Value, &v.Certifier.Salt, &v.Bundle)
	if v.Certifier.Salt != "" {
		v.Certifier.Field = transcript.FieldName
	}
	if len(v.Bundle) == 0 {
		v.Bundle = nil
	}
	return v, err
}

// CreateTranscript implements [transcript.Store].
func (s *Store) CreateTranscript(ctx context.Context, v transcript.Version, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO transcript (`+transcriptColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
			v.ID, v.Agency, v.Case, v.Interview, v.Recording, v.Language, v.Number, v.Origin, v.Base, v.Cues, v.Range.From, v.Range.Until,
			v.Plain.SHA256, v.Plain.Size, v.Cipher.SHA256, v.Cipher.Size, v.ObjectKey, v.ObjectVersion, v.CreatedBy, v.CreatedAt,
			v.CertifiedBy, v.CertifiedAt, v.Certifier.Value, v.Certifier.Salt, append([]byte{}, v.Bundle...)))
	})
}

// Transcript implements [transcript.Store].
func (s *Store) Transcript(ctx context.Context, id evidence.ID) (transcript.Version, error) {
	v, err := scanTranscript(s.row(ctx, `SELECT `+transcriptColumns+` FROM transcript WHERE id = $1`, id).Scan)
	if err != nil {
		return v, fmt.Errorf("transcript %s: %w", id, notFound(err))
	}
	return v, nil
}

// Transcripts implements [transcript.Store].
func (s *Store) Transcripts(ctx context.Context, interview evidence.ID) ([]transcript.Version, error) {
	rows, err := s.query(ctx, `SELECT `+transcriptColumns+` FROM transcript WHERE interview_id = $1 ORDER BY language, number`, interview)
	return collect(rows, err, scanTranscript)
}

// CertifyTranscript implements [transcript.Store].
func (s *Store) CertifyTranscript(ctx context.Context, v transcript.Version, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE transcript SET certified_by = $2, certified_at = $3, certifier = $4, certifier_salt = $5, bundle = $6 WHERE id = $1 AND certified_by = ''`,
			v.ID, v.CertifiedBy, v.CertifiedAt, v.Certifier.Value, v.Certifier.Salt, v.Bundle))
	})
}
