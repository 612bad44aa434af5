package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// entryVerify stands in the custody log for each verification, before it begins.
const entryVerify = "recording.verify"

// Audience of a verification: those who know of the interview. It reads media
// and shows none.
func (s *Server) verifyInterview(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Verification], error) {
	if err := s.allow(ctx, a, access.InterviewRead, in.ID); err != nil {
		return nil, err
	}
	iv, err := s.store.Interview(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if iv.State != evidence.StateSealed {
		return nil, evidence.Refuse(evidence.ErrConflict, "verification.not_sealed", "The recording is not sealed yet, so there is nothing to verify.", "P18")
	}
	// One at a time: each reads everything that was recorded.
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to verify: %w", ctx.Err())
	}
	// What is read is not shown, and yet somebody had it read.
	if err := s.store.AppendEntry(ctx, custody.Entry{Actor: a, Action: entryVerify, Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Subject: iv.Recording}); err != nil {
		return nil, err
	}
	return answerErr(s.verify(ctx, iv))
}

func (s *Server) verify(ctx context.Context, iv evidence.Interview) (Verification, error) {
	sealed, err := s.store.Sealed(ctx, iv.Recording)
	if err != nil {
		return Verification{}, err
	}
	rec, findings := seal.CheckRecording(seal.RecordingInput{Manifest: sealed.Manifest, Bundle: sealed.Bundle, Pages: sealed.Pages, Trust: s.trust})
	sum := sha256.Sum256(sealed.Manifest)
	out := Verification{Interview: iv.ID, CheckedAt: s.clock().UTC(), Manifest: hex.EncodeToString(sum[:]), SealedAt: sealed.SealedAt.Time()}
	if rec != nil {
		if rec.Seal.Time != 0 {
			out.TimestampedAt = when(rec.Seal.Time)
		}
		if out.Segments, err = s.verifyObjects(ctx, iv, rec.Leaves, &findings); err != nil {
			return Verification{}, err
		}
	}
	added, err := s.store.Renewals(ctx, iv.Recording)
	if err != nil {
		return Verification{}, err
	}
	awaited := s.outsideTime && !slices.ContainsFunc(added, func(r seal.Renewal) bool { return r.Assertion == seal.AssertedByThirdParty })
	findings = append(findings, seal.CheckRenewals("recording.renewal", s.trust, sealed.Bundle, added, awaited)...)
	if out.Log, err = s.verifyLog(ctx, iv, out.Manifest, &findings); err != nil {
		return Verification{}, err
	}
	out.judge(findings)
	return out, nil
}

// verifyObjects reads every stored object, hashes it, opens it and hashes what
// was in it.
func (s *Server) verifyObjects(ctx context.Context, iv evidence.Interview, leaves []evidence.Leaf, out *seal.Findings) (int, error) {
	const check = "storage.objects"
	segments, err := s.store.Segments(ctx, iv.Recording)
	if err != nil {
		return 0, err
	}
	if len(segments) != len(leaves) {
		out.Add(check, seal.Fails, "", "The seal is over %d objects; the database knows %d.", len(leaves), len(segments))
	}
	id, err := s.identity(ctx, iv.Recording)
	if errors.Is(err, evidence.ErrNotFound) {
		out.Add("storage.key", seal.CannotJudge, "", "The recording's key is not there any more, so what is inside the objects cannot be judged.")
	} else if err != nil {
		return 0, err
	}
	read, bad := 0, 0
	for i, segment := range segments {
		if i >= len(leaves) {
			break
		}
		if err := ctx.Err(); err != nil {
			return read, err
		}
		why, err := s.verifyObject(ctx, id, segment, leaves[i])
		if err != nil {
			return read, err
		}
		if read++; why == "" {
			continue
		}
		if bad++; bad <= maxFindings {
			out.Add(check, seal.Fails, "", "Object %d of the recording: %s.", i, why)
		}
	}
	switch {
	case bad > maxFindings:
		out.Add(check, seal.Fails, "", "%d more objects are not as they were sealed.", bad-maxFindings)
	case bad == 0 && len(segments) == len(leaves) && id != nil:
		out.Add(check, seal.Holds, "", "All %d stored objects were read. Each is what the seal commits to, encrypted and opened.", read)
	case bad == 0 && len(segments) == len(leaves):
		out.Add(check, seal.Holds, "", "All %d stored objects were read. Each is, as encrypted, what the seal commits to.", read)
	}
	return read, nil
}

