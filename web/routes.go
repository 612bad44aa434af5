package web

import "net/http"

const (
	get    = http.MethodGet
	head   = http.MethodHead
	post   = http.MethodPost
	patch  = http.MethodPatch
	remove = http.MethodDelete

	tagSession    = "Session"
	tagAccounts   = "Accounts"
	tagCases      = "Case files"
	tagConsents   = "Consents"
	tagInterviews = "Interviews"
	tagGrants     = "Grants"
	tagPlayback   = "Playback"
	tagExports    = "Exports"
	tagLog        = "Custody log"
	tagEvents     = "Events"
)

// routes is every operation of the API under /api/v1. WHIP, health, metrics, the
// OpenAPI document and the interface are in [Server.routeRest].
var routes = []operation{
	{post, "/session", "signIn", tagSession, anyone, "Sign in", "Checks password and TOTP code and sets the session cookie. The session locks after 30 minutes in which nothing was done (P38) and ends after 12 hours. The answer does not tell a wrong login from a wrong password or code.",
		handle((*Server).signIn)},
	{remove, "/session", "signOut", tagSession, background, "Sign out", "Ends the session. A recording that runs goes on.",
		noContent(handle((*Server).signOut))},
	{post, "/session/activity", "sessionActivity", tagSession, signedIn, "Say that a person is there", "Puts off the 30-minute lock. A page calls it on keys, touch and pointer, at most once a minute; background requests never put the lock off.",
		handle((*Server).me)},
	{get, "/me", "me", tagSession, background, "Who is signed in", "Does not put off the lock.",
		handle((*Server).me)},
	{post, "/invitations/open", "openInvitation", tagSession, anyone, "Open an invitation", "Shows whose invitation it is and the second factor's secret.",
		handle((*Server).openInvitation)},
	{post, "/invitations/accept", "acceptInvitation", tagSession, anyone, "Accept an invitation", "Sets password and second factor, uses the invitation up and signs in.",
		handle((*Server).acceptInvitation)},
	{get, "/tokens", "listTokens", tagSession, signedIn, "Your bearer tokens", "",
		handle((*Server).listTokens)},
	{post, "/tokens", "createToken", tagSession, signedIn, "Make a bearer token", "For programs that act as you, for at most 24 hours.",
		created(handle((*Server).createToken))},
	{remove, "/tokens/{id}", "revokeToken", tagSession, signedIn, "End a bearer token", "",
		noContent(handle((*Server).revokeToken))},

	{get, "/accounts", "listAccounts", tagAccounts, signedIn, "Accounts", "",
		handle((*Server).listAccounts)},
	{post, "/accounts", "createAccount", tagAccounts, signedIn, "Propose an account", "A role that can reach media needs a second person's approval.",
		created(handle((*Server).createAccount))},
	{post, "/accounts/{id}/approve", "approveAccount", tagAccounts, signedIn, "Approve an account", "By another person than the one who proposed it.",
		handle((*Server).approveAccount)},
	{post, "/accounts/{id}/disable", "disableAccount", tagAccounts, signedIn, "Disable an account", "For good; its sessions, tokens and invitations end.",
		handle((*Server).disableAccount)},
	{post, "/accounts/{id}/invitation", "inviteAccount", tagAccounts, signedIn, "Make an invitation", "Ends earlier invitations of the account.",
		created(handle((*Server).inviteAccount))},
	{get, "/directory", "directory", tagAccounts, signedIn, "Colleagues", "Active accounts, to choose from for a team or a grant.",
		handle((*Server).directory)},
	{get, "/agencies", "listAgencies", tagAccounts, signedIn, "Agencies", "",
		handle((*Server).listAgencies)},
	{post, "/agencies", "createAgency", tagAccounts, signedIn, "Add an agency", "",
		created(handle((*Server).createAgency))},
	{get, "/rooms", "listRooms", tagAccounts, signedIn, "Rooms", "",
		handle((*Server).listRooms)},
	{post, "/rooms", "createRoom", tagAccounts, signedIn, "Add a room", "",
		created(handle((*Server).createRoom))},

	{get, "/cases", "listCases", tagCases, signedIn, "Your case files", "Only those that you may know of.",
		handle((*Server).listCases)},
	{post, "/cases", "openCase", tagCases, signedIn, "Open a case file", "You become its case manager.",
		created(handle((*Server).openCase))},
	{get, "/cases/{id}", "getCase", tagCases, signedIn, "A case file", "",
		handle((*Server).getCase)},
	{post, "/cases/{id}/stage", "setStage", tagCases, signedIn, "Move a case on", "From referral to closing.",
		handle((*Server).setStage)},
	{get, "/cases/{id}/team", "listTeam", tagCases, signedIn, "The team", "",
		handle((*Server).listTeam)},
	{post, "/cases/{id}/team", "addMember", tagCases, signedIn, "Assign a role on the case", "",
		created(handle((*Server).addMember))},
	{remove, "/cases/{id}/team/{member}", "removeMember", tagCases, signedIn, "End a role on the case", "The record of it stays.",
		noContent(handle((*Server).removeMember))},
	{get, "/cases/{id}/people", "listPeople", tagCases, signedIn, "People on the case", "",
		handle((*Server).listPeople)},
	{post, "/cases/{id}/people", "addPerson", tagCases, signedIn, "Add a person under a pseudonym", "",
		created(handle((*Server).addPerson))},
	{patch, "/people/{id}", "changePerson", tagCases, signedIn, "Correct what is known of a person", "Consents are judged again at once. What is left out stays.",
		handle((*Server).changePerson)},
	{post, "/people/{id}/links", "linkAccount", tagCases, signedIn, "Keep an account apart from a suspect's case", "The account leaves the team at once, cannot join it again, and is told that there is no such case (P42).",
		noContent(handle((*Server).linkAccount))},
	{get, "/cases/{id}/custody", "caseCustody", tagLog, signedIn, "The custody log of a case", "In order of position.",
		handle((*Server).caseCustody)},
	{get, "/cases/{id}/custody/{position}/proof", "custodyProof", tagLog, signedIn, "Proof that an entry stands in the log", "Against the current checkpoint, which it returns.",
		handle((*Server).custodyProof)},

	{get, "/cases/{id}/consents", "listConsents", tagConsents, signedIn, "Consents", "",
		handle((*Server).listConsents)},
	{post, "/cases/{id}/consents", "recordConsent", tagConsents, signedIn, "Record a consent", "",
		created(handle((*Server).recordConsent))},
	{post, "/consents/{id}/attest", "attestConsent", tagConsents, signedIn, "Attest a consent", "As the second person, if it is not in writing (P40).",
		handle((*Server).attestConsent)},
	{post, "/consents/{id}/withdraw", "withdrawConsent", tagConsents, signedIn, "Withdraw a consent", "Stops at once what rests on it, recording included (P37). Nothing is deleted.",
		handle((*Server).withdrawConsent)},

	{get, "/interviews", "listInterviews", tagInterviews, signedIn, "Your interviews", "Of all case files that you may know of.",
		handle((*Server).listInterviews)},
	{get, "/cases/{id}/interviews", "caseInterviews", tagInterviews, signedIn, "Interviews of a case", "",
		handle((*Server).caseInterviews)},
	{post, "/cases/{id}/interviews", "planInterview", tagInterviews, signedIn, "Plan an interview", "",
		created(handle((*Server).planInterview))},
	{get, "/interviews/{id}", "getInterview", tagInterviews, signedIn, "An interview", "With its sources, and what is missing before it may start.",
		handle((*Server).getInterview)},
	{post, "/interviews/{id}/cancel", "cancelInterview", tagInterviews, signedIn, "Cancel a planned interview", "",
		handle((*Server).cancelInterview)},
	{get, "/interviews/{id}/status", "interviewStatus", tagInterviews, background, "What the recording is doing", "Cheap enough to ask once a second; does not put off the lock.",
		handle((*Server).interviewStatus)},
	{get, "/interviews/{id}/status/events", "watchStatus", tagInterviews, background, "The status as server-sent events", "Event name status, data as GET /interviews/{id}/status; at once, then when it changes, at most four times a second.",
		stream(eventStream, (*Server).watchStatus)},
	{get, "/interviews/{id}/sources", "listSources", tagInterviews, signedIn, "Cameras and microphones", "In order of creation.",
		handle((*Server).listSources)},
	{post, "/interviews/{id}/sources", "addSource", tagInterviews, signedIn, "Add a camera or a microphone", "Returns the WHIP endpoint and its token.",
		created(handle((*Server).addSource))},
	{post, "/interviews/{id}/sources/{source}/token", "renewSourceToken", tagInterviews, signedIn, "Make a new token for a source", "Ends the earlier one; a session that runs goes on.",
		created(handle((*Server).renewSourceToken))},
	{post, "/interviews/{id}/start", "startInterview", tagInterviews, signedIn, "Start recording", "Refused, with what is missing, unless the interview is ready (P9, P40, P41).",
		handle((*Server).startInterview)},
	{post, "/interviews/{id}/pause", "pauseInterview", tagInterviews, signedIn, "Begin a break", "",
		handle((*Server).pauseInterview)},
	{post, "/interviews/{id}/resume", "resumeInterview", tagInterviews, signedIn, "End a break", "",
		handle((*Server).resumeInterview)},
	{post, "/interviews/{id}/stop", "stopInterview", tagInterviews, signedIn, "Stop and seal", "Answers once the recording is sealed (P18). It cannot be started again.",
		patient(handle((*Server).stopInterview))},
	{post, "/interviews/{id}/markers", "markInterview", tagInterviews, signedIn, "Mark a moment or a phase", "",
		handle((*Server).markInterview)},
	{get, "/interviews/{id}/verification", "verifyInterview", tagInterviews, signedIn, "Verify the sealed recording", "Reads every stored object, rebuilds the tree and checks root, signature and timestamp. The server checks itself here; toldonce-verify does it independently.",
		patient(handle((*Server).verifyInterview))},

	{get, "/interviews/{id}/grants", "interviewGrants", tagGrants, signedIn, "Grants of an interview", "",
		handle((*Server).interviewGrants)},
	{post, "/interviews/{id}/grants", "requestGrant", tagGrants, signedIn, "Ask for a grant", "The range is snapped to whole segments; the answer shows the true bounds.",
		created(handle((*Server).requestGrant))},
	{get, "/grants", "listGrants", tagGrants, signedIn, "Your grants, and those that you may decide", "With the exposure so far for those who decide.",
		handle((*Server).listGrants)},
	{post, "/grants/{id}/approve", "approveGrant", tagGrants, signedIn, "Approve a grant", "Never by the one who asked or would receive it. A child's recording needs two people.",
		handle((*Server).approveGrant)},
	{post, "/grants/{id}/reject", "rejectGrant", tagGrants, signedIn, "Reject a grant", "",
		handle((*Server).rejectGrant)},
	{post, "/grants/{id}/revoke", "revokeGrant", tagGrants, signedIn, "Revoke a grant", "Players that run go dark within two seconds; the next request is refused.",
		handle((*Server).revokeGrant)},

	{get, "/interviews/{id}/playback", "playback", tagPlayback, signedIn, "What you may play", "",
		handle((*Server).playback)},
	{post, "/interviews/{id}/heartbeat", "heartbeat", tagPlayback, background, "Keep a player alive", "A player sends it every second and goes dark two seconds after the last good answer.",
		handle((*Server).heartbeat)},
	{get, "/interviews/{id}/hls/main.m3u8", "hlsMain", tagPlayback, background, "HLS multivariant playlist", "One variant per camera with its own sound, and one per microphone.",
		stream(hlsPlaylist, (*Server).hlsMain)},
	{head, "/interviews/{id}/hls/main.m3u8", "hlsMainHead", tagPlayback, background, "", "",
		hidden(stream(hlsPlaylist, (*Server).hlsMain))},
	{get, "/interviews/{id}/hls/{track}/{file}", "hlsFile", tagPlayback, background, "HLS playlist or segment of a track", "file is index.m3u8, init-N.mp4 or N.m4s. The custody entry is committed before the first byte is sent; each request is decided anew.",
		stream(hlsMedia, (*Server).hlsFile)},
	{head, "/interviews/{id}/hls/{track}/{file}", "hlsFileHead", tagPlayback, background, "", "",
		hidden(stream(hlsMedia, (*Server).hlsFile))},

	{post, "/interviews/{id}/exports", "requestExport", tagExports, signedIn, "Ask for a package", "Encrypted to an age recipient; in the clear only with a reason and a second person.",
		created(handle((*Server).requestExport))},
	{get, "/exports", "listExports", tagExports, signedIn, "Packages", "",
		handle((*Server).listExports)},
	{post, "/exports/{id}/approve", "approveExport", tagExports, signedIn, "Approve a package", "By another person than the one who asked.",
		handle((*Server).approveExport)},
	{get, "/exports/{id}/package", "exportPackage", tagExports, signedIn, "Fetch a package", "A BagIt bag as a tar file, encrypted with age unless it was approved in the clear. The custody entry is committed before the first byte is sent.",
		stream(packageBody, (*Server).exportPackage)},

	{get, "/log/checkpoint", "logCheckpoint", tagLog, signedIn, "Signed checkpoint", "A C2SP tlog-checkpoint: a signed note over size and root.",
		stream(checkpointText, (*Server).logCheckpoint)},
	{get, "/log/entries/{position}", "logEntry", tagLog, signedIn, "An entry of the log", "",
		handle((*Server).logEntry)},
	{get, "/log/entries", "logEntries", tagLog, signedIn, "Entries of the log", "For auditors: entries of every case, with no names and no reasons. In order of position.",
		handle((*Server).logEntries)},
	{get, "/log/consistency", "logConsistency", tagLog, signedIn, "Proof that the log only grew", "",
		handle((*Server).logConsistency)},
	{post, "/log/audit", "logAudit", tagLog, signedIn, "Audit the log", "Rebuilds the tree from every entry and compares: stored hashes could hide tampering.",
		patient(handle((*Server).logAudit))},

	{get, "/events", "events", tagEvents, background, "What happens, as it happens", "Server-sent events from the durable event table, filtered to what you may know. Event names are the actions of the custody log; data is {id, at, kind, case, interview, grant, subject, yours}: that something happened, so read it again. The first is hello: its id is where you are, and {missed: true} says that you were away too long to be told everything. The last, session with {code}, comes when you are no longer signed in. Send Last-Event-ID to go on where you were.",
		stream(eventStream, (*Server).events)},
}
