package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Export is a package of an interview on its way out.
type Export struct {
	ID             evidence.ID `json:"id" doc:"Export."`
	Interview      evidence.ID `json:"interview_id" doc:"Interview."`
	Case           CaseRef     `json:"case" doc:"Case file."`
	State          string      `json:"state" doc:"proposed: a second person must approve; approved: it can be fetched, once; delivered: it was handed over, and another copy is another package (P19); received: the recipient acknowledged it." enum:"proposed,approved,delivered,received"`
	Content        string      `json:"content" doc:"The whole recording, or a clip of whole segments." enum:"recording,clip"`
	Asked          *Span       `json:"asked,omitempty" doc:"Of a clip: the range that was asked for. The package states the true cut points."`
	Profile        string      `json:"profile" doc:"For whom it is put together (P32)." enum:"full,prosecution,defence,protected"`
	Exhibit        string      `json:"exhibit,omitempty" doc:"The court's exhibit number."`
	Passphrase     bool        `json:"passphrase" doc:"Whether it is encrypted under a passphrase, given when it is fetched."`
	Clear          bool        `json:"clear" doc:"Whether the package is not encrypted."`
	To             string      `json:"to,omitempty" doc:"The age recipient that it is encrypted to."`
	Reasons        bool        `json:"reasons" doc:"Whether the texts of reasons and authorities in its custody log are disclosed."`
	Reason         string      `json:"reason,omitempty" doc:"Why it leaves."`
	RequestedBy    AccountRef  `json:"requested_by" doc:"Who asked."`
	RequestedAt    time.Time   `json:"requested_at" doc:"When."`
	ApprovedBy     *AccountRef `json:"approved_by,omitempty" doc:"The second person."`
	ApprovedAt     *time.Time  `json:"approved_at,omitempty" doc:"When."`
	DeliveredAt    *time.Time  `json:"delivered_at,omitempty" doc:"When it was handed over."`
	ReceivedAt     *time.Time  `json:"received_at,omitempty" doc:"When its receipt was acknowledged (P39)."`
	Overdue        bool        `json:"overdue" doc:"Whether its receipt should have been acknowledged by now."`
	Digest         string      `json:"sha256,omitempty" doc:"What left: the SHA-256 of the package's tag manifest, which covers every file."`
	Bytes          int64       `json:"bytes,omitempty" doc:"How many bytes its files have."`
	MayApprove     bool        `json:"may_approve" doc:"Whether you may approve it now."`
	MayFetch       bool        `json:"may_fetch" doc:"Whether you may fetch the package now."`
	NeedsAuthority bool        `json:"needs_authority" doc:"Whether whoever approves it must name a higher authority: two copies were approved before (P19)."`
	MayReceive     bool        `json:"may_receive" doc:"Whether you may note now that the recipient acknowledged it."`
	Package        string      `json:"package,omitempty" doc:"Path of the package, while you may fetch it."`
}

type requestExportInput struct {
	IDPath
	Body struct {
		To      string `json:"to,omitempty" maxLength:"8192" doc:"age recipient to encrypt to (age1… or age1pq1…)."`
		Clear   bool   `json:"clear,omitempty" doc:"Do not encrypt. Needs a reason and a second person's approval."`
		Reason  string `json:"reason,omitempty" maxLength:"2000" doc:"Why it leaves; required for a package in the clear."`
		Reasons bool   `json:"reasons,omitempty" doc:"Disclose the texts of reasons and authorities in its custody log. Network addresses never are."`
		ExportWishes
	}
}

// ExportWishes is what a whole recording and a clip are asked for with alike.
type ExportWishes struct {
	Passphrase bool   `json:"passphrase,omitempty" doc:"Encrypt under a passphrase, given when the package is fetched; it is kept nowhere."`
	Profile    string `json:"profile,omitempty" enum:"full,prosecution,defence,protected" doc:"For whom: full (a court) if left out; prosecution leaves out what the defence viewed; protected obeys a protective order (P32)."`
	Exhibit    string `json:"exhibit,omitempty" maxLength:"40" doc:"The court's exhibit number."`
	Authority  string `json:"authority,omitempty" maxLength:"2000" doc:"Who above the custodian ordered it, with the order; for a custodian who asks, from the third copy on (P19)."`
}

type requestClipInput struct {
	IDPath
	Body struct {
		From    evidence.Offset `json:"from" minimum:"0" doc:"Start, inclusive, microseconds of interview time."`
		Until   evidence.Offset `json:"until" minimum:"1" doc:"End, exclusive, microseconds of interview time."`
		Outward bool            `json:"outward,omitempty" doc:"Take segments that the range only touches too."`
		Source  string          `json:"source,omitempty" maxLength:"64" doc:"One source's name or identifier; all if left out."`
		To      string          `json:"to,omitempty" maxLength:"8192" doc:"age recipient to encrypt to (age1… or age1pq1…)."`
		Clear   bool            `json:"clear,omitempty" doc:"Do not encrypt. Needs a reason and a second person's approval."`
		Reason  string          `json:"reason,omitempty" maxLength:"2000" doc:"Why it leaves; required for a package in the clear."`
		ExportWishes
	}
}

type exportPassphraseInput struct {
	IDPath
	Body struct {
		Passphrase string `json:"passphrase" minLength:"1" maxLength:"1024" doc:"Passphrase of at least 16 characters. Tell it to the recipient by another way than the package."`
	}
}

