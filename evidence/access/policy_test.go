package access

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/toldonce/toldonce/evidence"
)

func theRules(t testing.TB) *rules {
	t.Helper()
	r, err := loadRules(policyText, schemaText)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// actionsByKind says on which kind of thing each action is decided.
var actionsByKind = map[string][]string{
	KindSystem:  {AgencyCreate, AgencyList, RoomList, RoomCheck, AccountList, CaseOpen, CaseList, GrantList, LogRead, LogHead, LogAudit, DiscontinuityPropose, DiscontinuityApprove, RetentionList},
	KindAgency:  {RoomCreate, RoomRehearse, DeviceList, DeviceRevoke, AccountPropose, RetentionClass},
	KindAccount: {AccountApprove, AccountInvite, AccountDisable, AccountRecover, AccountRecoverApprove, PasskeyAdd, PasskeyRemove, PasskeyList, TokenIssue, TokenRevoke, TokenList, SessionList, SessionEnd},
	KindCase:    {CaseRead, CaseStage, CaseLogRead, TeamAdd, TeamRemove, PersonAdd, PersonRead, PersonWords, ConsentRead, InterviewPlan, FileRead, FileWrite, FileManage, SeparationRead, SeparationWrite, RulingWrite, SeparationDecide, RetentionRead, RetentionSet, RetentionKeep, HoldPlace},
	KindSheet:   {FileClose, FileOpen},
	KindPerson:  {PersonEdit, PersonLink, ConsentRecord},
	KindConsent: {ConsentAttest, ConsentWithdraw, ConsentReceipt},
	KindInterview: {InterviewRead, InterviewCancel, InterviewStart, InterviewPause, InterviewResume, InterviewStop, InterviewMark, DangerRaise, SourceAdd, GrantRequest, ExposureRead, ExportRequest, ExportAlone, ClipRequest, MediaPlay, InterviewWatch, ErasureRequest, InterviewPropose, InterviewSettle, InterviewCalls, InterviewNote,
		TranscriptWrite, TranscriptCertify, TranscriptList, DerivativeRequest, DerivativeList},
	KindGrant:      {GrantRead, GrantApprove, GrantReject, GrantRevoke, GrantAccept, GrantExtend, GrantAttest},
	KindExport:     {ExportApprove, ExportRead, ExportReceive},
	KindHold:       {HoldLift},
	KindDerivative: {DerivativeRelease, DerivativeRefuse, DerivativeFetch},
	KindErasure:    {ErasureRead, ErasureApprove, ErasureReject, ErasureAttest},
}

func TestEveryActionIsInTheSchema(t *testing.T) {
	r := theRules(t)
	known := map[string]bool{knowCase: true}
	for _, actions := range actionsByKind {
		for _, action := range actions {
			known[action] = true
			if _, ok := r.byAction[types.String(action)]; !ok {
				t.Errorf("%s is not in the schema", action)
			}
		}
	}
	for action := range r.byAction {
		if !known[string(action)] {
			t.Errorf("the schema has %s, which no test knows", action)
		}
	}
}

// who is one line of the table: who, what she is on the case, and what she may do.
type who struct {
	name   string
	role   evidence.Role
	roles  []evidence.Role
	agency evidence.ID
	change func(*Standing)
	demo   bool
	silent bool     // the person interviewed has not agreed to be watched live
	may    []string // every action that is allowed; all others must be refused
}

const (
	here  evidence.ID = "01900000-0000-7000-8000-000000000001"
	other evidence.ID = "01900000-0000-7000-8000-000000000002"
	me    evidence.ID = "01900000-0000-7000-8000-000000000003"
	thing evidence.ID = "01900000-0000-7000-8000-000000000004"
)

var lists = []string{AgencyList, RoomList, AccountList, CaseList, GrantList, LogHead}

func with(more ...[]string) []string {
	all := append([]string{}, lists...)
	for _, m := range more {
		all = append(all, m...)
	}
	return all
}

// TestWhoMayDoWhat is the policy as a table. What is not listed must be refused.
func TestWhoMayDoWhat(t *testing.T) {
	for _, w := range everybody() {
		t.Run(w.name, func(t *testing.T) {
			for _, wrong := range w.disagreements(theRules(t), true) {
				t.Error(wrong)
			}
		})
	}
}

func everybody() []who {
	reading := []string{knowCase, CaseRead, PersonRead, ConsentRead, InterviewRead, FileRead, FileOpen}
	asking := []string{GrantRequest, ExposureRead, ConsentAttest, MediaPlay, ClipRequest, FileWrite, DangerRaise, TranscriptList, DerivativeList}
	party := []string{GrantRead, GrantRevoke, FileClose, GrantExtend}
	held := []string{GrantAccept, GrantAttest}
	watching := []string{InterviewWatch, InterviewPropose, InterviewNote, InterviewCalls}
	managing := []string{CaseStage, TeamAdd, TeamRemove, PersonAdd, PersonEdit, PersonLink, InterviewPlan, InterviewCancel, ConsentRecord, ConsentWithdraw, ConsentReceipt, PersonWords, InterviewCalls, FileManage, FileClose, SeparationRead, SeparationWrite, RulingWrite, SeparationDecide, TranscriptCertify, DerivativeRequest, DerivativeRelease, DerivativeRefuse}
	conducting := []string{PersonAdd, InterviewPlan, InterviewCancel, InterviewStart, InterviewPause, InterviewResume, InterviewStop, InterviewMark, SourceAdd, PersonWords, InterviewWatch, InterviewPropose, InterviewNote, InterviewCalls, InterviewSettle, FileManage, TranscriptWrite, TranscriptCertify, DerivativeRequest, DerivativeRelease, DerivativeRefuse}
	custody := []string{LogRead, LogAudit, DiscontinuityPropose, DiscontinuityApprove, AccountApprove, AccountRecoverApprove, CaseLogRead, GrantRead, GrantApprove, GrantReject, GrantRevoke, ExportRequest, ExportApprove, ExportRead, ExportReceive, ClipRequest, ExposureRead,
		RetentionList, RetentionClass, RetentionRead, RetentionSet, RetentionKeep, HoldPlace, HoldLift, ErasureRequest, ErasureRead, ErasureApprove, ErasureReject, ErasureAttest, SeparationRead, SeparationDecide, TranscriptList, TranscriptWrite, DerivativeList, DerivativeFetch}
	kept := []string{RetentionRead, ErasureRead}
	own := func(s *Standing) { s.Own = true }
	return []who{
		{name: "administrator", role: evidence.RoleAdmin, agency: here,
			may: with([]string{AgencyCreate, RoomCreate, RoomRehearse, DeviceList, DeviceRevoke, AccountPropose, AccountApprove, AccountInvite, AccountDisable, SessionList, SessionEnd, AccountRecover, AccountRecoverApprove})},
		{name: "administrator who proposed", role: evidence.RoleAdmin, agency: here, change: own,
			may: with([]string{AgencyCreate, RoomCreate, RoomRehearse, DeviceList, DeviceRevoke, AccountPropose, AccountInvite, AccountDisable, SessionList, SessionEnd, AccountRecover, GrantRead, GrantRevoke})},
		{name: "administrator put on a team by force", role: evidence.RoleAdmin, agency: here, roles: []evidence.Role{evidence.RoleProsecutor},
			may: with(reading, []string{AgencyCreate, RoomCreate, RoomRehearse, DeviceList, DeviceRevoke, AccountPropose, AccountApprove, AccountInvite, AccountDisable, SessionList, SessionEnd, AccountRecover, AccountRecoverApprove, ConsentAttest, CaseLogRead, PersonLink, GrantRead, HoldPlace, FileWrite, DangerRaise, SeparationWrite, RulingWrite, ExposureRead}, kept)},
		{name: "auditor", role: evidence.RoleAuditor, agency: here,
			may: with([]string{knowCase, CaseRead, ConsentRead, InterviewRead, CaseLogRead, GrantRead, LogRead, LogAudit, DiscontinuityPropose, DiscontinuityApprove, RetentionList, SeparationRead}, kept)},
		{name: "auditor of another agency", role: evidence.RoleAuditor, agency: other, may: with([]string{LogRead, LogAudit, DiscontinuityPropose, DiscontinuityApprove, RetentionList})},
		{name: "custodian", role: evidence.RoleCustodian, agency: here, may: with(reading, custody)},
		{name: "custodian of another agency", role: evidence.RoleCustodian, agency: other, may: with([]string{LogRead, LogAudit, DiscontinuityPropose, DiscontinuityApprove, RetentionList})},
		{name: "custodian who asked", role: evidence.RoleCustodian, agency: here, change: own,
			may: with(reading, remove(custody, AccountApprove, AccountRecoverApprove, GrantApprove, ExportApprove, ErasureApprove, ErasureReject), []string{FileClose})},
		{name: "custodian who would receive it", role: evidence.RoleCustodian, agency: here, change: func(s *Standing) { s.Recipient = true },
			may: with(reading, remove(custody, GrantApprove), []string{FileClose, GrantAttest})},
		{name: "custodian in a demonstration", role: evidence.RoleCustodian, agency: here, demo: true, may: with(reading, custody, []string{ExportAlone})},
		{name: "case manager without a case", role: evidence.RoleCaseManager, agency: here, may: with([]string{CaseOpen, RoomCheck})},
		{name: "case manager on the case", role: evidence.RoleCaseManager, agency: here, roles: []evidence.Role{evidence.RoleCaseManager},
			may: with(reading, asking, managing, kept, []string{CaseOpen, RoomCheck, CaseLogRead, GrantRead, GrantRevoke})},
		{name: "case manager, a child's grant that a custodian approved", role: evidence.RoleCaseManager, agency: here, roles: []evidence.Role{evidence.RoleCaseManager},
			change: func(s *Standing) { s.Child, s.CustodianApproved = true, true },
			may:    with(reading, asking, managing, kept, []string{CaseOpen, RoomCheck, CaseLogRead, GrantRead, GrantRevoke, GrantApprove})},
		{name: "case manager, a child's grant that nobody approved", role: evidence.RoleCaseManager, agency: here, roles: []evidence.Role{evidence.RoleCaseManager},
			change: func(s *Standing) { s.Child = true }, may: with(reading, asking, managing, kept, []string{CaseOpen, RoomCheck, CaseLogRead, GrantRead, GrantRevoke})},
		{name: "case manager, a child's grant of her own", role: evidence.RoleCaseManager, agency: here, roles: []evidence.Role{evidence.RoleCaseManager},
			change: func(s *Standing) { s.Child, s.CustodianApproved, s.Own = true, true, true },
			may:    with(reading, remove(asking, ConsentAttest), remove(managing, DerivativeRelease, DerivativeRefuse), kept, []string{CaseOpen, RoomCheck, CaseLogRead, GrantRead, GrantRevoke, GrantExtend, ExportRead, ExportReceive, DerivativeFetch})},
		{name: "interviewer on the case", role: evidence.RoleInterviewer, agency: here, roles: []evidence.Role{evidence.RoleInterviewer},
			may: with(reading, asking, conducting, []string{RoomCheck, RoomRehearse, ConsentRecord, ConsentWithdraw, ConsentReceipt, CaseLogRead})},
		{name: "interviewer who recorded the consent and asked", role: evidence.RoleInterviewer, agency: here, roles: []evidence.Role{evidence.RoleInterviewer}, change: own,
			may: with(reading, remove(asking, ConsentAttest), remove(conducting, DerivativeRelease, DerivativeRefuse), []string{RoomCheck, RoomRehearse, ConsentRecord, ConsentWithdraw, ConsentReceipt, CaseLogRead}, party, []string{ExportRead, ExportReceive, DerivativeFetch})},
		{name: "observer on the case", role: evidence.RoleObserver, agency: here, roles: []evidence.Role{evidence.RoleObserver}, may: with(reading, asking, watching)},
		{name: "observer without consent to be watched", role: evidence.RoleObserver, agency: here, roles: []evidence.Role{evidence.RoleObserver}, silent: true, may: with(reading, asking, remove(watching, InterviewWatch))},
		{name: "prosecutor who was made an observer too", role: evidence.RoleProsecutor, agency: other, roles: []evidence.Role{evidence.RoleProsecutor, evidence.RoleObserver},
			may: with(reading, asking, kept, []string{CaseLogRead, PersonLink, GrantRead, ExportRequest, InterviewWatch, HoldPlace, SeparationWrite, RulingWrite, TranscriptWrite, TranscriptCertify, DerivativeRequest, DerivativeRelease, DerivativeRefuse}, remove(watching, InterviewWatch))},
		{name: "administrator made an observer by force", role: evidence.RoleAdmin, agency: here, roles: []evidence.Role{evidence.RoleObserver},
			may: with(reading, []string{AgencyCreate, RoomCreate, RoomRehearse, DeviceList, DeviceRevoke, AccountPropose, AccountApprove, AccountInvite, AccountDisable, SessionList, SessionEnd, AccountRecover, AccountRecoverApprove, ConsentAttest, FileWrite, DangerRaise, ExposureRead})},
		{name: "prosecutor on the case", role: evidence.RoleProsecutor, agency: other, roles: []evidence.Role{evidence.RoleProsecutor},
			may: with(reading, asking, kept, []string{CaseLogRead, PersonLink, GrantRead, ExportRequest, InterviewCalls, HoldPlace, SeparationWrite, RulingWrite, TranscriptWrite, TranscriptCertify, DerivativeRequest, DerivativeRelease, DerivativeRefuse})},
		{name: "prosecutor who holds the grant", role: evidence.RoleProsecutor, agency: other, roles: []evidence.Role{evidence.RoleProsecutor}, change: func(s *Standing) { s.Recipient = true },
			may: with(reading, asking, kept, []string{CaseLogRead, PersonLink, ExportRequest, InterviewCalls, HoldPlace, SeparationWrite, RulingWrite, TranscriptWrite, TranscriptCertify, DerivativeRequest, DerivativeRelease, DerivativeRefuse}, party, held)},
		{name: "prosecutor without the case", role: evidence.RoleProsecutor, agency: other, may: with()},
		{name: "advocate on the case", role: evidence.RoleAdvocate, agency: other, roles: []evidence.Role{evidence.RoleAdvocate},
			may: with(reading, asking, kept, []string{CaseLogRead, GrantRead, ConsentRecord, ConsentWithdraw, ConsentReceipt, PersonWords}, watching)},
		{name: "linked to a suspect", role: evidence.RoleProsecutor, agency: here, roles: []evidence.Role{evidence.RoleProsecutor}, change: func(s *Standing) { s.Linked = true }, may: nil},
		{name: "linked to a suspect, and a decision lifts it", role: evidence.RoleProsecutor, agency: here, roles: []evidence.Role{evidence.RoleProsecutor},
			change: func(s *Standing) { s.Linked, s.Lifted = true, true },
			may:    with(reading, asking, kept, []string{CaseLogRead, PersonLink, GrantRead, ExportRequest, InterviewCalls, HoldPlace, SeparationWrite, RulingWrite, TranscriptWrite, TranscriptCertify, DerivativeRequest, DerivativeRelease, DerivativeRefuse})},
		{name: "case manager, giving a part to somebody who is kept apart", role: evidence.RoleCaseManager, agency: here, roles: []evidence.Role{evidence.RoleCaseManager},
			change: func(s *Standing) { s.SubjectApart = true },
			may:    with(reading, remove(asking, GrantRequest), remove(managing, TeamAdd, InterviewPlan, FileManage), kept, []string{CaseOpen, RoomCheck, CaseLogRead, GrantRead, GrantRevoke})},
		{name: "disabled", role: evidence.RoleCustodian, agency: here, change: func(s *Standing) { s.Active = false }, may: nil},
	}
}

func remove(from []string, what ...string) []string {
	var out []string
	for _, s := range from {
		if !strings.Contains(" "+strings.Join(what, " ")+" ", " "+s+" ") {
			out = append(out, s)
		}
	}
	return out
}

// disagreements says where the rules and the table differ, and which request does
// not fit the schema.
func (w who) disagreements(r *rules, secondFactor bool) (wrong []string) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	allowed := map[string]bool{}
	for _, action := range w.may {
		allowed[action] = true
	}
	validator := validate.New(r.schema)
	for kind, actions := range actionsByKind {
		if kind != KindSystem && kind != KindAgency && kind != KindAccount {
			actions = append([]string{knowCase}, actions...)
		}
		for _, action := range actions {
			st := Standing{Active: true, Agency: w.agency, Role: w.role, OwnedBy: here, Roles: w.roles}
			if w.change != nil {
				w.change(&st)
			}
			actor := evidence.Actor{Kind: evidence.ActorPerson, Account: me, MFA: secondFactor}
			s := &Service{Config: Config{Demonstration: w.demo}, rules: r}
			facts := s.facts(actor, st, 1000)
			if action == InterviewWatch {
				facts["watchConsent"] = types.Boolean(!w.silent)
			}
			if action == MediaPlay {
				for k, v := range playFacts(Grant{To: me, State: Active, NotBefore: 1000, NotAfter: 1001}, TrackBounds{FirstIndex: 3, LastIndex: 3}, true, 3, false, false) {
					facts[k] = v
				}
			}
			on := evidence.Resource{Kind: kind, ID: thing}
			e := entitiesOf(actor, on, st)
			request := cedar.Request{Principal: e.principal.UID, Action: cedar.NewEntityUID("Action", types.String(action)), Resource: e.resource.UID, Context: cedar.NewRecord(facts)}
			if err := validator.Request(request); err != nil {
				report("%s: the request does not fit the schema: %v", action, err)
			}
			if err := validator.Entity(e.principal); err != nil {
				report("%s: %v", action, err)
			}
			got, why, err := r.decide(action, e, cedar.NewRecord(facts))
			if err != nil {
				report("%s on %s: %v", action, kind, err)
			}
			if got != allowed[action] {
				report("%s on %s: allowed %v, want %v (%v)", action, kind, got, allowed[action], why)
			}
		}
	}
	return wrong
}

