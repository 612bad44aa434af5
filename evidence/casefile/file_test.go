package casefile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/internal/memstore"
)

func TestStagesLeaveATrailAndDuties(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	manager := w.Actors[evidence.RoleCaseManager]
	now, _ := s.Now(ctx)
	move := func(in casefile.StageChange) error {
		_, err := w.Cases.SetStage(ctx, manager, w.Case.ID, in)
		return err
	}
	wantCode(t, move(casefile.StageChange{Stage: casefile.Protection, Why: "x", Due: now + hours(1)}), "case.stage.next")
	w.Must(move(casefile.StageChange{Stage: casefile.Protection, Why: "in danger at home", Authority: "P 3/26", Next: "find a shelter", Due: now + hours(1)}))
	duties, err := w.Cases.Duties(ctx, manager)
	if err != nil || len(duties) != 1 || duties[0].Content.Stage.Next != "find a shelter" || duties[0].Content.Stage.From != casefile.Referral {
		t.Fatalf("%+v, %v", duties, err)
	}
	// The log commits to what stands in the sheet and says none of it.
	for _, e := range s.Log("") {
		for _, v := range e.Details {
			if strings.Contains(v, "shelter") {
				t.Errorf("%s tells %s", e.Action, v)
			}
		}
	}
	sum, err := duties[0].Commitment()
	if e := s.Log(access.EntryFile); err != nil || len(e) != 1 || e[0].Details["content"] != string(sum) {
		t.Errorf("%+v, %v", e, err)
	}
	s.Advance(2 * time.Hour)
	_, err = w.Cases.Close(ctx, w.Actors[evidence.RoleAdvocate], duties[0].ID, "done")
	if !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("somebody else's duty: %v", err)
	}
	_, err = w.Cases.Close(ctx, manager, duties[0].ID, " ")
	wantCode(t, err, "sheet.outcome")
	closed, err := w.Cases.Close(ctx, manager, duties[0].ID, "found")
	if err != nil || closed.Open() || closed.Outcome != "found" {
		t.Errorf("%+v, %v", closed, err)
	}
	if e := s.Log(access.FileClose); len(e) != 1 || e[0].Details["late"] != "true" {
		t.Errorf("%+v", e)
	}
	_, err = w.Cases.Close(ctx, manager, duties[0].ID, "again")
	wantCode(t, err, "sheet.closed")

	w.Must(move(casefile.StageChange{Stage: casefile.Proceedings, Why: "charged"}))
	team, err := w.Cases.Team(ctx, manager, w.Case.ID)
	w.Must(err)
	if missing := casefile.Unfilled(casefile.Proceedings, team, now); len(missing) != 0 {
		t.Errorf("unfilled %v", missing)
	}
	for _, m := range team {
		if m.Role == evidence.RoleProsecutor {
			w.Must(w.Cases.RemoveMember(ctx, manager, w.Case.ID, m.ID, "left"))
		}
	}
	one, err := w.Cases.Summary(ctx, manager, w.Case.ID)
	if err != nil || len(one.Unfilled) != 1 || one.Unfilled[0] != evidence.RoleProsecutor {
		t.Errorf("unfilled %v, %v", one.Unfilled, err)
	}
}

func TestWhoWritesAndReadsWhat(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	write := func(role evidence.Role, content casefile.Content) error {
		_, err := w.Cases.Write(ctx, w.Actors[role], casefile.NewEntry{Case: w.Case.ID, Person: w.Victim.ID, Content: content})
		return err
	}
	clash := casefile.Content{Contradiction: &casefile.Contradiction{About: "age", One: "police: 15", Other: "NGO: 19"}}
	w.Must(write(evidence.RoleObserver, clash))
	w.Must(write(evidence.RoleCaseManager, casefile.Content{Intake: &casefile.Intake{From: "ngo", How: "hotline"}}))
	w.Must(write(evidence.RoleAdvocate, casefile.Content{Service: &casefile.ServiceRequest{Service: "medical", To: "QKUK"}}))
	// A contradiction is the case manager's to settle at once.
	duties, err := w.Cases.Duties(ctx, w.Actors[evidence.RoleCaseManager])
	if err != nil || len(duties) != 1 || duties[0].Content.Duty.Code != "reconcile" {
		t.Errorf("%+v, %v", duties, err)
	}
	for _, c := range []struct {
		role     evidence.Role
		capacity string
		code     string
	}{
		{evidence.RoleInterviewer, "investigator", ""}, {evidence.RoleProsecutor, "prosecutor", ""}, {evidence.RoleAdvocate, "advocate", ""},
		{evidence.RoleCaseManager, "investigator", "sheet.identification.capacity"}, {evidence.RoleObserver, "social_worker", "sheet.identification.capacity"},
		{evidence.RoleInterviewer, "priest", "sheet.identification"},
	} {
		err := write(c.role, casefile.Content{Identification: &casefile.Identified{Capacity: c.capacity, Result: "victim"}})
		if c.code == "" {
			w.Must(err)
		} else {
			wantCode(t, err, c.code)
		}
	}
	for content, code := range map[*casefile.Content]string{
		{}: "sheet.kind",
		{Duty: &casefile.Duty{Code: "other"}, Intake: &casefile.Intake{From: "ngo", How: "other"}}: "sheet.kind",
		{Duty: &casefile.Duty{Code: "other"}}:                                                      "sheet.duty",
		{Companion: &casefile.Companion{Name: "Aunt", Excluded: true}}:                             "sheet.companion.excluded",
		{Presence: &casefile.Attendance{Role: "observer", In: 1}}:                                  "sheet.presence",
		{Reflection: &casefile.Reflection{From: 5, Until: 5}}:                                      "sheet.reflection",
		{Danger: &casefile.Danger{Recipients: []evidence.ID{"x"}}}:                                 "sheet.kind",
	} {
		wantCode(t, write(evidence.RoleCaseManager, *content), code)
	}
	for role, want := range map[evidence.Role]int{evidence.RoleCaseManager: 7, evidence.RoleAdvocate: 7, evidence.RoleProsecutor: 6, evidence.RoleObserver: 7, evidence.RoleCustodian: 6, evidence.RoleAuditor: 0} {
		list, err := w.Cases.Sheets(ctx, w.Actors[role], w.Case.ID, "")
		if err != nil || len(list) != want {
			t.Errorf("%s reads %d sheets, %v; want %d", role, len(list), err, want)
		}
	}
	if _, err := w.Cases.Sheets(ctx, w.Second[evidence.RoleAdvocate], w.Case.ID, ""); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if n := len(s.Log(access.FileWrite)); n != 7 {
		t.Errorf("%d entries", n)
	}
}

