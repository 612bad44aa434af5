package custody

import (
	"reflect"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

// sparse and full are leaves with as little and as much as can be in one.
func leavesOfAllKinds(t testing.TB) []Leaf {
	t.Helper()
	var out []Leaf
	full := Entry{Actor: evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: evidence.NewID(), Role: evidence.RoleAuditor,
		Session: evidence.NewID(), MFA: true, Address: "192.0.2.7"}, Action: "grant.approve", Agency: evidence.NewID(), Case: evidence.NewID(), Interview: evidence.NewID(),
		Subject: evidence.NewID(), Why: "why", Authority: "authority", Details: map[string]string{"b": "", "a": "A9._:/+=,-", "aB": "x", "a-": "y", "a.": "z"}}
	for n := range 1 << 10 { // every choice of optional parts
		e := full
		drop := func(bit int, what func()) {
			if n>>bit&1 == 1 {
				what()
			}
		}
		drop(0, func() { e.Actor.Account = "" })
		drop(1, func() { e.Actor.Agency, e.Agency = "", "" })
		drop(2, func() { e.Actor.Role = "" })
		drop(3, func() { e.Actor.Session, e.Actor.MFA = "", false })
		drop(4, func() { e.Case = "" })
		drop(5, func() { e.Interview = "" })
		drop(6, func() { e.Subject = "" })
		drop(7, func() { e.Why, e.Authority = "", "" })
		drop(8, func() { e.Details = nil })
		drop(9, func() { e.Actor.Address = "" })
		l, _, err := e.Leaf(evidence.Instant(n)-512, Frontier{}.Root())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// The direct codec writes and reads exactly what the general one does.
func TestDirectCodecIsTheCanonicalOne(t *testing.T) {
	for _, l := range leavesOfAllKinds(t) {
		want, err := evidence.Canonical(l)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.appendCanonical(nil); string(got) != string(want) {
			t.Fatalf("wrote\n%s\nnot\n%s", got, want)
		}
		got, ok := readCanonical(want)
		general, err := parseLeaf(want)
		if !ok || err != nil || !reflect.DeepEqual(got, general) {
			t.Fatalf("read %+v, not %+v, %v", got, general, err)
		}
	}
}

func FuzzDirectLeaf(f *testing.F) {
	for i, l := range leavesOfAllKinds(f) {
		if i%97 == 0 {
			f.Add(l.appendCanonical(nil))
		}
	}
	f.Add([]byte(`{"action":"a","actor":{"kind":"system"},"at":1,"before":"","id":"","salt":"","type":"toldonce/custody","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, ok := readCanonical(data)
		general, err := parseLeaf(data)
		if ok && (err != nil || !reflect.DeepEqual(l, general)) {
			t.Fatalf("accepted what the general reader does not: %v", err)
		}
		if !ok && err == nil {
			t.Fatal("the direct reader missed a leaf")
		}
	})
}