func TestNobodyDoesAnythingWithoutASecondFactor(t *testing.T) {
	for _, wrong := range onPasswordAlone(theRules(t)) {
		t.Error(wrong)
	}
}

func onPasswordAlone(r *rules) (wrong []string) {
	for _, role := range evidence.Roles {
		wrong = append(wrong, who{role: role, agency: here, roles: []evidence.Role{role}}.disagreements(r, false)...)
	}
	return wrong
}

func TestTokensAreOnesOwn(t *testing.T) {
	for _, wrong := range tokens(theRules(t)) {
		t.Error(wrong)
	}
}

func tokens(r *rules) (wrong []string) {
	st := Standing{Active: true, Agency: here, Role: evidence.RoleAdmin, OwnedBy: here}
	actor := evidence.Actor{Kind: evidence.ActorPerson, Account: me, MFA: true}
	for id, want := range map[evidence.ID]bool{me: true, other: false} {
		e := entitiesOf(actor, evidence.Resource{Kind: KindAccount, ID: id}, st)
		if got, _, err := r.decide(TokenIssue, e, cedar.NewRecord((&Service{}).facts(actor, st, 0))); got != want || err != nil {
			wrong = append(wrong, fmt.Sprintf("token of %s: %v, %v", id, got, err))
		}
		plain := st
		plain.Role = evidence.RoleAdvocate
		e = entitiesOf(actor, evidence.Resource{Kind: KindAccount, ID: id}, plain)
		if got, _, err := r.decide(SessionEnd, e, cedar.NewRecord((&Service{}).facts(actor, plain, 0))); got != want || err != nil {
			wrong = append(wrong, fmt.Sprintf("session of %s: %v, %v", id, got, err))
		}
	}
	return wrong
}