// An interview inside the reflection period needs a reason and her own request; a
// wish for an interviewer of her own sex has an outcome (P2).
func TestPlanningKeepsHerWishes(t *testing.T) {
	w, _ := memstore.World(t)
	w.OpenCase()
	in := w.PlanFor(w.Victim.ID)
	_, err := w.Cases.Write(ctx, w.Actors[evidence.RoleCaseManager], casefile.NewEntry{Case: w.Case.ID, Person: w.Victim.ID,
		Content: casefile.Content{Reflection: &casefile.Reflection{From: in.PlannedAt - hours(24), Until: in.PlannedAt + hours(24), Accommodation: true}}})
	w.Must(err)
	plan := func(change func(*casefile.NewInterview)) error {
		c := in
		change(&c)
		_, err := w.Cases.PlanInterview(ctx, w.Actors[evidence.RoleInterviewer], c)
		return err
	}
	wantCode(t, plan(func(*casefile.NewInterview) {}), "interview.reflection")
	wantCode(t, plan(func(c *casefile.NewInterview) { c.Reflection = "evidence is lost" }), "interview.reflection")
	wantCode(t, plan(func(c *casefile.NewInterview) { c.SameSex = casefile.SameSexNotMet }), "interview.same_sex")
	wantCode(t, plan(func(c *casefile.NewInterview) { c.SameSex = "maybe" }), "interview.same_sex")
	w.Must(plan(func(c *casefile.NewInterview) {
		c.Reflection, c.OwnRequest, c.SameSex, c.SameSexNote = "she wants it over", true, casefile.SameSexNotMet, "nobody on duty"
	}))
	after := in
	after.PlannedAt, after.Necessity = in.PlannedAt+hours(24), "new facts"
	w.Plan(after)
}

// One press: named people must acknowledge; it reveals no media.
func TestImmediateDanger(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	raise := func(role evidence.Role, in casefile.NewDanger) error {
		in.Interview = iv.ID
		_, err := w.Cases.RaiseDanger(ctx, w.Actors[role], in)
		return err
	}
	w.Must(raise(evidence.RoleObserver, casefile.NewDanger{}))
	now, _ := s.Now(ctx)
	for role, told := range map[evidence.Role]bool{evidence.RoleCaseManager: true, evidence.RoleProsecutor: true, evidence.RoleAdvocate: true, evidence.RoleInterviewer: false, evidence.RoleObserver: false} {
		duties, err := w.Cases.Duties(ctx, w.Actors[role])
		if err != nil || (len(duties) == 1) != told {
			t.Fatalf("%s has %d duties, %v", role, len(duties), err)
		}
		if told {
			if duties[0].Due != now+hours(1)/4 || duties[0].Interview != iv.ID {
				t.Errorf("%+v", duties[0])
			}
			_, err := w.Cases.Close(ctx, w.Actors[role], duties[0].ID, "called the shelter")
			w.Must(err)
		}
	}
	wantCode(t, raise(evidence.RoleInterviewer, casefile.NewDanger{Recipients: []evidence.ID{w.Second[evidence.RoleAdvocate].Account}}), "danger.recipients")
	wantCode(t, raise(evidence.RoleInterviewer, casefile.NewDanger{Within: time.Second}), "danger.within")
	w.Must(raise(evidence.RoleInterviewer, casefile.NewDanger{Recipients: []evidence.ID{w.Actors[evidence.RoleProsecutor].Account}, Within: time.Hour}))
	if g, err := w.Access.Grants(ctx, w.Actors[evidence.RoleProsecutor], iv.ID, ""); err != nil || len(g) != 0 {
		t.Errorf("danger gave grants: %+v, %v", g, err)
	}
}

