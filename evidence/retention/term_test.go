package retention

import (
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

// TestTheLongestRuleWins: no rule, change of a rule, or day of a case brings an end
// nearer that another rule put later (P34).
func TestTheLongestRuleWins(t *testing.T) {
	class := func(id evidence.ID, days ...int) Class {
		c := Class{ID: id}
		for i, d := range days {
			c.Versions = append(c.Versions, ClassVersion{Number: i + 1, Days: d, From: FromClosed, DecideDays: 10})
		}
		return c
	}
	sealed := class("sealed", 5)
	sealed.Versions[0].From = FromSealed
	classes := map[evidence.ID]Class{
		"short": class("short", 10), "long": class("long", 100), "shortened": class("shortened", 100, 3), "prolonged": class("prolonged", 10, 50), "sealed": sealed,
	}
	in := func(id evidence.ID, version int) Rule { return Rule{ID: "rule of " + id, Class: id, Version: version} }
	const now, closed, last = 1000 * day, 990 * day, 980 * day
	for name, c := range map[string]struct {
		rules []Rule
		dates Dates
		want  Term
	}{
		"nobody said":             {nil, Dates{Closed: closed, Sealed: last}, Term{State: NoRule}},
		"open case":               {[]Rule{in("short", 1)}, Dates{Sealed: last}, Term{State: NotBegun, Rule: "rule of short", Class: "short", Version: 1}},
		"ends now":                {[]Rule{in("short", 1)}, Dates{Closed: closed}, Term{State: Ended, Until: 1000 * day, Decide: 1010 * day, Rule: "rule of short", Class: "short", Version: 1}},
		"longest of two":          {[]Rule{in("long", 1), in("short", 1)}, Dates{Closed: closed}, Term{State: Running, Until: 1090 * day, Decide: 1100 * day, Rule: "rule of long", Class: "long", Version: 1}},
		"a class that shrank":     {[]Rule{in("shortened", 1)}, Dates{Closed: closed}, Term{State: Running, Until: 1090 * day, Decide: 1100 * day, Rule: "rule of shortened", Class: "shortened", Version: 1}},
		"put in after it shrank":  {[]Rule{in("shortened", 2)}, Dates{Closed: closed}, Term{State: Ended, Until: 993 * day, Decide: 1003 * day, Rule: "rule of shortened", Class: "shortened", Version: 2}},
		"a class that grew":       {[]Rule{in("prolonged", 1)}, Dates{Closed: closed}, Term{State: Running, Until: 1040 * day, Decide: 1050 * day, Rule: "rule of prolonged", Class: "prolonged", Version: 2}},
		"from the seal":           {[]Rule{in("sealed", 1)}, Dates{Sealed: last}, Term{State: Ended, Until: 985 * day, Decide: 995 * day, Rule: "rule of sealed", Class: "sealed", Version: 1}},
		"not begun outlasts all":  {[]Rule{in("sealed", 1), in("short", 1)}, Dates{Sealed: last}, Term{State: NotBegun, Rule: "rule of short", Class: "short", Version: 1}},
		"a day":                   {[]Rule{{ID: "kept", Until: 1005 * day}}, Dates{Closed: closed}, Term{State: Running, Until: 1005 * day, Decide: 1035 * day, Rule: "kept"}},
		"a day after a class":     {[]Rule{in("short", 1), {ID: "kept", Until: 1005 * day}}, Dates{Closed: closed}, Term{State: Running, Until: 1005 * day, Decide: 1035 * day, Rule: "kept"}},
		"a day before its end":    {[]Rule{in("long", 1), {ID: "kept", Until: 1005 * day}}, Dates{Closed: closed}, Term{State: Running, Until: 1090 * day, Decide: 1100 * day, Rule: "rule of long", Class: "long", Version: 1}},
		"a class that is unknown": {[]Rule{in("gone", 1)}, Dates{Closed: closed}, Term{State: NoRule}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := TermOf(c.rules, classes, c.dates, now); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestAHoldBeatsTheTerm: nothing is due and nothing may be erased under a hold.
func TestAHoldBeatsTheTerm(t *testing.T) {
	f := File{Rules: []Rule{{ID: "kept", Until: 10 * day}}, Recordings: []Recorded{{Interview: "a"}, {Interview: "b"}}}
	now := 20 * day
	if !f.Due(now) || mayErase(f, "a", "", now) != nil {
		t.Fatal("the term is over and nothing holds")
	}
	f.Holds = []Hold{{Interview: "a"}}
	if f.Due(now) || mayErase(f, "a", "order", now) == nil || mayErase(f, "b", "", now) != nil {
		t.Error("a hold on one interview holds that one, and the decision on the case")
	}
	if until, held := f.Wanted(f.Recordings[0], now); !held || until != now+lockStep {
		t.Errorf("held %v until %d", held, until)
	}
	f.Holds[0].LiftedAt = 15 * day
	if !f.Due(now) || f.Held("a") {
		t.Error("a hold that was lifted holds nothing")
	}
	f.Erasures = []Erasure{{Interview: "a", State: ErasureFinal}, {Interview: "b", State: ErasureProvisional}}
	if f.Due(now) || f.Kept() != 0 {
		t.Error("nothing is left to decide on")
	}
}

func FuzzCertificate(f *testing.F) {
	doc, err := evidence.Canonical(Certificate{Type: TypeErasure, Version: 1, Status: Provisional, NotReached: []Unreached{{Item: ItemBackup}},
		Destroyed: Destroyed{Derivatives: []evidence.ID{}}, Proof: Proof{Sample: []Sampled{}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"type":"toldonce/erasure","version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCertificate(data)
		if err != nil {
			return
		}
		again, err := evidence.Canonical(c)
		if err != nil || string(again) != string(data) {
			t.Errorf("%q is read but written as %q, %v", data, again, err)
		}
	})
}
