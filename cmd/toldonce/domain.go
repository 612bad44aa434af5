package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/keyed"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/retention"
	"github.com/toldonce/toldonce/evidence/transcript"
	"github.com/toldonce/toldonce/recorder"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/notes"
)

// domain is what the installation does, on its open stores.
type domain struct {
	*stores
	access      *access.Service
	people      *people.Service
	cases       *casefile.Service
	consent     *consent.Service
	exports     *disclosure.Service
	retention   *retention.Service
	observing   *observation.Service
	transcripts *transcript.Service
	derivatives *derivative.Service
	checkpoints *custody.Publisher       // compares the log before anything is shown
	partial     *custody.RecordingSigner // signs how far running recordings have come
	witnesses   []custody.Remote
}

// openDomain makes the services of an installation.
func openDomain(ctx context.Context, st *stores, in installation, clock evidence.Clock, log *slog.Logger) (*domain, error) {
	d := &domain{stores: st}
	index, err := keyed.Open(ctx, st.db, st.keys)
	if err != nil {
		return nil, err
	}
	closed := func() error { return d.checkpoints.Closed() }
	if d.access, err = access.New(access.Config{Store: st.db, Demonstration: in.Demo, Closed: closed, Logger: log}); err != nil {
		return nil, fmt.Errorf("reading the access policy: %w", err)
	}
	d.people, err = people.New(people.Config{Store: st.db, Access: d.access, Keys: st.keys, Index: index, Issuer: "Told Once, " + in.Organisation})
	if err != nil {
		return nil, err
	}
	d.consent = consent.New(consent.Config{Store: st.db, Access: d.access, Jurisdiction: in.Jurisdiction, Signer: st.seal})
	d.cases = casefile.New(casefile.Config{Store: st.db, Access: d.access, Index: index, Settle: d.consent, Objects: st.objects, Keys: st.keys})
	d.observing = &observation.Service{Store: st.db, Access: d.access}
	d.transcripts = transcript.New(transcript.Config{Store: st.db, Objects: st.objects, Keys: st.keys, Access: d.access, Grants: d.access, Sealer: st.seal})
	d.derivatives = derivative.New(derivative.Config{Store: st.db, Objects: st.objects, Keys: st.keys, Access: d.access, Grants: d.access, Transcripts: d.transcripts})
	wrapped, verifier, err := st.db.LogKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the custody log's key: %w", err)
	}
	signer, err := st.keys.Unwrap(ctx, db.LogKeyPurpose, wrapped)
	if err != nil {
		return nil, fmt.Errorf("opening the custody log's key: %w", err)
	}
	checkpoints, err := custody.NewCheckpointer(st.db, string(signer), verifier)
	if err != nil {
		return nil, err
	}
	if d.partial, err = custody.NewRecordingSigner(string(signer), verifier); err != nil {
		return nil, err
	}
	remotes, err := st.layout.remotes()
	if err != nil {
		return nil, err
	}
	d.witnesses = remotes
	d.checkpoints = custody.NewPublisher(custody.PublisherConfig{Checkpoints: checkpoints, Store: st.db, Witnesses: remotes,
		Anchor: notes.Anchor{Folder: st.anchor, Origin: checkpoints.Verifier().Name()}, Clock: clock, Logger: log})
	d.exports = disclosure.NewService(disclosure.Config{Store: st.db, Objects: st.objects, Keys: st.keys, Log: st.db, Checkpoints: d.checkpoints, Grants: d.access,
		Sealer: st.seal, Access: d.access, Software: software(), Transcripts: d.transcripts})
	d.retention = retention.New(retention.Config{Store: st.db, Keys: st.keys, Objects: st.objects, Sealer: st.seal, Access: d.access, Logger: log, Software: software()})
	return d, nil
}

// RecordingFacts tells the recorder what a manifest repeats of case and room.
func (d *domain) RecordingFacts(ctx context.Context, interview evidence.ID) (recorder.RecordingFacts, error) {
	iv, err := d.db.Interview(ctx, interview)
	if err != nil {
		return recorder.RecordingFacts{}, err
	}
	c, err := d.db.Case(ctx, iv.Case)
	if err != nil {
		return recorder.RecordingFacts{}, err
	}
	room, err := d.db.Room(ctx, iv.Room)
	if err != nil {
		return recorder.RecordingFacts{}, err
	}
	return recorder.RecordingFacts{CaseReference: c.Commitment(), TimeZone: room.TimeZone}, nil
}
