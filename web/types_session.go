package web

import (
	"net/http"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Me is who is signed in.
type Me struct {
	AccountID evidence.ID   `json:"account_id" doc:"Account."`
	Login     string        `json:"login" doc:"Login name."`
	Name      string        `json:"name" doc:"The person's name."`
	Role      evidence.Role `json:"role" doc:"The account's role. Roles on a case are in the case's team." enum:"admin,case_manager,interviewer,observer,prosecutor,advocate,custodian,auditor"`
	Agency    NamedRef      `json:"agency" doc:"The agency."`
	Language  string        `json:"language" doc:"Preferred language, BCP 47." example:"sq"`
	MFA       bool          `json:"mfa" doc:"Whether a second factor stands behind this session or token (P38)."`
	Session   MySession     `json:"session" doc:"How the person is signed in."`
}

// MySession describes the session or token of a request.
type MySession struct {
	Kind    string     `json:"kind" doc:"session: a cookie; token: a personal bearer token." enum:"session,token"`
	LocksAt *time.Time `json:"locks_at,omitempty" doc:"When the session locks if nothing is done (30 minutes, P38). Background requests (events, heartbeat, status, media) do not put it off. Absent for tokens."`
	EndsAt  *time.Time `json:"ends_at,omitempty" doc:"When the session ends whatever is done. Absent for tokens; GET /tokens says when they end."`
}

type loginInput struct {
	Body struct {
		Login    string `json:"login" minLength:"1" maxLength:"128" doc:"Login name."`
		Password string `json:"password" minLength:"1" maxLength:"1024" doc:"Password." format:"password"`
		Code     string `json:"code" minLength:"6" maxLength:"8" doc:"Current TOTP code (RFC 6238), six digits. A code is accepted once." example:"123456"`
	}
}

// Ceremony is the beginning of a WebAuthn ceremony.
type Ceremony struct {
	Token   string `json:"token" doc:"Send it back with the authenticator's answer, within five minutes. It is used once."`
	Options any    `json:"options" doc:"For navigator.credentials.create or get (W3C Web Authentication), as JSON."`
}

type passkeyAnswerInput struct {
	Body struct {
		Token  string         `json:"token" minLength:"1" maxLength:"64" doc:"From the beginning of the ceremony."`
		Answer map[string]any `json:"answer" doc:"What the authenticator answered, as PublicKeyCredential.toJSON gives it."`
	}
}

type addPasskeyInput struct {
	Body struct {
		Token  string         `json:"token" minLength:"1" maxLength:"64" doc:"From the beginning of the ceremony."`
		Name   string         `json:"name" minLength:"1" maxLength:"200" doc:"What you call it, such as the device's name."`
		Answer map[string]any `json:"answer" doc:"What the authenticator answered, as PublicKeyCredential.toJSON gives it."`
	}
}

type passkeyPath struct {
	Passkey string `path:"passkey" maxLength:"1400" doc:"The passkey's id."`
}

// Passkey is one of your own passkeys.
type Passkey struct {
	ID        string     `json:"id" doc:"Identifier, base64url."`
	Name      string     `json:"name" doc:"What you call it."`
	CreatedAt time.Time  `json:"created_at" doc:"When it was made."`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"When it was last used."`
}

type sessionOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie" doc:"The session: HttpOnly, SameSite=Strict, Secure over TLS."`
	Body      Me
}

type logoutOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie" doc:"Removes the session cookie."`
}

type openInvitationInput struct {
	Body struct {
		Token string `json:"token" minLength:"16" maxLength:"256" doc:"What stands behind # in the invitation's link."`
	}
}

// Invitation is what an invited person sees before choosing a password.
type Invitation struct {
	Login      string `json:"login" doc:"Login name."`
	Name       string `json:"name" doc:"The person's name."`
	TOTPSecret string `json:"totp_secret" doc:"The second factor's secret, base32 (RFC 4648, no padding). It is this invitation's: opening it again shows the same one."`
	TOTPURI    string `json:"totp_uri" doc:"otpauth:// URI of the same secret, to show as a QR code."`
	Language   string `json:"language" doc:"Preferred language, BCP 47."`
}

type acceptInvitationInput struct {
	Body struct {
		Token    string `json:"token" minLength:"16" maxLength:"256" doc:"What stands behind # in the invitation's link."`
		Password string `json:"password" minLength:"12" maxLength:"1024" format:"password" doc:"The new password, at least 12 characters."`
		Code     string `json:"code" minLength:"6" maxLength:"8" doc:"Current TOTP code from the app, to prove that it was set up." example:"123456"`
	}
}

// Token is a personal bearer token, without its secret.
type Token struct {
	ID        evidence.ID `json:"id" doc:"Token."`
	Name      string      `json:"name" doc:"What its owner called it."`
	CreatedAt time.Time   `json:"created_at" doc:"When it was made."`
	ExpiresAt time.Time   `json:"expires_at" doc:"When it ends by itself."`
	EndedAt   *time.Time  `json:"ended_at,omitempty" doc:"When it was ended before; absent otherwise."`
}

// NewToken is a personal bearer token at the one moment when its secret is shown.
type NewToken struct {
	ID        evidence.ID `json:"id" doc:"Token."`
	Token     string      `json:"token" doc:"The secret, for Authorization: Bearer. It is shown once; only its hash is stored."`
	ExpiresAt time.Time   `json:"expires_at" doc:"When it ends."`
}

type createTokenInput struct {
	Body struct {
		Name  string `json:"name" minLength:"1" maxLength:"100" doc:"What to call it."`
		Hours int    `json:"hours,omitempty" minimum:"1" maximum:"24" default:"24" doc:"How long it lasts, hours. Its session's second factor stands behind it."`
	}
}
