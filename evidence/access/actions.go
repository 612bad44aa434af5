// Package access decides who may do what: one policy (policy.cedar) that a
// lawyer can read, grants as data, and the delivery of media under them.
//
// Every decision is made anew, from facts read for it, by the server's time.
// Nothing is cached but the knowledge that a custody entry is already committed.
// The wrapper around Cedar denies whenever any rule could not be evaluated: Cedar
// itself skips a failing forbid and would allow.
package access

// Kinds of evidence.Resource.
const (
	KindSystem     = "system" // the installation; it has no ID
	KindAgency     = "agency"
	KindAccount    = "account"
	KindCase       = "case"
	KindPerson     = "person"
	KindConsent    = "consent"
	KindInterview  = "interview"
	KindGrant      = "grant"
	KindExport     = "export"
	KindHold       = "hold"
	KindErasure    = "erasure"
	KindDerivative = "derivative"
	KindSheet      = "sheet" // one thing written down in a case file
)

// Actions: everything that anyone can do in the system. Each is decided by
// [Service.Authorize] and policy.cedar before it is done, and stands in the
// custody log under the same name. The comment names the resource that the
// action is decided on.
const (
	AgencyCreate = "agency.create" // system
	AgencyList   = "agency.list"   // system
	RoomCreate   = "room.create"   // agency
	RoomCheck    = "room.check"    // system: whether a room is fit for an interview
	RoomRehearse = "room.rehearse" // agency: make a test recording in one of its rooms
	RoomList     = "room.list"     // system
	DeviceList   = "device.list"   // agency: browsers that record in its rooms
	DeviceRevoke = "device.revoke" // agency

	AccountPropose = "account.propose" // agency
	AccountApprove = "account.approve" // account
	AccountInvite  = "account.invite"  // account
	AccountDisable = "account.disable" // account
	AccountList    = "account.list"    // system
	AccountRecover = "account.recover" // account: propose that its holder sets new credentials
	// AccountRecoverApprove is decided on the account.
	AccountRecoverApprove = "account.recover_approve"
	PasskeyAdd            = "passkey.add"    // account (one's own)
	PasskeyRemove         = "passkey.remove" // account (one's own)
	PasskeyList           = "passkey.list"   // account (one's own)
	SessionList           = "session.list"   // account: one's own, or as an administrator anyone's
	SessionEnd            = "session.end"    // account
	TokenIssue            = "token.issue"    // account (one's own)
	TokenRevoke           = "token.revoke"   // account (one's own)
	TokenList             = "token.list"     // account (one's own)

	CaseOpen    = "case.open"     // system
	CaseList    = "case.list"     // system; the list holds only what the person may know
	CaseRead    = "case.read"     // case
	CaseStage   = "case.stage"    // case
	CaseLogRead = "case.log.read" // case
	TeamAdd     = "team.add"      // case
	TeamRemove  = "team.remove"   // case
	PersonAdd   = "person.add"    // case
	PersonRead  = "person.read"   // case
	PersonWords = "person.words"  // case: what somebody said, through whom, and why a guardian has no part
	PersonEdit  = "person.edit"   // person
	PersonLink  = "person.link"   // person: an account belongs to, or is close to, a suspect

	FileRead         = "file.read"         // case: what is written down in the case file
	FileWrite        = "file.write"        // case: a referral, a document, an identification, a contradiction
	FileManage       = "file.manage"       // case: what the case manager and the interviewer write down
	FileOpen         = "file.open"         // sheet: the bytes of a document
	FileClose        = "file.close"        // sheet: what came of it
	SeparationRead   = "separation.read"   // case: who belongs to a suspect, and where he is
	SeparationWrite  = "separation.write"  // case
	RulingWrite      = "ruling.write"      // case: what a court decided about a recording
	SeparationDecide = "separation.decide" // case: uphold, dismiss or lift
	DangerRaise      = "danger.raise"      // interview: immediate danger was disclosed

	ConsentRecord   = "consent.record"   // person
	ConsentAttest   = "consent.attest"   // consent
	ConsentRead     = "consent.read"     // case
	ConsentWithdraw = "consent.withdraw" // consent
	ConsentReceipt  = "consent.receipt"  // consent: a signed receipt for the person

	InterviewPlan   = "interview.plan"   // case
	InterviewCancel = "interview.cancel" // interview
	InterviewRead   = "interview.read"   // interview: plan, state, status, verification; no media
	InterviewStart  = "interview.start"  // interview
	InterviewPause  = "interview.pause"  // interview
	InterviewResume = "interview.resume" // interview
	InterviewStop   = "interview.stop"   // interview
	InterviewMark   = "interview.mark"   // interview
	SourceAdd       = "source.add"       // interview
	InterviewWatch  = "interview.watch"  // interview: live; decided by [Service.Observe] alone

	// In the observation room.
	InterviewPropose = "interview.propose" // interview: a question, a team break, a distress signal
	InterviewSettle  = "interview.settle"  // interview: what came of one
	InterviewCalls   = "interview.calls"   // interview: to read them
	InterviewNote    = "interview.note"    // interview: one's own notes

	GrantRequest = "grant.request" // interview
	GrantList    = "grant.list"    // system; the list holds only what the person may know
	GrantRead    = "grant.read"    // grant
	GrantApprove = "grant.approve" // grant
	GrantReject  = "grant.reject"  // grant
	GrantRevoke  = "grant.revoke"  // grant
	GrantAccept  = "grant.accept"  // grant: its holder accepts the terms and begins a viewing
	GrantExtend  = "grant.extend"  // grant: a request for the time after it, before it ends
	GrantAttest  = "grant.attest"  // grant: its holder says what became of copies
	ExposureRead = "exposure.read" // interview: how far it was shown, for whoever asks for a grant
	MediaPlay    = "media.play"    // interview; decided by [Service.Deliver] and [Service.Playback] alone

	// Transcripts; their text is let out by [Service.Transcript] alone.
	TranscriptWrite   = "transcript.write"   // interview: import, edit
	TranscriptCertify = "transcript.certify" // interview
	TranscriptList    = "transcript.list"    // interview: which versions there are

	DerivativeRequest = "derivative.request" // interview: a copy, redacted or trimmed
	DerivativeList    = "derivative.list"    // interview: which there are
	DerivativeRelease = "derivative.release" // derivative
	DerivativeRefuse  = "derivative.refuse"  // derivative
	DerivativeFetch   = "derivative.fetch"   // derivative: it leaves

	ExportRequest = "export.request" // interview
	ExportApprove = "export.approve" // export
	ExportRead    = "export.read"    // export: download of what was approved
	ExportReceive = "export.receive" // export: the recipient acknowledged it
	ClipRequest   = "clip.request"   // interview; within a grant that allows clips, see [Service.Clippable]
	ExportAlone   = "export.alone"   // interview: a clear export by one person, demonstration only

	RetentionClass = "retention.class" // agency: a retention class is made or changed
	RetentionList  = "retention.list"  // system; the list holds only what the person may know
	RetentionRead  = "retention.read"  // case: term, holds and locks
	RetentionSet   = "retention.set"   // case: it is put into a class
	RetentionKeep  = "retention.keep"  // case: it is kept until a day
	HoldPlace      = "hold.place"      // case
	HoldLift       = "hold.lift"       // hold
	ErasureRequest = "erasure.request" // interview
	ErasureRead    = "erasure.read"    // erasure: who, when, and the certificate
	ErasureApprove = "erasure.approve" // erasure
	ErasureReject  = "erasure.reject"  // erasure
	ErasureAttest  = "erasure.attest"  // erasure: what it did not reach is vouched for

	LogRead  = "log.read"  // system: entries of every case and of none, with no names and no reasons
	LogHead  = "log.head"  // system: checkpoint and proofs, which hold no personal data
	LogAudit = "log.audit" // system

	DiscontinuityPropose = "log.discontinuity.propose" // system: entries of the log were lost, and why
	DiscontinuityApprove = "log.discontinuity.approve" // system: by a second person
)

