package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/toldonce/toldonce/evidence"
)

// Config is what a Service is made of.
type Config struct {
	Store Store
	// Demonstration says that the data is not real. The policy allows one thing
	// more there: see export.alone.
	Demonstration bool
	// Closed, if set, returns an error while the custody log contradicts what was
	// signed of it. Viewing and sharing are refused then; recording, and live view
	// of an interview that is being held, go on.
	Closed func() error
	// Logger is told of rules that could not be evaluated and of refusals that
	// could not be logged. It gets no personal data.
	Logger *slog.Logger
}

// Service decides, keeps grants and lets media out under them. It implements
// evidence.Authorizer. Safe for concurrent use.
type Service struct {
	Config
	rules *rules

	mu       sync.Mutex
	windows  map[windowKey]*openWindow // committed windows that this process knows of
	swept    evidence.Instant
	previews map[previewKey]evidence.Instant // when entries of previews were committed
}

// New reads the policy and its schema and refuses to start with a policy that
// does not fit it.
func New(c Config) (*Service, error) {
	r, err := loadRules(policyText, schemaText)
	if err != nil {
		return nil, err
	}
	return &Service{Config: c, rules: r, windows: map[windowKey]*openWindow{}, previews: map[previewKey]evidence.Instant{}}, nil
}

// Authorize implements evidence.Authorizer: it decides by the policy and the facts
// as they are now. Only Kind and ID of the resource are used; what the thing
// belongs to is read from the database. The answer for a thing that does not
// exist and for one in a case that the actor may not know of is the same error.
func (s *Service) Authorize(ctx context.Context, actor evidence.Actor, action string, on evidence.Resource) error {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	_, err = s.authorize(ctx, actor, action, on, now)
	return err
}

// closable are the acts that show or hand out what was recorded.
var closable = []string{MediaPlay, GrantApprove, ExportRequest, ExportApprove, ExportRead, ExportAlone, ClipRequest, DerivativeRelease, DerivativeFetch}

// errHidden is the one answer for what does not exist and for what somebody may not
// know of.
var errHidden = fmt.Errorf("access: %w", evidence.ErrNotFound)

func (s *Service) authorize(ctx context.Context, actor evidence.Actor, action string, on evidence.Resource, now evidence.Instant) (Standing, error) {
	if actor.Kind != evidence.ActorPerson || actor.Account == "" {
		return Standing{}, evidence.Refuse(evidence.ErrRefused, "access.not_a_person", "Only a person who is signed in can do this.", "")
	}
	st, err := s.Store.Standing(ctx, actor.Account, on, now)
	if errors.Is(err, evidence.ErrNotFound) {
		return Standing{}, errHidden
	}
	if err != nil {
		return Standing{}, fmt.Errorf("facts for %s: %w", action, err)
	}
	if on.Subject != "" {
		subject, err := s.Store.Standing(ctx, on.Subject, on, now)
		if err != nil {
			return Standing{}, fmt.Errorf("facts for %s: %w", action, err)
		}
		st.SubjectApart = subject.Apart()
	}
	return st, s.judge(ctx, actor, action, on, st, s.facts(actor, st, now), nil)
}

// judge decides one action. play is nil but for media.play.
func (s *Service) judge(ctx context.Context, actor evidence.Actor, action string, on evidence.Resource, st Standing, facts, play cedar.RecordMap) error {
	e := entitiesOf(actor, on, st)
	given := facts
	if play != nil {
		given = maps.Clone(facts)
		maps.Copy(given, play)
	}
	allowed, why, err := s.rules.decide(action, e, cedar.NewRecord(given))
	if err != nil {
		s.Logger.ErrorContext(ctx, "access denied because the policy failed", "action", action, "kind", on.Kind, "error", err)
		why = []evidence.Reason{{Code: "access.undecided", Text: "The rules could not be applied, so access is refused. Tell your administrator."}}
		allowed = false
	}
	if allowed && s.Closed != nil && slices.Contains(closable, action) && s.Closed() != nil {
		return evidence.Refuse(evidence.ErrRefused, "log.discontinuity",
			"The custody log does not continue what was signed of it before, so nothing is shown or handed out until two people have signed for that. Tell the evidence custodian.", "P23")
	}
	if allowed {
		return nil
	}
	if st.Case != "" && !s.knows(ctx, actor, on, st, facts) {
		return errHidden
	}
	if len(why) == 0 {
		why = []evidence.Reason{{Code: "access.role", Text: "Your role does not include this."}}
	}
	return &evidence.Refusal{Kind: evidence.ErrRefused, Reasons: why}
}

// knows decides whether the actor may know of the case that a thing belongs to.
func (s *Service) knows(ctx context.Context, actor evidence.Actor, on evidence.Resource, st Standing, facts cedar.RecordMap) bool {
	allowed, _, err := s.rules.decide(knowCase, entitiesOf(actor, on, st), cedar.NewRecord(facts))
	if err != nil {
		s.Logger.ErrorContext(ctx, "access denied because the policy failed", "action", knowCase, "kind", on.Kind, "error", err)
	}
	return err == nil && allowed
}

func (s *Service) facts(actor evidence.Actor, st Standing, now evidence.Instant) cedar.RecordMap {
	roles := make([]types.Value, len(st.Roles))
	for i, role := range st.Roles {
		roles[i] = types.String(role)
	}
	return cedar.RecordMap{
		"now": types.Long(now), "secondFactor": types.Boolean(actor.MFA), "active": types.Boolean(st.Active), "roles": cedar.NewSet(roles...),
		"linked": types.Boolean(st.Linked), "lifted": types.Boolean(st.Lifted), "subjectApart": types.Boolean(st.SubjectApart), "own": types.Boolean(st.Own), "recipient": types.Boolean(st.Recipient), "child": types.Boolean(st.Child),
		"custodianApproved": types.Boolean(st.CustodianApproved), "demonstration": types.Boolean(s.Demonstration),
	}
}

var entityTypes = map[string]types.EntityType{
	KindSystem: "Installation", KindAgency: "Agency", KindAccount: "Account", KindCase: "Case", KindPerson: "Person",
	KindConsent: "Consent", KindInterview: "Interview", KindGrant: "Grant", KindExport: "Export", KindHold: "Hold", KindErasure: "Erasure", KindSheet: "Sheet", KindDerivative: "Derivative",
}

func entitiesOf(actor evidence.Actor, on evidence.Resource, st Standing) *entities {
	agency := func(id evidence.ID) types.Value { return cedar.NewEntityUID("Agency", types.String(id)) }
	uid := cedar.NewEntityUID(entityTypes[on.Kind], types.String(on.ID))
	e := &entities{principal: types.Entity{UID: cedar.NewEntityUID("Account", types.String(actor.Account)),
		Attributes: cedar.NewRecord(cedar.RecordMap{"agency": agency(st.Agency), "role": types.String(st.Role)})}}
	attributes := cedar.RecordMap{}
	if on.Kind != KindSystem {
		attributes["agency"] = agency(st.OwnedBy)
	}
	e.resource = types.Entity{UID: uid, Attributes: cedar.NewRecord(attributes)}
	return e
}

// May reports, for a page that shows what somebody can do, whether an action
// would be allowed now. The act itself is decided again.
func (s *Service) May(ctx context.Context, actor evidence.Actor, action string, on evidence.Resource) (bool, error) {
	err := s.Authorize(ctx, actor, action, on)
	if errors.Is(err, evidence.ErrRefused) || errors.Is(err, evidence.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// holds reports whether roles contains role.
func holds(roles []evidence.Role, role evidence.Role) bool { return slices.Contains(roles, role) }
