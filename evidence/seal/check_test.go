package seal_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

func sealSomething(t *testing.T, a *seal.Authority) seal.BundleInput {
	t.Helper()
	s, err := a.SealFile(t.Context(), "file", []byte("content"), "https://example.org/x/v1", map[string]any{"version": 1})
	if err != nil {
		t.Fatal(err)
	}
	return seal.BundleInput{Check: "x", Bundle: s.Bundle, Subject: "file", Digest: sha256.Sum256([]byte("content")), Trust: a.Trust()}
}

// trustWith reads an authority's trust file after a change.
func trustWith(t *testing.T, a *seal.Authority, change func(doc map[string]any)) (*seal.Trust, error) {
	t.Helper()
	data, err := a.Trust().Encode()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	change(doc)
	if data, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	return seal.ParseTrust(data)
}

func first(doc map[string]any, list string) map[string]any {
	return doc[list].([]any)[0].(map[string]any)
}

func TestWhatTheTrustFileSaysDecides(t *testing.T) {
	a := newAuthority(t, clock)
	in := sealSomething(t, a)
	past, future := "2001-01-01T00:00:00Z", "2091-01-01T00:00:00Z"
	for name, test := range map[string]struct {
		change func(doc map[string]any)
		check  string
		status seal.Status
	}{
		"as it is":                   {func(map[string]any) {}, "x.signature", seal.Holds},
		"a second algorithm as well": {func(d map[string]any) { d["required"] = []string{seal.AlgorithmECDSA, "ml-dsa-65"} }, "x.signer", seal.CannotJudge},
		"key valid only before": {func(d map[string]any) {
			first(d, "signers")["notBefore"], first(d, "signers")["notAfter"] = past, "2002-01-01T00:00:00Z"
		}, "x.signature", seal.Fails},
		"key valid only later": {func(d map[string]any) {
			first(d, "signers")["notBefore"], first(d, "signers")["notAfter"] = "2090-01-01T00:00:00Z", future
		}, "x.signature", seal.Fails},
		"authority valid only before": {func(d map[string]any) {
			first(d, "timestampAuthorities")["notBefore"], first(d, "timestampAuthorities")["notAfter"] = past, "2002-01-01T00:00:00Z"
		}, "x.timestamp", seal.Fails},
		"no authority":         {func(d map[string]any) { d["timestampAuthorities"] = []any{} }, "x.timestamp", seal.Fails},
		"an outside authority": {func(d map[string]any) { first(d, "timestampAuthorities")["assertion"] = "third-party" }, "x.timestamp", seal.Holds},
	} {
		t.Run(name, func(t *testing.T) {
			trust, err := trustWith(t, a, test.change)
			if err != nil {
				t.Fatal(err)
			}
			in := in
			in.Trust = trust
			_, findings := seal.CheckBundle(in)
			if got := findings.Of(test.check); got != test.status {
				t.Errorf("%s: got %q, want %q: %+v", test.check, got, test.status, findings)
			}
			operator := strings.Contains(findings[len(findings)-2].Detail+findings[len(findings)-1].Detail, "asserted by the operator")
			if want := name != "an outside authority"; test.status == seal.Holds && operator != want {
				t.Errorf("the report says that the operator asserts the time: %v", operator)
			}
		})
	}
}

