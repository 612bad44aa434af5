package access

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/toldonce/toldonce/evidence"
)

var (
	//go:embed policy.cedar
	policyText []byte
	//go:embed policy.cedarschema
	schemaText []byte
)

// PolicyText returns the policy that every decision is made by, as a lawyer
// reads it.
func PolicyText() string { return string(policyText) }

// knowCase is the decision whether someone may know that a case exists.
const knowCase = "case.know"

// rules is a parsed policy, checked against its schema.
type rules struct {
	schema *resolved.Schema
	// byAction holds the rules that can concern an action. A rule that names
	// other actions in its head cannot match, and leaving it out changes nothing.
	byAction map[types.String]cedar.PolicyMap
	reasons  map[cedar.PolicyID]evidence.Reason
}

// loadRules parses a policy and a schema and refuses a policy that does not fit
// the schema, a rule without a name of its own, and a forbid that gives no reason.
func loadRules(policy, schemaSource []byte) (*rules, error) {
	var s schema.Schema
	s.SetFilename("policy.cedarschema")
	if err := s.UnmarshalCedar(schemaSource); err != nil {
		return nil, fmt.Errorf("policy schema: %w", err)
	}
	known, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("policy schema: %w", err)
	}
	list, err := cedar.NewPolicyListFromBytes("policy.cedar", policy)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	r := &rules{schema: known, byAction: map[types.String]cedar.PolicyMap{}, reasons: map[cedar.PolicyID]evidence.Reason{}}
	for uid := range known.Actions {
		r.byAction[uid.ID] = cedar.PolicyMap{}
	}
	check := validate.New(known)
	var problems []error
	for _, p := range list {
		notes := p.Annotations()
		id := cedar.PolicyID(notes["id"])
		reason := evidence.Reason{Code: string(notes["code"]), Text: string(notes["reason"]), Practice: string(notes["practice"])}
		line := p.Position().Line
		if id == "" {
			problems = append(problems, fmt.Errorf("policy.cedar:%d: the rule has no @id", line))
			continue
		}
		if _, twice := r.reasons[id]; twice {
			problems = append(problems, fmt.Errorf("policy.cedar:%d: a second rule named %s", line, id))
		}
		if p.Effect() == cedar.Forbid && (reason.Code == "" || reason.Text == "") {
			problems = append(problems, fmt.Errorf("policy.cedar:%d: %s forbids without @code and @reason", line, id))
		}
		if err := check.Policy(string(id), (*ast.Policy)(p.AST())); err != nil {
			problems = append(problems, fmt.Errorf("policy.cedar:%d: %s: %w", line, id, err))
		}
		r.reasons[id] = reason
		for action, set := range r.byAction {
			if concerns(p, action) {
				set[id] = p
			}
		}
	}
	return r, errors.Join(problems...)
}

// concerns reports whether a rule's head lets it match the action.
func concerns(p *cedar.Policy, action types.String) bool {
	switch head := (*ast.Policy)(p.AST()).Action.(type) {
	case ast.ScopeTypeEq:
		return head.Entity.ID == action
	case ast.ScopeTypeInSet:
		return slices.ContainsFunc(head.Entities, func(uid types.EntityUID) bool { return uid.ID == action })
	default:
		return true
	}
}

// entities lends Cedar the two things that a decision is about. Actions have no
// parents and need no entry.
type entities struct{ principal, resource types.Entity }

// Get implements types.EntityGetter.
func (e *entities) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case e.principal.UID:
		return e.principal, true
	case e.resource.UID:
		return e.resource, true
	}
	return types.Entity{}, false
}

// errRule is wrapped by the error of a decision in which a rule failed.
var errRule = errors.New("a rule could not be evaluated")

// decide evaluates every rule that can concern the action. A rule that fails makes
// the answer no, with an error wrapping errRule: Cedar skips such a rule, and
// where it forbids, skipping would allow. The reasons are those of the forbids
// that matched, in the order of their names; none if simply nothing permits.
func (r *rules) decide(action string, e *entities, context types.Record) (allowed bool, why []evidence.Reason, err error) {
	set, known := r.byAction[types.String(action)]
	if !known {
		return false, nil, fmt.Errorf("action %q is not in the policy's schema", action)
	}
	decision, diagnostic := cedar.Authorize(set, e, cedar.Request{
		Principal: e.principal.UID, Action: cedar.NewEntityUID("Action", types.String(action)), Resource: e.resource.UID, Context: context})
	if len(diagnostic.Errors) > 0 {
		first := diagnostic.Errors[0]
		return false, nil, fmt.Errorf("%w: %s: %s", errRule, first.PolicyID, first.Message)
	}
	if decision == cedar.Allow {
		return true, nil, nil
	}
	ids := make(map[cedar.PolicyID]bool, len(diagnostic.Reasons))
	for _, d := range diagnostic.Reasons {
		ids[d.PolicyID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		why = append(why, r.reasons[id])
	}
	return false, why, nil
}
