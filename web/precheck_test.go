package web

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/hostclock"
)

// What the server looks at before a start: a database that is away keeps an interview
// from beginning, an object store that is away does not, and what a page says of the
// server is not taken.
func TestPrecheck(t *testing.T) {
	var noted []evidence.Check
	var overruled bool
	away := errors.New("away")
	h := newHarness(t, func(c *Config) {
		s := c.Recording.(studio)
		s.noted = func(checks []evidence.Check, o bool) { noted, overruled = checks, o }
		c.Recording = s
		c.Probes = []Probe{{Name: "objects", Check: func(context.Context) error { return away }}, {Name: "database", Check: func(context.Context) error { return nil }}}
	})
	h.OpenCase()
	iv := h.Plan(h.PlanFor(h.Victim.ID))
	path := "/interviews/" + string(iv.ID) + "/check"
	verdicts := func(p Precheck) map[string]string {
		out := map[string]string{}
		for _, l := range p.Lines {
			out[l.Code] = l.Verdict
		}
		return out
	}
	p := want[Precheck](h, h.as(evidence.RoleInterviewer, "GET", path, nil), 200)
	if v := verdicts(p); v["object-store"] != "look" || v["database"] != "good" || v["disk-minutes"] != "unknown" || v["server-clock"] == "" {
		t.Errorf("%v", v)
	}
	if p.Received == 0 || p.Answered < p.Received {
		t.Errorf("received %d, answered %d", p.Received, p.Answered)
	}
	line := map[string]any{"code": "picture-rate", "verdict": "look", "value": 12}
	p = want[Precheck](h, h.as(evidence.RoleInterviewer, "POST", path, map[string]any{"lines": []any{line}, "overruled": true}), 200)
	if len(noted) != 5 || noted[0].Code != "picture-rate" || *noted[0].Value != 12 || len(p.Lines) != 5 || !overruled {
		t.Errorf("%+v %v", noted, overruled)
	}
	for name, line := range map[string]map[string]any{
		"the database is the server's to judge": {"code": "database", "verdict": "good"},
		"no such verdict":                       {"code": "picture-rate", "verdict": "fine"},
	} {
		if w := h.as(evidence.RoleInterviewer, "POST", path, map[string]any{"lines": []any{line}}); w.Code != 422 {
			t.Errorf("%s: %s", name, describe(w))
		}
	}
}

func TestTheServersClock(t *testing.T) {
	for name, c := range map[string]struct {
		state hostclock.State
		want  string
	}{
		"nobody can tell":       {hostclock.State{}, evidence.CheckUnknown},
		"not kept":              {hostclock.State{Known: true}, evidence.CheckLook},
		"kept":                  {hostclock.State{Known: true, Synchronised: true, MaxError: 20 * time.Millisecond}, evidence.CheckGood},
		"kept a long while ago": {hostclock.State{Known: true, Synchronised: true, MaxError: 5 * time.Second}, evidence.CheckLook},
	} {
		got := clockCheck(c.state)
		if got.Verdict != c.want || (got.Value != nil) != c.state.Synchronised {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
