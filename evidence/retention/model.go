package retention

import (
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// Hold keeps a case, or one interview of it, whatever any rule says, until it is
// lifted (P34).
type Hold struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID // empty: the whole case, also what is recorded later
	Reason    string      // personal
	Authority string      // order or request, personal; may be empty
	PlacedBy  evidence.ID
	PlacedAt  evidence.Instant
	LiftedBy  evidence.ID // empty while it holds
	LiftedAt  evidence.Instant
	Version   int64 // row version for optimistic concurrency
}

// Active reports whether it holds.
func (h Hold) Active() bool { return h.LiftedAt == 0 }

// Covers reports whether it holds an interview now.
func (h Hold) Covers(interview evidence.ID) bool {
	return h.Active() && (h.Interview == "" || h.Interview == interview)
}

// ErasureState says how far an erasure has come.
type ErasureState string

const (
	// ErasureProposed: one person asked; another must decide.
	ErasureProposed ErasureState = "proposed"
	// ErasureRejected: the second person said no.
	ErasureRejected ErasureState = "rejected"
	// ErasureApproved: decided; the keys are being destroyed. There is no way back.
	ErasureApproved ErasureState = "approved"
	// ErasureProvisional: destroyed, with a certificate that lists what it did not
	// reach.
	ErasureProvisional ErasureState = "provisional"
	// ErasureFinal: what it did not reach was attested.
	ErasureFinal ErasureState = "final"
)

// Erasure is one recording on its way out, and what remains of it as paper.
type Erasure struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID
	Recording evidence.ID
	State     ErasureState
	Reason    evidence.Opening // why, in words; personal
	Order     evidence.Opening // the order to erase before the term; Value empty if there is none; personal

	RequestedBy evidence.ID
	RequestedAt evidence.Instant
	DecidedBy   evidence.ID // who approved or rejected
	DecidedAt   evidence.Instant
	ErasedAt    evidence.Instant // when the keys were gone; 0 before
	AttestedBy  evidence.ID
	AttestedAt  evidence.Instant

	// Certificate and Bundle are the provisional certificate and its seal, Final
	// and FinalBundle the final one's. Empty before.
	Certificate []byte
	Bundle      []byte
	Final       []byte
	FinalBundle []byte
	Version     int64 // row version for optimistic concurrency
}

// Gone reports whether the recording can no longer be opened, or is about to be.
func (e Erasure) Gone() bool {
	return e.State == ErasureApproved || e.State == ErasureProvisional || e.State == ErasureFinal
}

// Lock is what the object store was last told to keep a recording by.
type Lock struct {
	Recording evidence.ID
	Agency    evidence.ID
	Until     evidence.Instant // COMPLIANCE retention of every object; 0 if never told
	Held      bool             // legal hold on every object
	Objects   int64            // how many
	AppliedAt evidence.Instant // 0 if never
}

// Recorded is a sealed recording of a case.
type Recorded struct {
	Interview evidence.ID
	Recording evidence.ID
	Number    int
	Person    evidence.ID
	SealedAt  evidence.Instant
	Lock      Lock
}

// File is everything that retention knows of a case, read at one moment.
type File struct {
	Case       casefile.Case
	ClosedAt   evidence.Instant // when it was last closed; 0 while it is open
	Rules      []Rule           // in order
	Classes    map[evidence.ID]Class
	Holds      []Hold     // the newest first
	Recordings []Recorded // by number
	Erasures   []Erasure  // the newest first
	Raised     evidence.Instant
}

// Term is how long the case is kept.
func (f File) Term(now evidence.Instant) Term {
	d := Dates{Closed: f.ClosedAt}
	for _, r := range f.Recordings {
		d.Sealed = max(d.Sealed, r.SealedAt)
	}
	return TermOf(f.Rules, f.Classes, d, now)
}

// Held reports whether a hold covers an interview now; any of the case's if
// interview is empty.
func (f File) Held(interview evidence.ID) bool {
	for _, h := range f.Holds {
		if interview == "" && h.Active() || interview != "" && h.Covers(interview) {
			return true
		}
	}
	return false
}

// Erased returns the erasure by which an interview's recording is gone, or nil.
func (f File) Erased(interview evidence.ID) *Erasure {
	for i := range f.Erasures {
		if f.Erasures[i].Interview == interview && f.Erasures[i].Gone() {
			return &f.Erasures[i]
		}
	}
	return nil
}

// Kept counts the recordings that are not erased.
func (f File) Kept() int {
	n := 0
	for _, r := range f.Recordings {
		if f.Erased(r.Interview) == nil {
			n++
		}
	}
	return n
}

// Due reports whether people must decide now: the term is over, nothing holds
// the case and something of it is still there.
func (f File) Due(now evidence.Instant) bool {
	return f.Kept() > 0 && !f.Held("") && f.Term(now).State == Ended
}

// Share is an escrow share of a recording's data key that was given out. The share
// itself is kept by its holder alone.
type Share struct {
	ID         evidence.ID
	Agency     evidence.ID
	Recording  evidence.ID
	Number     int // from 1
	Needed     int
	Total      int
	Holder     string // personal
	IssuedAt   evidence.Instant
	ReturnedAt evidence.Instant // 0 while it is out
}