// maxFindings bounds how many objects are named one by one.
const maxFindings = 10

// verifyObject returns what is wrong with one object. The error is that of
// storage that does not answer, which says nothing about the object.
func (s *Server) verifyObject(ctx context.Context, id age.Identity, segment evidence.Segment, leaf evidence.Leaf) (string, error) {
	if segment.Leaf != leaf {
		return "the database describes it otherwise than the seal", nil
	}
	cipher, err := s.objects.Get(ctx, segment.ObjectKey, segment.ObjectVersion)
	switch {
	case errors.Is(err, evidence.ErrNotFound):
		return "it is missing", nil
	case err != nil && !errors.Is(err, evidence.ErrInvalid):
		return "", err
	case err != nil || envelope.Sum(cipher) != leaf.Cipher:
		return "its bytes were changed", nil
	case id == nil:
		return "", nil
	}
	if _, err := envelope.OpenLeaf(id, cipher, leaf); err != nil {
		return "its content is not what was sealed", nil
	}
	return "", nil
}

// identity opens a recording's key.
func (s *Server) identity(ctx context.Context, recording evidence.ID) (age.Identity, error) {
	wrapped, _, err := s.store.RecordingKey(ctx, recording)
	if err != nil {
		return nil, err
	}
	key, err := s.keys.OpenRecordingKey(ctx, recording, wrapped)
	if err != nil {
		return nil, err
	}
	id, err := key.Identity()
	if err != nil {
		return nil, err
	}
	return id, nil
}

// verifyLog looks for the seal's own entry, compares the manifest's SHA-256 with
// the one that it names, and proves that it stands in the log.
func (s *Server) verifyLog(ctx context.Context, iv evidence.Interview, manifest string, out *seal.Findings) (*LogPosition, error) {
	const check = "log.seal"
	records, err := s.store.Entries(ctx, custody.Filter{Interview: iv.ID, Action: disclosure.EntrySealed, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		out.Add(check, seal.Fails, "", "The custody log has no entry of the seal.")
		return nil, nil
	}
	if records[0].Leaf.Details["manifest"] != manifest {
		out.Add(check, seal.Fails, "", "The custody log says that another manifest was sealed.")
		return nil, nil
	}
	signed, err := s.checkpoints.Checkpoint(ctx)
	if err != nil {
		out.Add(check, seal.Fails, "", "The custody log does not continue what was signed before.")
		return nil, nil //nolint:nilerr // it is a finding, and the log of the checkpointer tells more
	}
	cp, err := custody.OpenCheckpoint(signed, s.checkpoints.Verifier())
	if err != nil {
		return nil, fault(err)
	}
	path, err := s.store.ProveInclusion(ctx, records[0].Position, cp.Size)
	if err != nil {
		return nil, err
	}
	if err := custody.VerifyInclusion(records[0].Raw, records[0].Position, path, cp); err != nil {
		out.Add(check, seal.Fails, "", "The entry of the seal is not in the log that was signed.")
		return nil, nil //nolint:nilerr // it is a finding
	}
	out.Add(check, seal.Holds, "", "The seal stands in the custody log at position %d of %d.", records[0].Position, cp.Size)
	return &LogPosition{Position: records[0].Position, Size: cp.Size}, nil
}

// judge turns findings into a verdict in plain words.
func (v *Verification) judge(findings seal.Findings) {
	v.Checks = make([]Check, 0, len(findings))
	for _, f := range findings {
		result := "unknown"
		switch f.Status {
		case seal.Holds:
			result = "holds"
		case seal.Fails, seal.NotTrusted:
			result = "fails"
		}
		v.Checks = append(v.Checks, Check{Code: f.Check, Result: result, Text: f.Detail})
	}
	switch {
	case findings.Any(seal.Fails) || findings.Any(seal.NotTrusted):
		v.Verdict, v.Summary = "fails", "Something is not as it was sealed. Look at the checks that fail."
	case findings.Any(seal.CannotJudge) || findings.Any(seal.NotGiven):
		v.Verdict, v.Summary = "unknown", "Nothing contradicts the seal, but something could not be judged."
	default:
		v.Verdict, v.Summary = "holds", "The recording is what was sealed: every object, the manifest, the signature and the timestamp. The time is asserted by the operator's own authority."
	}
}
