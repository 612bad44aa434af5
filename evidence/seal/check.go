package seal

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/toldonce/toldonce/evidence"
)

// BundleInput is one seal to be judged.
type BundleInput struct {
	// Check begins the names of the findings: "recording" yields
	// "recording.bundle", ".statement", ".signer", ".signature" and ".timestamp".
	Check string
	// File is the name of the bundle's file in the findings.
	File   string
	Bundle []byte
	// Subject is the name, and Digest the SHA-256, of the file that must be
	// sealed. SubjectFile is its name in the findings.
	Subject     string
	SubjectFile string
	Digest      [sha256.Size]byte
	// Trust is what the verifier was given from outside; nil if nothing was.
	Trust *Trust
	// Claimed is what came with the sealed thing itself: it only ever shows
	// that the thing agrees with itself. It may be nil.
	Claimed *Trust
}

// CheckBundle judges a seal offline, and returns it taken apart where it could be
// read. Hostile bytes yield findings, never a panic. Safe for concurrent use.
func CheckBundle(in BundleInput) (Sealed, Findings) {
	var out Findings
	s, err := ParseBundle(in.Bundle)
	if err != nil {
		out.Add(in.Check+".bundle", Fails, in.File, "The bundle is not exactly a Sigstore bundle v0.3 as Told Once writes it: %v.", err)
		return Sealed{}, out
	}
	out.Add(in.Check+".bundle", Holds, in.File, "The bundle is a Sigstore bundle v0.3 in its canonical form.")
	checkStatement(in, s, &out)

	signer, known := findSigner(in, &s, &out)
	sigErr := errors.New("its key is not at hand")
	if known != "" {
		sigErr = checkSignature(signer, s)
	}
	authority, at, timed := checkTimestamp(in, s, known, &out)
	if timed {
		s.Time = evidence.At(at)
	}
	switch {
	case sigErr != nil:
		out.Add(in.Check+".signature", Fails, in.File, "The signature does not verify: %v.", sigErr)
	case timed && !signer.RevokedAt.IsZero() && !at.Before(signer.RevokedAt):
		out.Add(in.Check+".signature", Fails, in.File, "The key was revoked from %s on; the timestamp is of %s.", signer.RevokedAt.UTC().Format(time.RFC3339), at.Format(time.RFC3339))
	case timed && (at.Before(signer.NotBefore) || at.After(signer.NotAfter)):
		out.Add(in.Check+".signature", Fails, in.File, "The timestamp of %s lies outside the time in which the key may seal.", at.Format(time.RFC3339))
	default:
		out.Add(in.Check+".signature", Holds, in.File, "The signature (%s) verifies with the key %s.", s.Algorithm, s.KeyID)
	}
	if !out.Any(Fails) && !out.Any(CannotJudge) {
		// The same question again, to Sigstore's own verifier.
		if err := sigstoreVerify(in, signer, authority); err != nil {
			out.Add(in.Check+".signature", Fails, in.File, "Sigstore's verifier refuses the bundle: %v.", err)
		}
	}
	return s, out
}

func checkStatement(in BundleInput, s Sealed, out *Findings) {
	var st FileStatement[json.RawMessage]
	err := evidence.DecodeCanonical(s.Statement, &st)
	switch {
	case err != nil:
		out.Add(in.Check+".statement", Fails, in.File, "The signed statement is not a canonical in-toto statement: %v.", err)
	case st.Type != StatementType:
		out.Add(in.Check+".statement", CannotJudge, in.File, "The signed statement is of the unknown type %q.", clip(st.Type))
	case len(st.Subject) != 1 || len(st.Subject[0].Digest) != 1 || st.Subject[0].Name != in.Subject:
		out.Add(in.Check+".statement", Fails, in.File, "The signed statement is not about the one file %s.", in.Subject)
	case st.Subject[0].Digest["sha256"] != hex.EncodeToString(in.Digest[:]):
		out.Add(in.Check+".statement", Fails, in.SubjectFile, "The file is not the one that was sealed: the signed statement is about other content.")
	default:
		out.Add(in.Check+".statement", Holds, in.File, "The signed statement is about %s with exactly this content.", in.Subject)
	}
}