type receiveExportInput struct {
	IDPath
	Body struct {
		Digest string `json:"sha256" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]{64}$" doc:"What the recipient reads from its package: the SHA-256 of tagmanifest-sha256.txt, as toldonce-verify prints it."`
	}
}

type approveExportInput struct {
	IDPath
	Body *struct {
		Reason    string `json:"reason,omitempty" maxLength:"2000" doc:"What the approval rests on."`
		Authority string `json:"authority,omitempty" maxLength:"2000" doc:"Who above the custodian ordered it, with the order. From the third copy of an interview on it must be named (P19)."`
	}
}

type listExportsInput struct {
	Interview evidence.ID `query:"interview" maxLength:"64" doc:"Only those of this interview."`
}

// Entry is one entry of the custody log (P23).
type Entry struct {
	Position  int64             `json:"position" doc:"Position in the log, from 0."`
	ID        evidence.ID       `json:"id" doc:"The entry's own identifier."`
	At        time.Time         `json:"at" doc:"When, by the server's clock, UTC."`
	Actor     EntryActor        `json:"actor" doc:"Who."`
	Action    string            `json:"action" doc:"What was done. Translate by it." example:"grant.approve"`
	Case      evidence.ID       `json:"case_id,omitempty" doc:"Case file."`
	Interview evidence.ID       `json:"interview_id,omitempty" doc:"Interview."`
	Subject   evidence.ID       `json:"subject_id,omitempty" doc:"The thing that it was done to."`
	Details   map[string]string `json:"details,omitempty" doc:"Codes, identifiers and numbers."`
	Where     string            `json:"where,omitempty" doc:"Network address; for custodians and auditors."`
	Why       string            `json:"why,omitempty" doc:"The reason given; opened for those who may see it, absent once erased."`
	Authority string            `json:"authority,omitempty" doc:"By what authority; opened for those who may see it, absent once erased."`
}

// EntryActor is who did something.
type EntryActor struct {
	Kind    evidence.ActorKind `json:"kind" doc:"A person, a device, or the system itself." enum:"person,device,system"`
	Account evidence.ID        `json:"account_id,omitempty" doc:"Account, or the device's own identifier."`
	Agency  evidence.ID        `json:"agency_id,omitempty" doc:"Agency."`
	Role    evidence.Role      `json:"role,omitempty" doc:"Role in which it was done."`
	Name    string             `json:"name,omitempty" doc:"The person's name, for those with a role in the case."`
}

type custodyInput struct {
	IDPath
	Page
	Interview evidence.ID `query:"interview" maxLength:"64" doc:"Only what concerns this interview."`
	Action    string      `query:"action" maxLength:"64" doc:"Only this action; with a final dot all that begin so, such as grant."`
}

type proofPath struct {
	IDPath
	Position int64 `path:"position" minimum:"0" doc:"Position in the log, from 0."`
}

// EntryProof proves that an entry stands in the log (RFC 9162 section 2.1.3).
type EntryProof struct {
	Position   int64    `json:"position" doc:"Position of the entry, from 0."`
	Size       int64    `json:"size" doc:"Size of the tree that the proof is for."`
	Root       string   `json:"root" doc:"Root of that tree, lower-case hex."`
	Leaf       string   `json:"leaf" doc:"The entry's canonical bytes, base64. Its leaf hash is SHA-256(0x00 || bytes)."`
	Path       []string `json:"path" doc:"Audit path, lower-case hex, from the leaf upwards."`
	Checkpoint string   `json:"checkpoint" doc:"Signed note (C2SP tlog-checkpoint) over that tree."`
	Proof      string   `json:"proof" doc:"The same as a C2SP tlog-proof."`
}

type consistencyInput struct {
	From int64 `query:"from" required:"true" minimum:"0" doc:"Size of the older tree."`
	To   int64 `query:"to" minimum:"0" doc:"Size of the newer tree; the current one if left out."`
}

// Consistency proves that a log only grew (RFC 9162 section 2.1.4).
type Consistency struct {
	From int64    `json:"from" doc:"Size of the older tree."`
	To   int64    `json:"to" doc:"Size of the newer tree."`
	Path []string `json:"path" doc:"The proof's hashes, lower-case hex, in order."`
}

type auditInput struct {
	Body *struct {
		Checkpoints []string `json:"checkpoints,omitempty" maxItems:"100" doc:"Signed checkpoints that were kept elsewhere: only they can reveal a log that somebody rewrote to its end."`
	}
}

// Audit is what came of rebuilding the whole log from its entries.
type Audit struct {
	Holds       bool    `json:"holds" doc:"Whether nothing is wrong."`
	Summary     string  `json:"summary" doc:"In one plain sentence."`
	Size        int64   `json:"size" doc:"Entries of the rebuilt log."`
	Root        string  `json:"root" doc:"Root of the rebuilt tree, lower-case hex."`
	Checkpoints int     `json:"checkpoints" doc:"Signed checkpoints that were compared and fit."`
	Erased      int64   `json:"erased" doc:"Personal texts that are committed to and no longer there."`
	Faults      []Fault `json:"faults" doc:"What is wrong, in order of being found."`
	Notices     []Fault `json:"notices" doc:"Remarkable, but not wrong."`
	More        int     `json:"more" doc:"Faults and notices that are not listed."`
}

// Fault is one thing that an audit found.
type Fault struct {
	Position int64  `json:"position" doc:"Of the entry; -1 if no entry can be named."`
	Code     string `json:"code" doc:"Stable. Translate by it." enum:"missing,altered,unknown,node,index,opening,head,checkpoint,clock"`
	Text     string `json:"text" doc:"The English sentence."`
}