// TestEveryRuleMatters leaves out each rule in turn: somebody must then be able to
// do more, or less, than the tables say.
func TestEveryRuleMatters(t *testing.T) {
	whole := theRules(t)
	for id := range whole.reasons {
		less := &rules{schema: whole.schema, reasons: whole.reasons, byAction: map[types.String]cedar.PolicyMap{}}
		for action, set := range whole.byAction {
			less.byAction[action] = maps.Clone(set)
			delete(less.byAction[action], id)
		}
		wrong := append(onPasswordAlone(less), tokens(less)...)
		for _, w := range everybody() {
			wrong = append(wrong, w.disagreements(less, true)...)
		}
		for _, c := range plays {
			wrong = append(wrong, c.disagreements(less)...)
		}
		if len(wrong) == 0 {
			t.Errorf("nothing changes without the rule %s", id)
		}
	}
}

// play is one request for a segment under one grant.
type play struct {
	name    string
	change  func(*Grant)
	now     evidence.Instant
	inTrack bool
	at      int
	consent bool
	code    string // of the refusal; empty if it plays
	// accepted: she has accepted the terms.
	accepted bool
}

// plays are decided under a grant from 1000 to 2000 of segments 3 to 7.
var plays = []play{
	{"from the first moment", nil, 1000, true, 5, false, "", false},
	{"to the last", nil, 1999, true, 5, false, "", false},
	{"first segment", nil, 1500, true, 3, false, "", false},
	{"last segment", nil, 1500, true, 7, false, "", false},
	{"before its time", nil, 999, true, 5, false, "grant.not_yet", false},
	{"after its time", nil, 2000, true, 5, false, "grant.over", false},
	{"the segment before", nil, 1500, true, 2, false, "grant.outside", false},
	{"the segment after", nil, 1500, true, 8, false, "grant.outside", false},
	{"no segment", nil, 1500, true, -1, false, "grant.outside", false},
	{"another track", nil, 1500, false, 5, false, "grant.outside", false},
	{"revoked", func(g *Grant) { g.State = Revoked }, 1500, true, 5, false, "grant.revoked", false},
	{"ended", func(g *Grant) { g.State = Ended }, 1500, true, 5, false, "grant.not_active", false},
	{"proposed", func(g *Grant) { g.State = Proposed }, 1500, true, 5, false, "grant.not_active", false},
	{"rejected", func(g *Grant) { g.State = Rejected }, 1500, true, 5, false, "grant.not_active", false},
	{"a state from the future", func(g *Grant) { g.State = "sleeping" }, 1500, true, 5, false, "grant.not_active", false},
	{"on a consent that holds", func(g *Grant) { g.RestsOn = OnConsent }, 1500, true, 5, true, "", false},
	{"on a consent that does not", func(g *Grant) { g.RestsOn = OnConsent }, 1500, true, 5, false, "grant.basis_ended", false},
	{"to somebody else", func(g *Grant) { g.To = other }, 1500, true, 5, false, "none", false},
	{"without the terms accepted", func(g *Grant) { g.Conditions.Terms = true }, 1500, true, 5, false, "grant.terms", false},
	{"with the terms accepted", func(g *Grant) { g.Conditions.Terms = true }, 1500, true, 5, false, "", true},
}