// vault keeps objects and keys in memory.
type vault struct {
	objects map[string][]byte
	keys    map[evidence.ID]envelope.DataKey
}

func (v vault) Put(_ context.Context, key string, body []byte, sum evidence.Digest, _ time.Time) (string, error) {
	if envelope.Sum(body) != sum {
		return "", evidence.ErrInvalid
	}
	v.objects[key] = bytes.Clone(body)
	return "v1", nil
}

func (v vault) Get(_ context.Context, key, _ string) ([]byte, error) {
	body, ok := v.objects[key]
	if !ok {
		return nil, fmt.Errorf("object: %w", evidence.ErrNotFound)
	}
	return body, nil
}

func (v vault) NewRecordingKey(_ context.Context, id evidence.ID) ([]byte, string, error) {
	v.keys[id] = envelope.NewDataKey()
	recipient, err := v.keys[id].Recipient()
	return []byte("wrapped"), recipient, err
}

func (v vault) OpenRecordingKey(_ context.Context, id evidence.ID, _ []byte) (envelope.DataKey, error) {
	key, ok := v.keys[id]
	if !ok {
		return envelope.DataKey{}, envelope.ErrErased
	}
	return key, nil
}

func TestDocumentsAreEncryptedAndConsultationIsLogged(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	advocate := w.Actors[evidence.RoleAdvocate]
	in := casefile.NewDocument{Case: w.Case.ID, Person: w.Victim.ID, Name: "form 12", MediaType: "application/pdf", Bytes: []byte("what she signed")}
	if _, err := w.Cases.AttachDocument(ctx, advocate, in); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("without a store: %v", err)
	}
	v := vault{map[string][]byte{}, map[evidence.ID]envelope.DataKey{}}
	w.Cases.Objects, w.Cases.Keys = v, v
	sheet, err := w.Cases.AttachDocument(ctx, advocate, in)
	w.Must(err)
	for key, body := range v.objects {
		if bytes.Contains(body, in.Bytes) || strings.Contains(key, "form") {
			t.Errorf("%s is kept in the clear", key)
		}
	}
	doc, plain, err := w.Cases.OpenDocument(ctx, w.Actors[evidence.RoleCaseManager], sheet.ID)
	if err != nil || !bytes.Equal(plain, in.Bytes) || doc.Name != "form 12" {
		t.Errorf("%+v, %q, %v", doc, plain, err)
	}
	if n := len(s.Log(access.FileOpen)); n != 1 {
		t.Errorf("%d consultations in the log", n)
	}
	s.FailBefore[access.FileOpen] = true
	if _, plain, err := w.Cases.OpenDocument(ctx, advocate, sheet.ID); err == nil || plain != nil {
		t.Error("opened although it could not be logged (P29)")
	}
	delete(s.FailBefore, access.FileOpen)
	for _, a := range []evidence.Actor{w.Actors[evidence.RoleAuditor], w.Actors[evidence.RoleAdmin], w.Second[evidence.RoleAdvocate]} {
		if _, _, err := w.Cases.OpenDocument(ctx, a, sheet.ID); err == nil {
			t.Errorf("%s opened it", a.Role)
		}
	}
	v.objects[sheet.Content.Document.Object][40] ^= 1
	if _, _, err := w.Cases.OpenDocument(ctx, advocate, sheet.ID); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a changed object: %v", err)
	}
	delete(v.keys, sheet.ID)
	v.objects[sheet.Content.Document.Object][40] ^= 1
	if _, _, err := w.Cases.OpenDocument(ctx, advocate, sheet.ID); !errors.Is(err, envelope.ErrErased) {
		t.Errorf("after erasure (P35): %v", err)
	}
	for change, code := range map[string]string{"": "document.name", "a/b": "document.name"} {
		bad := in
		bad.Name = change
		_, err := w.Cases.AttachDocument(ctx, advocate, bad)
		wantCode(t, err, code)
	}
	in.Bytes = nil
	_, err = w.Cases.AttachDocument(ctx, advocate, in)
	wantCode(t, err, "document.size")
}

func TestRoomsAreLookedAt(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	check := people.RoomCheck{Room: w.Room.ID, Private: true, Furniture: true, Sound: true, WholeRoom: true}
	if _, err := w.People.CheckRoom(ctx, w.Actors[evidence.RoleProsecutor], check); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("a prosecutor: %v", err)
	}
	_, err := w.People.CheckRoom(ctx, w.Actors[evidence.RoleInterviewer], check)
	w.Must(err)
	checks, err := w.People.RoomChecks(ctx, w.Actors[evidence.RoleInterviewer])
	if err != nil || checks[w.Room.ID].Fit() || checks[w.Room.ID].By == "" {
		t.Errorf("%+v, %v", checks, err)
	}
	if e := s.Log(access.RoomCheck); len(e) != 1 || e[0].Details["fit"] != "false" {
		t.Errorf("%+v", e)
	}
}
