package web

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/toldonce/toldonce/evidence"
)

// authenticator is somebody's device.
type authenticator struct {
	h   *harness
	rp  virtualwebauthn.RelyingParty
	dev virtualwebauthn.Authenticator
	key virtualwebauthn.Credential
}

func (h *harness) authenticator(account evidence.ID) *authenticator {
	a := &authenticator{h: h, rp: virtualwebauthn.RelyingParty{Name: "test", ID: "localhost", Origin: "http://localhost:8080"}, key: virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)}
	a.dev = virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(account)})
	a.dev.AddCredential(a.key)
	return a
}

func (a *authenticator) options(c Ceremony) string {
	a.h.Helper()
	raw, err := json.Marshal(c.Options)
	a.h.Must(err)
	return string(raw)
}

func (a *authenticator) made(c Ceremony) map[string]any {
	a.h.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(a.options(c))
	a.h.Must(err)
	return a.read(virtualwebauthn.CreateAttestationResponse(a.rp, a.dev, a.key, *options))
}

func (a *authenticator) signed(c Ceremony) map[string]any {
	a.h.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(a.options(c))
	a.h.Must(err)
	a.key.Counter++
	return a.read(virtualwebauthn.CreateAssertionResponse(a.rp, a.dev, a.key, *options))
}

func (a *authenticator) read(text string) (out map[string]any) {
	a.h.Helper()
	a.h.Must(json.Unmarshal([]byte(text), &out))
	return out
}

func (h *harness) passkeySignIn(token string, answer map[string]any) *http.Response {
	h.Helper()
	w := h.do(call{method: "POST", path: apiPrefix + "/session/passkey", body: map[string]any{"token": token, "answer": answer}, header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
	return w.Result()
}

func (h *harness) challenge() Ceremony {
	h.Helper()
	return want[Ceremony](h, h.do(call{method: "POST", path: apiPrefix + "/session/passkey/begin", header: map[string]string{"Sec-Fetch-Site": "same-origin"}}), 200)
}

// A passkey signs its holder in, as often as it signs a fresh challenge, and for
// as long as it is hers.
func TestPasskeys(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.BaseURL = "http://localhost:8080" })
	role := evidence.RoleAdvocate
	device := h.authenticator(h.Actors[role].Account)
	begin := want[Ceremony](h, h.as(role, "POST", "/passkeys/begin", nil), 200)
	made := device.made(begin)
	key := want[Passkey](h, h.as(role, "POST", "/passkeys", map[string]any{"token": begin.Token, "name": "Tablet", "answer": made}), 201)
	if w := h.as(role, "POST", "/passkeys", map[string]any{"token": begin.Token, "name": "Again", "answer": made}); w.Code != 422 {
		t.Errorf("an answer twice: %s", describe(w))
	}
	other := want[Ceremony](h, h.as(role, "POST", "/passkeys/begin", nil), 200)
	if w := h.as(evidence.RoleProsecutor, "POST", "/passkeys", map[string]any{"token": other.Token, "name": "Hers", "answer": h.authenticator(h.Actors[role].Account).made(other)}); w.Code != 422 {
		t.Errorf("somebody else's ceremony: %s", describe(w))
	}

	c := h.challenge()
	answer := device.signed(c)
	if r := h.passkeySignIn(c.Token, answer); r.StatusCode != 200 || len(r.Cookies()) != 1 {
		t.Fatalf("signing in: %s", r.Status)
	}
	if r := h.passkeySignIn(c.Token, answer); r.StatusCode != 401 {
		t.Errorf("replayed: %s", r.Status)
	}
	if r := h.passkeySignIn(h.challenge().Token, answer); r.StatusCode != 401 {
		t.Errorf("for another challenge: %s", r.Status)
	}
	device.rp.Origin = "http://localhost.example"
	c = h.challenge()
	if r := h.passkeySignIn(c.Token, device.signed(c)); r.StatusCode != 401 {
		t.Errorf("made for another site: %s", r.Status)
	}
	device.rp.Origin = "http://localhost:8080"
	device.dev.Options.UserNotVerified = true
	c = h.challenge()
	if r := h.passkeySignIn(c.Token, device.signed(c)); r.StatusCode != 401 {
		t.Errorf("without verifying its user: %s", r.Status)
	}
	device.dev.Options.UserNotVerified = false
	device.key.Counter = 0
	c = h.challenge()
	if r := h.passkeySignIn(c.Token, device.signed(c)); r.StatusCode != 401 {
		t.Errorf("a copy with an older counter: %s", r.Status)
	}
	device.key.Counter = 9
	stranger := h.authenticator(h.Actors[role].Account)
	c = h.challenge()
	if r := h.passkeySignIn(c.Token, stranger.signed(c)); r.StatusCode != 401 {
		t.Errorf("a device that nobody added: %s", r.Status)
	}

	if listed := want[list[Passkey]](h, h.as(role, "GET", "/passkeys", nil), 200); len(listed.Items) != 1 || listed.Items[0].Name != "Tablet" || listed.Items[0].UsedAt == nil {
		t.Errorf("%+v", listed)
	}
	if w := h.as(evidence.RoleProsecutor, "DELETE", "/passkeys/"+key.ID, nil); w.Code != 404 {
		t.Errorf("removed by somebody else: %s", describe(w))
	}
	token := h.token(role)
	if w := h.do(call{method: "POST", path: apiPrefix + "/passkeys/begin", header: map[string]string{"Authorization": "Bearer " + token}}); w.Code != 403 {
		t.Errorf("made by a token: %s", describe(w))
	}
	if w := h.as(role, "DELETE", "/passkeys/"+key.ID, nil); w.Code != 204 {
		t.Fatal(describe(w))
	}
	c = h.challenge()
	if r := h.passkeySignIn(c.Token, device.signed(c)); r.StatusCode != 401 {
		t.Errorf("after it was removed: %s", r.Status)
	}
	if n := len(h.store.Log("passkey.add")) + len(h.store.Log("passkey.remove")); n != 2 {
		t.Errorf("%d entries", n)
	}
}

// Under a bare address there are no passkeys.
func TestPasskeysNeedAName(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.BaseURL = "https://192.0.2.7:8443" })
	same := map[string]string{"Sec-Fetch-Site": "same-origin"}
	if w := h.do(call{method: "POST", path: apiPrefix + "/session/passkey/begin", header: same}); w.Code != 404 {
		t.Error(describe(w))
	}
}