func TestWhenMediaPlays(t *testing.T) {
	for _, c := range plays {
		t.Run(c.name, func(t *testing.T) {
			for _, wrong := range c.disagreements(theRules(t)) {
				t.Error(wrong)
			}
		})
	}
}

func (c play) disagreements(r *rules) []string {
	g := Grant{To: me, State: Active, NotBefore: 1000, NotAfter: 2000}
	if c.change != nil {
		c.change(&g)
	}
	st := Standing{Active: true, Agency: other, Role: evidence.RoleProsecutor, OwnedBy: here, Roles: []evidence.Role{evidence.RoleProsecutor}}
	actor := evidence.Actor{Kind: evidence.ActorPerson, Account: me, MFA: true}
	facts := (&Service{}).facts(actor, st, c.now)
	maps.Copy(facts, playFacts(g, TrackBounds{FirstIndex: 3, LastIndex: 7}, c.inTrack, c.at, c.consent, c.accepted))
	got, why, err := r.decide(MediaPlay, entitiesOf(actor, evidence.Resource{Kind: KindInterview, ID: thing}, st), cedar.NewRecord(facts))
	code := ""
	if !got {
		code = "none"
	}
	if len(why) > 0 {
		code = why[0].Code
	}
	if code != c.code || err != nil {
		return []string{fmt.Sprintf("%s: got %q (%v), want %q", c.name, code, err, c.code)}
	}
	return nil
}

