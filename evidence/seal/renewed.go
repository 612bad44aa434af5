package seal

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/toldonce/toldonce/evidence"
)

// Renewal is a timestamp that was added to a recording's seal after it was made:
// by an outside authority, or because the one before ages. Renewal N covers the
// seal's bundle and all renewals before it, one after another: see [Covered].
type Renewal struct {
	Recording evidence.ID
	Number    int              // from 1
	Authority string           // its name in the trust file
	Assertion string           // AssertedByOperator or AssertedByThirdParty
	Token     []byte           // RFC 3161 TimeStampResp, DER
	At        evidence.Instant // as the token says
	Expires   evidence.Instant // when the authority's certificate does
}

// ErrUnknownAuthority says that a timestamp is by an authority that the trust file
// does not name.
var ErrUnknownAuthority = errors.New("the timestamp is by an authority that the trust file does not name")

// Covered is what a renewal's token is over: the bundle and the tokens of the
// renewals before it. `openssl ts -verify -data` takes it as it is.
func Covered(bundle []byte, earlier []Renewal) []byte {
	out := append([]byte{}, bundle...)
	for _, r := range earlier {
		out = append(out, r.Token...)
	}
	return out
}

// CheckRenewal judges a token over data by the authorities of a trust file and
// returns it as a renewal. The error wraps [evidence.ErrInvalid] if it is by none
// of them, and then [ErrUnknownAuthority] too, or over something else.
func CheckRenewal(trust *Trust, data, token []byte) (Renewal, error) {
	ts, err := timestamp.ParseResponse(token)
	if err != nil {
		return Renewal{}, fmt.Errorf("%w: not a timestamp: %v", evidence.ErrInvalid, err)
	}
	for _, a := range trust.Authorities {
		if !slices.ContainsFunc(ts.Certificates, a.Chain[0].Equal) {
			continue
		}
		at, err := a.verify(token, data)
		if err != nil {
			return Renewal{}, fmt.Errorf("%w: the timestamp does not verify: %v", evidence.ErrInvalid, err)
		}
		return Renewal{Authority: a.Name, Assertion: a.Assertion, Token: token, At: evidence.At(at), Expires: evidence.At(a.Chain[0].NotAfter)}, nil
	}
	return Renewal{}, fmt.Errorf("%w: %w", evidence.ErrInvalid, ErrUnknownAuthority)
}

// CheckRenewals judges a seal's renewals, each over all that came before it. pending
// says that one by an outside authority is awaited.
func CheckRenewals(check string, trust *Trust, bundle []byte, renewals []Renewal, pending bool) (out Findings) {
	for i, r := range renewals {
		got, err := CheckRenewal(trust, Covered(bundle, renewals[:i]), r.Token)
		switch {
		case err != nil:
			out.Add(check, Fails, "", "Added timestamp %d does not hold: %v.", i+1, err)
		case got.Assertion == AssertedByThirdParty:
			out.Add(check, Holds, "", "The seal existed at %s (an outside authority: %s).", got.At.Time().Format(time.RFC3339), got.Authority)
		default:
			out.Add(check, Holds, "", "The seal was timestamped anew at %s (time asserted by the operator: %s).", got.At.Time().Format(time.RFC3339), got.Authority)
		}
	}
	if pending {
		out.Add(check, CannotJudge, "", "A timestamp by the outside authority is still awaited; it is asked for again until it comes.")
	}
	return out
}