// findSigner says whose key the bundle names, and how it is known: by Holds
// from the trust file, by NotGiven without one, by NotTrusted only from what
// came along. An empty status means that there is nothing to go on with.
func findSigner(in BundleInput, s *Sealed, out *Findings) (Signer, Status) {
	check := in.Check + ".signer"
	if in.Trust != nil {
		if signer, ok := in.Trust.Signer(s.KeyID); ok {
			s.Algorithm = signer.Algorithm
			for _, required := range in.Trust.Required {
				if required != s.Algorithm {
					out.Add(check, CannotJudge, in.File, "The trust file asks for a signature by %q too, which this program cannot check.", clip(required))
				}
			}
			out.Add(check, Holds, in.File, "Sealed with the key %s of %q, which the trust file names.", s.KeyID, in.Trust.Organisation)
			return signer, Holds
		}
	}
	if in.Claimed != nil {
		if signer, ok := in.Claimed.Signer(s.KeyID); ok {
			s.Algorithm = signer.Algorithm
			if in.Trust == nil {
				out.Add(check, NotGiven, in.File, "Sealed with the key %s. No trust file was given, so nobody can say whose key that is.", s.KeyID)
				return signer, NotGiven
			}
			out.Add(check, NotTrusted, in.File, "Signer not trusted: the key %s is not in the trust file. It came with the sealed files themselves.", s.KeyID)
			return signer, NotTrusted
		}
	}
	out.Add(check, Fails, in.File, "The bundle names the key %s, which is neither trusted nor among the files.", clip(s.KeyID))
	return Signer{}, ""
}

func checkSignature(signer Signer, s Sealed) error {
	v, err := signature.LoadVerifier(signer.Key, crypto.SHA256)
	if err != nil {
		return err
	}
	return v.VerifySignature(bytes.NewReader(s.Signature), bytes.NewReader(s.Signed))
}

func checkTimestamp(in BundleInput, s Sealed, signer Status, out *Findings) (TimeAuthority, time.Time, bool) {
	check := in.Check + ".timestamp"
	if s.TimestampToken == nil {
		out.Add(check, Fails, in.File, "The seal carries no timestamp.")
		return TimeAuthority{}, time.Time{}, false
	}
	cert, err := tokenCertificate(s.TimestampToken)
	if err != nil {
		out.Add(check, Fails, in.File, "The timestamp cannot be read: %v.", err)
		return TimeAuthority{}, time.Time{}, false
	}
	find := func(t *Trust) *TimeAuthority {
		if t == nil {
			return nil
		}
		for i := range t.Authorities {
			if t.Authorities[i].Chain[0].Equal(cert) {
				return &t.Authorities[i]
			}
		}
		return nil
	}
	status := Holds
	authority := find(in.Trust)
	if authority == nil {
		if authority = find(in.Claimed); authority == nil {
			out.Add(check, Fails, in.File, "The timestamp is by an authority that is neither trusted nor among the files.")
			return TimeAuthority{}, time.Time{}, false
		}
		switch {
		case in.Trust == nil:
			status = NotGiven
		case signer == Holds:
			// A trusted seal with a time by somebody else: the authority was swapped.
			status = Fails
		default:
			status = NotTrusted
		}
	}
	if err := checkToken(s.TimestampToken, authority.Chain); err != nil {
		out.Add(check, Fails, in.File, "The timestamp is not in order: %v.", err)
		return TimeAuthority{}, time.Time{}, false
	}
	at, err := authority.verify(s.TimestampToken, s.Signature)
	if err != nil {
		out.Add(check, Fails, in.File, "The timestamp does not verify: %v.", err)
		return TimeAuthority{}, time.Time{}, false
	}
	whose := "by an outside authority"
	if authority.Assertion == AssertedByOperator {
		whose = "time asserted by the operator"
	}
	when := at.Format(time.RFC3339)
	switch status {
	case Fails:
		out.Add(check, Fails, in.File, "The timestamp of %s is by %q, an authority that the trust file does not name.", when, clip(authority.Name))
		return TimeAuthority{}, time.Time{}, false
	case Holds:
		out.Add(check, Holds, in.File, "The signature existed at %s (%s: %s).", when, whose, authority.Name)
	case NotTrusted:
		out.Add(check, NotTrusted, in.File, "The timestamp of %s is by an authority that the trust file does not name.", when)
	default:
		out.Add(check, NotGiven, in.File, "The timestamp says %s. No trust file was given, so nobody can say whose clock that is.", when)
	}
	return *authority, at, true
}