// TestARuleThatFailsDenies: Cedar skips a forbid whose condition cannot be
// evaluated, and would allow.
func TestARuleThatFailsDenies(t *testing.T) {
	const policy = `@id("yes") permit (principal, action, resource);
@id("no") @code("x") @reason("No.") forbid (principal, action, resource) when { context.linked };`
	r, err := loadRules([]byte(policy), schemaText)
	if err != nil {
		t.Fatal(err)
	}
	actor := evidence.Actor{Kind: evidence.ActorPerson, Account: me}
	st := Standing{Active: true, OwnedBy: here}
	facts := (&Service{}).facts(actor, st, 0)
	e := entitiesOf(actor, evidence.Resource{Kind: KindSystem}, st)
	if ok, _, err := r.decide(CaseList, e, cedar.NewRecord(facts)); !ok || err != nil {
		t.Fatalf("with every fact: %v, %v", ok, err)
	}
	delete(facts, "linked")
	set := r.byAction[CaseList]
	if raw, d := cedar.Authorize(set, e, cedar.Request{Principal: e.principal.UID, Action: cedar.NewEntityUID("Action", CaseList), Resource: e.resource.UID, Context: cedar.NewRecord(facts)}); raw != cedar.Allow || len(d.Errors) != 1 {
		t.Fatalf("Cedar itself: %v with %d errors; this test is about an answer that it no longer gives", raw, len(d.Errors))
	}
	if ok, _, err := r.decide(CaseList, e, cedar.NewRecord(facts)); ok || !errors.Is(err, errRule) {
		t.Errorf("with a fact missing: %v, %v", ok, err)
	}
	if ok, _, err := r.decide("no.such_action", e, cedar.NewRecord(facts)); ok || err == nil {
		t.Errorf("an unknown action: %v, %v", ok, err)
	}
}