// Entries that follow from an act, or that the program makes itself. They are
// never authorised; they appear in the custody log and as events.
const (
	EntryInstall        = "installation.create"     // agency and first administrator made
	EntryInvitationUse  = "account.activate"        // an invitation was accepted
	EntrySignIn         = "account.sign_in"         //
	EntrySignInLocked   = "account.sign_in_locked"  // too many attempts from one address
	EntryDeliver        = "media.deliver"           // a delivery window was opened
	EntryPreview        = "media.preview"           // small pictures or loudness were delivered
	EntryTranscript     = "transcript.deliver"      // the text of a stretch was delivered
	EntryDerivativeMade = "derivative.made"         // a copy was made
	EntryDerivativeFail = "derivative.failed"       // a copy could not be made
	EntryDerivative     = "derivative.deliver"      // a copy was shown
	EntryRefuse         = "media.refuse"            // media was refused; limited rate
	EntryGrantEnd       = "grant.end"               // a grant ended with what it rested on
	EntryConsentEnd     = "interview.consent_ended" // recording must stop
	EntryObserveJoin    = "interview.observe_join"  // somebody began to watch live
	EntryObserveLeave   = "interview.observe_leave" // and ended
	EntryObserveEnd     = "interview.observe_ended" // live view must stop, recording may go on
	EntryReady          = "interview.ready"         // everything that a start needs is there
	EntryNotReady       = "interview.not_ready"     // something that a start needs was lost
	EntryRetentionDue   = "retention.due"           // a term is over: people must decide
	EntryRetentionLock  = "retention.lock"          // the object store was told how long to keep a recording
	EntryErased         = "erasure.done"            // the keys of a recording were destroyed
	EntryMasterRotated  = "keys.rotate"             // a new master key wraps everything
	EntrySealRotated    = "seal.rotate"             // a new key seals from now on
	EntryAuthorityAdded = "trust.authority"         // an outside timestamp authority was named in the trust file
	EntryEscrowIssued   = "escrow.issue"            // shares of a recording's key were given out
	EntryEscrowReturned = "escrow.return"           // a share came back and was destroyed
	EntrySealRevoked    = "seal.revoke"             // a key that sealed is not trusted from a time on
	EntryRepeat         = "consent.repeat"          // a consent was repeated on the recording
	EntryFile           = "file.follows"            // something was written in the case file because of an act
)