func TestTrustFilesThatDoNotAgreeWithThemselvesAreRefused(t *testing.T) {
	a, other := newAuthority(t, clock), newAuthority(t, clock)
	var foreign map[string]any
	data, err := other.Trust().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &foreign); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(doc map[string]any)
		want   error
	}{
		"later version":          {func(d map[string]any) { d["version"] = 3 }, evidence.ErrUnknownFormat},
		"another type":           {func(d map[string]any) { d["type"] = "toldonce/manifest" }, evidence.ErrUnknownFormat},
		"unknown algorithm":      {func(d map[string]any) { first(d, "signers")["algorithm"] = "rsa" }, evidence.ErrUnknownFormat},
		"unknown field":          {func(d map[string]any) { d["comment"] = "x" }, evidence.ErrInvalid},
		"no signer":              {func(d map[string]any) { d["signers"] = []any{} }, evidence.ErrInvalid},
		"nothing required":       {func(d map[string]any) { d["required"] = []any{} }, evidence.ErrInvalid},
		"key id of another":      {func(d map[string]any) { first(d, "signers")["keyId"] = first(foreign, "signers")["keyId"] }, evidence.ErrInvalid},
		"key of another":         {func(d map[string]any) { first(d, "signers")["publicKey"] = first(foreign, "signers")["publicKey"] }, evidence.ErrInvalid},
		"certificate of another": {func(d map[string]any) { first(d, "signers")["certificate"] = first(foreign, "signers")["certificate"] }, evidence.ErrInvalid},
		"never valid":            {func(d map[string]any) { first(d, "signers")["notAfter"] = first(d, "signers")["notBefore"] }, evidence.ErrInvalid},
		"chain of strangers": {func(d map[string]any) {
			own, theirs := first(d, "timestampAuthorities"), first(foreign, "timestampAuthorities")
			leaf, _, _ := strings.Cut(own["chain"].(string), "-----END CERTIFICATE-----\n")
			_, root, _ := strings.Cut(theirs["chain"].(string), "-----END CERTIFICATE-----\n")
			own["chain"] = leaf + "-----END CERTIFICATE-----\n" + root
		}, evidence.ErrInvalid},
		"unknown assertion":    {func(d map[string]any) { first(d, "timestampAuthorities")["assertion"] = "god" }, evidence.ErrInvalid},
		"log key that is none": {func(d map[string]any) { d["logs"] = []any{map[string]any{"origin": "x", "key": "y"}} }, evidence.ErrInvalid},
	} {
		if _, err := trustWith(t, a, test.change); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// A clock that left the certificates' validity makes no seal that nobody could
// verify later.
func TestNoSealOutsideTheCertificates(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, func() time.Time { return now })
	now = now.AddDate(11, 0, 0)
	if _, err := a.SealFile(t.Context(), "file", nil, "https://example.org/x/v1", nil); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("eleven years later: got %v, want ErrUnavailable", err)
	}
	now = now.AddDate(-11, 0, 0).Add(-time.Hour)
	if _, err := a.SealFile(t.Context(), "file", nil, "https://example.org/x/v1", nil); err != nil {
		t.Errorf("with the clock set back an hour: %v", err)
	}
}

func TestSealRefusesWhatVerifiersRefuse(t *testing.T) {
	a := newAuthority(t, clock)
	data, err := os.ReadFile("testdata/recording.json")
	if err != nil {
		t.Fatal(err)
	}
	good, err := seal.ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Seal(t.Context(), data, seal.PredicateOf(good)); err != nil {
		t.Fatal(err)
	}
	wrong := seal.PredicateOf(good)
	wrong.TreeSize++
	if _, err := a.Seal(t.Context(), data, wrong); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("another predicate: %v", err)
	}
	for name, change := range map[string]func(m *evidence.Manifest){
		"null list":            func(m *evidence.Manifest) { m.Gaps = nil },
		"no id":                func(m *evidence.Manifest) { m.Room = "" },
		"name of a person":     func(m *evidence.Manifest) { m.Sources[0].Name = "Mira H." },
		"source twice":         func(m *evidence.Manifest) { m.Sources = append(m.Sources, m.Sources[0]) },
		"case number in clear": func(m *evidence.Manifest) { m.CaseReference = "PP 12/26" },
		"stopped before start": func(m *evidence.Manifest) { m.StoppedAt = m.StartedAt - 1 },
		"part out of sequence": func(m *evidence.Manifest) { m.Parts[1].Number = 3 },
		"track of no source":   func(m *evidence.Manifest) { m.Tracks[0].Source = evidence.NewID() },
		"timescale 0":          func(m *evidence.Manifest) { m.Tracks[0].Timescale = 0 },
		"anchor of no part":    func(m *evidence.Manifest) { m.Tracks[0].Anchors[0].Part = 9 },
		"negative count":       func(m *evidence.Manifest) { m.Tracks[0].Packets.Lost = -1 },
		"gap of no track": func(m *evidence.Manifest) {
			m.Gaps = append(m.Gaps, evidence.Gap{Track: evidence.NewID(), Cause: "pause"})
		},
		"gap that ends earlier": func(m *evidence.Manifest) {
			m.Gaps = append(m.Gaps, evidence.Gap{Track: m.Tracks[0].ID, Start: 2, End: 1, Cause: "pause"})
		},
		"event with words": func(m *evidence.Manifest) { m.Events[0].Note = "she cried" },
		"pages missing":    func(m *evidence.Manifest) { m.Tree.Pages = []string{} },
		"tree too large":   func(m *evidence.Manifest) { m.Tree.Size = seal.MaxLeaves + 1 },
	} {
		var m evidence.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		changed, err := evidence.Canonical(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Seal(t.Context(), changed, seal.PredicateOf(m)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

// Sigstore's own library reads the trusted root that is written for cosign.
func TestTrustedRootIsReadBySigstore(t *testing.T) {
	a := newAuthority(t, clock)
	tr, err := root.NewTrustedRootFromPath(filepath.Join(a.TrustFolder(), seal.TrustedRootFile))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tr.TimestampingAuthorities()); n != 1 || len(tr.FulcioCertificateAuthorities()) != 0 || len(tr.RekorLogs()) != 0 {
		t.Errorf("%d timestamp authorities", n)
	}
}