func TestPoliciesThatDoNotStart(t *testing.T) {
	for name, policy := range map[string]string{
		"no name":               `permit (principal, action, resource);`,
		"a name twice":          `@id("a") permit (principal, action, resource); @id("a") permit (principal, action, resource);`,
		"a forbid with no word": `@id("a") forbid (principal, action, resource);`,
		"an unknown fact":       `@id("a") permit (principal, action, resource) when { context.rich };`,
		"an unknown action":     `@id("a") permit (principal, action == Action::"media.steal", resource);`,
		"a wrong type":          `@id("a") permit (principal, action, resource) when { context.now == "noon" };`,
		"a fact of other acts":  `@id("a") permit (principal, action, resource) when { context.grant.state == "active" };`,
		"not Cedar":             `everyone may do everything`,
	} {
		if _, err := loadRules([]byte(policy), schemaText); err == nil {
			t.Errorf("%s: started", name)
		}
	}
	if _, err := loadRules(policyText, []byte("nonsense")); err == nil {
		t.Error("a broken schema started")
	}
}

// TestLeavingOutRulesOfOtherActionsChangesNothing compares each answer with that
// of the whole policy.
func TestLeavingOutRulesOfOtherActionsChangesNothing(t *testing.T) {
	r := theRules(t)
	all := cedar.PolicyMap{}
	for _, set := range r.byAction {
		for id, p := range set {
			all[id] = p
		}
	}
	if len(all) != len(r.reasons) {
		t.Fatalf("%d of %d rules concern an action", len(all), len(r.reasons))
	}
	whole := &rules{schema: r.schema, reasons: r.reasons, byAction: map[types.String]cedar.PolicyMap{}}
	for action := range r.byAction {
		whole.byAction[action] = all
	}
	for _, role := range evidence.Roles {
		for kind, actions := range actionsByKind {
			for _, action := range actions {
				if action == MediaPlay {
					continue
				}
				st := Standing{Active: true, Agency: here, Role: role, OwnedBy: here, Roles: []evidence.Role{role}}
				actor := evidence.Actor{Kind: evidence.ActorPerson, Account: me, MFA: true}
				given := (&Service{}).facts(actor, st, 5)
				if action == InterviewWatch {
					given["watchConsent"] = types.Boolean(true)
				}
				facts := cedar.NewRecord(given)
				e := entitiesOf(actor, evidence.Resource{Kind: kind, ID: thing}, st)
				a, _, err1 := r.decide(action, e, facts)
				b, _, err2 := whole.decide(action, e, facts)
				if a != b || err1 != nil || err2 != nil {
					t.Errorf("%s by %s: %v (%v) and with every rule %v (%v)", action, role, a, err1, b, err2)
				}
			}
		}
	}
}

func TestTheTextIsWhatDecides(t *testing.T) {
	if PolicyText() != string(policyText) || !strings.Contains(PolicyText(), `@id("media.grant")`) {
		t.Error("another text")
	}
}
